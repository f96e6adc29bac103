//! MATCH, PATHS and GRAPH.

use super::{Options, Parsed, Parser};
use crate::syntax::ast::{Graph, GraphCompute, Match, OpKind, PathEnds, Paths, Which};

impl Parser<'_> {
    pub(super) fn matching(&mut self) -> Parsed<OpKind> {
        self.take();
        let mut found = Match { pattern: self.pattern()?, ..Match::default() };
        let mut options = Options::new("MATCH");
        let choices =
            [("FIRST", Which::First), ("LAST", Which::Last), ("ALL", Which::All), ("EACH", Which::Each)];
        loop {
            let span = self.span();
            if self.take_word("WITHIN").is_some() {
                options.once("WITHIN", span)?;
                found.within = Some(self.duration("WITHIN")?);
            } else if self.take_word("SIMULTANEOUS").is_some() {
                options.once("SIMULTANEOUS", span)?;
                found.simultaneous = Some(self.duration("SIMULTANEOUS")?);
            } else if choices.iter().any(|(word, _)| self.is_word(word)) {
                options.once("FIRST, LAST, ALL or EACH", span)?;
                found.which = Some((self.one_of(&choices)?, span));
            } else if !self.started(&mut options, &mut found.started)? {
                return Ok(OpKind::Match(Box::new(found)));
            }
        }
    }

    pub(super) fn paths(&mut self) -> Parsed<OpKind> {
        self.take();
        let between = if self.take_word("FROM").is_some() {
            PathEnds::From(self.step()?)
        } else if self.take_word("TO").is_some() {
            PathEnds::To(self.step()?)
        } else if self.take_word("BETWEEN").is_some() {
            let from = self.step()?;
            self.want_word("AND")?;
            PathEnds::Between(from, self.step()?)
        } else {
            let mut error = self.expected("FROM, TO or BETWEEN", &["FROM", "TO", "BETWEEN"]);
            error.help = error.help.or_else(|| Some("write for example `PATHS FROM (:complaint)`".into()));
            return Err(error);
        };
        let mut paths = Paths { between, depth: None, by: None, collapse: false, top: None };
        let mut options = Options::new("PATHS");
        loop {
            let span = self.span();
            if self.take_word("DEPTH").is_some() {
                options.once("DEPTH", span)?;
                paths.depth = Some(self.count("DEPTH")?);
            } else if self.take_word("BY").is_some() {
                options.once("BY", span)?;
                paths.by = Some(self.name("an attribute")?);
            } else if self.take_word("COLLAPSE").is_some() {
                options.once("COLLAPSE", span)?;
                paths.collapse = true;
            } else if self.take_word("TOP").is_some() {
                options.once("TOP", span)?;
                paths.top = Some(self.count("TOP")?);
            } else {
                return Ok(OpKind::Paths(Box::new(paths)));
            }
        }
    }

    pub(super) fn graph(&mut self) -> Parsed<OpKind> {
        self.take();
        self.want_word("BY")?;
        let by = self.name("an attribute")?;
        let compute = if self.take_word("LOOPS").is_some() {
            GraphCompute::Loops
        } else if self.take_word("CHEAPEST").is_some() {
            let from = self.text("a value", "CHEAPEST 'a' TO 'b'")?;
            self.want_word("TO")?;
            GraphCompute::Cheapest(from, self.text("a value", "CHEAPEST 'a' TO 'b'")?)
        } else if self.take_word("DOMINATORS").is_some() {
            self.want_word("OF")?;
            GraphCompute::Dominators(self.text("a value", "DOMINATORS OF 'x'")?)
        } else {
            GraphCompute::Edges
        };
        Ok(OpKind::Graph(Graph { by, compute }))
    }
}
