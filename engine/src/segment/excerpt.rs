//! Some customers of a segment, without decoding the others.

use std::ops::{Range, RangeInclusive};

use super::SegmentHeader;
use crate::block::Block;
use crate::column::Column;
use crate::columns::{self, Bytes, Journeys, Seeker, Stream};
use crate::error::{Error, Result};
use crate::model::CustomerOrdinal;
use crate::schema::AttrId;

/// Whom to read.
#[derive(Clone, Debug)]
pub enum Chosen<'a> {
    /// All from one ordinal to another.
    Span(RangeInclusive<CustomerOrdinal>),
    /// These, in ascending order.
    These(&'a [CustomerOrdinal]),
}

impl Chosen<'_> {
    /// Those from `first` to `last`.
    pub fn within(&self, first: CustomerOrdinal, last: CustomerOrdinal) -> Self {
        match self {
            Self::Span(span) => Self::Span(first.max(*span.start())..=last.min(*span.end())),
            Self::These(these) => {
                let start = these.partition_point(|&customer| customer < first);
                let end = these.partition_point(|&customer| customer <= last).max(start);
                Self::These(these.get(start..end).unwrap_or_default())
            }
        }
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Span(span) => span.is_empty(),
            Self::These(these) => these.is_empty(),
        }
    }

    /// How many there are at most.
    pub fn len(&self) -> usize {
        match self {
            Self::Span(span) if span.is_empty() => 0,
            Self::Span(span) => (span.end() - span.start()) as usize + 1,
            Self::These(these) => these.len(),
        }
    }

    /// Whether all of `first` to `last` are among them, whoever that is.
    pub fn covers(&self, first: CustomerOrdinal, last: CustomerOrdinal) -> bool {
        matches!(self, Self::Span(span) if *span.start() <= first && *span.end() >= last)
    }

    /// The first of them from `customer` on.
    fn next_from(&self, customer: CustomerOrdinal) -> Option<CustomerOrdinal> {
        match self {
            Self::Span(span) => (customer <= *span.end()).then(|| customer.max(*span.start())),
            Self::These(these) => these.get(these.partition_point(|&other| other < customer)).copied(),
        }
    }

    /// Where they are among ascending `customers`.
    pub fn places(&self, customers: &[CustomerOrdinal]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        let mut from = 0;
        while let Some(&customer) = customers.get(from) {
            let Some(next) = self.next_from(customer) else { break };
            let rest = customers.get(from..).unwrap_or_default();
            from += rest.partition_point(|&other| other < next);
            if customers.get(from) == Some(&next) {
                // A span goes on as far as it reaches.
                let end = match self {
                    Self::Span(span) => customers.partition_point(|other| other <= span.end()),
                    Self::These(_) => from + 1,
                };
                push(&mut places, from..end);
                from = end;
            }
        }
        places
    }
}

/// Adds a range, to the last one where it goes on there.
fn push(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

/// Chosen customers of a segment, and where their interactions lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Their ordinals, ascending.
    pub customers: Vec<CustomerOrdinal>,
    /// Their places among the segment's customers.
    places: Vec<Range<usize>>,
    /// Where the interactions of each of a range of places begin, and where its last one's end.
    offsets: Vec<u32>,
    /// Their rows.
    rows: Vec<Range<usize>>,
}

impl Excerpt {
    fn journeys(&self) -> Vec<Journeys<'_>> {
        let mut rest = self.offsets.as_slice();
        let mut journeys = Vec::with_capacity(self.places.len());
        for places in &self.places {
            let Some((offsets, others)) = rest.split_at_checked(places.len() + 1) else { break };
            journeys.push(Journeys { place: places.start, offsets });
            rest = others;
        }
        journeys
    }

    /// Where each one's interactions begin in a block of theirs alone.
    fn own_offsets(&self) -> Vec<u32> {
        let mut own = Vec::with_capacity(self.customers.len() + 1);
        let mut end = 0;
        own.push(0);
        for journeys in self.journeys() {
            let (starts, ends) = (journeys.offsets.iter(), journeys.offsets.iter().skip(1));
            own.extend(starts.zip(ends).map(|(start, after)| {
                end += after - start;
                end
            }));
        }
        own
    }
}

impl SegmentHeader {
    /// The chosen customers that it has, given the bytes of those parts.
    ///
    /// # Errors
    /// [`Error::Damaged`] where what is looked at does not fit this header; so for all that decode.
    pub fn find(&self, customers: &dyn Bytes, offsets: &dyn Bytes, chosen: &Chosen<'_>) -> Result<Excerpt> {
        let mut excerpt = Excerpt::default();
        let chosen = chosen.within(self.first_customer, self.last_customer);
        if self.customers > 0 && !chosen.is_empty() {
            self.find_customers(customers, &chosen, &mut excerpt)?;
            self.find_rows(offsets, &mut excerpt)?;
        }
        Ok(excerpt)
    }

    fn find_customers(&self, bytes: &dyn Bytes, chosen: &Chosen<'_>, excerpt: &mut Excerpt) -> Result<()> {
        let what = "segment customers";
        let mut seeker = Seeker::new(bytes, what);
        let wrong = || Error::damaged(what, 0, "they do not end with the last customer");
        let Excerpt { customers, places, .. } = excerpt;
        match seeker.u8()? {
            0 => {
                // One ordinal after another.
                if (self.last_customer - self.first_customer) as usize != self.customers - 1 {
                    return Err(wrong());
                }
                let place = |customer: CustomerOrdinal| (customer - self.first_customer) as usize;
                match chosen {
                    Chosen::Span(span) => {
                        customers.extend(span.clone());
                        push(places, place(*span.start())..place(*span.end()) + 1);
                    }
                    Chosen::These(these) => {
                        customers.extend_from_slice(these);
                        these.iter().for_each(|&customer| push(places, place(customer)..place(customer) + 1));
                    }
                }
            }
            1 => {
                let gaps = Stream::place(&mut seeker, self.customers - 1)?;
                let mut next = chosen.next_from(self.first_customer);
                let mut place = 0;
                let mut at = u64::from(self.first_customer);
                let mut meet = |place: usize, at: u64| {
                    while next.is_some_and(|customer| u64::from(customer) < at) {
                        next = u32::try_from(at).ok().and_then(|at| chosen.next_from(at));
                    }
                    if let Some(customer) = next.filter(|&customer| u64::from(customer) == at) {
                        customers.push(customer);
                        push(places, place..place + 1);
                        next = customer.checked_add(1).and_then(|customer| chosen.next_from(customer));
                    }
                    next.map(u64::from)
                };
                let mut awaited = meet(place, at);
                gaps.blocks(0..gaps.len(), |block| {
                    let end = at + block.iter().map(|&gap| u64::from(gap) + 1).sum::<u64>();
                    if awaited.is_none_or(|awaited| end < awaited) {
                        (place, at) = (place + block.len(), end);
                        return;
                    }
                    for &gap in block {
                        (place, at) = (place + 1, at + u64::from(gap) + 1);
                        if awaited.is_some_and(|awaited| awaited <= at) {
                            awaited = meet(place, at);
                        }
                    }
                })?;
                if at != u64::from(self.last_customer) {
                    return Err(wrong());
                }
            }
            other => return Err(seeker.damaged(format!("unknown way {other} to hold numbers"))),
        }
        Ok(())
    }

    fn find_rows(&self, bytes: &dyn Bytes, excerpt: &mut Excerpt) -> Result<()> {
        let what = "segment offsets";
        let mut seeker = Seeker::new(bytes, what);
        let Excerpt { places, offsets, rows, .. } = excerpt;
        let lengths = match seeker.u8()? {
            0 => None,
            1 => Some(Stream::place(&mut seeker, self.customers)?),
            other => return Err(seeker.damaged(format!("unknown way {other} to hold numbers"))),
        };
        let (mut passed, mut end) = (0, 0_u64);
        for range in places.iter() {
            end += (range.start - passed) as u64;
            if let Some(lengths) = &lengths {
                end += lengths.sum(passed..range.start)?;
            }
            let start = end;
            offsets.push(end as u32);
            match &lengths {
                None => offsets.extend(range.clone().map(|place| place as u32 + 1)),
                Some(lengths) => lengths.blocks(range.clone(), |block| {
                    offsets.extend(block.iter().map(|&length| {
                        end += u64::from(length) + 1;
                        end as u32
                    }));
                })?,
            }
            if lengths.is_none() {
                end += range.len() as u64;
            }
            if end > self.rows as u64 {
                return Err(seeker.damaged(format!("more than the {} interactions that are", self.rows)));
            }
            push(rows, start as usize..end as usize);
            passed = range.end;
        }
        Ok(())
    }

    /// The block of an excerpt, without columns.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn decode_excerpt(&self, times: &dyn Bytes, excerpt: &Excerpt) -> Result<Block> {
        let mut seeker = Seeker::new(times, "segment times");
        let times = columns::decode_times_rows(&mut seeker, self.customers, self.rows, &excerpt.journeys())?;
        if seeker.remaining() > 0 {
            return Err(seeker.damaged("bytes left over"));
        }
        let customers = excerpt.customers.clone();
        Ok(Block { customers, offsets: excerpt.own_offsets(), times, columns: Vec::new() })
    }

    /// The values of `attr` in the rows of an excerpt.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn decode_column_excerpt(
        &self,
        attr: AttrId,
        bytes: &dyn Bytes,
        excerpt: &Excerpt,
    ) -> Result<Column> {
        columns::decode_rows(bytes, self.rows, &excerpt.rows, &format!("segment column {}", attr.0))
    }
}
