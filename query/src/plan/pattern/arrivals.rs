//! When the channels that absences wait for last arrived: what is absent
//! because its channel stopped arriving is told apart (language rule 13).

use roaring::RoaringBitmap;
use throughline_engine::{AttrId, Column, Millis, Role, Snapshot};

use super::super::index::{units_with, values};
use super::{InSight, PatternPlan};
use crate::kernels::pattern::Found;
use crate::rows::{Shape, Typed};

/// A channel that something absent would have come by.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    mark: u32,
    /// The channels, in words.
    name: String,
    /// The last interaction by any of them in the store.
    last: Millis,
}

/// The values of an attribute without which a predicate cannot hold.
fn needs(predicate: &Typed, attr: AttrId) -> Option<Vec<u32>> {
    match predicate.shape() {
        Shape::And(a, b) => needs(a, attr).or_else(|| needs(b, attr)),
        _ => values(predicate).filter(|(of, _)| *of == attr).map(|(_, symbols)| symbols),
    }
}

/// The time of the last interaction with any of these values; `None` where there is none.
fn last_of(snapshot: &Snapshot, attr: AttrId, symbols: &[u32]) -> throughline_engine::Result<Option<Millis>> {
    let mut customers = RoaringBitmap::new();
    for &symbol in symbols {
        customers |= snapshot.at_least(attr, symbol, 1)?;
    }
    let mut last = None;
    for unit in units_with(snapshot, Some(&customers)) {
        let block = snapshot.read(unit, &[attr])?;
        let Some(Column::Symbol { codes, dictionary }) = block.column(attr) else { continue };
        // Code 0 is NULL.
        let known = dictionary.iter().map(|symbol| symbols.contains(symbol));
        let asked: Vec<bool> = std::iter::once(false).chain(known).collect();
        let rows = codes.iter().zip(&block.times);
        let found = rows.filter(|(code, _)| asked.get(**code as usize).copied().unwrap_or(false));
        last = last.max(found.map(|(_, &at)| at).max());
    }
    Ok(last)
}

impl PatternPlan {
    /// Looks up when the channels last arrived that absences after steps name.
    /// Reads the channels of customers who have any of them.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub(crate) fn look_up_arrivals(&mut self, snapshot: &Snapshot) -> throughline_engine::Result<()> {
        let Some(channel) = snapshot.schema().role(Role::Channel) else { return Ok(()) };
        for absence in self.rule.steps.iter().flat_map(|step| &step.after) {
            let mark = self.marks.get(absence.mark as usize).and_then(|mark| mark.predicate.as_ref());
            let Some(symbols) = mark.and_then(|predicate| needs(predicate, channel.id)) else { continue };
            let Some(last) = last_of(snapshot, channel.id, &symbols)? else { continue };
            let dictionary = snapshot.symbols(channel.id);
            let names: Vec<&str> = symbols.iter().map(|&symbol| dictionary.get(symbol)).collect();
            self.arrivals.push(Arrival { mark: absence.mark, name: names.join(" or "), last });
        }
        Ok(())
    }

    /// Whether a match claims that nothing came, up to a deadline after the
    /// last arrival of the channel it would have come by.
    pub(crate) fn outlasts_arrivals(&self, view: &InSight<'_>, found: &Found) -> bool {
        !self.arrivals.is_empty()
            && self.rule.steps.iter().enumerate().any(|(place, step)| {
                // Where the step is skipped, the last row before it counts.
                let rows = found.rows.iter().take_while(|(_, step)| *step as usize <= place);
                let Some(&(row, _)) = rows.last() else { return false };
                let outlasts = |mark: u32, within: i64| {
                    let deadline = view.time(row).saturating_add(within);
                    self.arrivals.iter().any(|arrival| arrival.mark == mark && arrival.last < deadline)
                };
                step.after.iter().any(|absence| outlasts(absence.mark, absence.within))
            })
    }

    /// The channels whose absence is waited for and when each last arrived, in words.
    pub(crate) fn arrivals_in_words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for arrival in &self.arrivals {
            let one =
                format!("`{}` last arrived {}", arrival.name, crate::time::format_instant(arrival.last));
            if !words.contains(&one) {
                words.push(one);
            }
        }
        words.join(", ")
    }
}
