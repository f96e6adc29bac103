//! EXPLAIN: the steps of a plan, what they read, and what the index saves.

use throughline_engine::Snapshot;

use crate::answer::Answer;
use crate::error::QueryError;
use crate::plan::compile::{Phase, Plan, Stage, Then};
use crate::plan::index::{scans, units_with};
use crate::rows::{RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Part, Span};
use crate::value::Value;
use crate::value::grouped;

/// The plan as rows: step, detail, customers (an estimate from above, where the index has one).
pub(crate) fn rows(plan: &mut Plan, snapshot: &Snapshot, text: &str) -> Result<Answer, QueryError> {
    let mut lines = Vec::new();
    let mut whole = true;
    for phase in &mut plan.phases {
        // What the index knows exactly; queries inside predicates are not run.
        phase.prepare(snapshot, whole, &mut |_| Ok(None))?;
        whole = !matches!(phase.then, Then::Members | Then::Journeys(Part::Before | Part::After));
        explain(phase, snapshot, text, &mut lines)?;
    }
    let column = |name: &str, ty| RowColumn { name: name.to_owned(), ty };
    let columns = vec![
        column("step", RowType::Text),
        column("detail", RowType::Text),
        column("customers", RowType::Int),
    ];
    Ok(Answer::new(RowSchema { columns }, lines))
}

fn explain(
    phase: &Phase,
    snapshot: &Snapshot,
    text: &str,
    lines: &mut Vec<Vec<Value>>,
) -> Result<(), QueryError> {
    let mut line = |step: &str, detail: String, customers: Option<u64>| {
        let customers = customers.map_or(Value::Null, |customers| Value::Int(customers as i64));
        lines.push(vec![step.into(), detail.into(), customers]);
    };
    let quoted = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or_default().to_owned();
    let candidates = phase.candidates(snapshot)?;
    let estimate = candidates.as_ref().map(roaring::RoaringBitmap::len);
    let wanted = candidates.filter(|candidates| !scans(candidates, snapshot));
    let (units, all) = (units_with(snapshot, wanted.as_ref()).len(), snapshot.units().len());
    let choice = match (estimate, &wanted) {
        (None, _) => "scan: the index says nothing about this query".to_owned(),
        (Some(_), None) => "scan: so many customers qualify that all are read".to_owned(),
        (Some(_), Some(_)) => "index: only customers who can qualify".to_owned(),
    };
    line("read", format!("{choice}; {units} of {all} units"), estimate);
    let names: Vec<&str> = phase
        .reads()
        .iter()
        .filter_map(|&attr| snapshot.schema().get(attr))
        .map(|attribute| attribute.name.as_str())
        .collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    line("columns", format!("time; attributes: {names}"), None);
    for stage in &phase.stages {
        match stage {
            Stage::During(from, to) => {
                let at = crate::time::format_instant;
                line("DURING", format!("{} TO {}", at(*from), at(*to)), None);
            }
            Stage::Where(predicate) => line("WHERE", quoted(predicate.span), None),
            Stage::For(customers) => line("FOR", customers.explain(), None),
            Stage::Split(split) => {
                let names = split.names.join(", ");
                line("SPLIT BY", format!("one journey for each {names} of a customer"), None);
            }
            Stage::Sessions(gap) => {
                let gap = crate::time::format_duration_literal(*gap);
                line("SESSIONS", format!("journeys end where they pause longer than {gap}"), None);
            }
        }
    }
    let (step, detail) = phase.operator.explain();
    line(step, detail, None);
    let columns: Vec<&str> = phase.tail.output().columns.iter().map(|column| column.name.as_str()).collect();
    line("rows", columns.join(", "), None);
    match &phase.then {
        Then::Answer | Then::Customers => {}
        Then::Save(name) => line("SAVE COHORT", format!("{name}: not saved by EXPLAIN"), None),
        Then::Journeys(Part::Whole) => line("JOURNEYS", "of the customers behind the rows".to_owned(), None),
        Then::Journeys(Part::Before) => {
            line("JOURNEYS", "before each row's first interaction".to_owned(), None)
        }
        Then::Journeys(Part::After) => line("JOURNEYS", "after each row's last interaction".to_owned(), None),
        Then::Members => line("INTERACTIONS", "the rows' members".to_owned(), None),
    }
    line("store", format!("{} interactions", grouped(snapshot.interactions())), Some(snapshot.customers()));
    Ok(())
}
