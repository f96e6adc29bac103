//! Statements about which identities belong together, resolved.

use throughline_engine::{CustomerOrdinal, Identity, Link};

use super::compile::Planner;
use super::identity::{identity_of, unknown};
use super::unsupported::not_yet;
use crate::diagnostics::Diagnostic;
use crate::rows::{Env, number_of};
use crate::syntax::ast::{ForExpr, LinksKind, Lit, OpKind, Query, Span};

/// Who says so, where a statement does not.
pub(crate) const STATEMENT: &str = "statement";

/// What is asked or told.
#[derive(Debug)]
pub(crate) enum Asked<'q> {
    /// Two identities are one customer.
    Link(Link),
    /// They are not.
    Unlink(Identity, Identity),
    /// The pairs of a customer, and in how many rows of a query each shows.
    Of(Option<CustomerOrdinal>, Option<&'q Query>),
    /// The pairs that were refused: all, or those of a customer.
    Refused,
    RefusedOf(Option<CustomerOrdinal>),
}

impl<'q> Asked<'q> {
    /// Resolves names and parameters; what is wrong is in the planner's sink.
    pub(crate) fn compile(kind: &'q LinksKind, planner: &mut Planner<'_>) -> Option<Self> {
        let env = Env::new(planner.snapshot, planner.params);
        match kind {
            LinksKind::Link { one, other, confidence, source } => {
                let ends = two(one, other, &env, planner);
                let confidence = match confidence {
                    None => Some(None),
                    Some(lit) => {
                        number_of(lit, &env, &mut planner.sink).map(|number| Some((number, lit.span)))
                    }
                };
                let source = match source {
                    None => Some(STATEMENT.into()),
                    Some(lit) => crate::rows::text_of(lit, &env, &mut planner.sink),
                };
                let ((one, other), confidence, source) = (ends?, confidence?, source?);
                let link = planner.engine(Link::new(one, other))?.with_source(&*source);
                match confidence {
                    None => Some(Self::Link(link)),
                    Some((number, span)) => match link.with_confidence(number) {
                        Ok(link) => Some(Self::Link(link)),
                        Err(_) => {
                            let message = "a confidence is more than 0 and at most 1";
                            let wrong = Diagnostic::error("E105", span, message);
                            planner.sink.push(wrong.help("write `CONFIDENCE 0.9` for nine in ten"));
                            None
                        }
                    },
                }
            }
            LinksKind::Unlink { one, other } => {
                two(one, other, &env, planner).map(|(one, other)| Self::Unlink(one, other))
            }
            LinksKind::Of { customer, query } => {
                let customer = customer_of(customer, &env, planner)?;
                if let Some(at) = query.as_ref().and_then(as_of_in) {
                    planner.sink.push(not_yet("AS OF in LINKS", at));
                    return None;
                }
                Some(Self::Of(customer, query.as_ref()))
            }
            LinksKind::Refused { customer: None } => Some(Self::Refused),
            LinksKind::Refused { customer: Some(customer) } => {
                customer_of(customer, &env, planner).map(Self::RefusedOf)
            }
        }
    }
}

/// Two identities, of which a warning says who is new and who joins nobody.
fn two(one: &Lit, other: &Lit, env: &Env, planner: &mut Planner<'_>) -> Option<(Identity, Identity)> {
    let ends = [one, other].map(|lit| (lit, identity_of(lit, env, &mut planner.sink)));
    let [(_, Some((_, first))), (_, Some((_, second)))] = &ends else { return None };
    if first == second {
        let message = format!("`{}` and itself are no two identities", first.as_str());
        let wrong = Diagnostic::error("E421", other.span, message).label("the same identity");
        planner.sink.push(wrong.help("write the two names that one person goes by"));
        return None;
    }
    let guards = planner.snapshot.guards();
    for (lit, identity) in [(one, first), (other, second)] {
        if guards.blocks(identity.into()) {
            let message = format!("`{}` is blocked: it joins nobody", identity.as_str());
            let warning =
                Diagnostic::warning("W504", lit.span, message).label("says nothing about who it was");
            planner
                .sink
                .push(warning.help("what is said of it is kept; `throughline guards` shows what is blocked"));
        } else if planner.engine(planner.snapshot.find_identity(identity))?.is_none() {
            let message = format!("nobody has gone by `{}` so far", identity.as_str());
            let warning = Diagnostic::warning("W502", lit.span, message).label("new identity");
            planner.sink.push(warning.help("what is said of it counts once an interaction comes under it"));
        }
    }
    let [(_, Some((_, first))), (_, Some((_, second)))] = ends else { return None };
    Some((first, second))
}

/// The customer of an identity; nobody, with a warning, where there is none.
fn customer_of(lit: &Lit, env: &Env, planner: &mut Planner<'_>) -> Option<Option<CustomerOrdinal>> {
    let (text, identity) = identity_of(lit, env, &mut planner.sink)?;
    let found = planner.engine(planner.snapshot.resolve(&identity))?;
    if found.is_none() {
        planner.sink.push(unknown(lit, &text));
    }
    Some(found)
}

/// Where a query, or one inside it, asks for what was known at an instant.
fn as_of_in(query: &Query) -> Option<Span> {
    fn inside(expr: &ForExpr) -> Option<Span> {
        match expr {
            ForExpr::And(one, other) | ForExpr::Or(one, other) => inside(one).or_else(|| inside(other)),
            ForExpr::Not(expr, _) => inside(expr),
            ForExpr::In(query, _) => as_of_in(query),
            _ => None,
        }
    }
    query.ops.iter().find_map(|op| match &op.kind {
        OpKind::AsOf(_) => Some(op.keyword),
        OpKind::For(expr) => inside(expr),
        _ => None,
    })
}
