//! That nothing is left of what was dropped.

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::model::CustomerOrdinal;
use crate::retained::Cutoffs;
use crate::schema::AttrId;

/// No interaction of those who live may have taken place before what its commit, or a later one, kept.
pub(super) fn check_rows(
    cutoffs: &Cutoffs,
    block: &Block,
    lives: &dyn Fn(CustomerOrdinal) -> bool,
) -> Result<()> {
    let Some(Column::Int { values, .. }) = block.column(AttrId::COMMIT).filter(|_| !cutoffs.is_empty())
    else {
        return Ok(());
    };
    for (place, _) in block.customers.iter().enumerate().filter(|(_, customer)| lives(**customer)) {
        let rows = block.journey(place);
        let commits = values.get(rows.clone()).unwrap_or_default();
        let times = block.times.get(rows).unwrap_or_default();
        let dropped =
            |(&time, &commit): (&i64, &i64)| cutoffs.of(commit as u64).is_some_and(|cutoff| time < cutoff);
        if times.iter().zip(commits).any(dropped) {
            return Err(Error::invalid("an interaction is there that took place before what is kept"));
        }
    }
    Ok(())
}
