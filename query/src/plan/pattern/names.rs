//! The names of a pattern's steps, and what a step's predicate may name.

use throughline_engine::Schema;

use super::super::interaction::InteractionScope;
use crate::diagnostics::Diagnostic;
use crate::rows::nearest::{did_you_mean, nearest};
use crate::rows::{Column, Scope};
use crate::syntax::ast::{Expr, ExprKind, Name, Span, Step};

/// Slots of the candidate's own row are below this; those of the step named
/// by entry `n` of the names are `n + 1` times this above them.
const OWN_SLOTS: usize = 1 << 17;

/// The slot of the same column in the candidate's own row.
pub(super) fn own_slot(slot: usize) -> usize {
    slot % OWN_SLOTS
}

/// The entry of the names whose row a slot reads; `None` for the candidate's own.
pub(super) fn named_entry(slot: usize) -> Option<usize> {
    (slot / OWN_SLOTS).checked_sub(1)
}

/// A name in a pattern.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub span: Span,
    pub of: Named,
}

/// What has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Some fillers of a step.
    Step { step: usize, fillers: u64, repeated: bool },
    /// Something that must not come: it has no row.
    Absent,
}

/// All names of a pattern, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub entries: Vec<Entry>,
}

impl Names {
    fn find(&self, name: &str) -> Option<(usize, &Entry)> {
        self.entries.iter().enumerate().find(|(_, entry)| entry.name.eq_ignore_ascii_case(name))
    }

    /// Takes a name in. Alternatives of one step may share one.
    pub(super) fn add(&mut self, name: &Name, of: Named, sink: &mut Vec<Diagnostic>) {
        let known = self.entries.iter_mut().find(|entry| entry.name.eq_ignore_ascii_case(&name.text));
        let Some(known) = known else {
            self.entries.push(Entry { name: name.text.clone(), span: name.span, of });
            return;
        };
        match (&mut known.of, of) {
            (Named::Step { step, fillers, .. }, Named::Step { step: other, fillers: more, .. })
                if *step == other =>
            {
                *fillers |= more
            }
            _ => {
                let wrong = Diagnostic::error("E309", name.span, format!("there is already a step `{name}`"));
                let mut wrong = wrong.label("second of this name").help("choose another name for this step");
                wrong.labels.push((known.span, "the first".to_owned()));
                sink.push(wrong);
            }
        }
    }

    /// Whether an expression names any step but its own.
    pub(super) fn others_in(&self, expr: &Expr, own: Option<&Name>) -> bool {
        let mut found = false;
        super::super::steps::each_column(&mut expr.clone(), &mut |qualifier, _| {
            found |= qualifier
                .as_ref()
                .is_some_and(|qualifier| !is_own(own, qualifier) && self.find(&qualifier.text).is_some());
        });
        found
    }
}

fn is_own(own: Option<&Name>, name: &Name) -> bool {
    own.is_some_and(|own| own.text.eq_ignore_ascii_case(&name.text))
}

/// What the predicate of a step may name: the candidate row by itself or by
/// the step's name, and the rows of steps before it by theirs.
pub(super) struct StepScope<'a> {
    pub schema: &'a Schema,
    pub names: &'a Names,
    /// The step's own name.
    pub own: Option<&'a Name>,
    /// Steps below this are before it.
    pub before: usize,
    /// Why no step is before it, where the pattern is a list.
    pub any_order: bool,
}

impl<'a> StepScope<'a> {
    pub(super) fn new(schema: &'a Schema, names: &'a Names, step: &'a Step, before: usize) -> Self {
        Self { schema, names, own: step.name.as_ref(), before, any_order: false }
    }

    fn refused(&self, entry: &Entry, span: Span) -> Option<Diagnostic> {
        let (message, label, help) = match entry.of {
            Named::Absent => (
                format!("`{}` must not come, so it has no values", entry.name),
                "names what must not come",
                "name a step that comes before this one",
            ),
            Named::Step { .. } if self.any_order => (
                format!("under ANY ORDER no step comes before another, and this names `{}`", entry.name),
                "names another step",
                "leave ANY ORDER out, or name only the step's own attributes",
            ),
            Named::Step { step, .. } if step >= self.before => (
                format!("a predicate names steps before its own, and `{}` is not", entry.name),
                "names a later step",
                "write the comparison in the predicate of the later step",
            ),
            Named::Step { repeated: true, .. } => (
                format!("`{}` can have several rows, so it has no one value", entry.name),
                "names a repeated step",
                "name a step without a quantifier, or with `?`",
            ),
            Named::Step { .. } => return None,
        };
        let mut wrong = Diagnostic::error("E419", span, message).label(label).help(help);
        wrong.labels.push((entry.span, "this step".to_owned()));
        Some(wrong)
    }
}

impl Scope for StepScope<'_> {
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<Column, Diagnostic> {
        let own = InteractionScope::new(self.schema);
        let Some(qualifier) = qualifier.filter(|qualifier| !is_own(self.own, qualifier)) else {
            return own.resolve(None, name);
        };
        let Some((place, entry)) = self.names.find(&qualifier.text) else {
            let error = own.resolve(Some(qualifier), name);
            let near = nearest(&qualifier.text, self.names.entries.iter().map(|entry| entry.name.as_str()));
            return match did_you_mean(&near) {
                Some(question) => error.map_err(|error| error.help(question)),
                None => error,
            };
        };
        if let Some(wrong) = self.refused(entry, qualifier.span.to(name.span)) {
            return Err(wrong);
        }
        let column = own.resolve(None, name)?;
        Ok(Column { slot: (place + 1) * OWN_SLOTS + column.slot, ..column })
    }

    fn known_names(&self) -> Vec<String> {
        InteractionScope::new(self.schema).known_names()
    }
}

/// The parts of an expression that are joined by AND.
pub(super) fn conjuncts(expr: &Expr) -> Vec<Expr> {
    let (mut parts, mut open) = (Vec::new(), vec![expr]);
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Binary(crate::syntax::ast::BinaryOp::And, a, b) => open.extend([&**b, &**a]),
            _ => parts.push(expr.clone()),
        }
    }
    parts
}
