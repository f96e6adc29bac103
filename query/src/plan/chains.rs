//! CHAINS and FCR: from the runs the kernel finds to rows (language rule 12).

mod why_not;

use std::collections::HashSet;

use throughline_engine::{AttrId, Column, Millis, Role};

use super::cells::{attr_cell, attr_cells, number, symbol_cells, truth_of};
use super::fcr::Fcr;
use super::flow::Flow;
use super::inflow::Inflow;
use super::interaction::{named, symbols_of};
use super::operator::{Asked, Operator, Passed, Reason, Wanted, Work, Worker};
use super::spans::span_of;
use super::split::LeftOut;
use crate::diagnostics::Diagnostic;
use crate::kernels::chains::{Chain, Contacts, Rule, chains};
use crate::kernels::keys::{Keys, keys};
use crate::limits::KEYS_MAX;
use crate::rows::{
    Cell, Env, Members, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, count_of, duration_of,
    row_type,
};
use crate::syntax::ast::{self, Clock};

/// A column of the rows of CHAINS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Customer,
    Key(AttrId),
    Started,
    Ended,
    Span,
    Contacts,
    /// The values of an attribute over the members, in order.
    Values(Option<AttrId>),
    ChannelChanges,
    Disconnected,
    ResolvedClaims,
    Reopened,
    WorstSentiment,
    SentimentChange,
    Public,
    Open,
    /// Of FCR, as what follows.
    Fcr,
    Charged,
    Repeats,
    Redos,
}

/// CHAINS or FCR, resolved.
#[derive(Clone, Debug)]
pub(crate) struct ChainsOperator {
    rule: Rule,
    keys: Vec<AttrId>,
    key_names: Vec<String>,
    fields: Vec<Field>,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
    channel: Option<AttrId>,
    case: Option<AttrId>,
    resolved: Option<AttrId>,
    sentiment: Option<AttrId>,
    right_edge: Millis,
    fcr: Option<Fcr>,
}

impl ChainsOperator {
    /// Resolves names and options of CHAINS, or of FCR, which is CHAINS MIN 1 with more to say.
    pub(crate) fn compile(
        chains: &ast::Chains,
        is_fcr: bool,
        keyword: ast::Span,
        inflow: Inflow,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let schema = env.snapshot.schema();
        let before = sink.len();
        let name = if is_fcr { "FCR" } else { "CHAINS" };
        let attributes: Vec<_> = chains.same.iter().filter_map(|name| named(schema, name, sink)).collect();
        if chains.same.len() > KEYS_MAX {
            let message =
                format!("{name} takes at most {KEYS_MAX} keys, and these are {}", chains.same.len());
            sink.push(Diagnostic::error("E406", keyword, message).label("too many keys"));
        }
        let gap = match &chains.gap {
            Some(gap) => duration_of(gap, env, sink),
            None => missing(name, "GAP", "GAP 7d", keyword, sink),
        };
        let min = match &chains.min {
            Some(lit) => count_of(lit, env, sink).and_then(|min| {
                let min = u32::try_from(min).ok().filter(|&min| min >= 1);
                if min.is_none() {
                    let wrong = Diagnostic::error("E308", lit.span, "MIN is at least 1");
                    sink.push(wrong.label("no chain has fewer contacts"));
                }
                min
            }),
            None if is_fcr => Some(1),
            None => missing(name, "MIN", "MIN 3", keyword, sink),
        };
        let within = chains.within.as_ref().map(|within| duration_of(within, env, sink));
        let started = chains.started.as_ref().map(|started| span_of(started, inflow.right_edge, env, sink));
        let (gap, min) = (gap?, min?);
        let within = within.map_or(Some(None), |within| within.map(Some))?;
        let started = started.map_or(Some(None), |started| started.map(Some))?;
        if sink[before..].iter().any(|found| found.severity == crate::diagnostics::Severity::Error) {
            return None;
        }

        let mut operator = Self {
            rule: Rule { gap, min, within, started },
            keys: attributes.iter().map(|key| key.id).collect(),
            key_names: attributes.iter().map(|key| key.name.clone()).collect(),
            fields: Vec::new(),
            schema: RowSchema::default(),
            attrs: Vec::new(),
            channel: schema.role(Role::Channel).map(|attribute| attribute.id),
            case: schema.role(Role::Case).map(|attribute| attribute.id),
            resolved: schema.role(Role::Resolved).map(|attribute| attribute.id),
            sentiment: schema.role(Role::Sentiment).map(|attribute| attribute.id),
            right_edge: inflow.right_edge.unwrap_or(Millis::MIN),
            fcr: None,
        };
        operator.column("customer", RowType::Customer, Field::Customer, None);
        for key in &attributes {
            operator.column(&key.name, row_type(key.ty), Field::Key(key.id), symbols_of(key));
        }
        operator.column("started", RowType::Time, Field::Started, None);
        operator.column("ended", RowType::Time, Field::Ended, None);
        operator.column("span", RowType::Duration, Field::Span, None);
        operator.column("contacts", RowType::Int, Field::Contacts, None);
        for (name, role) in [
            ("channels", Role::Channel),
            ("kinds", Role::Kind),
            ("agents", Role::Agent),
            ("cases", Role::Case),
        ] {
            let attribute = schema.role(role);
            let item = attribute.map_or(RowType::Text, |attribute| row_type(attribute.ty));
            let field = Field::Values(attribute.map(|attribute| attribute.id));
            operator.column(name, RowType::List(Box::new(item)), field, attribute.and_then(symbols_of));
        }
        operator.column("channel_changes", RowType::Int, Field::ChannelChanges, None);
        operator.column("disconnected", RowType::Int, Field::Disconnected, None);
        operator.column("resolved_claims", RowType::Int, Field::ResolvedClaims, None);
        operator.column("reopened", RowType::Int, Field::Reopened, None);
        operator.column("worst_sentiment", RowType::Float, Field::WorstSentiment, None);
        operator.column("sentiment_change", RowType::Float, Field::SentimentChange, None);
        operator.column("public", RowType::Bool, Field::Public, None);
        operator.column("open", RowType::Bool, Field::Open, None);
        if is_fcr {
            let clock = chains.clock.map_or(Clock::Contact, |(clock, _)| clock);
            let agent = schema.role(Role::Agent);
            operator.fcr = Some(Fcr { clock, agent: agent.map(|agent| agent.id) });
            let ty = agent.map_or(RowType::Text, |agent| row_type(agent.ty));
            operator.column("fcr", RowType::Bool, Field::Fcr, None);
            operator.column("charged", ty, Field::Charged, agent.and_then(symbols_of));
            operator.column("repeats", RowType::Int, Field::Repeats, None);
            operator.column("redos", RowType::Int, Field::Redos, None);
        }
        let names = operator.schema.columns.iter().map(|column| column.name.to_lowercase());
        let mut names: Vec<String> = names.collect();
        for (place, key) in chains.same.iter().enumerate() {
            let own = std::mem::take(names.get_mut(place + 1)?);
            if names.contains(&own) {
                let twice =
                    chains.same.iter().filter(|other| other.text.eq_ignore_ascii_case(&key.text)).count() > 1;
                let message = match twice {
                    true => format!("`{own}` is named twice"),
                    false => format!("{name} has a column `{own}` of its own, so it cannot be a key"),
                };
                sink.push(Diagnostic::error("E407", key.span, message).label("this name"));
                return None;
            }
            *names.get_mut(place + 1)? = own;
        }
        Some(operator)
    }

    fn column(&mut self, name: &str, ty: RowType, field: Field, attr: Option<AttrId>) {
        self.schema.columns.push(RowColumn { name: name.to_owned(), ty });
        self.fields.push(field);
        self.attrs.push(attr);
    }

    /// The chains of a unit.
    fn rows(&self, flow: &Flow, wanted: Wanted<'_>, env: &Env, passed: &mut Passed) -> RowBatch {
        let (needed, with_members) = (wanted.columns, wanted.members);
        let wants = |place: usize| wanted.column(place);
        let block = flow.block();
        let owned: Keys;
        let (codes, bound) = match self.keys[..] {
            [] => (None, 1),
            [key] => match block.column(key) {
                // One dictionary-coded key needs no codes of its own.
                Some(Column::Symbol { codes, dictionary }) => (Some(&codes[..]), dictionary.len() as u32 + 1),
                Some(Column::Str { codes, dictionary }) => (Some(&codes[..]), dictionary.len() as u32 + 1),
                column => {
                    owned = keys(&[column], block.rows());
                    (Some(&owned.codes[..]), owned.bound)
                }
            },
            _ => {
                let columns: Vec<_> = self.keys.iter().map(|&key| block.column(key)).collect();
                owned = keys(&columns, block.rows());
                (Some(&owned.codes[..]), owned.bound)
            }
        };
        let resolved = self.resolutions(flow, env);
        let contacts = Contacts {
            offsets: &block.offsets,
            times: &block.times,
            keys: codes,
            key_bound: bound,
            visible: flow.visible.as_deref(),
            alive: flow.alive.as_deref(),
            resolved: resolved.as_deref(),
        };
        let over_members = with_members
            || self.fields.iter().enumerate().any(|(place, field)| {
                wants(place)
                    && matches!(
                        field,
                        Field::Values(_)
                            | Field::ChannelChanges
                            | Field::Disconnected
                            | Field::ResolvedClaims
                            | Field::Reopened
                            | Field::WorstSentiment
                            | Field::SentimentChange
                            | Field::Charged
                            | Field::Repeats
                            | Field::Redos
                    )
                    || (wants(place)
                        && matches!(field, Field::Fcr | Field::Open)
                        && self.by_resolution().is_some())
            });
        let found = chains(&self.rule, &contacts, over_members);
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); self.fields.len()];
        let customer = |chain: &Chain| flow.customer(chain.customer as usize);
        let customers = found.chains.iter().map(customer).collect();
        let cases = self.case_codes(flow, needed);
        let mut over = Vec::new();
        for (place, (field, column)) in self.fields.iter().zip(&mut columns).enumerate() {
            if !wants(place) {
                continue;
            }
            // What needs no members is made column by column.
            match field {
                Field::Customer => {
                    column.extend(found.chains.iter().map(|chain| Cell::Customer(customer(chain))))
                }
                Field::Contacts => {
                    column.extend(found.chains.iter().map(|chain| Cell::Int(i64::from(chain.contacts))));
                }
                Field::Key(attr) => {
                    let first = found.chains.iter().map(|chain| chain.first as usize);
                    match block.column(*attr) {
                        Some(Column::Symbol { codes, dictionary }) => {
                            column.extend(symbol_cells(*attr, codes, dictionary, first));
                        }
                        _ => column.extend(attr_cells(block, *attr, first, env)),
                    }
                }
                _ if over_members => over.push(place),
                field => column.extend(
                    found
                        .chains
                        .iter()
                        .map(|chain| self.cell(*field, chain, &[], flow, cases.as_deref(), env)),
                ),
            }
        }
        let mut members = Vec::new();
        if with_members || !over.is_empty() {
            let mut rows = Vec::new();
            for chain in &found.chains {
                found.members(chain, &mut rows);
                for &place in &over {
                    if let (Some(field), Some(column)) = (self.fields.get(place), columns.get_mut(place)) {
                        column.push(self.cell(*field, chain, &rows, flow, cases.as_deref(), env));
                    }
                }
                if with_members {
                    let start = flow.whole_journey(chain.customer as usize).start;
                    let places =
                        rows.iter().map(|&row| (flow.whole_row(row as usize) - start) as u32).collect();
                    members.push(Members { customer: customer(chain), places });
                }
            }
        }
        passed.seen += found.seen;
        passed.keyless += found.keyless;
        RowBatch {
            len: found.chains.len(),
            columns,
            sets: Sets::One(customers),
            members: with_members.then_some(members),
        }
    }

    /// The attribute in the role of resolved, where the clock runs from contacts marked so.
    fn by_resolution(&self) -> Option<AttrId> {
        self.resolved.filter(|_| self.fcr.is_some_and(|fcr| fcr.clock == Clock::Resolution))
    }

    /// Which rows are marked resolved, where the clock runs from them.
    fn resolutions(&self, flow: &Flow, env: &Env) -> Option<Vec<bool>> {
        let (attr, block) = (self.by_resolution()?, flow.block());
        let resolved = |row| truth_of(&attr_cell(block, attr, row, env), env) == Some(true);
        Some((0..block.rows()).map(resolved).collect())
    }

    /// A code for every row's case, 0 for none, where a column needs it.
    fn case_codes(&self, flow: &Flow, needed: &[bool]) -> Option<Vec<u32>> {
        let mut wanted = self.fields.iter().zip(needed).filter(|(_, needed)| **needed);
        let wanted = wanted.any(|(field, _)| matches!(field, Field::Disconnected | Field::Reopened));
        let case = self.case.filter(|_| wanted)?;
        Some(keys(&[flow.block().column(case)], flow.block().rows()).codes)
    }

    fn cell(
        &self,
        field: Field,
        chain: &Chain,
        rows: &[u32],
        flow: &Flow,
        cases: Option<&[u32]>,
        env: &Env,
    ) -> Cell {
        let block = flow.block();
        let at = |row: u32| block.times.get(row as usize).copied().unwrap_or_default();
        let (started, ended) = (at(chain.first), at(chain.last));
        let column = |attr: Option<AttrId>| attr.and_then(|attr| block.column(attr));
        let case = |row: u32| cases.and_then(|cases| cases.get(row as usize)).copied().unwrap_or(0);
        let resolved = |row: u32| {
            self.resolved
                .is_some_and(|attr| truth_of(&attr_cell(block, attr, row as usize, env), env) == Some(true))
        };
        let open = || {
            // Members are known where the clock needs them.
            let from = self.fcr.and_then(|fcr| fcr.runs_from(rows, resolved)).map_or(ended, at);
            let within = self.rule.within.map(|within| started.saturating_add(within));
            self.right_edge <= from.saturating_add(self.rule.gap)
                && within.is_none_or(|until| self.right_edge <= until)
        };
        let hops = || rows.iter().zip(rows.get(1..).unwrap_or_default());
        let count = |number: usize| Cell::Int(number as i64);
        match field {
            Field::Customer => Cell::Customer(flow.customer(chain.customer as usize)),
            Field::Key(attr) => attr_cell(block, attr, chain.first as usize, env),
            Field::Started => Cell::Time(started),
            Field::Ended => Cell::Time(ended),
            Field::Span => Cell::Duration(ended.saturating_sub(started)),
            Field::Contacts => Cell::Int(i64::from(chain.contacts)),
            Field::Values(None) => Cell::List(rows.iter().map(|_| Cell::Null).collect()),
            Field::Values(Some(attr)) => {
                Cell::List(rows.iter().map(|&row| attr_cell(block, attr, row as usize, env)).collect())
            }
            Field::ChannelChanges => {
                let Some(attr) = self.channel else { return Cell::Null };
                let channel = |row: u32| attr_cell(block, attr, row as usize, env);
                count(
                    hops()
                        .filter(|(a, b)| {
                            let (a, b) = (channel(**a), channel(**b));
                            !a.is_null() && !b.is_null() && a != b
                        })
                        .count(),
                )
            }
            Field::Disconnected => match self.case {
                None => Cell::Null,
                Some(_) => count(hops().filter(|(a, b)| case(**b) == 0 || case(**a) != case(**b)).count()),
            },
            Field::ResolvedClaims => match self.resolved {
                None => Cell::Null,
                Some(_) => count(hops().filter(|(a, _)| resolved(**a)).count()),
            },
            Field::Reopened => {
                if self.resolved.is_none() || self.case.is_none() {
                    return Cell::Null;
                }
                let (mut closed, mut reopened) = (HashSet::new(), 0);
                for &row in rows {
                    let case = case(row);
                    reopened += usize::from(case != 0 && closed.contains(&case));
                    if case != 0 && resolved(row) {
                        closed.insert(case);
                    }
                }
                count(reopened)
            }
            Field::WorstSentiment => {
                let all = rows.iter().filter_map(|&row| number(column(self.sentiment), row as usize));
                all.reduce(f64::min).map_or(Cell::Null, Cell::Float)
            }
            Field::SentimentChange => {
                let mut all = rows.iter().filter_map(|&row| number(column(self.sentiment), row as usize));
                match (all.next(), all.next_back()) {
                    (Some(first), Some(last)) => Cell::Float(last - first),
                    _ => Cell::Null,
                }
            }
            // Which channels are earned is not known yet.
            Field::Public => Cell::Null,
            Field::Open => Cell::Bool(open()),
            Field::Fcr if chain.contacts > 1 => Cell::Bool(false),
            Field::Fcr => {
                if open() {
                    Cell::Null
                } else {
                    Cell::Bool(true)
                }
            }
            Field::Charged | Field::Repeats | Field::Redos => {
                let Some((fcr, attr)) = self.fcr.and_then(|fcr| Some((fcr, fcr.agent?))) else {
                    return Cell::Null;
                };
                let agent = |row: u32| attr_cell(block, attr, row as usize, env);
                let charged = fcr.charged(rows, resolved);
                match field {
                    Field::Charged => rows.get(charged).map_or(Cell::Null, |&row| agent(row)),
                    Field::Repeats => count(Fcr::later(rows, charged, agent).repeats),
                    _ => count(Fcr::later(rows, charged, agent).redos),
                }
            }
        }
    }
}

impl Operator for ChainsOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    fn has_members(&self) -> bool {
        true
    }

    fn reads(&self, needed: &[bool]) -> Vec<AttrId> {
        let mut reads = self.keys.clone();
        reads.extend(self.by_resolution());
        for (field, _) in self.fields.iter().zip(needed).filter(|(_, needed)| **needed) {
            match field {
                Field::Values(attr) => reads.extend(attr),
                Field::ChannelChanges => reads.extend(self.channel),
                Field::Disconnected => reads.extend(self.case),
                Field::ResolvedClaims => reads.extend(self.resolved),
                Field::Reopened => reads.extend(self.resolved.into_iter().chain(self.case)),
                Field::WorstSentiment | Field::SentimentChange => reads.extend(self.sentiment),
                Field::Charged | Field::Repeats | Field::Redos => {
                    reads.extend(self.fcr.and_then(|fcr| fcr.agent));
                }
                _ => {}
            }
        }
        reads
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(ChainsWorker { operator: self, wanted })
    }

    /// Says how many interactions have no key; nothing where none has.
    fn notes(&self, passed: &Passed) -> Vec<String> {
        let left = LeftOut { seen: passed.seen, without: passed.keyless };
        left.note(&self.key_names).into_iter().collect()
    }

    fn explain(&self) -> (&'static str, String) {
        let keys = match self.key_names[..] {
            [] => "all contacts of a customer".to_owned(),
            _ => format!("same {}", self.key_names.join(", ")),
        };
        let (name, from) = match self.fcr {
            None => ("CHAINS", "last contact"),
            Some(Fcr { clock: Clock::Contact, .. }) => ("FCR", "last contact"),
            Some(Fcr { clock: Clock::Resolution, .. }) => ("FCR", "last resolution"),
        };
        (name, format!("{keys}; one pass with a table from key to its {from}"))
    }

    fn why_not(&self, asked: &Asked<'_>) -> Vec<Reason> {
        self.reasons(asked.flow, asked.env)
    }
}

struct ChainsWorker<'a> {
    operator: &'a ChainsOperator,
    wanted: Wanted<'a>,
}

impl Worker for ChainsWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit> {
        Ok(Work::Rows(self.operator.rows(flow, self.wanted, env, passed)))
    }
}

fn missing<T>(
    name: &str,
    what: &str,
    example: &str,
    keyword: ast::Span,
    sink: &mut Vec<Diagnostic>,
) -> Option<T> {
    sink.push(
        Diagnostic::error("E403", keyword, format!("{name} needs {what}"))
            .label(format!("{what} is missing"))
            .help(format!("write for example `CHAINS SAME topic GAP 7d MIN 3`: {example}")),
    );
    None
}
