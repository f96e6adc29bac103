//! MATCH: one row a match, with the values of its variables (language rules 4,
//! 13 and 11).

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Role, Snapshot, Subject};

use super::cells::attr_cell;
use super::flow::Flow;
use super::inflow::Inflow;
use super::interaction::symbols_of;
use super::operator::{Asked, Operator, Passed, Reason, Wanted, Work, Worker};
use super::pattern::{InSight, PatternPlan, Reading, Variable};
use crate::diagnostics::Diagnostic;
use crate::kernels::pattern::{Found, Joint, Matcher, Which};
use crate::kernels::single::{Completions, StepRows};
use crate::rows::{Cell, Env, Members, QueryLimit, RowBatch, RowColumn, RowSchema, RowType, Sets, row_type};
use crate::syntax::ast::{self, Op, Span};
use crate::syntax::format_operator;
use crate::value::grouped;

/// MATCH, resolved.
#[derive(Clone, Debug)]
pub(crate) struct MatchOperator {
    plan: PatternPlan,
    which: Which,
    /// The pattern and the options as they are written, in canonical form.
    text: String,
    keyword: Span,
    fields: Vec<Field>,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
}

/// A column of the rows of MATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Customer,
    Started,
    Ended,
    Span,
    /// The times of a variable, by its place among the pattern's.
    At(usize),
    /// The values of a variable.
    Values(usize, AttrId),
}

/// The place of the column `customer`.
const CUSTOMER: usize = 0;

impl MatchOperator {
    /// Resolves names, labels and options.
    pub(crate) fn compile(
        found: &ast::Match,
        op: &Op,
        inflow: Inflow,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let (schema, keyword) = (env.snapshot.schema(), op.keyword);
        let reading = Reading {
            operator: "MATCH",
            keyword,
            labels: schema.role(Role::Kind),
            names_alone: true,
            strict: false,
            any_order: false,
            anchor_first: false,
            within: found.within.as_ref(),
            simultaneous: found.simultaneous.as_ref(),
            started: found.started.as_ref(),
            inflow,
        };
        let plan = PatternPlan::compile(&found.pattern, &reading, env, sink)?;
        let which = match found.which.map_or(ast::Which::First, |(which, _)| which) {
            ast::Which::First => Which::First,
            ast::Which::Last => Which::Last,
            ast::Which::All => Which::All,
            ast::Which::Each => Which::Each,
        };
        let (fields, columns, attrs) = (Vec::new(), RowSchema::default(), Vec::new());
        let text = format_operator(op);
        let text = text.strip_prefix("MATCH ").unwrap_or(&text).to_owned();
        let mut operator = Self { plan, which, text, keyword, fields, schema: columns, attrs };
        operator.column("customer".to_owned(), RowType::Customer, Field::Customer, None);
        operator.column("started".to_owned(), RowType::Time, Field::Started, None);
        operator.column("ended".to_owned(), RowType::Time, Field::Ended, None);
        operator.column("span".to_owned(), RowType::Duration, Field::Span, None);
        let attributes = schema.attributes().iter().filter(|one| one.subject == Subject::Interaction);
        let attributes: Vec<&Attribute> = attributes.collect();
        for (place, variable) in operator.plan.variables.clone().iter().enumerate() {
            operator.variable(place, variable, &attributes, sink)?;
        }
        Some(operator)
    }

    fn column(&mut self, name: String, ty: RowType, field: Field, attr: Option<AttrId>) {
        self.schema.columns.push(RowColumn { name, ty });
        self.fields.push(field);
        self.attrs.push(attr);
    }

    /// Looks up in the store what notes on absences need.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(crate) fn look_up_arrivals(&mut self, snapshot: &Snapshot) -> throughline_engine::Result<()> {
        self.plan.look_up_arrivals(snapshot)
    }

    /// The columns of a variable: its time, then every attribute of interactions.
    fn variable(
        &mut self,
        place: usize,
        variable: &Variable,
        attributes: &[&Attribute],
        sink: &mut Vec<Diagnostic>,
    ) -> Option<()> {
        let many = |ty: RowType| if variable.repeated { RowType::List(Box::new(ty)) } else { ty };
        let mut own = vec![("at", RowType::Time, Field::At(place), None)];
        // An attribute called so gives way to the interaction's own.
        let valued = attributes.iter().filter(|one| !one.name.eq_ignore_ascii_case("at"));
        own.extend(
            valued.map(|one| {
                (one.name.as_str(), row_type(one.ty), Field::Values(place, one.id), symbols_of(one))
            }),
        );
        for (attribute, ty, field, attr) in own {
            let name = format!("{}.{attribute}", variable.name);
            if self.schema.find(&name).is_some() {
                let wrong =
                    Diagnostic::error("E309", variable.span, format!("there would be two columns `{name}`"));
                sink.push(wrong.label("makes the second").help("choose another name for this step"));
                return None;
            }
            self.column(name, many(ty), field, attr);
        }
        Some(())
    }

    /// What tells whether a journey has a match, where nothing more is asked of it.
    fn completions(&self, wanted: Wanted<'_>) -> Option<Completions> {
        let one_each = matches!(self.which, Which::First | Which::Last);
        let customers = one_each && wanted.only_customers(CUSTOMER);
        let rule = self.plan.plain().filter(|rule| {
            customers && rule.within.is_none() && rule.edges.iter().all(|edge| edge.low.is_none())
        })?;
        Some(Completions::new(rule.edges.iter().map(|edge| edge.high)))
    }

    /// One row for each customer's journey that has a match.
    fn customers(
        &self,
        completions: &mut Completions,
        (codes, table): (&[u32], &[u8]),
        flow: &Flow,
        wanted: Wanted<'_>,
    ) -> RowBatch {
        let block = flow.block();
        let mut customers = Vec::new();
        let rows = StepRows { times: &block.times, codes, table };
        completions.each(rows, &block.offsets, |journey| {
            if flow.lives(journey) {
                customers.push(flow.customer(journey));
            }
        });
        let place = wanted.column(CUSTOMER).then_some(CUSTOMER);
        RowBatch::of_customers(self.fields.len(), place, customers)
    }

    fn cell(&self, field: Field, one: &OneMatch<'_>, env: &Env) -> Cell {
        let variable = |place: usize, value: &dyn Fn(u32) -> Cell| {
            let rows = one.variables.get(place).map_or(&[][..], Vec::as_slice);
            let repeated = self.plan.variables.get(place).is_some_and(|variable| variable.repeated);
            match rows.first() {
                None => Cell::Null,
                Some(_) if repeated => Cell::List(rows.iter().map(|&row| value(row)).collect()),
                Some(&row) => value(row),
            }
        };
        let view = one.view;
        match field {
            Field::Customer => Cell::Customer(view.flow().customer(view.journey)),
            Field::Started => Cell::Time(one.started),
            Field::Ended => Cell::Time(one.ended),
            Field::Span => Cell::Duration(one.ended.saturating_sub(one.started)),
            Field::At(place) => variable(place, &|row| Cell::Time(view.time(row))),
            Field::Values(place, attr) => {
                variable(place, &|row| attr_cell(view.flow().block(), attr, view.row(row), env))
            }
        }
    }
}

/// A match on its way to a row.
struct OneMatch<'a> {
    view: &'a InSight<'a>,
    started: i64,
    ended: i64,
    /// The rows of each variable, where somebody looks at them.
    variables: Vec<Vec<u32>>,
}

impl Operator for MatchOperator {
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
        let mut reads = self.plan.reads();
        let wanted = self.fields.iter().zip(needed).filter(|(_, needed)| **needed);
        reads.extend(wanted.filter_map(|(field, _)| match field {
            Field::Values(_, attr) => Some(*attr),
            _ => None,
        }));
        reads
    }

    fn candidates(&self, snapshot: &Snapshot) -> throughline_engine::Result<Option<RoaringBitmap>> {
        self.plan.candidates(snapshot)
    }

    fn is_light(&self, wanted: Wanted<'_>) -> bool {
        self.completions(wanted).is_some()
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        let completions = self.completions(wanted);
        Box::new(MatchWorker {
            operator: self,
            wanted,
            matcher: Matcher::new(self.plan.rule.clone()),
            completions,
        })
    }

    /// Says how many journeys would have a match if it were later or the data
    /// reached back further, and how many matches claim the absence of what
    /// may just have stopped arriving.
    fn notes(&self, passed: &Passed) -> Vec<String> {
        let rule = &self.plan.rule;
        let why = match (rule.before.is_empty(), rule.steps.iter().all(|step| step.after.is_empty())) {
            (true, _) => "it is too early to tell that nothing came",
            (false, true) => "the data does not reach back far enough to tell that nothing came before",
            (false, false) => "the data does not reach far enough to tell that nothing came",
        };
        let matches = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 match {one}")),
            _ => Some(format!("{} matches {many}", grouped(count))),
        };
        let open = matches(passed.open, "is", "are").map(|open| format!("{open} not claimed: {why}"));
        let unheard = matches(passed.unheard, "says", "say").map(|unheard| {
            let arrivals = self.plan.arrivals_in_words();
            format!(
                "{unheard} that nothing came up to a time by which its channel may have stopped: {arrivals}"
            )
        });
        open.into_iter().chain(unheard).collect()
    }

    fn why_not(&self, asked: &Asked<'_>) -> Vec<Reason> {
        self.plan.why_not("MATCH", asked.flow, asked.env)
    }

    fn explain(&self) -> (&'static str, String) {
        let which = match self.which {
            Which::First => "the first of each journey",
            Which::Last => "the last of each journey",
            Which::All => "all that share nothing",
            Which::Each => "one for each start",
        };
        let rule = &self.plan.rule;
        let way = match (rule.is_joint(), rule.simultaneous.is_some()) {
            (true, _) => "; a search, because predicates name other steps",
            (false, true) => "; a search, because steps may come out of order",
            (false, false) => "; in time linear in the interactions",
        };
        ("MATCH", format!("{}; {which}{way}", self.text))
    }
}

struct MatchWorker<'a> {
    operator: &'a MatchOperator,
    wanted: Wanted<'a>,
    matcher: Matcher,
    /// Where only customers are asked for.
    completions: Option<Completions>,
}

impl Worker for MatchWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit> {
        let Self { operator, wanted, matcher, completions } = self;
        if let (Some(completions), None) = (completions, &flow.visible)
            && let Some((codes, table)) = operator.plan.codes(flow, env)
        {
            return Ok(Work::Rows(operator.customers(completions, (codes, &table), flow, *wanted)));
        }
        let fields = || operator.fields.iter().enumerate().filter(|(place, _)| wanted.column(*place));
        let with_variables = fields().any(|(_, field)| matches!(field, Field::At(_) | Field::Values(..)));
        let sight = operator.plan.sight(flow, env);
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); operator.fields.len()];
        let (mut customers, mut members, mut early) = (Vec::new(), Vec::new(), 0);
        for journey in 0..flow.block().customers.len() {
            let Some(view) = sight.journey(journey) else { continue };
            let (rows, beside) = (view.rows(), view.beside(env));
            let joint = operator.plan.rule.is_joint().then_some(&beside as &dyn Joint);
            let customer = flow.customer(journey);
            let take = |found: &Found| {
                let times = || found.rows.iter().map(|&(row, _)| view.time(row));
                let one = OneMatch {
                    view: &view,
                    started: times().next().unwrap_or_default(),
                    // Under SIMULTANEOUS the last step is not always the latest.
                    ended: times().max().unwrap_or_default(),
                    variables: if with_variables { view.variables(found, env) } else { Vec::new() },
                };
                for (place, field) in fields() {
                    if let Some(column) = columns.get_mut(place) {
                        column.push(operator.cell(*field, &one, env));
                    }
                }
                customers.push(customer);
                passed.unheard += u64::from(operator.plan.outlasts_arrivals(&view, found));
                if wanted.members {
                    let places = found.rows.iter().map(|&(row, _)| view.whole_place(row));
                    let mut places: Vec<u32> = places.collect();
                    places.sort_unstable();
                    members.push(Members { customer, places: places.into() });
                }
            };
            let tally = matcher
                .matches(&rows, joint, operator.which, take)
                .map_err(|_| QueryLimit::PatternStates { span: operator.keyword })?;
            early += u64::from(tally.early);
        }
        passed.open += early;
        Ok(Work::Rows(RowBatch {
            len: customers.len(),
            columns,
            sets: Sets::One(customers),
            members: wanted.members.then_some(members),
        }))
    }
}
