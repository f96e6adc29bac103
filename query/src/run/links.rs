//! LINK, UNLINK and LINKS: what is said about identities, and what became of it.

use std::collections::HashMap;

use throughline_engine::{
    CustomerOrdinal, Db, Error, Identity, IdentityOrdinal, LinkEdge, LinkRow, Said, Snapshot, Standing,
};

use super::Run;
use crate::answer::Answer;
use crate::diagnostics::Diagnostic;
use crate::error::QueryError;
use crate::plan::compile::{Ends, Planner};
use crate::plan::links::{Asked, STATEMENT};
use crate::plan::params::superfluous;
use crate::rows::{RowColumn, RowSchema, RowType};
use crate::syntax::ast::{Links, LinksKind, Query, Statement};
use crate::value::Value;

/// Links that a query is asked without, one after another.
const TRIED_MAX: usize = 100;

/// What a query came to: its rows without customers, how often each came, and what there is to say.
struct Found {
    rows: HashMap<String, u64>,
    notes: Vec<String>,
    warnings: Vec<Diagnostic>,
}

/// Whether a statement says something, and so must not be repeated.
pub(super) fn is_told(statement: &Statement) -> bool {
    let told = |links: &Links| matches!(links.kind, LinksKind::Link { .. } | LinksKind::Unlink { .. });
    matches!(statement, Statement::Links(links) if told(links))
}

impl Run<'_> {
    /// Answers a statement about links.
    pub(super) fn links(&self, db: &Db, statement: &Statement, links: &Links) -> Result<Answer, QueryError> {
        // What is told is told once; what is read for it is read again where the graph had to be mended.
        let (snapshot, asked, warnings) = if is_told(statement) {
            self.mended(db, || self.asked(db, statement, links))?
        } else {
            self.asked(db, statement, links)?
        };
        let answer = match asked {
            Asked::Link(link) => {
                let ends = [link.one().clone(), link.other().clone()];
                self.tell(db, &snapshot, &ends, || db.link([link]))
            }
            Asked::Unlink(one, other) => {
                let ends = [one, other];
                self.tell(db, &snapshot, &ends, || {
                    let [one, other] = &ends;
                    db.unlink(one, other, STATEMENT)
                })
            }
            Asked::Of(customer, query) => self.links_of(db, &snapshot, customer, query),
            Asked::Refused => self.refused(&snapshot, &snapshot.links_refused()?),
            Asked::RefusedOf(customer) => {
                let edges = customer.map(|customer| snapshot.links_of(customer)).transpose()?;
                let rows = edges.iter().flat_map(|links| links.edges()).map(|edge| &edge.row);
                let rows: Vec<LinkRow> = rows.filter(|row| word(row) == "refused").cloned().collect();
                self.refused(&snapshot, &rows)
            }
        };
        Ok(answer?.with_warnings(warnings))
    }

    /// Reads, and once more where what was read of the graph had to be made anew.
    fn mended<T>(&self, db: &Db, read: impl Fn() -> Result<T, QueryError>) -> Result<T, QueryError> {
        match read() {
            Err(QueryError::Engine(error)) if db.repair(&error).unwrap_or(false) => read(),
            other => other,
        }
    }

    fn asked<'q>(
        &self,
        db: &Db,
        statement: &Statement,
        links: &'q Links,
    ) -> Result<(Snapshot, Asked<'q>, Vec<Diagnostic>), QueryError> {
        let snapshot = db.snapshot();
        let mut planner = Planner::new(&snapshot, self.params);
        planner.sink.extend(superfluous(statement, self.params));
        let asked = Asked::compile(&links.kind, &mut planner);
        let (asked, warnings) = self.sound(asked, planner)?;
        Ok((snapshot, asked, warnings))
    }

    /// Says something of two identities, and shows what it came to.
    fn tell(
        &self,
        db: &Db,
        before: &Snapshot,
        ends: &[Identity; 2],
        say: impl FnOnce() -> throughline_engine::Result<throughline_engine::Commit>,
    ) -> Result<Answer, QueryError> {
        let were_one = self.mended(db, || {
            let [one, other] = customers(before, ends)?;
            Ok(one.is_some() && one == other)
        })?;
        let commit = say()?.number;
        self.mended(db, || {
            let snapshot = db.snapshot();
            let [Some(one), Some(other)] = customers(&snapshot, ends)? else {
                let why = format!("commit {commit} is durable and not shown");
                return Err(Error::Poisoned(why).into());
            };
            let number = |identity| snapshot.find_identity(identity);
            let [first, second] = ends;
            let pair = number(first)?.zip(number(second)?);
            let links = snapshot.links_of(one)?;
            let place = pair.and_then(|(one, other)| links.find(one, other));
            let row = place.and_then(|place| links.edges().nth(place)).map(|edge| &edge.row);
            let standing = match row.map(|row| row.standing) {
                Some(Standing::Accepted) if were_one => "already one customer",
                Some(Standing::Accepted) => "joined",
                Some(Standing::Withdrawn) => "cut",
                _ => "refused",
            };
            let values = vec![
                first.as_str().into(),
                second.as_str().into(),
                standing.into(),
                row.map(|row| reason(row, &snapshot)).transpose()?.unwrap_or(Value::Null),
                snapshot.customer_name(one)?.into(),
                snapshot.customer_name(other)?.into(),
            ];
            let columns = [
                ("one", RowType::Identity),
                ("other", RowType::Identity),
                ("standing", RowType::Text),
                ("reason", RowType::Text),
                ("customer", RowType::Customer),
                ("other_customer", RowType::Customer),
            ];
            Ok(Answer::new(schema(columns), vec![values]))
        })
    }

    fn refused(&self, snapshot: &Snapshot, rows: &[LinkRow]) -> Result<Answer, QueryError> {
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let mut values = said(row, snapshot)?;
            values.push(reason(row, snapshot)?);
            out.push(values);
        }
        Ok(Answer::new(schema(SAID.into_iter().chain([("reason", RowType::Text)])), out))
    }

    fn links_of(
        &self,
        db: &Db,
        snapshot: &Snapshot,
        customer: Option<CustomerOrdinal>,
        query: Option<&Query>,
    ) -> Result<Answer, QueryError> {
        let links = customer.map(|customer| snapshot.links_of(customer)).transpose()?;
        // A query that is wrong is wrong for nobody, too.
        let whole = match (query, customer) {
            (None, _) => None,
            (Some(query), Some(customer)) => Some(self.found(db, &snapshot.only(customer)?, query)?),
            (Some(query), None) => {
                let mut planner = Planner::new(snapshot, self.params);
                let plan = planner.subquery(query, Ends::Rows);
                self.sound(plan, planner)?;
                None
            }
        };
        let mut tried = 0;
        let mut rows = Vec::new();
        for (place, edge) in links.iter().flat_map(|links| links.edges()).enumerate() {
            self.check()?;
            let mut values = said(&edge.row, snapshot)?;
            values.push(word(&edge.row).into());
            values.push(reason(&edge.row, snapshot)?);
            values.push(Value::Bool(edge.apart.is_some()));
            values.push(edge.apart.map_or(Value::Null, number));
            if query.is_some() {
                let only_here = match (&links, &whole, query) {
                    (Some(links), Some(whole), Some(query)) if is_accepted(edge) && tried < TRIED_MAX => {
                        tried += 1;
                        match snapshot.without_link(links, place)? {
                            None => number(0),
                            Some(without) => number(gone(whole, &self.found(db, &without, query)?)),
                        }
                    }
                    _ => Value::Null,
                };
                values.push(only_here);
            }
            rows.push(values);
        }
        let columns = [
            ("standing", RowType::Text),
            ("reason", RowType::Text),
            ("bridge", RowType::Bool),
            ("apart", RowType::Int),
        ];
        let only_here = query.is_some().then_some(("only_here", RowType::Int));
        let mut answer = Answer::new(schema(SAID.into_iter().chain(columns).chain(only_here)), rows);
        let accepted = links.iter().flat_map(|links| links.edges()).filter(|edge| is_accepted(edge)).count();
        if query.is_some() && accepted > TRIED_MAX {
            let note = format!(
                "the query was asked without each of the first {TRIED_MAX} of {accepted} accepted links; only_here is NULL for the others"
            );
            answer = answer.with_note(note);
        }
        if let Some(whole) = whole {
            answer = whole.notes.into_iter().fold(answer, Answer::with_note).with_warnings(whole.warnings);
        }
        Ok(answer)
    }

    /// What a query comes to on a few journeys.
    fn found(&self, db: &Db, snapshot: &Snapshot, query: &Query) -> Result<Found, QueryError> {
        let mut planner = Planner::new(snapshot, self.params);
        let plan = planner.subquery(query, Ends::Rows);
        let (mut plan, warnings) = self.sound(plan, planner)?;
        let answer = self.plan(db, snapshot, &mut plan, None)?;
        // Who somebody is differs by what is said; what is compared is what somebody did.
        let is_compared: Vec<bool> =
            answer.columns().iter().map(|column| !names_customers(&column.ty)).collect();
        let mut rows: HashMap<String, u64> = HashMap::new();
        for row in answer.rows() {
            let values = row.iter().zip(&is_compared).filter(|(_, is)| **is).map(|(value, _)| value);
            *rows.entry(format!("{:?}", values.collect::<Vec<_>>())).or_default() += 1;
        }
        Ok(Found { rows, notes: answer.notes().to_vec(), warnings })
    }
}

/// How many rows there are in the one and not in the other.
fn gone(whole: &Found, without: &Found) -> u64 {
    let left = |row: &String| without.rows.get(row).copied().unwrap_or_default();
    whole.rows.iter().map(|(row, &count)| count.saturating_sub(left(row))).sum()
}

fn names_customers(ty: &RowType) -> bool {
    match ty {
        RowType::Customer => true,
        RowType::List(items) => names_customers(items),
        _ => false,
    }
}

fn is_accepted(edge: &LinkEdge) -> bool {
    edge.row.standing == Standing::Accepted
}

fn customers(
    snapshot: &Snapshot,
    ends: &[Identity; 2],
) -> throughline_engine::Result<[Option<CustomerOrdinal>; 2]> {
    let [one, other] = ends;
    Ok([snapshot.resolve(one)?, snapshot.resolve(other)?])
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn schema(columns: impl IntoIterator<Item = (&'static str, RowType)>) -> RowSchema {
    let column = |(name, ty): (&str, RowType)| RowColumn { name: name.to_owned(), ty };
    RowSchema { columns: columns.into_iter().map(column).collect() }
}

/// What was said, as columns.
const SAID: [(&str, RowType); 6] = [
    ("one", RowType::Identity),
    ("other", RowType::Identity),
    ("said", RowType::Text),
    ("confidence", RowType::Float),
    ("source", RowType::Text),
    ("recorded", RowType::Time),
];

fn said(row: &LinkRow, snapshot: &Snapshot) -> Result<Vec<Value>, QueryError> {
    let word = match row.said {
        Said::Row => "row",
        Said::Link => "link",
        Said::Cut => "cut",
    };
    Ok(vec![
        snapshot.identity_name(row.one)?.into(),
        snapshot.identity_name(row.other)?.into(),
        word.into(),
        row.confidence().map_or(Value::Null, Value::Float),
        Some(&*row.source).filter(|source| !source.is_empty()).map_or(Value::Null, Value::from),
        Value::Time(row.recorded),
    ])
}

fn word(row: &LinkRow) -> &'static str {
    match row.standing {
        Standing::Accepted => "accepted",
        Standing::Withdrawn => "cut",
        _ => "refused",
    }
}

/// Why a pair was refused.
fn reason(row: &LinkRow, snapshot: &Snapshot) -> Result<Value, QueryError> {
    let name = |identity: u32| snapshot.identity_name(IdentityOrdinal(identity));
    let guards = snapshot.guards();
    Ok(match row.standing {
        Standing::Accepted | Standing::Withdrawn => Value::Null,
        Standing::Blocked(one) => format!("{} is blocked", name(one)?).into(),
        Standing::Hub(one) => {
            format!("{} is paired with more than {} others", name(one)?, guards.hub_links()).into()
        }
        Standing::Limit(one, other) => {
            let (one, other) = (name(one)?, name(other)?);
            let namespace = one.split(':').next().unwrap_or_default();
            let limit = guards.limit(namespace);
            format!("at most {limit} {namespace} a customer: {one}, {other}").into()
        }
        Standing::Cut(one, other) => format!("cut: {}, {}", name(one)?, name(other)?).into(),
    })
}
