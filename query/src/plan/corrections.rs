//! Statements about what an interaction should have been, resolved.

use std::sync::Arc;

use throughline_engine::{Amendment, AttrType, Attribute, Identity, OwnedValue, Redaction, Role, Subject};

use super::compile::Planner;
use crate::diagnostics::Diagnostic;
use crate::rows::{Cell, Env, literal, text_of, unknown_column};
use crate::syntax::ast::{Correction, CorrectionKind, Lit, Name, Span};
use crate::time::parse_instant;

/// What an interaction is known by, and what to do about the wish to change it.
const KEPT: [(&str, &str); 3] = [
    ("at", "record another interaction at the right time, and amend this one to say that it does not count"),
    ("identity", "who goes by an identity is said with `LINK` and `UNLINK`"),
    ("customer", "whose identities are one customer's is said with `LINK` and `UNLINK`"),
];

/// What is told.
#[derive(Debug)]
pub(crate) enum Told {
    Amend(Amendment),
    Redact(Redaction),
}

/// A correction, resolved.
#[derive(Debug)]
pub(crate) struct Asked {
    pub told: Told,
    pub event: Arc<str>,
    pub customer: Option<Arc<str>>,
    /// The attributes, as the store writes them.
    pub attributes: Vec<String>,
}

impl Asked {
    /// Resolves names and parameters; what is wrong is in the planner's sink.
    pub(crate) fn compile(correction: &Correction, planner: &mut Planner<'_>) -> Option<Self> {
        let env = Env::new(planner.snapshot, planner.params);
        let sink = &mut planner.sink;
        let event = text_of(&correction.event, &env, sink);
        if event.as_deref() == Some("") {
            let empty = Diagnostic::error("E308", correction.event.span, "an event id is not empty");
            sink.push(empty.label("the event id of no interaction"));
        }
        let customer = match &correction.customer {
            None => Some(None),
            Some(lit) => text_of(lit, &env, sink).and_then(|text| match Identity::parse(&text) {
                Ok(identity) => Some(Some((text, identity))),
                Err(error) => {
                    let wrong = Diagnostic::error("E412", lit.span, error.to_string());
                    sink.push(wrong.label("not an identity"));
                    None
                }
            }),
        };
        let names: Vec<&Name> = match &correction.kind {
            CorrectionKind::Amend(values) => values.iter().map(|(name, _)| name).collect(),
            CorrectionKind::Redact(names) => names.iter().collect(),
        };
        let attributes: Vec<Option<&Attribute>> =
            names.into_iter().map(|name| attribute(name, &env, sink)).collect();
        let values: Vec<Option<Option<OwnedValue>>> = match &correction.kind {
            CorrectionKind::Redact(_) => Vec::new(),
            CorrectionKind::Amend(values) => (values.iter().zip(&attributes))
                .map(|((_, lit), attribute)| value(lit, (*attribute)?, &env, sink))
                .collect(),
        };
        let (event, customer) = (event.filter(|event| !event.is_empty())?, customer?);
        let attributes: Vec<&Attribute> = attributes.into_iter().collect::<Option<_>>()?;
        let names = attributes.iter().map(|attribute| attribute.name.clone());
        let (customer, identity) = customer.unzip();
        let told = match correction.kind {
            CorrectionKind::Redact(_) => {
                let redaction = Redaction::new(&*event, names.clone());
                Told::Redact(identity.into_iter().fold(redaction, Redaction::of))
            }
            CorrectionKind::Amend(_) => {
                let values: Vec<Option<OwnedValue>> = values.into_iter().collect::<Option<_>>()?;
                let amendment = identity.into_iter().fold(Amendment::new(&*event), Amendment::of);
                Told::Amend(names.clone().zip(values).fold(amendment, |all, (name, value)| match value {
                    Some(value) => all.set(name, value),
                    None => all.clear(name),
                }))
            }
        };
        Some(Self { told, event, customer, attributes: names.collect() })
    }
}

/// An attribute that may be changed.
fn attribute<'e>(name: &Name, env: &Env<'e>, sink: &mut Vec<Diagnostic>) -> Option<&'e Attribute> {
    let schema = env.snapshot.schema();
    let kept = KEPT.into_iter().find(|(kept, _)| kept.eq_ignore_ascii_case(&name.text));
    if let Some((kept, help)) = kept {
        sink.push(stays(kept, name.span).help(help));
        return None;
    }
    match schema.find(Subject::Interaction, &name.text) {
        Some(attribute) if attribute.role == Some(Role::EventId) => {
            let help = "record another interaction under the right event id";
            sink.push(stays(&attribute.name, name.span).help(help));
            None
        }
        Some(attribute) => Some(attribute),
        None => {
            let known: Vec<String> = (schema.attributes().iter())
                .filter(|attribute| attribute.subject == Subject::Interaction)
                .map(|attribute| attribute.name.clone())
                .collect();
            sink.push(unknown_column(&name.text, name.span, &known));
            None
        }
    }
}

fn stays(name: &str, span: Span) -> Diagnostic {
    let message = format!("`{name}` of an interaction stays what it was when it was recorded");
    Diagnostic::error("E422", span, message).label("cannot be amended")
}

/// What an attribute is to be; NULL for no value.
fn value(
    lit: &Lit,
    attribute: &Attribute,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<Option<OwnedValue>> {
    let cell = literal(lit, env, sink)?;
    let fits = match (&cell, attribute.ty) {
        (Cell::Null, _) => return Some(None),
        (Cell::Str(text), AttrType::Time) => parse_instant(text).map(OwnedValue::Int),
        (Cell::Time(at), AttrType::Time) => Some(OwnedValue::Int(*at)),
        (Cell::Str(text), ty) if ty.is_string() => Some(OwnedValue::Str(text.to_string())),
        (Cell::Int(number), ty) if ty.is_string() || matches!(ty, AttrType::Int | AttrType::Float) => {
            Some(OwnedValue::Int(*number))
        }
        (Cell::Float(number), ty) if ty.is_string() || ty == AttrType::Float => {
            Some(OwnedValue::Float(*number))
        }
        (Cell::Bool(truth), ty) if ty.is_string() || ty == AttrType::Bool => Some(OwnedValue::Bool(*truth)),
        _ => None,
    };
    if fits.is_none() {
        let wanted = match attribute.ty {
            AttrType::Int => "a whole number",
            AttrType::Float => "a number",
            AttrType::Bool => "TRUE or FALSE",
            AttrType::Time => "an instant such as '2026-01-31T09:00:00Z'",
            AttrType::Symbol | AttrType::Id | AttrType::Text => "text",
        };
        let message = format!("`{}` holds {wanted}, and this is {}", attribute.name, cell.ty().name());
        sink.push(
            Diagnostic::error("E302", lit.span, message)
                .label("does not fit")
                .help(format!("write `{} = NULL` to leave it without a value", attribute.name)),
        );
    }
    fits.map(Some)
}
