//! Texts in a query that name something a store has numbers for: values of
//! symbol attributes, customers and identities.

use std::sync::Arc;

use throughline_engine::{AttrId, Error, IdentityOrdinal};

use super::Cell;
use super::compile::Compiler;
use super::env::Env;
use super::expr::Typed;
use super::nearest::{did_you_mean, nearest};
use crate::diagnostics::{Diagnostic, Severity};
use crate::syntax::ast::Span;

impl Compiler<'_, '_> {
    /// The symbol of a constant; the text itself, which equals no symbol, with
    /// a warning where the store has not seen it.
    pub(super) fn symbol(&mut self, attr: AttrId, text: &str, span: Span) -> Typed {
        if let Some(symbol) = self.env.snapshot.find_symbol(attr, text) {
            return Typed { span, ..Typed::from_cell(Cell::Symbol(attr, symbol), span) };
        }
        let diagnostic = unknown_value(attr, text, span, self.env);
        self.sink.push(diagnostic);
        Typed::from_cell(Cell::text(text), span)
    }

    /// The customer that goes by an identity. No number is the highest: it
    /// equals no customer.
    pub(super) fn customer(&mut self, text: &str, span: Span) -> Option<Typed> {
        let found = self.env.snapshot.find_customer(text).map(|found| found.map(Cell::Customer));
        self.known(found, Cell::Customer(u32::MAX), span, format!("no customer goes by `{text}`"))
    }

    /// An identity, likewise.
    pub(super) fn identity(&mut self, text: &str, span: Span) -> Option<Typed> {
        let found = self.env.snapshot.find_identity(text).map(|found| found.map(Cell::Identity));
        let nobody = Cell::Identity(IdentityOrdinal(u32::MAX));
        self.known(found, nobody, span, format!("no interaction came under `{text}`"))
    }

    fn known(
        &mut self,
        found: Result<Option<Cell>, Error>,
        nobody: Cell,
        span: Span,
        warning: String,
    ) -> Option<Typed> {
        match found {
            Ok(Some(cell)) => Some(Typed::from_cell(cell, span)),
            Ok(None) => {
                self.sink.push(
                    Diagnostic::warning("W502", span, warning)
                        .label("unknown identity")
                        .help("an identity is written 'namespace:key', for example 'crm:42'"),
                );
                Some(Typed::from_cell(nobody, span))
            }
            Err(error) => {
                self.fail(Diagnostic::error("E391", span, format!("the store could not be read: {error}")))
            }
        }
    }
}

/// The warning that a symbol attribute never has that value, with the nearest
/// values it has.
pub(crate) fn unknown_value(attr: AttrId, text: &str, span: Span, env: &Env) -> Diagnostic {
    let name = env.snapshot.schema().get(attr).map_or("this attribute", |attribute| &attribute.name);
    let count = env.snapshot.symbol_count(attr).min(100_000);
    let text_of = |symbol| env.snapshot.symbol_text(attr, symbol);
    let mut values: Vec<(u32, Arc<str>)> =
        (0..count as u32).map(|symbol| (symbol, text_of(symbol))).collect();
    let has = |value: &(u32, Arc<str>)| env.snapshot.has_symbol(attr, value.0);
    let near = loop {
        let near: Vec<Arc<str>> =
            nearest(text, values.iter().map(|(_, value)| &**value)).into_iter().map(Arc::from).collect();
        // Only those are looked at that would be shown.
        let all = values.len();
        values.retain(|value| !near.contains(&value.1) || has(value));
        if values.len() == all {
            break near;
        }
    };
    let near: Vec<&str> = near.iter().map(AsRef::as_ref).collect();
    let help = did_you_mean(&near).unwrap_or_else(|| {
        let shown: Vec<&str> =
            values.iter().filter(|value| has(value)).map(|(_, value)| &**value).take(21).collect();
        let mut list = shown.get(..20).unwrap_or(&shown).to_vec();
        list.sort_unstable();
        let more = if shown.len() > 20 { ", …" } else { "" };
        format!("there are: {}{more}", list.join(", "))
    });
    let diagnostic = Diagnostic::warning("W501", span, format!("`{name}` never has the value `{text}`"));
    debug_assert_eq!(diagnostic.severity, Severity::Warning);
    diagnostic.label("unknown value").help(help)
}
