//! Pairs of identities that rows carried, before they are written.

use super::State;
use crate::batch::Carried;
use crate::error::Result;
use crate::records::links::{FrameLinks, Pair};
use crate::resolution::Said;

/// Pairs in a frame: of so many the longest fit into one.
const FRAME_PAIRS: usize = 1 << 16;

impl State {
    /// The pairs that no row carried before. A customer who calls fifty times from one telephone
    /// says the same fifty times, and once is kept.
    pub(crate) fn new_pairs<'a>(&mut self, carried: &'a Carried) -> Result<Vec<(&'a str, &'a str)>> {
        if carried.pairs.is_empty() {
            return Ok(Vec::new());
        }
        self.names.check_room(&carried.identities)?;
        self.load_ties()?;
        let identities = self.names.identities.read()?;
        let numbers: Vec<Option<u32>> = carried.identities.iter().map(|text| identities.find(text)).collect();
        let number = |place: u32| numbers.get(place as usize).copied().flatten();
        let is_known = |&(one, other): &(u32, u32)| {
            let both = number(one).zip(number(other));
            both.zip(self.ties.as_ref()).is_some_and(|((one, other), ties)| ties.has_row(one, other))
        };
        let text = |place: u32| carried.identities.get(place as usize);
        let is_erased =
            |&(one, other): &(u32, u32)| self.is_kept_out(text(one)) || self.is_kept_out(text(other));
        let new = carried.pairs.iter().filter(|pair| !is_known(pair) && !is_erased(pair));
        Ok(new.map(|&(one, other)| (text(one), text(other))).collect())
    }
}

/// Pairs that rows carried as history frames hold them.
pub(crate) fn frames_of_rows(pairs: &[(&str, &str)]) -> Result<Vec<FrameLinks>> {
    let row = |&(one, other)| Pair { one, other, said: Said::Row, confidence: 0, source: "" };
    pairs.chunks(FRAME_PAIRS).map(|part| FrameLinks::from_pairs(part.iter().map(row))).collect()
}
