//! FOR: predicates over whole customers, judged on what flows.

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Role, Snapshot, Subject};

use super::compile::{Ends, Planner};
use super::flow::Flow;
use super::identity::{identity_of, unknown};
use super::index::candidates_of;
use super::interaction::{CUSTOMER, InteractionScope};
use super::predicate::{attributes, holds};
use super::steps::{StepFilter, compile_step, each_column};
use super::truth::{self, Truth};
use super::unsupported::not_yet;
use crate::diagnostics::Diagnostic;
use crate::rows::nearest::{did_you_mean, nearest};
use crate::rows::{
    Cell, Cells, Column as ScopeColumn, Env, RowType, Scope, Typed, compile_predicate, count_of,
    unknown_column,
};
use crate::syntax::ast::{Expr, ExprKind, ForExpr, HasWhat, Name, Span};

/// A predicate over customers, resolved.
#[derive(Debug)]
pub(crate) enum Customers {
    And(Box<Customers>, Box<Customers>),
    Or(Box<Customers>, Box<Customers>),
    Not(Box<Customers>),
    /// At least so many interactions in sight that satisfy it.
    Has {
        filter: StepFilter,
        at_least: usize,
        no: bool,
    },
    /// Exactly these, whatever flows.
    These {
        customers: RoaringBitmap,
        what: String,
        /// Whether a query was asked for them.
        behind: bool,
    },
    /// Those behind the rows of a query, which has not run yet.
    Behind(Box<super::compile::Plan>),
    /// An expression over the customer's attributes.
    Attributes(Typed),
}

impl Customers {
    /// Resolves names, literals and cohorts.
    pub(crate) fn compile(expr: &ForExpr, planner: &mut Planner<'_>, env: &Env) -> Option<Self> {
        Some(match expr {
            ForExpr::And(a, b) => {
                let (a, b) = (Self::compile(a, planner, env), Self::compile(b, planner, env));
                Self::And(Box::new(a?), Box::new(b?))
            }
            ForExpr::Or(a, b) => {
                let (a, b) = (Self::compile(a, planner, env), Self::compile(b, planner, env));
                Self::Or(Box::new(a?), Box::new(b?))
            }
            ForExpr::Not(inner, _) => Self::Not(Box::new(Self::compile(inner, planner, env)?)),
            ForExpr::Has { no, at_least, what, span } => {
                let at_least = match at_least {
                    None => 1,
                    Some(lit) => count_of(lit, env, &mut planner.sink)?,
                };
                let filter = has_filter(what, *span, env, &mut planner.sink)?;
                Self::Has { filter, at_least, no: *no }
            }
            ForExpr::Customer(lit) => {
                let (text, identity) = identity_of(lit, env, &mut planner.sink)?;
                let found = planner.engine(planner.snapshot.resolve(&identity))?;
                if found.is_none() {
                    planner.sink.push(unknown(lit, &text));
                }
                let what = format!("customer {text}");
                Self::These { customers: found.into_iter().collect(), what, behind: false }
            }
            ForExpr::Cohort(name) => match planner.engine(planner.snapshot.cohort(&name.text))? {
                Some(customers) => Self::These { customers, what: format!("cohort {name}"), behind: false },
                None => {
                    let known = planner.snapshot.cohorts();
                    planner.sink.push(unknown_cohort(name, &known));
                    return None;
                }
            },
            ForExpr::In(query, _) => Self::Behind(Box::new(planner.subquery(query, Ends::Customers)?)),
            ForExpr::Attributes(expr) => Self::Attributes(over_customers(expr, env, &mut planner.sink)?),
        })
    }

    /// The attributes of interactions it reads.
    pub(crate) fn reads(&self, reads: &mut Vec<AttrId>) {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.reads(reads);
                b.reads(reads);
            }
            Self::Not(inner) => inner.reads(reads),
            Self::Has { filter, .. } => reads.extend(filter.predicate.iter().flat_map(attributes)),
            Self::These { .. } | Self::Behind(_) | Self::Attributes(_) => {}
        }
    }

    /// Runs the queries inside (`run` answers `None` to leave one as it is) and, where `whole` journeys flow, asks the
    /// index for what it knows exactly.
    pub(crate) fn prepare(
        &mut self,
        snapshot: &Snapshot,
        whole: bool,
        run: &mut dyn FnMut(
            &mut super::compile::Plan,
        ) -> Result<Option<RoaringBitmap>, crate::error::QueryError>,
    ) -> Result<(), crate::error::QueryError> {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.prepare(snapshot, whole, run)?;
                b.prepare(snapshot, whole, run)?;
            }
            Self::Not(inner) => inner.prepare(snapshot, whole, run)?,
            Self::Behind(plan) => {
                if let Some(customers) = run(plan)? {
                    let what = "those behind the query".to_owned();
                    *self = Self::These { customers, what, behind: true };
                }
            }
            Self::Has { filter, at_least, no: false } if whole => {
                if let Some(customers) = super::index::exactly(filter, *at_least, snapshot)? {
                    let what = format!("index: {}", filter.label);
                    *self = Self::These { customers, what, behind: false };
                }
            }
            Self::Has { filter, at_least, no: true } if whole => {
                if let Some(customers) = super::index::exactly(filter, *at_least, snapshot)? {
                    let what = format!("index: {}", filter.label);
                    *self = Self::Not(Box::new(Self::These { customers, what, behind: false }));
                }
            }
            Self::Has { .. } | Self::These { .. } | Self::Attributes(_) => {}
        }
        Ok(())
    }

    /// At least the customers for whom it can hold; `None` for all.
    pub(crate) fn candidates(
        &self,
        snapshot: &Snapshot,
    ) -> throughline_engine::Result<Option<RoaringBitmap>> {
        Ok(match self {
            Self::And(a, b) => match (a.candidates(snapshot)?, b.candidates(snapshot)?) {
                (Some(a), Some(b)) => Some(a & b),
                (a, b) => a.or(b),
            },
            Self::Or(a, b) => match (a.candidates(snapshot)?, b.candidates(snapshot)?) {
                (Some(a), Some(b)) => Some(a | b),
                _ => None,
            },
            Self::These { customers, .. } => Some(customers.clone()),
            Self::Has { filter, at_least, no: false } if *at_least > 0 => match &filter.predicate {
                Some(predicate) => candidates_of(predicate, *at_least, snapshot)?,
                None => None,
            },
            Self::Has { .. } | Self::Not(_) | Self::Behind(_) | Self::Attributes(_) => None,
        })
    }

    /// Exactly those of `customers` for whom it holds, where whole journeys
    /// flow and that is known without reading them.
    pub(crate) fn decides(&self, customers: &RoaringBitmap) -> Option<RoaringBitmap> {
        Some(match self {
            Self::And(a, b) => b.decides(&a.decides(customers)?)?,
            Self::Or(a, b) => a.decides(customers)? | b.decides(customers)?,
            Self::Not(inner) => customers - inner.decides(customers)?,
            Self::These { customers: known, .. } => customers & known,
            Self::Has { .. } | Self::Behind(_) | Self::Attributes(_) => return None,
        })
    }

    /// Whether it holds, for every journey in hand.
    pub(crate) fn holds(&self, flow: &Flow, env: &Env) -> Truth {
        let block = flow.block();
        match self {
            Self::And(a, b) => a.holds(flow, env).and(&b.holds(flow, env)),
            Self::Or(a, b) => a.holds(flow, env).or(&b.holds(flow, env)),
            Self::Not(inner) => inner.holds(flow, env).not(),
            Self::These { customers, .. } => {
                Truth::new(block.customers.iter().map(|&c| truth::of(Some(customers.contains(c)))))
            }
            // Prepared before anything flows.
            Self::Behind(_) => Truth::all(truth::UNKNOWN, block.customers.len()),
            Self::Attributes(typed) => Truth::new((0..block.customers.len()).map(|journey| {
                if !flow.lives(journey) {
                    return truth::UNKNOWN;
                }
                truth::of(typed.truth(&OneCustomer(flow.customer(journey)), env))
            })),
            Self::Has { filter, at_least, no } => {
                let found = filter.predicate.as_ref().map(|predicate| holds(predicate, flow, env));
                let values = found.as_ref().map(Truth::values);
                Truth::new((0..block.customers.len()).map(|journey| {
                    let rows = block.journey(journey);
                    let fits = |row: &usize| {
                        flow.sees(*row)
                            && values.is_none_or(|values| values.get(*row).copied() == Some(truth::TRUE))
                    };
                    let enough = *at_least == 0 || rows.filter(fits).nth(at_least - 1).is_some();
                    truth::of(Some(enough != *no))
                }))
            }
        }
    }

    /// What EXPLAIN says of it.
    pub(crate) fn explain(&self) -> String {
        match self {
            Self::And(a, b) => format!("({} and {})", a.explain(), b.explain()),
            Self::Or(a, b) => format!("({} or {})", a.explain(), b.explain()),
            Self::Not(inner) => format!("not {}", inner.explain()),
            Self::Has { filter, at_least, no } => {
                let no = if *no { "no " } else { "" };
                format!("{no}at least {at_least} of {}, by reading", filter.label)
            }
            Self::These { customers, what, .. } => format!("{what} ({} customers)", customers.len()),
            Self::Behind(_) => "those behind a query".to_owned(),
            Self::Attributes(_) => "customer attributes".to_owned(),
        }
    }
}

/// A row of nothing but a customer.
pub(crate) struct OneCustomer(pub u32);

impl Cells for OneCustomer {
    fn cell(&self, _slot: usize) -> Cell {
        Cell::Customer(self.0)
    }
}

fn unknown_cohort(name: &Name, known: &[String]) -> Diagnostic {
    let near = nearest(&name.text, known.iter().map(String::as_str));
    let help = did_you_mean(&near).unwrap_or_else(|| match known {
        [] => "none is saved; `|> SAVE COHORT name` at the end of a query saves one".to_owned(),
        _ => format!("there are: {}", known.join(", ")),
    });
    Diagnostic::error("E413", name.span, format!("there is no cohort `{name}`"))
        .label("unknown cohort")
        .help(help)
}

fn has_filter(what: &HasWhat, span: Span, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<StepFilter> {
    let schema = env.snapshot.schema();
    match what {
        HasWhat::Step(step) => compile_step(step, schema.role(Role::Kind), env, sink),
        HasWhat::Predicate(expr) => {
            if let ExprKind::Column { qualifier: None, name } = &expr.kind
                && schema.find(Subject::Interaction, &name.text).is_none()
            {
                sink.push(
                    Diagnostic::error("E402", span, format!("`{name}` alone is no predicate"))
                        .label("the colon is missing")
                        .help(format!("write `(:{name})`")),
                );
                return None;
            }
            let predicate = compile_predicate(expr, &InteractionScope::new(schema), env, sink)?;
            Some(StepFilter { predicate: Some(predicate), label: "the predicate".to_owned() })
        }
    }
}

/// The names of a customer: its attributes.
struct CustomerScope<'a>(&'a Env<'a>);

impl Scope for CustomerScope<'_> {
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<ScopeColumn, Diagnostic> {
        if qualifier.is_none() && name.text.eq_ignore_ascii_case("customer") {
            return Ok(ScopeColumn { ty: RowType::Customer, attr: None, slot: CUSTOMER });
        }
        if name.text.eq_ignore_ascii_case("persona") {
            return Err(not_yet("persona", name.span));
        }
        let unknown = unknown_column(&name.text, name.span, &self.known_names());
        Err(match self.0.snapshot.schema().find(Subject::Interaction, &name.text) {
            Some(_) => unknown.help(format!(
                "`{name}` belongs to interactions: write `FOR HAS ({name} = …)` for customers with such an interaction"
            )),
            None => unknown,
        })
    }

    fn known_names(&self) -> Vec<String> {
        let attributes = self.0.snapshot.schema().attributes().iter();
        let own = attributes.filter(|attribute| attribute.subject == Subject::Customer);
        ["customer".to_owned()].into_iter().chain(own.map(|own| own.name.clone())).collect()
    }
}

fn over_customers(expr: &Expr, env: &Env, sink: &mut Vec<Diagnostic>) -> Option<Typed> {
    let mut expr = expr.clone();
    let schema = env.snapshot.schema();
    each_column(&mut expr, &mut |qualifier, name| {
        if qualifier.is_none() && schema.find(Subject::Customer, &name.text).is_some() {
            *qualifier = Some(Name { text: "customer".to_owned(), span: name.span });
        }
    });
    compile_predicate(&expr, &CustomerScope(env), env, sink)
}
