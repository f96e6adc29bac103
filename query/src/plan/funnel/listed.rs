//! REACHED and DROPPED AT: the counted attempts as rows.

use throughline_engine::{AttrId, Attribute, Role};

use super::super::cells::attr_cell;
use super::super::interaction::symbols_of;
use super::FunnelOperator;
use super::attempts::Attempt;
use super::elements::{Elements, What};
use super::search::Search;
use crate::diagnostics::Diagnostic;
use crate::plan::flow::Flow;
use crate::plan::operator::{Reason, Wanted};
use crate::rows::{Cell, Env, Members, QueryLimit, RowBatch, RowType, Sets, count_of, row_type};
use crate::syntax::ast::{self, Outcome};

/// The attempts that are listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    /// The row of the funnel that was reached, from 0.
    row: usize,
    what: What,
    /// Only those that went no further, and what became of them; all where it is `None`.
    dropped: Option<Option<Outcome>>,
}

/// A column of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Customer,
    /// The value of HOLD.
    Held(AttrId),
    /// A column of the breakdown.
    By(usize),
    Depth,
    Started,
    Ended,
    Span,
    Outcome,
    /// An attribute of the customer's next interaction.
    Next(Option<AttrId>),
}

impl Listed {
    /// Resolves REACHED n, or DROPPED AT n where `dropped` is given.
    pub(super) fn compile(
        step: &ast::Lit,
        dropped: Option<Option<Outcome>>,
        elements: &Elements,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let number = count_of(step, env, sink)?;
        let last = match dropped {
            None => elements.len(),
            Some(_) => elements.last_required().unwrap_or(0),
        };
        if let Some(row) = number.checked_sub(1).filter(|&row| row < last) {
            let element = elements.get(row)?;
            if dropped.is_some() && elements.is_optional(row) {
                let message =
                    format!("step {number} is optional: attempts go on without it, and none drops at it");
                let wrong = Diagnostic::error("E408", step.span, message).label("an optional step");
                sink.push(wrong.help("name the required step before it, or write REACHED for who took it"));
                return None;
            }
            return Some(Self { row, what: element.what, dropped });
        }
        let message = match dropped {
            None => format!("this funnel has steps 1 to {last}"),
            Some(_) if last == 0 => "a funnel of one step drops nobody".to_owned(),
            Some(_) => format!("one can drop at steps 1 to {last} of this funnel"),
        };
        sink.push(Diagnostic::error("E408", step.span, message).label("no such step"));
        None
    }

    fn lists(&self, attempt: &Attempt<'_>) -> bool {
        let reached = match self.what {
            What::Optional(step) => attempt.found.rows.iter().any(|row| row.1 as usize == step),
            What::Step(_) | What::Absence => attempt.last >= self.row,
        };
        let stopped = |asked: Option<Outcome>| {
            attempt.last == self.row
                && match asked {
                    None => matches!(attempt.outcome, Some(Outcome::Silent | Outcome::Elsewhere)),
                    asked => attempt.outcome == asked,
                }
        };
        reached && self.dropped.is_none_or(stopped)
    }
}

/// A column: its name, type, field and symbols.
pub(super) type ListedColumn = (String, RowType, Field, Option<AttrId>);

/// The columns of attempts.
pub(super) fn columns(operator: &FunnelOperator, env: &Env) -> Vec<ListedColumn> {
    let schema = env.snapshot.schema();
    let own = |name: &str, ty, field| (name.to_owned(), ty, field, None);
    let next = |name: &str, role: Role| {
        let attribute = schema.role(role);
        let ty = attribute.map_or(RowType::Text, |attribute| row_type(attribute.ty));
        let field = Field::Next(attribute.map(|attribute| attribute.id));
        (name.to_owned(), ty, field, attribute.and_then(symbols_of))
    };
    let mut columns = vec![own("customer", RowType::Customer, Field::Customer)];
    columns.extend(operator.hold.iter().map(|(held, _): &(Attribute, ast::Name)| {
        (held.name.clone(), row_type(held.ty), Field::Held(held.id), symbols_of(held))
    }));
    let by = operator.breakdown.columns().into_iter().enumerate();
    columns.extend(by.map(|(place, (name, ty, attr))| (name, ty, Field::By(place), attr)));
    columns.extend([
        own("depth", RowType::Int, Field::Depth),
        own("started", RowType::Time, Field::Started),
        own("ended", RowType::Time, Field::Ended),
        own("span", RowType::Duration, Field::Span),
        own("outcome", RowType::Text, Field::Outcome),
        next("next_kind", Role::Kind),
        next("next_channel", Role::Channel),
    ]);
    columns
}

/// The attempts of a unit that are listed.
pub(super) fn rows(
    operator: &FunnelOperator,
    (listed, fields): (&Listed, &[Field]),
    search: &mut Search,
    flow: &Flow,
    look: Wanted<'_>,
    env: &Env,
) -> Result<RowBatch, QueryLimit> {
    let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); fields.len()];
    let (mut customers, mut members, mut by) = (Vec::new(), Vec::new(), Vec::new());
    let wants = |field: &dyn Fn(&Field) -> bool| {
        fields.iter().enumerate().any(|(place, own)| field(own) && look.column(place))
    };
    let with_by = wants(&|field| matches!(field, Field::By(_)));
    operator.finder.each(search, flow, env, |attempt| {
        if !listed.lists(attempt) {
            return;
        }
        if with_by {
            operator.breakdown.values(attempt, env, &mut by);
        }
        for (place, (field, column)) in fields.iter().zip(&mut columns).enumerate() {
            if look.column(place) {
                column.push(cell(*field, attempt, &by, env));
            }
        }
        customers.push(attempt.customer());
        if look.members {
            let mut places: Vec<u32> =
                attempt.found.rows.iter().map(|&(row, _)| attempt.view.whole_place(row)).collect();
            places.sort_unstable();
            members.push(Members { customer: attempt.customer(), places: places.into() });
        }
    })?;
    Ok(RowBatch {
        len: customers.len(),
        columns,
        sets: Sets::One(customers),
        members: look.members.then_some(members),
    })
}

fn cell(field: Field, attempt: &Attempt<'_>, by: &[Cell], env: &Env) -> Cell {
    let flow = attempt.view.flow();
    match field {
        Field::Customer => Cell::Customer(attempt.customer()),
        Field::Held(attr) => match attempt.found.rows.first() {
            Some(&(row, _)) => attr_cell(flow.block(), attr, attempt.view.row(row), env),
            None => Cell::Null,
        },
        Field::By(place) => by.get(place).cloned().unwrap_or(Cell::Null),
        Field::Depth => Cell::Int(attempt.last as i64 + 1),
        Field::Started => Cell::Time(attempt.started()),
        Field::Ended => Cell::Time(attempt.ended()),
        Field::Span => Cell::Duration(attempt.ended().saturating_sub(attempt.started())),
        Field::Outcome => Cell::text(match attempt.outcome {
            None => "converted",
            Some(Outcome::Silent) => "silent",
            Some(Outcome::Elsewhere) => "elsewhere",
            Some(Outcome::Open) => "open",
        }),
        Field::Next(attr) => {
            let own = flow.whole_journey(attempt.view.journey);
            let last = attempt.last_row().map(|row| flow.whole_row(attempt.view.row(row)));
            let next = last.map(|last| last + 1).filter(|&next| next < own.end);
            match (attr, next) {
                (Some(attr), Some(next)) => attr_cell(flow.whole(), attr, next, env),
                _ => Cell::Null,
            }
        }
    }
}

/// What became of the counted attempts, where none of them is listed. `lacks_step`: a step that is
/// not reached has been told, which is all there is to say of REACHED.
pub(super) fn why_not(
    operator: &FunnelOperator,
    listed: &Listed,
    lacks_step: bool,
    flow: &Flow,
    env: &Env,
) -> Vec<Reason> {
    if lacks_step && listed.dropped.is_none() {
        return Vec::new();
    }
    let (mut search, mut told, mut any) = (Search::new(&operator.finder), Vec::new(), false);
    let counted = operator.finder.each(&mut search, flow, env, |attempt| {
        any |= listed.lists(attempt);
        let became = match attempt.outcome {
            None => "is complete",
            Some(Outcome::Silent) => "ends in silence",
            Some(Outcome::Elsewhere) => "goes on elsewhere",
            Some(Outcome::Open) => "is open",
        };
        let telling = format!("an attempt gets to step {} and {became}", attempt.last + 1);
        if !told.contains(&telling) {
            told.push(telling);
        }
    });
    if counted.is_err() || any || told.is_empty() {
        return Vec::new();
    }
    let asked = match listed.dropped {
        None => format!("REACHED {}", listed.row + 1),
        Some(_) => format!("DROPPED AT {}", listed.row + 1),
    };
    vec![Reason { step: asked, holds: false, detail: told.join("; "), closest: None }]
}
