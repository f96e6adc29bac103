//! When rows took place, and when they say that they were recorded.

use super::{Intake, Table, shown};
use crate::import::conversion::instant;
use crate::import::mapping::Section;
use crate::import::record::Record;
use crate::import::rejects::{Reason, Refusal};
use crate::import::values::{Field, says_nothing};

impl Table {
    /// When a row took place.
    pub(super) fn instant(&self, intake: &Intake<'_>, record: &impl Record) -> Result<i64, Refusal> {
        let Some((column, rule, header)) = &self.time else { return Ok(intake.now) };
        let field = record.field(*column);
        let time = match instant(field, rule) {
            Some(time) => time,
            None if matches!(field, Field::Null) => {
                return match self.section {
                    Section::Customers => Ok(intake.now),
                    Section::Interactions => Err(Refusal::value(Reason::NoTime, header, "")),
                };
            }
            None => {
                let found = shown(field);
                let reason = if says_nothing(&found) { Reason::NoTime } else { Reason::BadTime };
                return Err(Refusal::value(reason, header, found));
            }
        };
        if !intake.bounds.contains(&time) {
            return Err(Refusal::value(Reason::TimeOutOfBounds, header, shown(field)));
        }
        Ok(time)
    }

    /// When a row was recorded; nothing where it does not say so.
    pub(super) fn recorded(&self, intake: &Intake<'_>, record: &impl Record) -> Result<Option<i64>, Refusal> {
        let Some((column, rule, header)) = &self.recorded else { return Ok(None) };
        let field = record.field(*column);
        let Some(recorded) = instant(field, rule) else {
            let found = shown(field);
            return match matches!(field, Field::Null) || says_nothing(&found) {
                true => Ok(None),
                false => Err(Refusal::value(Reason::BadRecorded, header, found)),
            };
        };
        if !intake.could_be_recorded(recorded) {
            return Err(Refusal::value(Reason::RecordedOutOfBounds, header, shown(field)));
        }
        Ok(Some(recorded))
    }
}

impl Intake<'_> {
    /// Whether anything can have been recorded then: nothing is in the future.
    pub(super) fn could_be_recorded(&self, at: i64) -> bool {
        (*self.bounds.start()..=self.now).contains(&at)
    }
}
