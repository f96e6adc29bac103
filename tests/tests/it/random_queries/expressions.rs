//! Random expressions that have a type.

use throughline::RowType;

use super::tape::Tape;

/// Names that an expression may speak of.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// As they are written, with their types.
    pub(crate) columns: Vec<(String, RowType)>,
}

/// A scalar type that expressions are drawn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Bool,
    Int,
    Float,
    Text,
    Time,
    Duration,
}

const ALL: [Ty; 6] = [Ty::Text, Ty::Int, Ty::Float, Ty::Time, Ty::Duration, Ty::Bool];
const COMPARED: [Ty; 5] = [Ty::Text, Ty::Int, Ty::Float, Ty::Time, Ty::Duration];

fn is(ty: Ty, column: &RowType) -> bool {
    matches!(
        (ty, column),
        (Ty::Bool, RowType::Bool)
            | (Ty::Int, RowType::Int)
            | (Ty::Float, RowType::Float)
            | (Ty::Text, RowType::Text)
            | (Ty::Time, RowType::Time)
            | (Ty::Duration, RowType::Duration)
    )
}

impl Names {
    fn of(&self, ty: Ty) -> Vec<String> {
        self.columns.iter().filter(|(_, column)| is(ty, column)).map(|(name, _)| name.clone()).collect()
    }

    /// Lists of text, of durations and the like.
    fn lists(&self) -> Vec<String> {
        let lists = self.columns.iter().filter(|(_, ty)| matches!(ty, RowType::List(_)));
        lists.map(|(name, _)| name.clone()).collect()
    }

    fn customers(&self) -> Vec<String> {
        let some = self.columns.iter().filter(|(_, ty)| matches!(ty, RowType::Customer));
        some.map(|(name, _)| name.clone()).collect()
    }

    /// Any scalar column.
    pub(crate) fn any(&self, tape: &mut Tape) -> Option<(String, Ty)> {
        let typed = |(name, column): &(String, RowType)| {
            ALL.into_iter().find(|&ty| is(ty, column)).map(|ty| (name.clone(), ty))
        };
        let all: Vec<(String, Ty)> = self.columns.iter().filter_map(typed).collect();
        (!all.is_empty()).then(|| tape.pick(&all))
    }

    /// A type that some column has; numbers else.
    pub(crate) fn some_type(&self, tape: &mut Tape) -> Ty {
        self.any(tape).map_or(Ty::Int, |(_, ty)| ty)
    }
}

/// A literal.
pub(crate) fn literal(tape: &mut Tape, ty: Ty) -> String {
    let texts =
        ["'a'", "'b'", "'c'", "'x'", "'y'", "'phone'", "'chat'", "'7'", "'Ann'", "'it''s'", "''", "'日本'"];
    let times = ["'2026-01-01'", "'2026-01-01T09:00:00Z'", "'2026-01-02T00:00:00+01:00'"];
    let durations = ["1h", "90m", "2 HOURS", "1d", "0s", "500ms", "1w"];
    match ty {
        Ty::Bool => tape.pick(&["TRUE", "FALSE"]).to_owned(),
        Ty::Int => tape.pick(&["1", "0", "2", "7", "-3", "100"]).to_owned(),
        Ty::Float => tape.pick(&["0.5", "1.0", "-0.25", "1e3", "2.5e-3"]).to_owned(),
        Ty::Text => tape.pick(&texts).to_owned(),
        Ty::Time => tape.pick(&times).to_owned(),
        Ty::Duration => tape.pick(&durations).to_owned(),
    }
}

/// An expression of a type, in brackets where it needs some.
pub(crate) fn expression(tape: &mut Tape, names: &Names, ty: Ty, depth: usize) -> String {
    let own = names.of(ty);
    if depth == 0 || tape.chance(40) {
        if own.is_empty() || tape.chance(25) {
            // Text is read as an instant only beside a time.
            if ty == Ty::Time {
                return format!("date_trunc('day', coalesce(NULL, {}))", time_of(names, tape));
            }
            return literal(tape, ty);
        }
        return tape.pick(&own);
    }
    let mut again = |ty: Ty| expression(tape, names, ty, depth - 1);
    let (a, b) = (again(ty), again(ty));
    match (ty, tape.below(5)) {
        (Ty::Bool, _) => predicate(tape, names, depth - 1),
        (_, 0) => format!("coalesce({a}, {b})"),
        (_, 1) => {
            let when = predicate(tape, names, depth - 1);
            format!("CASE WHEN {when} THEN {a} ELSE {b} END")
        }
        (Ty::Int, 2) => format!("({a} + {b})"),
        (Ty::Int, 3) => format!("({a} - {b})"),
        (Ty::Int, _) => {
            let text = expression(tape, names, Ty::Text, depth - 1);
            format!("size({text})")
        }
        (Ty::Float, 2) => format!("({a} * {b})"),
        (Ty::Float, 3) => format!("({a} / {b})"),
        (Ty::Float, _) => format!("-({a} - {b})"),
        (Ty::Text, 2) => format!("lower({a})"),
        (Ty::Text, _) => format!("upper({a})"),
        (Ty::Time, 2) => {
            format!("date_trunc('{}', {a})", tape.pick(&["day", "week", "month", "hour", "year"]))
        }
        (Ty::Time, _) => format!("({a} + {})", literal(tape, Ty::Duration)),
        (Ty::Duration, 2) => format!("({a} + {b})"),
        (Ty::Duration, 3) => format!("({a} * 2)"),
        (Ty::Duration, _) => format!("({a} - {b})"),
    }
}

/// Something that is a time: a column, or NULL where there is none.
fn time_of(names: &Names, tape: &mut Tape) -> String {
    let times = names.of(Ty::Time);
    if times.is_empty() { "NULL".to_owned() } else { tape.pick(&times) }
}

/// A predicate, in brackets where it needs some.
pub(crate) fn predicate(tape: &mut Tape, names: &Names, depth: usize) -> String {
    if depth > 0 && tape.chance(35) {
        let mut again = || predicate(tape, names, depth - 1);
        let (a, b) = (again(), again());
        return match tape.below(4) {
            0 => format!("({a} AND {b})"),
            1 => format!("({a} OR {b})"),
            2 => format!("(NOT {a})"),
            _ => format!("({a} AND NOT ({b} OR {a}))"),
        };
    }
    let depth = depth.saturating_sub(1);
    let Some((column, ty)) = names.any(tape) else {
        return format!("({} = {})", literal(tape, Ty::Int), literal(tape, Ty::Int));
    };
    let lists = names.lists();
    let customers = names.customers();
    match tape.below(9) {
        0 if COMPARED.contains(&ty) => {
            let sign = tape.pick(&["=", "<>", "<", "<=", ">", ">=", "!="]);
            format!("({column} {sign} {})", literal(tape, ty))
        }
        1 if COMPARED.contains(&ty) => {
            format!("({column} IN ({}, {}))", literal(tape, ty), literal(tape, ty))
        }
        2 if COMPARED.contains(&ty) => {
            let not = if tape.chance(30) { "NOT " } else { "" };
            format!("({column} {not}BETWEEN {} AND {})", literal(tape, ty), literal(tape, ty))
        }
        3 if ty == Ty::Text => format!("({column} LIKE '{}')", tape.pick(&["a%", "%h%", "_", "%", "x\\%"])),
        4 if !lists.is_empty() => {
            let list = tape.pick(&lists);
            match tape.below(2) {
                0 => format!("(size({list}) > {})", literal(tape, Ty::Int)),
                _ => format!("({list}[{}] IS NOT NULL)", tape.pick(&["1", "-1", "3"])),
            }
        }
        5 if !customers.is_empty() => format!("({} = 'id:1')", tape.pick(&customers)),
        6 if ty == Ty::Text => format!("contains({column}, {})", literal(tape, Ty::Text)),
        7 => format!("({column} IS {}NULL)", if tape.chance(50) { "NOT " } else { "" }),
        _ => {
            let sign = tape.pick(&["=", "<>"]);
            let other = expression(tape, names, ty, depth);
            format!("({column} {sign} {other})")
        }
    }
}
