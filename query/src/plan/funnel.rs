//! FUNNEL with REACHED, DROPPED AT and CORRELATES: the attempt of each unit
//! that counts, and what became of it (language rules 4 to 11).
//!
//! ```text
//! FunnelOperator::compile   options and pattern -> how attempts are found, what is counted
//! attempts::Finder::each    a flow -> every counted attempt, with its outcome
//! counts, listed, correlates   attempts -> rows
//! ```

mod attempts;
mod breakdown;
mod correlates;
mod counts;
mod depths;
mod elements;
mod listed;
mod options;
mod outcome;
mod search;

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Attribute, Role, Snapshot};

use super::flow::Flow;
use super::inflow::Inflow;
use super::interaction::named;
use super::operator::{Asked, Operator, Passed, Reason, Total, Wanted, Work, Worker};
use super::pattern::{PatternElement, PatternPlan, Reading};
use crate::diagnostics::{Diagnostic, Severity};
use crate::kernels::funnel::Rule as PlainRule;
use crate::kernels::single::Depths;
use crate::rows::{Env, QueryLimit, RowColumn, RowSchema};
use crate::syntax::ast::{self, Count, Outcome, Span};
use crate::value::grouped;
use attempts::{Finder, Units};
use breakdown::{At, Breakdown};
use correlates::Correlates;
use counts::{Counts, CountsTotal};
use elements::Elements;
use listed::{Field, Listed};
use search::Search;

/// FUNNEL, resolved.
#[derive(Clone, Debug)]
pub(crate) struct FunnelOperator {
    finder: Finder,
    breakdown: Breakdown,
    /// HOLD, with the name as written.
    hold: Option<(Attribute, ast::Name)>,
    output: Output,
    schema: RowSchema,
    attrs: Vec<Option<AttrId>>,
}

/// What its rows are.
#[derive(Clone, Debug)]
enum Output {
    /// Steps.
    Steps,
    /// Attempts: REACHED and DROPPED AT.
    Attempts(Listed, Vec<Field>),
    /// Values of attributes: CORRELATES.
    Values(Correlates),
}

impl FunnelOperator {
    /// Resolves labels, names and options.
    pub(crate) fn compile(
        funnel: &ast::Funnel,
        keyword: Span,
        inflow: Inflow,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let schema = env.snapshot.schema();
        let before = sink.len();
        options::check(funnel, keyword, &inflow, sink);
        let labels = match &funnel.on {
            Some(name) => Some(named(schema, name, sink)?),
            None => schema.role(Role::Kind).cloned(),
        };
        let reading = Reading {
            operator: "FUNNEL",
            keyword,
            labels: labels.as_ref(),
            names_alone: false,
            strict: funnel.strict.is_some(),
            any_order: funnel.any_order.is_some(),
            anchor_first: funnel.anchor_first.is_some(),
            within: funnel.within.as_ref(),
            simultaneous: funnel.simultaneous.as_ref().map(|(tolerance, _)| tolerance),
            started: funnel.started.as_ref(),
            inflow,
        };
        let plan = PatternPlan::compile(&funnel.pattern, &reading, env, sink)?;
        let elements = elements_of(&plan);
        let breakdown = options::breakdown(funnel, &elements, env, sink)?;
        let hold = match &funnel.hold {
            Some(name) => Some((named(schema, name, sink)?, name.clone())),
            None => None,
        };
        if sink.iter().skip(before).any(|found| found.severity == Severity::Error) {
            return None;
        }
        let mut held: Vec<AttrId> = hold.iter().map(|(attribute, _)| attribute.id).collect();
        if breakdown.at == At::All {
            held.extend(breakdown.by.iter().map(|(attribute, _)| attribute.id));
        }
        let units = match funnel.count {
            Some((Count::Attempts, _)) => Units::Entries,
            Some((Count::Sessions, _)) => Units::Journeys,
            _ if held.is_empty() => Units::Customers,
            _ => Units::Held(held),
        };
        let plain = plan.plain().filter(|_| units != Units::Entries);
        let finder = Finder { plan, elements, plain, units, keyword };
        let by = breakdown.columns();
        let columns = by.iter().map(|(name, ty, _)| RowColumn { name: name.clone(), ty: ty.clone() });
        let schema = RowSchema { columns: columns.chain(counts::columns()).collect() };
        let attrs = by.iter().map(|column| column.2).chain(counts::COLUMNS.map(|_| None)).collect();
        Some(Self { finder, breakdown, hold, output: Output::Steps, schema, attrs })
    }

    /// Looks up in the store what notes on absences need.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(crate) fn look_up_arrivals(&mut self, snapshot: &Snapshot) -> throughline_engine::Result<()> {
        self.finder.plan.look_up_arrivals(snapshot)
    }

    /// The attributes that journeys are split by before anything is matched:
    /// those of HOLD and of BY … AT ALL, as they are written.
    pub(crate) fn split_names(funnel: &ast::Funnel) -> Vec<ast::Name> {
        let by = funnel.by.iter().filter(|by| by.at == ast::At::All).flat_map(|by| &by.attrs);
        funnel.hold.iter().chain(by).cloned().collect()
    }

    /// REACHED n, or DROPPED AT n where `dropped` is given.
    pub(crate) fn attempts(
        mut self,
        step: &ast::Lit,
        dropped: Option<Option<Outcome>>,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let listed = Listed::compile(step, dropped, &self.finder.elements, env, sink)?;
        let operator = if dropped.is_some() { "DROPPED AT" } else { "REACHED" };
        let columns = listed::columns(&self, env);
        let own = columns.iter().filter(|column| !matches!(column.2, Field::Held(_) | Field::By(_)));
        let taken: Vec<String> = own.map(|column| column.0.clone()).collect();
        let before = sink.len();
        let held = self.hold.as_ref();
        for (attribute, name) in held.into_iter().chain(&self.breakdown.by) {
            let twice =
                held.is_some_and(|(held, other)| held.id == attribute.id && !std::ptr::eq(other, name));
            sink.extend(options::taken_name(attribute, name, twice, &taken, operator));
        }
        if sink.len() > before {
            return None;
        }
        self.attrs = columns.iter().map(|column| column.3).collect();
        let fields = columns.iter().map(|column| column.2).collect();
        let columns = columns.into_iter().map(|(name, ty, ..)| RowColumn { name, ty });
        self.schema = RowSchema { columns: columns.collect() };
        self.output = Output::Attempts(listed, fields);
        Some(self)
    }

    /// CORRELATES, written at `keyword` after `funnel`.
    pub(crate) fn correlates(
        mut self,
        funnel: &ast::Funnel,
        keyword: Span,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let by = funnel.by.as_ref().map(|by| ("BY", by.span));
        let trend = funnel.trend.map(|(_, span)| ("TREND BY", span));
        if let Some(option) = by.or(trend) {
            let why = "correlate one group at a time: `WHERE … |> FUNNEL … |> CORRELATES`";
            sink.push(options::clash(("CORRELATES", keyword), option, why));
            return None;
        }
        let columns = correlates::COLUMNS.into_iter();
        self.attrs = vec![None; correlates::COLUMNS.len()];
        self.schema = RowSchema {
            columns: columns.map(|(name, ty)| RowColumn { name: name.to_owned(), ty }).collect(),
        };
        self.output = Output::Values(Correlates::compile(env));
        Some(self)
    }
}

fn elements_of(plan: &PatternPlan) -> Elements {
    let mut elements = Elements::default();
    for &element in &plan.elements {
        match element {
            _ if plan.rule.any_order => {
                let label = format!("{} of {}", elements.len() + 1, plan.elements.len());
                elements.step(label, false);
            }
            PatternElement::Step(step) => {
                let optional = plan.rule.steps.get(step).is_some_and(|step| step.min == 0);
                elements.step(plan.label(element), optional);
            }
            PatternElement::Absence { .. } => elements.absence(plan.label(element)),
        }
    }
    elements
}

impl Operator for FunnelOperator {
    fn schema(&self) -> &RowSchema {
        &self.schema
    }

    fn attrs(&self) -> &[Option<AttrId>] {
        &self.attrs
    }

    /// Steps and values have none, attempts have.
    fn has_members(&self) -> bool {
        matches!(self.output, Output::Attempts(..))
    }

    fn reads(&self, needed: &[bool]) -> Vec<AttrId> {
        let mut reads = self.finder.plan.reads();
        if let Units::Held(attrs) = &self.finder.units {
            reads.extend(attrs);
        }
        let wants = |place: usize| needed.get(place).copied().unwrap_or(false);
        let by = self.breakdown.by.iter().map(|(attribute, _)| attribute.id);
        match &self.output {
            // The values decide which rows there are.
            Output::Steps => reads.extend(by),
            Output::Attempts(_, fields) => {
                for (_, field) in fields.iter().enumerate().filter(|(place, _)| wants(*place)) {
                    match field {
                        Field::Held(attr) | Field::Next(Some(attr)) => reads.push(*attr),
                        Field::By(_) => reads.extend(by.clone()),
                        _ => {}
                    }
                }
            }
            Output::Values(correlates) => reads.extend(correlates.reads()),
        }
        reads
    }

    /// Those who can have reached a first step: that which must not be
    /// skipped, or any under ANY ORDER.
    fn candidates(&self, snapshot: &Snapshot) -> throughline_engine::Result<Option<RoaringBitmap>> {
        let plan = &self.finder.plan;
        if !plan.rule.any_order {
            let first = plan.rule.steps.iter().position(|step| step.min > 0);
            return first.map_or(Ok(None), |first| plan.step_candidates(first, snapshot));
        }
        let mut all = RoaringBitmap::new();
        for step in 0..plan.rule.steps.len() {
            match plan.step_candidates(step, snapshot)? {
                Some(some) => all |= some,
                None => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    fn worker<'a>(&'a self, wanted: Wanted<'a>) -> Box<dyn Worker + 'a> {
        Box::new(FunnelWorker {
            operator: self,
            wanted,
            search: Search::new(&self.finder),
            depths: self.finder.unbounded_gaps(),
        })
    }

    fn total(&self) -> Option<Box<dyn Total + '_>> {
        match &self.output {
            Output::Steps => Some(Box::new(CountsTotal { operator: self, counts: None })),
            Output::Attempts(..) => None,
            Output::Values(correlates) => Some(Box::new(correlates.total())),
        }
    }

    fn notes(&self, passed: &Passed) -> Vec<String> {
        let mut notes = Vec::new();
        if self.breakdown.at == At::All && matches!(self.output, Output::Steps) {
            notes.push("each value is matched alone, so the groups do not add up".to_owned());
        }
        if passed.unheard > 0 {
            let (unheard, arrivals) = (grouped(passed.unheard), self.finder.plan.arrivals_in_words());
            notes.push(format!(
                "{unheard} of the attempts say that nothing came up to a time by which its channel may have stopped: {arrivals}"
            ));
        }
        if matches!(self.output, Output::Values(_)) && passed.open > 0 {
            let open = grouped(passed.open);
            notes.push(format!("{open} of the attempts are left out: too early to tell whether they drop"));
        }
        notes
    }

    fn why_not(&self, asked: &Asked<'_>) -> Vec<Reason> {
        let Asked { flow, env, .. } = *asked;
        let mut reasons = self.finder.plan.why_not("FUNNEL", flow, env);
        if let Output::Attempts(listed, _) = &self.output {
            let lacks_step = reasons.iter().any(|reason| !reason.holds);
            reasons.extend(listed::why_not(self, listed, lacks_step, flow, env));
        }
        reasons
    }

    fn explain(&self) -> (&'static str, String) {
        let name = match self.output {
            Output::Steps => "FUNNEL",
            Output::Attempts(..) => "FUNNEL, attempts",
            Output::Values(_) => "FUNNEL, CORRELATES",
        };
        let mut parts = vec![self.finder.plan.explain()];
        parts.push(
            match &self.finder.units {
                Units::Customers => "the best attempt of each customer",
                Units::Held(_) => "the best attempt of each customer and value",
                Units::Journeys => "the best attempt of each session",
                Units::Entries => "the best attempt of each entry",
            }
            .to_owned(),
        );
        parts.extend(self.breakdown.explain());
        let bounded = |rule: &PlainRule| rule.edges.iter().any(|edge| !edge.is_free());
        parts.push(
            match &self.finder.plain {
                Some(rule) if bounded(rule) => "one pass with a window of latest starts a step",
                Some(_) => "one pass with the latest start a step",
                None => "by the general matcher",
            }
            .to_owned(),
        );
        (name, parts.join("; "))
    }
}

struct FunnelWorker<'a> {
    operator: &'a FunnelOperator,
    wanted: Wanted<'a>,
    search: Search,
    /// Where it may be enough to know how deep attempts get.
    depths: Option<Depths>,
}

impl Worker for FunnelWorker<'_> {
    fn work(&mut self, flow: &Flow, env: &Env, passed: &mut Passed) -> Result<Work, QueryLimit> {
        let Self { operator, wanted, search, depths } = self;
        let FunnelOperator { finder, breakdown, output, .. } = operator;
        Ok(match output {
            Output::Steps => {
                let mut counts = Counts::new(&finder.elements, breakdown, *wanted);
                if breakdown.is_empty()
                    && counts.takes_depths()
                    && finder.depths(depths, flow, env, &mut counts)
                {
                    return Ok(Work::Part(Box::new(counts)));
                }
                finder.each(search, flow, env, |attempt| {
                    passed.unheard += u64::from(finder.is_unheard(attempt));
                    counts.push(attempt, &finder.elements, breakdown, env);
                })?;
                counts.close();
                if !breakdown.is_empty() {
                    // What one unit makes may already be too much.
                    env.hold(counts.bytes())?;
                    env.release(counts.bytes());
                }
                Work::Part(Box::new(counts))
            }
            Output::Attempts(listed, fields) => {
                Work::Rows(listed::rows(operator, (listed, fields), search, flow, *wanted, env)?)
            }
            Output::Values(correlates) => {
                Work::Part(Box::new(correlates.tally(finder, search, flow, env, passed)?))
            }
        })
    }
}
