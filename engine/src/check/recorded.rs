//! Whether rows with recording times of their own are told of as they are.

use std::collections::BTreeMap;

use crate::block::Block;
use crate::column::Column;
use crate::error::Result;
use crate::model::Millis;
use crate::recorded::Tally;
use crate::schema::AttrId;
use crate::state::State;

/// Such rows, counted anew.
pub(super) struct OwnRows<'a> {
    state: &'a State,
    /// When each commit was recorded.
    commits: BTreeMap<u64, Millis>,
    /// By where the span begins that they are told of in.
    counted: BTreeMap<Millis, Tally>,
}

impl<'a> OwnRows<'a> {
    pub(super) fn of(state: &'a State) -> Result<Self> {
        let commits = match state.recorded.own().first() {
            None => BTreeMap::new(),
            Some(_) => state.recorded.all(state.chunks())?.into_iter().collect(),
        };
        Ok(Self { state, commits, counted: BTreeMap::new() })
    }

    /// Takes in the living of a block. Answers what is wrong with it.
    pub(super) fn add(&mut self, block: &Block) -> Option<&'static str> {
        let Some(column @ Column::Int { values, .. }) = block.column(AttrId::RECORDED) else { return None };
        let Some(Column::Int { values: commits, .. }) = block.column(AttrId::COMMIT) else {
            return Some("it has no column of commits");
        };
        let rows = values.iter().zip(commits).zip(&block.times).enumerate();
        for (_, ((&recorded, &commit), &time)) in rows.filter(|(row, _)| !column.is_null(*row)) {
            let commit = self.commits.range(..=commit as u64).next_back();
            if commit.is_none_or(|(_, at)| recorded > *at) {
                return Some("a row says that it was recorded after its commit");
            }
            let Some((span, _)) = self.state.recorded.own().around(recorded) else {
                return Some("a row was recorded when the store knows of none");
            };
            let counted = self.counted.entry(*span.start()).or_default();
            *counted = counted.and(Tally::of(time));
        }
        None
    }

    /// What is wrong with the whole of it.
    pub(super) fn end(&self) -> Option<String> {
        let own = self.state.recorded.own();
        let fits =
            |(&from, tally): (&Millis, &Tally)| own.around(from).is_some_and(|(_, all)| all.covers(tally));
        let wrong = !self.counted.iter().all(fits);
        wrong.then(|| "the store knows of fewer rows with recording times than it holds".to_owned())
    }
}
