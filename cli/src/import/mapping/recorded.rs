//! `--recorded`: the column that says when each row was recorded, named on the command line.

use std::collections::BTreeSet;

use super::{Entry, Mapping, Section, Target, check_met_all, default_target};
use crate::failure::Outcome;

impl Mapping {
    /// Takes a column, in whichever files have it, for when each row was recorded. What the map makes
    /// of it beside it stays, and so does a time; another column is nothing else then.
    pub(crate) fn take_recorded(&mut self, column: &str) {
        let key = column.trim().to_lowercase();
        let (columns, customers, time) = (&mut self.columns, &mut self.customers, &self.time);
        for (section, entries) in [(Section::Interactions, columns), (Section::Customers, customers)] {
            let own = default_target(&key, section);
            let entry = entries.entry(key.clone()).or_insert_with(|| Entry {
                ignore: own != Target::Time,
                time: time.clone(),
                ..Entry::default()
            });
            if std::mem::take(&mut entry.ignore) {
                entry.targets.clear();
            } else if entry.targets.is_empty() {
                entry.targets.push(own);
            }
            if !entry.targets.contains(&Target::Recorded) {
                entry.targets.push(Target::Recorded);
            }
        }
        self.recorded = Some(key);
    }

    /// That some file has the column of `--recorded`.
    pub(crate) fn check_recorded_met(&self, met: &[BTreeSet<String>; 2]) -> Outcome<()> {
        let all: BTreeSet<String> = met.iter().flatten().cloned().collect();
        check_met_all("--recorded", &self.recorded.iter().cloned().collect(), &all)
    }
}
