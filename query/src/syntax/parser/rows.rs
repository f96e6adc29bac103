//! The relational tail: EXTEND, SELECT, AGGREGATE, ORDER BY.

use super::{Parsed, Parser};
use crate::syntax::ast::{OpKind, OrderItem, SelectItem};

impl Parser<'_> {
    pub(super) fn extend(&mut self) -> Parsed<OpKind> {
        self.take();
        let mut items = Vec::new();
        loop {
            let expr = self.expression()?;
            if !self.is_word("AS") {
                let mut error = self.expected("`AS` and a name", &["AS"]);
                error.help = error
                    .help
                    .or_else(|| Some("a new column needs a name: `EXTEND span / 2 AS half`".into()));
                return Err(error);
            }
            self.take();
            items.push((expr, self.name("the column's name")?));
            if self.take_sign(",").is_none() {
                return Ok(OpKind::Extend(items));
            }
        }
    }

    pub(super) fn select(&mut self) -> Parsed<OpKind> {
        self.take();
        if self.is_sign("*") {
            let help = "leave SELECT out to keep every column";
            return Err(Self::error("E108", self.span(), "there is no `SELECT *`", help));
        }
        self.take_words_hint_distinct()?;
        Ok(OpKind::Select(self.select_items()?))
    }

    /// `SELECT DISTINCT x` of SQL is two operators here.
    fn take_words_hint_distinct(&self) -> Parsed<()> {
        if self.is_word("DISTINCT") && self.is_name_after(1) && !self.is_word_after(1, "AS") {
            let help = "write `SELECT … |> DISTINCT`";
            return Err(Self::error("E108", self.span(), "there is no `SELECT DISTINCT`", help));
        }
        Ok(())
    }

    pub(super) fn aggregate(&mut self) -> Parsed<OpKind> {
        self.take();
        let grouped = |p: &Self| p.is_word("GROUP") && p.is_word_after(1, "BY");
        let items = if grouped(self) { Vec::new() } else { self.select_items()? };
        let group_by = match self.take_words("GROUP", "BY") {
            Some(_) => self.select_items()?,
            None => Vec::new(),
        };
        Ok(OpKind::Aggregate { items, group_by })
    }

    /// `expr [AS name], …`
    fn select_items(&mut self) -> Parsed<Vec<SelectItem>> {
        let mut items = Vec::new();
        loop {
            let expr = self.expression()?;
            let alias = match self.take_word("AS") {
                Some(_) => Some(self.name("the column's name")?),
                None => None,
            };
            items.push(SelectItem { expr, alias });
            if self.take_sign(",").is_none() {
                return Ok(items);
            }
        }
    }

    pub(super) fn order_by(&mut self) -> Parsed<OpKind> {
        self.take();
        self.want_word("BY")?;
        let mut items = Vec::new();
        loop {
            let expr = self.expression()?;
            let descending = self.take_word("DESC").is_some();
            if !descending {
                self.take_word("ASC");
            }
            if self.is_word("NULLS") {
                let help = "nulls always come last; take `NULLS …` away";
                return Err(Self::error("E108", self.span(), "the place of nulls cannot be chosen", help));
            }
            items.push(OrderItem { expr, descending });
            if self.take_sign(",").is_none() {
                return Ok(OpKind::OrderBy(items));
            }
        }
    }
}
