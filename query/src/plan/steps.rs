//! Steps of a pattern: from `(name:label {attr: literal} WHERE …)` to one
//! predicate, and from predicates to a class code an interaction.

use throughline_engine::{AttrId, Attribute};

use super::flow::Flow;
use super::interaction::InteractionScope;
use super::predicate::{coded, holds, once_a_value};
use super::truth;
use crate::diagnostics::Diagnostic;
use crate::rows::{Env, Typed, compile_predicate};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Literal, Name, Step};

/// A step ready to be looked for; `None` for `()`, any interaction.
#[derive(Clone, Debug)]
pub(crate) struct StepFilter {
    /// What holds for interactions that can fill it.
    pub predicate: Option<Typed>,
    /// How answers call it.
    pub label: String,
}

/// Compiles a step that stands alone; its labels are values of `labels`.
pub(crate) fn compile_step(
    step: &Step,
    labels: Option<&Attribute>,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<StepFilter> {
    let mut conditions = compile_conditions(step, labels, sink)?;
    if let (Some(name), true, None) = (&step.name, conditions.is_empty(), &step.predicate) {
        sink.push(
            Diagnostic::error("E402", step.span, "a step of only a name would be any interaction")
                .label("the colon is missing")
                .help(format!("write `(:{name})`")),
        );
        return None;
    }
    if let Some(predicate) = &step.predicate {
        let mut predicate = predicate.clone();
        each_column(&mut predicate, &mut |qualifier, _| {
            let of = qualifier.as_ref().map(|of| of.text.as_str());
            if of.is_some_and(|of| step.name.as_ref().is_some_and(|own| own.text.eq_ignore_ascii_case(of))) {
                *qualifier = None;
            }
        });
        conditions.push(predicate);
    }
    let scope = InteractionScope::new(env.snapshot.schema());
    let joined = conditions.into_iter().reduce(|a, b| {
        let span = a.span.to(b.span);
        Expr { kind: ExprKind::Binary(BinaryOp::And, Box::new(a), Box::new(b)), span }
    });
    let predicate = match joined {
        None => None,
        Some(joined) => Some(compile_predicate(&joined, &scope, env, sink)?),
    };
    Some(StepFilter { predicate, label: label_of(step) })
}

/// What the labels and the property map of a step ask for; `None` on an error.
pub(crate) fn compile_conditions(
    step: &Step,
    labels: Option<&Attribute>,
    sink: &mut Vec<Diagnostic>,
) -> Option<Vec<Expr>> {
    let mut conditions = Vec::new();
    if let Some(first) = step.labels.first() {
        let Some(labels) = labels else {
            sink.push(
                Diagnostic::error("E405", first.span, "this store has no attribute in the role of kind")
                    .label("a value of kind")
                    .help("map a column to `kind` on import, or write `{attr: 'value'}`"),
            );
            return None;
        };
        conditions.push(one_of(labels, &step.labels));
    }
    for (name, value) in &step.properties {
        let span = name.span.to(value.span);
        let column = Expr { kind: ExprKind::Column { qualifier: None, name: name.clone() }, span: name.span };
        let literal = Expr { kind: ExprKind::Literal(value.value.clone()), span: value.span };
        let kind = ExprKind::Binary(BinaryOp::Eq, Box::new(column), Box::new(literal));
        conditions.push(Expr { kind, span });
    }
    Some(conditions)
}

fn one_of(labels: &Attribute, values: &[Name]) -> Expr {
    let span = values.iter().map(|value| value.span).reduce(|a, b| a.to(b)).unwrap_or_default();
    let name = Name { text: labels.name.clone(), span };
    let list = values
        .iter()
        .map(|value| Expr { kind: ExprKind::Literal(Literal::Str(value.text.clone())), span: value.span })
        .collect();
    let value = Box::new(Expr { kind: ExprKind::Column { qualifier: None, name }, span });
    Expr { kind: ExprKind::In { value, list, negated: false }, span }
}

/// How answers call a step.
pub(crate) fn label_of(step: &Step) -> String {
    if let Some(name) = &step.name {
        return name.text.clone();
    }
    let labels: Vec<&str> = step.labels.iter().map(|label| label.text.as_str()).collect();
    if !labels.is_empty() {
        return labels.join("|");
    }
    let properties = step.properties.iter().map(|(name, value)| match &value.value {
        Literal::Str(text) => format!("{name} {text}"),
        Literal::Int(number) => format!("{name} {number}"),
        Literal::Float(number) => format!("{name} {number}"),
        Literal::Bool(truth) => format!("{name} {truth}"),
        _ => name.text.clone(),
    });
    let properties: Vec<String> = properties.collect();
    if properties.is_empty() { "any".to_owned() } else { properties.join(", ") }
}

/// Calls `visit` on every column that an expression names.
pub(crate) fn each_column(expr: &mut Expr, visit: &mut impl FnMut(&mut Option<Name>, &Name)) {
    match &mut expr.kind {
        ExprKind::Literal(_) => {}
        ExprKind::Column { qualifier, name } => visit(qualifier, name),
        ExprKind::Unary(_, x) => each_column(x, visit),
        ExprKind::Binary(_, a, b) | ExprKind::Item(a, b) => {
            each_column(a, visit);
            each_column(b, visit);
        }
        ExprKind::In { value, list, .. } => {
            each_column(value, visit);
            list.iter_mut().for_each(|item| each_column(item, visit));
        }
        ExprKind::Between { value, low, high, .. } => {
            [value, low, high].into_iter().for_each(|part| each_column(part, visit));
        }
        ExprKind::Like { value, pattern, .. } => {
            each_column(value, visit);
            each_column(pattern, visit);
        }
        ExprKind::IsNull { value, .. } => each_column(value, visit),
        ExprKind::Case { operand, branches, otherwise } => {
            operand.iter_mut().for_each(|x| each_column(x, visit));
            for (condition, result) in branches {
                each_column(condition, visit);
                each_column(result, visit);
            }
            otherwise.iter_mut().for_each(|x| each_column(x, visit));
        }
        ExprKind::Call { args, .. } => args.iter_mut().for_each(|arg| each_column(arg, visit)),
    }
}

/// The codes of the one dictionary-coded column that all steps read, and for
/// every code 1 + the step that its rows fill, 0 for none; `None` where the
/// steps read something else, or rows of one code fill several.
pub(crate) fn by_code<'a>(steps: &[StepFilter], flow: &'a Flow, env: &Env) -> Option<(&'a [u32], Vec<u8>)> {
    let mut shared: Option<(AttrId, &[u32])> = None;
    let mut table: Vec<u8> = Vec::new();
    for (step, number) in steps.iter().zip(1..=u8::MAX) {
        let predicate = step.predicate.as_ref()?;
        let (attr, codes) = coded(predicate, flow)?;
        if shared.get_or_insert((attr, codes)).0 != attr {
            return None;
        }
        let values = once_a_value(predicate, attr, flow, env);
        table.resize(values.len(), 0);
        for (fills, value) in table.iter_mut().zip(values) {
            if value == truth::TRUE && std::mem::replace(fills, number) != 0 {
                return None;
            }
        }
    }
    shared.map(|(_, codes)| (codes, table))
}

/// The steps that each row in hand can fill: bit k for step k. Rows out of
/// sight can fill none.
pub(crate) fn classes(steps: &[StepFilter], flow: &Flow, env: &Env) -> Vec<u64> {
    let block = flow.block();
    let mut classes = vec![0u64; block.rows()];
    // Steps that read the same dictionary-coded column share one table.
    let mut tables: Vec<(AttrId, &[u32], Vec<u64>)> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let bit = 1u64 << place;
        let Some(predicate) = &step.predicate else {
            classes.iter_mut().for_each(|class| *class |= bit);
            continue;
        };
        let Some((attr, codes)) = coded(predicate, flow) else {
            let truth = holds(predicate, flow, env);
            for (class, &value) in classes.iter_mut().zip(truth.values()) {
                *class |= if value == truth::TRUE { bit } else { 0 };
            }
            continue;
        };
        let values = once_a_value(predicate, attr, flow, env);
        let found = tables.iter().position(|table| table.0 == attr);
        let found = found.unwrap_or_else(|| {
            tables.push((attr, codes, vec![0; values.len()]));
            tables.len() - 1
        });
        if let Some((_, _, table)) = tables.get_mut(found) {
            for (class, value) in table.iter_mut().zip(values) {
                *class |= if value == truth::TRUE { bit } else { 0 };
            }
        }
    }
    for (_, codes, table) in tables {
        for (class, &code) in classes.iter_mut().zip(codes) {
            *class |= table.get(code as usize).copied().unwrap_or(0);
        }
    }
    if let Some(visible) = &flow.visible {
        for (class, &visible) in classes.iter_mut().zip(visible) {
            *class = if visible { *class } else { 0 };
        }
    }
    classes
}
