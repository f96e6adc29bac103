//! Random operators from journeys: narrowed, cut, and made into rows.

use throughline::RowType;

use super::expressions::{Names, predicate};
use super::tape::Tape;

/// How the same query is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// So that the index can follow.
    Plain,
    /// So that it cannot: every attribute inside a function, labels as predicates.
    ForReading,
}

const KINDS: [&str; 4] = ["a", "b", "c", "d"];
const ATTRIBUTES: [&str; 5] = ["kind", "channel", "topic", "case", "agent"];

/// Draws operators as text.
pub(crate) struct Operators<'t, 'a> {
    pub(crate) tape: &'t mut Tape<'a>,
    pub(crate) written: Written,
    names: usize,
}

/// What a drawn operator's rows allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Each row is made of interactions.
    WithMembers,
    /// Not so.
    Without,
}

impl<'t, 'a> Operators<'t, 'a> {
    pub(crate) fn new(tape: &'t mut Tape<'a>, written: Written) -> Self {
        Self { tape, written, names: 0 }
    }

    fn attribute(&self, name: &str) -> String {
        match self.written {
            Written::Plain => name.to_owned(),
            Written::ForReading => format!("coalesce({name}, {name})"),
        }
    }

    fn interaction(&self) -> Names {
        let texts = ATTRIBUTES.map(|name| (self.attribute(name), RowType::Text));
        let mut columns: Vec<(String, RowType)> = texts.to_vec();
        columns.push((self.attribute("n"), RowType::Int));
        columns.push((self.attribute("sentiment"), RowType::Float));
        columns.push((self.attribute("resolved"), RowType::Bool));
        columns.push((self.attribute("at"), RowType::Time));
        Names { columns }
    }

    fn predicate(&mut self, depth: usize) -> String {
        let names = self.interaction();
        predicate(self.tape, &names, depth)
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("s{}", self.names)
    }

    fn hours(&mut self) -> String {
        format!("{}h", self.tape.pick(&[6, 1, 0, 3, 12, 30]))
    }

    fn span(&mut self) -> String {
        match self.tape.below(3) {
            0 => "'2026-01-01T03:00:00Z' TO '2026-01-02'".to_owned(),
            1 => "'2026-01'".to_owned(),
            _ => format!("LAST {}", self.hours()),
        }
    }

    /// `(name:label {attr: literal} WHERE predicate)`; named only where it has conditions.
    fn step(&mut self) -> String {
        let labels: Vec<&str> = (0..self.tape.below(3)).map(|_| self.tape.pick(&KINDS)).collect();
        let channel = self.tape.chance(15).then(|| self.tape.pick(&["phone", "chat"]));
        let test = self.tape.chance(20).then(|| self.predicate(1));
        if labels.is_empty() && channel.is_none() && test.is_none() {
            return "()".to_owned();
        }
        let name = self.fresh();
        if self.written == Written::Plain {
            let labels = if labels.is_empty() { String::new() } else { format!(":{}", labels.join("|")) };
            let channel = channel.map_or(String::new(), |value| format!(" {{channel: '{value}'}}"));
            let test = test.map_or(String::new(), |test| format!(" WHERE {test}"));
            return format!("({name}{labels}{channel}{test})");
        }
        let mut parts = Vec::new();
        if !labels.is_empty() {
            parts.push(format!("{} IN ('{}')", self.attribute("kind"), labels.join("', '")));
        }
        parts.extend(channel.map(|value| format!("{} = '{value}'", self.attribute("channel"))));
        parts.extend(test);
        format!("({name} WHERE {})", parts.join(" AND "))
    }

    fn element(&mut self) -> String {
        let step =
            if self.tape.chance(12) { format!("({} | {})", self.step(), self.step()) } else { self.step() };
        let quantifier = if self.tape.chance(25) {
            self.tape.pick(&["?", "+", "*", "{2}", "{1,2}", "{0,2}", "{2,}"])
        } else {
            ""
        };
        step + quantifier
    }

    fn edge(&mut self) -> String {
        let mut conditions = Vec::new();
        if self.tape.chance(12) {
            conditions.push("NEXT".to_owned());
        }
        if self.tape.chance(20) {
            conditions.push(format!("<= {}", self.tape.pick(&["6h", "12h", "1d"])));
        }
        if self.tape.chance(10) {
            conditions.push(format!(">= {}", self.tape.pick(&["1h", "0s", "2h"])));
        }
        if self.tape.chance(10) {
            conditions.push(self.tape.pick(&["SAME topic", "SAME (channel, case)"]).to_owned());
        }
        if self.tape.chance(15) {
            let absent = self.step();
            conditions.push(format!("NO {absent}"));
        }
        if conditions.is_empty() { " -> ".to_owned() } else { format!(" -[{}]-> ", conditions.join(", ")) }
    }

    /// Elements joined by edges; the first one is required.
    fn pattern(&mut self) -> String {
        let mut text = String::new();
        if self.tape.chance(8) {
            let absent = self.step();
            text += &format!("NOT {absent} WITHIN {} -> ", self.hours());
        }
        text += &self.step();
        for _ in 0..self.tape.below(4) {
            if self.tape.chance(10) {
                let absent = self.step();
                text += &format!(" -> NOT {absent} WITHIN {}", self.hours());
            }
            text += &self.edge();
            text += &self.element();
        }
        text
    }

    fn window(&mut self) -> String {
        let mut text = String::new();
        if self.tape.chance(35) {
            text += &format!(" WITHIN {}", self.hours());
        }
        if self.tape.chance(12) {
            text += &format!(" STARTED DURING {}", self.span());
        }
        text
    }

    /// From journeys to journeys.
    pub(crate) fn stage(&mut self, depth: usize) -> String {
        match self.tape.below(5) {
            0 => format!("WHERE {}", self.predicate(2)),
            1 => format!("FOR {}", self.customers(depth)),
            2 => format!("DURING {}", self.span()),
            3 => format!("SPLIT BY {}", self.tape.pick(&["channel", "topic, case", "agent"])),
            _ => format!("SESSIONS GAP {}", self.hours()),
        }
    }

    fn customers(&mut self, depth: usize) -> String {
        if depth > 0 && self.tape.chance(30) {
            let (a, b) = (self.customers(depth - 1), self.customers(depth - 1));
            return match self.tape.below(3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("(NOT ({a}) OR {b})"),
            };
        }
        match self.tape.below(7) {
            0 => format!("HAS {}", self.step()),
            1 => format!("HAS AT LEAST {} {}", self.tape.below(4), self.step()),
            2 => format!("HAS NO {}", self.step()),
            3 => format!("HAS ({})", self.predicate(1)),
            4 => "CUSTOMER 'id:1'".to_owned(),
            5 => {
                self.tape.pick(&["plan = 'gold'", "COHORT vips", "age > 30 AND plan IS NOT NULL"]).to_owned()
            }
            _ if depth > 0 => {
                let (query, _) = self.rows(depth - 1);
                format!("IN ({query})")
            }
            _ => "plan IN ('gold', 'free')".to_owned(),
        }
    }

    /// Journeys narrowed, then made into rows.
    pub(crate) fn rows(&mut self, depth: usize) -> (String, Rows) {
        let mut text = String::new();
        for _ in 0..self.tape.below(3) {
            text += &self.stage(depth);
            text += "\n|> ";
        }
        let (operator, rows) = self.operator();
        (text + &operator, rows)
    }

    /// From journeys to rows.
    pub(crate) fn operator(&mut self) -> (String, Rows) {
        let keys = |tape: &mut Tape| match tape.below(3) {
            0 => String::new(),
            1 => " SAME topic".to_owned(),
            _ => " SAME (channel, case)".to_owned(),
        };
        match self.tape.below(9) {
            0 => ("INTERACTIONS".to_owned(), Rows::WithMembers),
            1 => {
                let keys = keys(self.tape);
                let text = format!("CHAINS{keys} GAP {} MIN {}", self.hours(), 1 + self.tape.below(3));
                (text + &self.window(), Rows::WithMembers)
            }
            2 => {
                let keys = keys(self.tape);
                (format!("FCR{keys} GAP {}", self.hours()), Rows::WithMembers)
            }
            3 => {
                let pattern = self.pattern();
                let which = self.tape.pick(&["", " FIRST", " LAST", " ALL", " EACH"]);
                let tolerance = if self.tape.chance(12) { " SIMULTANEOUS 1h" } else { "" };
                (format!("MATCH {pattern}{}{which}{tolerance}", self.window()), Rows::WithMembers)
            }
            4 | 5 => self.funnel(),
            6 => {
                let (from, to) = (self.step(), self.step());
                let ends = match self.tape.below(3) {
                    0 => format!("FROM {from}"),
                    1 => format!("TO {to}"),
                    _ => format!("BETWEEN {from} AND {to}"),
                };
                let depth = if self.tape.chance(40) { " DEPTH 3" } else { "" };
                let by = self.tape.pick(&["", " BY channel", " BY topic"]);
                let collapse = if self.tape.chance(40) { " COLLAPSE" } else { "" };
                let top = if self.tape.chance(30) { " TOP 2" } else { "" };
                (format!("PATHS {ends}{depth}{by}{collapse}{top}"), Rows::Without)
            }
            7 => {
                let by = self.tape.pick(&["kind", "channel", "topic"]);
                let what = match (by, self.tape.below(4)) {
                    (_, 1) => " LOOPS",
                    ("kind", 2) => " CHEAPEST 'a' TO 'b'",
                    ("kind", 3) => " DOMINATORS OF 'c'",
                    _ => "",
                };
                (format!("GRAPH BY {by}{what}"), Rows::Without)
            }
            _ => (
                format!("MAP BY {}", self.tape.pick(&["kind", "channel, topic", "agent, resolved"])),
                Rows::Without,
            ),
        }
    }

    fn funnel(&mut self) -> (String, Rows) {
        let mut text = match self.tape.below(6) {
            0 | 1 => format!("FUNNEL {}", self.pattern()),
            2 => format!("FUNNEL STRICT {}", self.pattern()),
            3 => {
                let steps: Vec<String> = (0..1 + self.tape.below(3)).map(|_| self.step()).collect();
                format!("FUNNEL ANY ORDER {}", steps.join(", "))
            }
            4 => format!("FUNNEL {} COUNT ATTEMPTS", self.pattern()),
            _ => format!("FUNNEL {}{}", self.pattern(), self.tape.pick(&["", " SIMULTANEOUS 1h"])),
        };
        text += &self.window();
        if self.tape.chance(15) {
            text += " HOLD case";
        }
        if self.tape.chance(15) {
            text += " ANCHOR FIRST";
        }
        if self.tape.chance(25) {
            let at = self.tape.pick(&["", " AT FIRST", " AT LAST", " AT STEP 1", " AT ALL"]);
            text += &format!(" BY {}{at}", self.tape.pick(&["channel", "topic, channel"]));
        }
        if self.tape.chance(12) {
            text += &format!(" TREND BY {}", self.tape.pick(&["day", "week", "month"]));
        }
        let grouped = text.contains(" BY ");
        match self.tape.below(5) {
            0 | 1 => (text, Rows::Without),
            4 if grouped => (text, Rows::Without),
            2 => (text + "\n|> REACHED 1", Rows::WithMembers),
            3 => (text + "\n|> REACHED 1", Rows::WithMembers),
            _ => (text + "\n|> CORRELATES", Rows::Without),
        }
    }
}
