//! Parameters that a query does not use are errors too: a misspelt one would
//! otherwise pass for an option that changes nothing.

use std::collections::BTreeSet;

use crate::diagnostics::Diagnostic;
use crate::rows::nearest::{did_you_mean, nearest};
use crate::syntax::ast::{Span, Statement};
use crate::syntax::format;
use crate::value::Params;

/// An error for each parameter that is given and not used.
pub(crate) fn superfluous(statement: &Statement, params: &Params) -> Vec<Diagnostic> {
    if params.is_empty() {
        return Vec::new();
    }
    let used = names_in(&format(statement));
    let unused = params.keys().filter(|name| !used.contains(*name));
    let finding = |name: &String| {
        let found =
            Diagnostic::error("E307", Span::default(), format!("the query has no parameter `${name}`"));
        let near = nearest(name, used.iter().map(String::as_str));
        let near: Vec<String> = near.into_iter().map(|name| format!("${name}")).collect();
        match did_you_mean(&near.iter().map(String::as_str).collect::<Vec<_>>()) {
            Some(question) => found.help(question),
            None => found.help("take its value away, or write it into the query"),
        }
    };
    unused.map(finding).collect()
}

/// The names after `$` in a query's canonical text, which has no comments.
fn names_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(sign) = rest.next() {
        match (quote, sign) {
            // A doubled quote closes and opens again.
            (Some(open), _) => quote = Some(open).filter(|&open| open != sign),
            (None, '\'' | '"') => quote = Some(sign),
            (None, '$') => {
                let name: String =
                    rest.as_str().chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
                names.insert(name);
            }
            (None, _) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_quotes() {
        let names = names_in("WHERE a = $x AND b = 'it''s $y' AND \"c$z\" IN ($list, $x)");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["list", "x"]);
    }
}
