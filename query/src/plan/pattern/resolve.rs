//! From the tree of a pattern to its plan.

use throughline_engine::AttrId;

use super::super::interaction::named;
use super::super::spans::span_of;
use super::super::steps::{StepFilter, compile_conditions, label_of};
use super::names::{Entry, Named, Names, StepScope, conjuncts, named_entry};
use super::{PatternElement, PatternPlan, Reading, StepPlan, Variable};
use crate::diagnostics::{Diagnostic, Severity};
use crate::kernels::pattern::{Absence, Edge, Rule, Step as RuleStep};
use crate::limits::{PATTERN_MARKS_MAX, PATTERN_STEPS_MAX};
use crate::rows::{Env, Typed, compile_predicate, duration_of};
use crate::syntax::ast::{self, Condition, Element, ElementKind, Lit, Pattern, Span, Step};
use crate::syntax::chain;

impl PatternPlan {
    /// Resolves a pattern. Findings go to `sink`; `None` on an error.
    pub(crate) fn compile(
        pattern: &Pattern,
        reading: &Reading<'_>,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let known = sink.len();
        let mut resolving = Resolving { pattern, reading, env, names: Names::default(), plan: Self::empty() };
        resolving.count(sink)?;
        resolving.collect_names(sink);
        resolving.elements(sink);
        resolving.options(sink);
        let sound = sink.iter().skip(known).all(|found| found.severity != Severity::Error);
        sound.then_some(resolving.plan)
    }

    fn empty() -> Self {
        Self {
            rule: Rule::default(),
            steps: Vec::new(),
            elements: Vec::new(),
            variables: Vec::new(),
            started: None,
            fillers: Vec::new(),
            beside: Vec::new(),
            marks: Vec::new(),
            marks_beside: Vec::new(),
            keys: Vec::new(),
            arrivals: Vec::new(),
            alternatives: false,
        }
    }
}

struct Resolving<'a> {
    pattern: &'a Pattern,
    reading: &'a Reading<'a>,
    env: &'a Env<'a>,
    names: Names,
    plan: PatternPlan,
}

/// What a filter is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Step,
    /// NOT
    Absent,
    /// NO
    Between,
}

fn steps_of(element: &Element) -> &[Step] {
    match &element.kind {
        ElementKind::Step(step) => std::slice::from_ref(step),
        ElementKind::Alternatives(steps) => steps,
        ElementKind::Absent { .. } => &[],
    }
}

fn no_conditions(edge: &ast::Edge) -> impl Iterator<Item = &Step> {
    edge.conditions.iter().filter_map(|condition| match condition {
        Condition::No(step, _) => Some(&**step),
        _ => None,
    })
}

impl Resolving<'_> {
    /// Whether there are steps at all, and not too many: each has a bit.
    fn count(&self, sink: &mut Vec<Diagnostic>) -> Option<()> {
        let Reading { operator, keyword, .. } = *self.reading;
        let fillers: usize = self.pattern.elements.iter().map(|element| steps_of(element).len()).sum();
        let absent =
            self.pattern.elements.iter().filter(|element| matches!(element.kind, ElementKind::Absent { .. }));
        let marks = absent.count() + self.pattern.edges.iter().flat_map(no_conditions).count();
        let refuse = |message: String, label: &str| {
            Some(Diagnostic::error("E404", keyword, message).label(label.to_owned()))
        };
        let wrong = if fillers > PATTERN_STEPS_MAX {
            refuse(
                format!("{operator} takes 1 to {PATTERN_STEPS_MAX} steps, and these are {fillers}"),
                "too many steps, alternatives counted one by one",
            )
        } else if marks > PATTERN_MARKS_MAX {
            refuse(
                format!("{operator} takes up to {PATTERN_MARKS_MAX} times NO and NOT, and these are {marks}"),
                "too many things that must not come",
            )
        } else if fillers == 0 {
            let wrong = Diagnostic::error("E420", self.pattern.span, "this pattern has no step to find");
            Some(wrong.label("only things that must not come").help("join a step: `(:complaint)`"))
        } else {
            None
        };
        match wrong {
            None => Some(()),
            Some(wrong) => {
                sink.push(wrong);
                None
            }
        }
    }

    /// Steps first: their names are the plan's variables.
    fn collect_names(&mut self, sink: &mut Vec<Diagnostic>) {
        let (mut step, mut filler) = (0, 0);
        for element in &self.pattern.elements {
            let steps = steps_of(element);
            let repeated = element.quantifier.is_some_and(|quantifier| quantifier.max != Some(1));
            for one in steps {
                if let Some(name) = &one.name {
                    self.names.add(name, Named::Step { step, fillers: 1 << filler, repeated }, sink);
                }
                filler += 1;
            }
            step += usize::from(!steps.is_empty());
        }
        for entry in &self.names.entries {
            if let Entry { name, span, of: Named::Step { step, fillers, repeated } } = entry {
                let (name, span) = (name.clone(), *span);
                let variable = Variable { name, span, step: *step, fillers: *fillers, repeated: *repeated };
                self.plan.variables.push(variable);
            }
        }
        let absent = self.pattern.elements.iter().filter_map(|element| match &element.kind {
            ElementKind::Absent { step, .. } => Some(step),
            _ => None,
        });
        let absent = absent.chain(self.pattern.edges.iter().flat_map(no_conditions));
        for name in absent.filter_map(|step| step.name.as_ref()) {
            self.names.add(name, Named::Absent, sink);
        }
    }

    fn elements(&mut self, sink: &mut Vec<Diagnostic>) {
        let plain = ast::Edge::default();
        for (place, element) in self.pattern.elements.iter().enumerate() {
            let before = place.checked_sub(1);
            let edge = before.and_then(|before| self.pattern.edges.get(before)).unwrap_or(&plain);
            let in_list = before.is_some() || self.pattern.elements.len() > 1;
            if self.reading.any_order && in_list {
                self.refuse_in_list(element, edge, sink);
            }
            match &element.kind {
                ElementKind::Absent { step, within } => {
                    self.refuse_conditions(edge, "to NOT", sink);
                    self.absent(step, within, sink);
                }
                _ => {
                    if self.plan.steps.is_empty() {
                        self.refuse_conditions(edge, "from a leading NOT", sink);
                        self.step(element, &plain, sink);
                    } else {
                        self.step(element, edge, sink);
                    }
                }
            }
        }
    }

    /// Conditions that no two interactions could satisfy or break.
    fn refuse_conditions(&self, edge: &ast::Edge, which: &str, sink: &mut Vec<Diagnostic>) {
        if edge.conditions.is_empty() {
            return;
        }
        let message = format!("conditions on the arrow {which} speak of nothing: NOT fills no interaction");
        let wrong = Diagnostic::error("E417", edge.span, message).label("no interaction at one end");
        sink.push(wrong.help(
            "write this arrow as `->`; NOT has its own deadline, and the arrow between two steps takes conditions",
        ));
    }

    fn refuse_in_list(&self, element: &Element, edge: &ast::Edge, sink: &mut Vec<Diagnostic>) {
        let mut refuse = |span: Span, what: &str| {
            let message = format!("ANY ORDER takes a list of plain steps, and this has {what}");
            let wrong = Diagnostic::error("E418", span, message).label("not in a list of steps");
            sink.push(wrong.help("leave it out, or leave ANY ORDER out and join the steps by `->`"));
        };
        if matches!(element.kind, ElementKind::Absent { .. }) {
            refuse(element.span, "NOT");
        }
        if let Some(quantifier) = element.quantifier {
            refuse(quantifier.span, "a quantifier");
        }
        if !edge.conditions.is_empty() {
            refuse(edge.span, "conditions on an arrow");
        }
    }

    fn step(&mut self, element: &Element, edge: &ast::Edge, sink: &mut Vec<Diagnostic>) {
        let (place, first) = (self.plan.steps.len(), self.plan.fillers.len());
        let (min, max) = element.quantifier.map_or((1, Some(1)), |one| (one.min, one.max));
        let edge = self.edge(edge, place, sink);
        let (steps, mut names) = (steps_of(element), 0);
        for step in steps {
            let (alone, beside) = self.filter(step, Part::Step, place, sink);
            names |= self.names_of(beside.as_ref());
            self.plan.fillers.push(alone);
            self.plan.beside.push(beside);
        }
        self.plan.alternatives |= steps.len() > 1;
        let mut labels: Vec<String> = Vec::new();
        for filler in self.plan.fillers.get(first..).unwrap_or_default() {
            if !labels.contains(&filler.label) {
                labels.push(filler.label.clone());
            }
        }
        let fillers = first..self.plan.fillers.len();
        self.plan.steps.push(StepPlan { label: labels.join("|"), fillers });
        self.plan.elements.push(PatternElement::Step(place));
        let adjacent = self.reading.strict;
        self.plan.rule.steps.push(RuleStep { min, max, adjacent, edge, after: Vec::new(), names });
    }

    fn absent(&mut self, step: &Step, within: &Lit, sink: &mut Vec<Diagnostic>) {
        let before = self.plan.steps.len();
        let within = duration_of(within, self.env, sink).unwrap_or_default();
        let (mark, names) = self.mark(step, Part::Absent, before, sink);
        let absence = Absence { mark, within, names };
        match self.plan.rule.steps.last_mut() {
            None => self.plan.rule.before.push(absence),
            Some(step) => {
                self.plan
                    .elements
                    .push(PatternElement::Absence { step: before - 1, place: step.after.len() });
                step.after.push(absence);
            }
        }
    }

    /// Numbers what must not come; with the steps that it names.
    fn mark(&mut self, step: &Step, part: Part, before: usize, sink: &mut Vec<Diagnostic>) -> (u32, u64) {
        let (alone, beside) = self.filter(step, part, before, sink);
        let names = self.names_of(beside.as_ref());
        self.plan.marks.push(alone);
        self.plan.marks_beside.push(beside);
        (self.plan.marks.len() as u32 - 1, names)
    }

    fn edge(&mut self, edge: &ast::Edge, place: usize, sink: &mut Vec<Diagnostic>) -> Edge {
        // The first step has no edge, and nothing is adjacent to it.
        let mut found = Edge { next: self.reading.strict && place > 0, ..Edge::default() };
        let (mut written, mut same) = (None, Vec::new());
        for condition in &edge.conditions {
            match condition {
                Condition::Next(_) => found.next = true,
                Condition::AtMost(lit) => {
                    let high = duration_of(lit, self.env, sink);
                    found.high = found.high.into_iter().chain(high).min();
                    written = Some(lit.span);
                }
                Condition::AtLeast(lit) => {
                    let low = duration_of(lit, self.env, sink);
                    found.low = found.low.into_iter().chain(low).max();
                    written = Some(lit.span);
                }
                Condition::Same(names, _) => {
                    let schema = self.env.snapshot.schema();
                    let named = names.iter().filter_map(|name| named(schema, name, sink));
                    same.extend(named.map(|attribute| attribute.id));
                }
                Condition::No(step, _) => {
                    let (mark, names) = self.mark(step, Part::Between, place, sink);
                    found.no |= 1 << mark;
                    found.names |= names;
                }
            }
        }
        if let (Some(low), Some(high), Some(span)) = (found.low, found.high, written)
            && low > high
        {
            let wrong = Diagnostic::error("E409", span, "no gap is within these bounds");
            sink.push(wrong.label("the least is over the most"));
        }
        found.same = self.key(same);
        found
    }

    /// The number of the key over these attributes; `None` for none.
    fn key(&mut self, mut attrs: Vec<AttrId>) -> Option<usize> {
        attrs.sort_unstable();
        attrs.dedup();
        if attrs.is_empty() {
            return None;
        }
        let keys = &mut self.plan.keys;
        Some(keys.iter().position(|known| *known == attrs).unwrap_or_else(|| {
            keys.push(attrs);
            keys.len() - 1
        }))
    }

    /// The steps that a predicate names, a bit each, and those that tell which
    /// alternative filled one that it names.
    fn names_of(&self, predicate: Option<&Typed>) -> u64 {
        let slots = predicate.map(Typed::slots).unwrap_or_default();
        let variables =
            slots.into_iter().filter_map(named_entry).filter_map(|entry| self.plan.variables.get(entry));
        variables.fold(0, |names, variable| {
            let earlier = self.plan.rule.steps.get(variable.step).map_or(0, |step| step.names);
            names | 1 << variable.step | earlier
        })
    }

    /// What a row must satisfy by itself, and what beside the rows of the
    /// steps below `before`.
    fn filter(
        &self,
        step: &Step,
        part: Part,
        before: usize,
        sink: &mut Vec<Diagnostic>,
    ) -> (StepFilter, Option<Typed>) {
        let label = label_of(step);
        let none = |label| (StepFilter { predicate: None, label }, None);
        self.only_a_name(step, part, sink);
        let Some(mut alone) = compile_conditions(step, self.reading.labels, sink) else { return none(label) };
        let mut beside = Vec::new();
        for part in step.predicate.iter().flat_map(conjuncts) {
            match self.names.others_in(&part, step.name.as_ref()) {
                true => beside.push(part),
                false => alone.push(part),
            }
        }
        let mut scope = StepScope::new(self.env.snapshot.schema(), &self.names, step, before);
        scope.any_order = self.reading.any_order;
        let mut compiled = |parts: Vec<ast::Expr>| {
            let joined = chain::expressions(ast::BinaryOp::And, parts)?;
            compile_predicate(&joined, &scope, self.env, sink)
        };
        let predicate = compiled(alone);
        (StepFilter { predicate, label }, compiled(beside))
    }

    /// A step of only a name would be any interaction: most likely its kind was meant.
    fn only_a_name(&self, step: &Step, part: Part, sink: &mut Vec<Diagnostic>) {
        let Some(name) = &step.name else { return };
        if !(step.labels.is_empty() && step.properties.is_empty() && step.predicate.is_none()) {
            return;
        }
        let value = self
            .reading
            .labels
            .filter(|labels| self.env.snapshot.find_symbol(labels.id, &name.text).is_some());
        let message = match value {
            Some(labels) => format!(
                "`{name}` is a {} of this store, and a step of only a name is any interaction",
                labels.name
            ),
            None if self.reading.names_alone && part != Part::Between => return,
            None => "a step of only a name would be any interaction".to_owned(),
        };
        let wrong = Diagnostic::error("E402", step.span, message).label("the colon is missing");
        sink.push(wrong.help(format!("write `(:{name})`")));
    }

    fn options(&mut self, sink: &mut Vec<Diagnostic>) {
        let Self { reading, env, plan, .. } = self;
        let mut length = |lit: Option<&Lit>| lit.and_then(|lit| duration_of(lit, env, sink));
        plan.rule.within = length(reading.within);
        plan.rule.simultaneous = length(reading.simultaneous);
        plan.started =
            reading.started.and_then(|started| span_of(started, reading.inflow.right_edge, env, sink));
        plan.rule.any_order = reading.any_order;
        plan.rule.anchor_first = reading.anchor_first;
        plan.rule.right_edge = reading.inflow.right_edge.unwrap_or(i64::MIN);
        plan.rule.left_edge = reading.inflow.left_edge.unwrap_or(i64::MAX);
        if plan.rule.steps.iter().all(|step| step.min == 0) {
            let wrong =
                Diagnostic::error("E420", self.pattern.span, "every step of this pattern may be left out");
            sink.push(
                wrong
                    .label("nothing at all would be a match")
                    .help("let one step be required: `+` instead of `*`, or no `?`"),
            );
        }
    }
}
