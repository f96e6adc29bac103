//! `AGGREGATE … GROUP BY …`: compiling its items, and the groups.

use roaring::RoaringBitmap;
use throughline_engine::AttrId;

use super::accumulate::{Aggregated, BatchRow, Function, State};
use super::cell_table::CellTable;
use super::compile::{Column, Compiler, Scope, compile};
use super::env::{Env, QueryLimit};
use super::expr::{Cells, Typed};
use super::functions::AGGREGATES;
use super::naming::{add_column, default_name};
use super::sort::Texts;
use super::{Cell, RowBatch, RowSchema, RowType, Sets};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::{Expr, ExprKind, Name, SelectItem, Span};

/// A compiled AGGREGATE. Its output columns read a row of keys, then results,
/// then the denominators of shares.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) keys: Vec<Typed>,
    pub(super) aggregates: Vec<Aggregated>,
    outputs: Vec<Typed>,
    with_sets: bool,
}

/// The groups met so far.
#[derive(Debug)]
pub(super) struct Groups {
    table: CellTable,
    /// The group of each symbol number + 1 where one symbol is the key, plus 1;
    /// 0 where it was not met.
    by_symbol: Vec<u32>,
    states: Vec<State>,
    sets: Vec<RoaringBitmap>,
}

/// Aggregates stand in expressions under names that no text can write.
struct GroupScope<'a> {
    rows: &'a dyn Scope,
    schema: &'a RowSchema,
    attrs: &'a [Option<AttrId>],
    results: &'a [Column],
}

fn placeholder(number: usize) -> Name {
    Name::new(format!("\u{0}{number}"))
}

impl Scope for GroupScope<'_> {
    fn resolve(&self, qualifier: Option<&Name>, name: &Name) -> Result<Column, Diagnostic> {
        if let Some(number) = name.text.strip_prefix('\u{0}').and_then(|number| number.parse::<usize>().ok())
            && let Some(column) = self.results.get(number)
        {
            return Ok(column.clone());
        }
        let text = qualifier.map_or_else(|| name.text.clone(), |qualifier| format!("{qualifier}.{name}"));
        match self.schema.find(&text) {
            Some(slot) => Ok(Column {
                ty: self.schema.columns.get(slot).map_or(RowType::Null, |column| column.ty.clone()),
                attr: self.attrs.get(slot).copied().flatten(),
                slot,
            }),
            None if self.rows.resolve(qualifier, name).is_err() => self.rows.resolve(qualifier, name),
            None => Err(Diagnostic::error(
                "E304",
                name.span,
                format!("`{text}` is neither aggregated nor a group"),
            )
            .label("one of many values")
            .help(format!("write an aggregate, such as `max({text})`, or add it to GROUP BY"))),
        }
    }

    fn known_names(&self) -> Vec<String> {
        self.schema.columns.iter().map(|column| column.name.clone()).collect()
    }
}

impl Aggregate {
    /// Compiles the operator over rows of `scope`; answers it with the columns
    /// and symbol attributes of its output.
    pub(super) fn compile(
        items: &[SelectItem],
        group_by: &[SelectItem],
        scope: &dyn Scope,
        with_sets: bool,
        env: &Env,
        sink: &mut Vec<Diagnostic>,
    ) -> Option<(Self, RowSchema, Vec<Option<AttrId>>)> {
        let mut schema = RowSchema::default();
        let mut keys = Vec::new();
        let mut sound = true;
        for item in group_by {
            let key = compile(&item.expr, scope, env, sink).and_then(|key| {
                add_column(&mut schema, item.alias.as_ref(), || default_name(&item.expr), &key, sink)?;
                Some(key)
            });
            match key {
                Some(key) => keys.push(key),
                None => sound = false,
            }
        }
        let attrs: Vec<Option<AttrId>> = keys.iter().map(|key| key.attr).collect();
        let mut found = Vec::new();
        let rewritten: Vec<Option<Expr>> =
            items.iter().map(|item| extract(&item.expr, scope, env, sink, &mut found)).collect();
        if !sound || rewritten.iter().any(Option::is_none) {
            return None;
        }
        let results: Vec<Column> = found
            .iter()
            .enumerate()
            .map(|(number, aggregated)| Column {
                ty: aggregated.ty.clone(),
                attr: match aggregated.function {
                    Function::Min | Function::Max => aggregated.args.first().and_then(|arg| arg.attr),
                    _ => None,
                },
                slot: keys.len() + number,
            })
            .collect();
        let group_schema = schema.clone();
        let groups = GroupScope { rows: scope, schema: &group_schema, attrs: &attrs, results: &results };
        let mut outputs: Vec<Typed> = (0..keys.len())
            .filter_map(|slot| {
                let ty = group_schema.columns.get(slot)?.ty.clone();
                Some(Typed::from_slot(slot, ty, attrs.get(slot).copied().flatten()))
            })
            .collect();
        for (item, rewritten) in items.iter().zip(rewritten.into_iter().flatten()) {
            let output = compile(&rewritten, &groups, env, sink)?;
            add_column(&mut schema, item.alias.as_ref(), || default_name(&item.expr), &output, sink)?;
            let number = output.slot().and_then(|slot| slot.checked_sub(keys.len()));
            let share =
                number.and_then(|number| found.get(number)).is_some_and(|a| a.function == Function::Share);
            outputs.push(output);
            if share && let Some(number) = number {
                let of = Typed::from_slot(keys.len() + found.len() + number, RowType::Int, None);
                let name =
                    schema.columns.last().map(|column| format!("{}_of", column.name)).unwrap_or_default();
                add_column(&mut schema, None, || name, &of, sink)?;
                outputs.push(of);
            }
        }
        let output_attrs = outputs.iter().map(|output| output.attr).collect();
        Some((Self { keys, aggregates: found, outputs, with_sets }, schema, output_attrs))
    }

    /// Its input is the rows of an operator over journeys as they come, so
    /// that those of the column `customer` ascend.
    pub(super) fn takes_ascending(&mut self, customer: Option<usize>) {
        for aggregated in &mut self.aggregates {
            let arg = match &aggregated.args[..] {
                [arg] if arg.ty == RowType::Customer => arg.slot(),
                _ => None,
            };
            let counts = aggregated.function == Function::Distinct;
            aggregated.ascending = counts && arg.is_some() && arg == customer;
        }
    }

    /// The columns it reads.
    pub(super) fn slots(&self) -> Vec<usize> {
        // What counts the customers behind rows reads no column.
        let read = self.aggregates.iter().filter(|aggregated| !aggregated.ascending);
        let args = read.flat_map(|aggregated| &aggregated.args);
        self.keys.iter().chain(args).flat_map(Typed::slots).collect()
    }

    pub(super) fn start(&self) -> Groups {
        let mut groups = Groups {
            table: CellTable::new(self.keys.len()),
            by_symbol: Vec::new(),
            states: self.aggregates.iter().map(State::new).collect(),
            sets: Vec::new(),
        };
        if self.keys.is_empty() {
            // The whole is a group, even over no rows.
            groups.table.intern(&[]);
            groups.grow(self.with_sets);
        }
        groups
    }

    /// Takes rows in; answers the bytes held in addition, about.
    pub(super) fn push(&self, groups: &mut Groups, batch: &RowBatch, env: &Env) -> u64 {
        let before = groups.table.len();
        let numbers = self.number(groups, batch, env);
        let new = (groups.table.len() - before) as u64;
        groups.grow(self.with_sets);
        let mut bytes = 0;
        for (state, what) in groups.states.iter_mut().zip(&self.aggregates) {
            bytes += new * state.group_bytes() + state.push(what, batch, &numbers, env);
        }
        for number in before..groups.table.len() {
            bytes += CellTable::tuple_bytes(groups.table.get(number));
        }
        if self.with_sets {
            for (row, &number) in numbers.iter().enumerate() {
                if let Some(set) = groups.sets.get_mut(number as usize) {
                    batch.sets.add_to(row, set);
                }
            }
            bytes += 2 * numbers.len() as u64;
        }
        bytes
    }

    /// The group of each row.
    fn number(&self, groups: &mut Groups, batch: &RowBatch, env: &Env) -> Vec<u32> {
        if self.keys.is_empty() {
            return vec![0; batch.len];
        }
        let mut numbers = Vec::with_capacity(batch.len);
        if let [key] = self.keys.as_slice()
            && key.attr.is_some()
            // Lists of symbols have the attribute of their items.
            && key.ty == RowType::Text
            && let Some(column) = key.slot().and_then(|slot| batch.columns.get(slot))
            && column.len() == batch.len
        {
            for cell in column {
                let place = match cell {
                    Cell::Symbol(_, symbol) => *symbol as usize + 1,
                    _ => 0,
                };
                let known = groups.by_symbol.get(place).copied().unwrap_or(0);
                numbers.push(if known > 0 {
                    known - 1
                } else {
                    let number = groups.table.intern(std::slice::from_ref(cell)).0;
                    if groups.by_symbol.len() <= place {
                        groups.by_symbol.resize(place + 1, 0);
                    }
                    if let Some(slot) = groups.by_symbol.get_mut(place) {
                        *slot = number + 1;
                    }
                    number
                });
            }
            return numbers;
        }
        let mut tuple = Vec::with_capacity(self.keys.len());
        for row in 0..batch.len {
            let row = BatchRow { columns: &batch.columns, row };
            tuple.clear();
            tuple.extend(self.keys.iter().map(|key| key.eval(&row, env).canonical(key.attr.is_some(), env)));
            numbers.push(groups.table.intern(&tuple).0);
        }
        numbers
    }

    /// Adds the groups of a later unit of work.
    pub(super) fn merge(&self, into: &mut Groups, from: Groups, env: &Env) {
        let map: Vec<u32> =
            (0..from.table.len()).map(|number| into.table.intern(from.table.get(number)).0).collect();
        into.grow(self.with_sets);
        for ((state, other), what) in into.states.iter_mut().zip(from.states).zip(&self.aggregates) {
            state.merge(other, &map, what, env);
        }
        for (set, &number) in from.sets.iter().zip(&map) {
            if let Some(into) = into.sets.get_mut(number as usize) {
                *into |= set;
            }
        }
    }

    /// One row a group, ascending by key, NULL last.
    pub(super) fn finish(&self, mut groups: Groups, env: &Env) -> Result<RowBatch, QueryLimit> {
        groups.states.iter_mut().for_each(|state| state.seal(env));
        if let Some(counted) = groups.states.iter().find_map(State::customers) {
            env.note_overlap(counted);
        }
        if groups.states.iter().any(State::overlaps) {
            env.note_overlapping();
        }
        let texts = Texts::default();
        let resolved: Vec<Vec<Cell>> = (0..groups.table.len())
            .map(|number| groups.table.get(number).iter().map(|cell| texts.resolve(cell, env)).collect())
            .collect();
        let mut order: Vec<usize> = (0..resolved.len()).collect();
        order.sort_by(|&a, &b| {
            let (Some(a), Some(b)) = (resolved.get(a), resolved.get(b)) else {
                return std::cmp::Ordering::Equal;
            };
            a.iter()
                .zip(b)
                .map(|(a, b)| super::cell::order(a, b, env))
                .find(|o| o.is_ne())
                .unwrap_or_else(|| 0.cmp(&0))
        });
        let mut columns: Vec<Vec<Cell>> = vec![Vec::with_capacity(order.len()); self.outputs.len()];
        let mut sets = Vec::new();
        for &group in &order {
            let mut cells: Vec<Cell> = groups.table.get(group).to_vec();
            for (state, what) in groups.states.iter_mut().zip(&self.aggregates) {
                cells.push(state.result(group, what, env));
            }
            cells.extend(groups.states.iter().map(|state| state.denominator(group)));
            let row = GroupRow(&cells);
            for (column, output) in columns.iter_mut().zip(&self.outputs) {
                column.push(output.eval(&row, env));
            }
            sets.extend(groups.sets.get_mut(group).map(std::mem::take));
        }
        env.check()?;
        Ok(RowBatch { len: order.len(), columns, sets: Sets::Many(sets), members: None })
    }
}

impl Groups {
    fn grow(&mut self, with_sets: bool) {
        let groups = self.table.len();
        self.states.iter_mut().for_each(|state| state.grow(groups));
        if with_sets {
            self.sets.resize_with(groups, RoaringBitmap::new);
        }
    }
}

struct GroupRow<'a>(&'a [Cell]);

impl Cells for GroupRow<'_> {
    fn cell(&self, slot: usize) -> Cell {
        self.0.get(slot).cloned().unwrap_or(Cell::Null)
    }
}

/// The expression with every aggregate call replaced by the name of its
/// result; the calls are compiled into `found`.
fn extract(
    expr: &Expr,
    scope: &dyn Scope,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
    found: &mut Vec<Aggregated>,
) -> Option<Expr> {
    if let ExprKind::Call { name, distinct, star, args } = &expr.kind
        && AGGREGATES.iter().any(|known| known.eq_ignore_ascii_case(&name.text))
    {
        let aggregated = aggregated(name, *distinct, *star, args, expr.span, scope, env, sink)?;
        let kind = ExprKind::Column { qualifier: None, name: placeholder(found.len()) };
        found.push(aggregated);
        return Some(Expr { kind, span: expr.span });
    }
    let mut inner = |expr: &Expr| extract(expr, scope, env, sink, found);
    let mut boxed = |expr: &Expr| inner(expr).map(Box::new);
    let kind = match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Column { .. } => expr.kind.clone(),
        ExprKind::Unary(op, x) => ExprKind::Unary(*op, boxed(x)?),
        ExprKind::Binary(op, a, b) => ExprKind::Binary(*op, boxed(a)?, boxed(b)?),
        ExprKind::In { value, list, negated } => ExprKind::In {
            value: boxed(value)?,
            list: list.iter().map(inner).collect::<Option<_>>()?,
            negated: *negated,
        },
        ExprKind::Between { value, low, high, negated } => ExprKind::Between {
            value: boxed(value)?,
            low: boxed(low)?,
            high: boxed(high)?,
            negated: *negated,
        },
        ExprKind::Like { value, pattern, negated } => {
            ExprKind::Like { value: boxed(value)?, pattern: boxed(pattern)?, negated: *negated }
        }
        ExprKind::IsNull { value, negated } => ExprKind::IsNull { value: boxed(value)?, negated: *negated },
        ExprKind::Case { operand, branches, otherwise } => ExprKind::Case {
            operand: match operand {
                Some(operand) => Some(boxed(operand)?),
                None => None,
            },
            otherwise: match otherwise {
                Some(otherwise) => Some(boxed(otherwise)?),
                None => None,
            },
            branches: branches
                .iter()
                .map(|(condition, result)| Some((inner(condition)?, inner(result)?)))
                .collect::<Option<_>>()?,
        },
        ExprKind::Item(list, place) => ExprKind::Item(boxed(list)?, boxed(place)?),
        ExprKind::Call { name, distinct, star, args } => ExprKind::Call {
            name: name.clone(),
            distinct: *distinct,
            star: *star,
            args: args.iter().map(inner).collect::<Option<_>>()?,
        },
    };
    Some(Expr { kind, span: expr.span })
}

#[expect(clippy::too_many_arguments, reason = "the parts of a call, and what every compilation carries")]
fn aggregated(
    name: &Name,
    distinct: bool,
    star: bool,
    args: &[Expr],
    span: Span,
    scope: &dyn Scope,
    env: &Env,
    sink: &mut Vec<Diagnostic>,
) -> Option<Aggregated> {
    let lower = name.text.to_ascii_lowercase();
    let mut compiler = Compiler { scope, env, sink };
    let usage = |usage: &str| {
        Diagnostic::error("E305", span, format!("`{lower}` is not called like this"))
            .label("wrong arguments")
            .help(format!("write {usage}"))
    };
    if lower == "count" {
        let function = match (star, distinct, args) {
            (true, false, []) => Function::Rows,
            (false, false, [_]) => Function::Count,
            (false, true, [_, ..]) => Function::Distinct,
            _ => return compiler.fail(usage("`count(*)`, `count(x)` or `count(DISTINCT x, y)`")),
        };
        let args = args.iter().map(|arg| compiler.expr(arg)).collect::<Option<_>>()?;
        return Some(Aggregated { function, args, ty: RowType::Int, span, ascending: false });
    }
    if star || distinct {
        return compiler.fail(usage(&format!("`{lower}(x)`; only count takes `*` or DISTINCT")));
    }
    let number = |expr: &Expr, compiler: &mut Compiler<'_, '_>| -> Option<Cell> {
        let typed = compiler.expr(expr)?;
        match typed.constant() {
            Some(cell) => Some(cell.clone()),
            None => compiler.fail(
                Diagnostic::error("E305", expr.span, "this must be the same for all rows")
                    .label("not a constant"),
            ),
        }
    };
    let (arg, function) = match (lower.as_str(), args) {
        ("sum", [arg]) => (arg, Function::Sum),
        ("avg", [arg]) => (arg, Function::Avg),
        ("min", [arg]) => (arg, Function::Min),
        ("max", [arg]) => (arg, Function::Max),
        ("median", [arg]) => (arg, Function::Quantile(0.5)),
        ("stddev", [arg]) => (arg, Function::Stddev),
        ("list", [arg]) => (arg, Function::List),
        ("share", [arg]) => {
            let arg = compiler.predicate(arg)?;
            let (function, args, ty) = (Function::Share, vec![arg], RowType::Float);
            return Some(Aggregated { function, args, ty, span, ascending: false });
        }
        ("quantile", [arg, q]) => match number(q, &mut compiler)?.as_float() {
            Some(q) if (0.0..=1.0).contains(&q) => (arg, Function::Quantile(q)),
            _ => return compiler.fail(usage("`quantile(x, 0.9)`, with a number from 0 to 1")),
        },
        ("top", [arg, n]) => match number(n, &mut compiler)? {
            Cell::Int(n @ 1..) => (arg, Function::Top(usize::try_from(n).unwrap_or(usize::MAX))),
            _ => return compiler.fail(usage("`top(x, 3)`, with a whole number from 1")),
        },
        ("quantile", _) => return compiler.fail(usage("`quantile(x, 0.9)`")),
        ("top", _) => return compiler.fail(usage("`top(x, 3)`")),
        _ => return compiler.fail(usage(&format!("`{lower}(x)`"))),
    };
    let arg = compiler.expr(arg)?;
    use RowType::{Bool, Duration, Float, Int, List, Null, Time};
    let ty = match (function, &arg.ty) {
        (Function::List | Function::Top(_), inner) => List(Box::new(inner.clone())),
        (Function::Min | Function::Max, Bool | Int | Float | Time | Duration | Null) => arg.ty.clone(),
        (Function::Min | Function::Max, ty) if ty.is_textual() => arg.ty.clone(),
        (Function::Sum, Int | Float | Duration | Null) => arg.ty.clone(),
        (Function::Stddev, Int | Float | Null) => Float,
        (Function::Stddev, Duration) => Duration,
        (Function::Avg | Function::Quantile(_), Int | Float | Null) => Float,
        (Function::Avg | Function::Quantile(_), Duration | Time) => arg.ty.clone(),
        (_, other) => {
            let found = other.name();
            return compiler.fail(
                Diagnostic::error("E302", arg.span, format!("there is no `{lower}` of {found}")).label(found),
            );
        }
    };
    Some(Aggregated { function, args: vec![arg], ty, span, ascending: false })
}
