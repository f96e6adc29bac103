//! Rows of a source that is read column by column are taken the same way where
//! nothing about them needs a second look. What is odd (a value that does not
//! fit, a time out of bounds, no customer) goes the way of single rows, which
//! refuses it, widens the type, or takes it.

use std::ops::Range;

use arrow::array::Array;
use throughline::engine::{AttrId, AttrType, IdentityRef};

use super::{BATCH_BYTES, BATCH_ROWS, Intake, Table, VALUE_BYTES};
use crate::failure::Outcome;
use crate::import::conversion::identity_text;
use crate::import::mapping::Section;
use crate::import::parquet::Values;
use crate::import::record::Record;
use crate::import::values::{Field, in_sentiment_range, says_nothing};

/// Rows taken between looks at the memory they need.
const RUN_ROWS: usize = 4_096;

/// How a column's values become an attribute's.
enum Way<'a> {
    Texts(&'a Values, AttrId, AttrType),
    Ints(&'a Values, AttrId),
    Floats(&'a Values, AttrId),
}

/// How a whole batch is taken.
struct Ways<'a> {
    customer: Option<&'a Values>,
    also: Vec<Option<&'a Values>>,
    time: Option<&'a Values>,
    sequence: Option<&'a Values>,
    recorded: Option<&'a Values>,
    event_id: Option<&'a Values>,
    attributes: Vec<Way<'a>>,
    /// Rows that must be looked at one by one.
    odd: Vec<bool>,
}

impl Table {
    /// Takes the rows of a batch. The first is that of line `line` + 1; `record` gives each.
    pub(crate) fn take_columns<R: Record>(
        &mut self,
        intake: &mut Intake<'_>,
        line: u64,
        columns: &[Option<Values>],
        rows: usize,
        record: &impl Fn(usize) -> R,
    ) -> Outcome<()> {
        let mut row = 0;
        while row < rows {
            // A widened type is another way.
            let widenings = self.widenings;
            let ways = self.ways(intake, columns, rows);
            while row < rows && self.widenings == widenings {
                let taken = match &ways {
                    Some(ways) => self.take_run(intake, ways, row)?,
                    None => 0,
                };
                row += taken;
                if taken == 0 {
                    self.take(intake, line + 1 + row as u64, &record(row))?;
                    row += 1;
                }
            }
        }
        Ok(())
    }

    /// `None` where a column is of a type that single values must be converted from.
    fn ways<'a>(&self, intake: &Intake<'_>, columns: &'a [Option<Values>], rows: usize) -> Option<Ways<'a>> {
        let column = |place: usize| columns.get(place).and_then(Option::as_ref);
        if !self.constants.is_empty() {
            return None;
        }
        let mut odd = vec![false; rows];
        let time = match &self.time {
            None => None,
            Some((place, rule, _)) => {
                let values = column(*place)?;
                let times = values.millis(rule.zone.is_none())?;
                mark(&mut odd, |row| times.is_null(row) || !intake.bounds.contains(&times.value(row)));
                Some(values)
            }
        };
        let sequence = match &self.sequence {
            None => None,
            Some((place, _)) => {
                let values = column(*place)?;
                let Values::Ints(numbers) = values else { return None };
                mark(&mut odd, |row| !numbers.is_null(row) && numbers.value(row) < 0);
                Some(values)
            }
        };
        let recorded = match &self.recorded {
            None => None,
            Some((place, rule, _)) => {
                let values = column(*place)?;
                let times = values.millis(rule.zone.is_none())?;
                mark(&mut odd, |row| !times.is_null(row) && !intake.could_be_recorded(times.value(row)));
                Some(values)
            }
        };
        let mut attributes = Vec::with_capacity(self.attributes.len());
        for attribute in &self.attributes {
            let Some(values) = column(attribute.rule.column) else { continue };
            if values.array().null_count() == rows {
                continue;
            }
            let (attr, ty) = attribute.slot?;
            attributes.push(match (values, ty) {
                (Values::Views(texts), ty) if ty.is_string() => {
                    // The length is in the view itself.
                    let views = texts.views();
                    mark(&mut odd, |row| {
                        views.get(row).is_some_and(|view| *view as u32 as usize > VALUE_BYTES)
                    });
                    Way::Texts(values, attr, ty)
                }
                (Values::Texts(texts), ty) if ty.is_string() => {
                    mark(&mut odd, |row| texts.value_length(row) as usize > VALUE_BYTES);
                    Way::Texts(values, attr, ty)
                }
                (Values::Ints(_), AttrType::Int) | (Values::Truths(_), AttrType::Bool) => {
                    Way::Ints(values, attr)
                }
                (Values::Ints(_), AttrType::Float) if !attribute.sentiment => Way::Floats(values, attr),
                (Values::Floats(numbers), AttrType::Float) => {
                    let fits = |number: f64| match attribute.sentiment {
                        true => in_sentiment_range(number).is_some(),
                        false => self.exact || number.is_finite(),
                    };
                    mark(&mut odd, |row| {
                        let number = numbers.value(row);
                        !numbers.is_null(row) && !number.is_nan() && !fits(number)
                    });
                    Way::Floats(values, attr)
                }
                (_, AttrType::Time) if values.millis(attribute.rule.time.zone.is_none()).is_some() => {
                    Way::Ints(values, attr)
                }
                _ => return None,
            });
        }
        let customer = self.customer.as_ref().map(|(place, ..)| column(*place));
        if self.also.is_empty() && customer.flatten().is_none() {
            return None;
        }
        let event_id = self.event_id.and_then(|place| self.attributes.get(place));
        Some(Ways {
            customer: customer.flatten(),
            also: self.also.iter().map(|also| column(also.column)).collect(),
            time,
            sequence,
            recorded,
            event_id: event_id.and_then(|attribute| column(attribute.rule.column)),
            attributes,
            odd,
        })
    }

    /// Takes rows from `first` on up to the next odd one, and not too many at once. Answers how many.
    fn take_run(&mut self, intake: &mut Intake<'_>, ways: &Ways<'_>, first: usize) -> Outcome<usize> {
        let begun = self.batch.len();
        let room = BATCH_ROWS.saturating_sub(begun).clamp(1, RUN_ROWS);
        let rows = ways.odd.iter().skip(first).take(room).take_while(|odd| !**odd).count();
        let rows = self.begin_run(intake, ways, first..first + rows)?;
        if rows == 0 {
            return Ok(0);
        }
        let run = first..first + rows;
        for way in &ways.attributes {
            match way {
                Way::Texts(values, attr, ty) => {
                    set_texts(&mut self.batch, values, *attr, (*ty, self.exact), begun, run.clone())?
                }
                Way::Ints(values, attr) => {
                    let ints = run.clone().map(|row| match values.at(row) {
                        Field::Int(number) | Field::Time(number) | Field::LocalTime(number) => Some(number),
                        Field::Bool(truth) => Some(i64::from(truth)),
                        _ => None,
                    });
                    self.batch.set_ints(*attr, begun, ints)?;
                }
                Way::Floats(values, attr) => {
                    let floats = run.clone().map(|row| match values.at(row) {
                        Field::Float(number) => Some(number),
                        Field::Int(number) => Some(number as f64),
                        _ => None,
                    });
                    self.batch.set_floats(*attr, begun, floats)?;
                }
            }
        }
        if self.batch.len() >= BATCH_ROWS || self.batch.memory_bytes() > BATCH_BYTES {
            self.flush(intake)?;
        }
        Ok(rows)
    }

    /// Begins the interactions of a run, with their customers, times and sequences. Answers how
    /// many: the run ends before a customer that is not an identity.
    fn begin_run(&mut self, intake: &mut Intake<'_>, ways: &Ways<'_>, run: Range<usize>) -> Outcome<usize> {
        let position = match self.section {
            Section::Interactions => &mut intake.tally.rows,
            Section::Customers => &mut intake.tally.customer_rows,
        };
        let times = ways.time.and_then(|values| values.millis(true));
        let recorded = ways.recorded.and_then(|values| values.millis(true));
        let (mut buffer, mut texts) = (String::new(), Vec::new());
        let (mut span, mut taken) = (intake.tally.span, 0);
        for row in run {
            let time = times.map_or(intake.now, |times| times.value(row));
            match ways.customer.filter(|_| ways.also.is_empty()) {
                Some(customer) => {
                    let text = identity_text(customer.at(row));
                    if says_nothing(&text) {
                        break;
                    }
                    let namespace = self.customer.as_ref().and_then(|(_, namespace, _)| namespace.as_deref());
                    let Ok(customer) = IdentityRef::read(&text, namespace, &mut buffer) else { break };
                    self.batch.begin_by_ref(customer, time);
                }
                None => {
                    if !self.begin_carrying(ways.customer, &ways.also, row, time, &mut texts)? {
                        break;
                    }
                }
            }
            if let Some(recorded) = recorded.filter(|recorded| !recorded.is_null(row)) {
                self.batch.recorded(recorded.value(row));
            }
            *position += 1;
            taken += 1;
            match ways.sequence.map(|values| values.at(row)) {
                Some(Field::Int(sequence)) => self.batch.sequence(sequence.unsigned_abs()),
                _ if ways.event_id.is_some_and(|values| says_something(values.at(row))) => {}
                _ => self.batch.sequence(*position),
            }
            let (first, last) = span.unwrap_or((time, time));
            span = Some((first.min(time), last.max(time)));
        }
        if self.section == Section::Interactions {
            intake.tally.span = span;
        }
        Ok(taken)
    }
}

/// Whether a field of a text attribute is not NULL.
fn says_something(field: Field<'_>) -> bool {
    matches!(field, Field::Str(text) if !text.trim().is_empty())
}

fn mark(odd: &mut [bool], is: impl Fn(usize) -> bool) {
    odd.iter_mut().enumerate().for_each(|(row, odd)| *odd |= is(row));
}

fn set_texts(
    batch: &mut throughline::engine::Batch,
    values: &Values,
    attr: AttrId,
    (ty, exact): (AttrType, bool),
    begun: usize,
    run: Range<usize>,
) -> throughline::engine::Result<()> {
    let trimmed = |text| {
        let trimmed = str::trim(text);
        if !exact && (trimmed.is_empty() || ty != AttrType::Text) { trimmed } else { text }
    };
    match values {
        Values::Views(texts) => {
            let views = texts.views();
            // Equal views are equal texts: short ones stand in them, long ones at the place they name.
            batch.set_texts(
                attr,
                begun,
                run.map(|row| {
                    let text = (!texts.is_null(row)).then(|| trimmed(texts.value(row)))?;
                    Some((views.get(row).copied()?, text))
                }),
            )
        }
        Values::Texts(texts) => batch.set_texts(
            attr,
            begun,
            run.map(|row| {
                let text = (!texts.is_null(row)).then(|| trimmed(texts.value(row)))?;
                Some(((text.as_ptr() as usize as u128) << 64 | text.len() as u128, text))
            }),
        ),
        _ => Ok(()),
    }
}
