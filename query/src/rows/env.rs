//! What expressions may look up while they are compiled and run, and what can
//! stop a query half way.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use roaring::RoaringBitmap;
use throughline_engine::{
    AttrId, Column, CustomerOrdinal, Error, Identity, IdentityOrdinal, Schema, Snapshot,
};

use crate::diagnostics::Diagnostic;
use crate::limits::MATCH_STATES_MAX;
use crate::syntax::ast::Span;
use crate::value::Params;

/// Bytes that the rows a query holds may take, unless the caller says otherwise.
pub(crate) const ROWS_BYTES_MAX_DEFAULT: u64 = 1 << 30;

/// The names of a store: its schema, dictionaries and identities. What rows
/// need of a [`Snapshot`], so that they are tested without a store.
pub(crate) trait Names: Sync {
    /// The attributes.
    fn schema(&self) -> &Schema;
    /// Calls `read` with the text of a symbol.
    fn with_symbol(&self, attr: AttrId, symbol: u32, read: &mut dyn FnMut(&str));
    /// The number of a value of a symbol attribute.
    fn find_symbol(&self, attr: AttrId, text: &str) -> Option<u32>;
    /// How many values a symbol attribute has; their numbers are below it.
    fn symbol_count(&self, attr: AttrId) -> usize;
    /// Whether anything has a value; not so after who had it was erased.
    fn has_symbol(&self, _attr: AttrId, _symbol: u32) -> bool {
        true
    }
    /// The customer that goes by an identity, written `namespace:key`.
    fn find_customer(&self, identity: &str) -> Result<Option<CustomerOrdinal>, Error>;
    /// The number of an identity, written `namespace:key`.
    fn find_identity(&self, identity: &str) -> Result<Option<IdentityOrdinal>, Error>;
    /// The identity a customer is shown by.
    fn customer_name(&self, customer: CustomerOrdinal) -> Result<String, Error>;
    /// The identity of a number.
    fn identity_name(&self, identity: IdentityOrdinal) -> Result<String, Error>;
    /// A customer attribute, row `i` for ordinal `i`; NULL past its end.
    fn customer_column(&self, attr: AttrId) -> Result<Arc<Column>, Error>;

    /// The text of a symbol.
    fn symbol_text(&self, attr: AttrId, symbol: u32) -> Arc<str> {
        let mut text: Option<Arc<str>> = None;
        self.with_symbol(attr, symbol, &mut |found| text = Some(found.into()));
        text.unwrap_or_else(|| "".into())
    }
}

impl Names for Snapshot {
    fn schema(&self) -> &Schema {
        Snapshot::schema(self)
    }

    fn with_symbol(&self, attr: AttrId, symbol: u32, read: &mut dyn FnMut(&str)) {
        read(self.symbols(attr).get(symbol));
    }

    fn find_symbol(&self, attr: AttrId, text: &str) -> Option<u32> {
        self.symbols(attr).find(text).filter(|&symbol| Names::has_symbol(self, attr, symbol))
    }

    fn symbol_count(&self, attr: AttrId) -> usize {
        self.symbols(attr).len()
    }

    fn has_symbol(&self, attr: AttrId, symbol: u32) -> bool {
        // Whatever cannot be read now is met again by who reads on.
        Snapshot::has_symbol(self, attr, symbol).unwrap_or(true)
    }

    fn find_customer(&self, identity: &str) -> Result<Option<CustomerOrdinal>, Error> {
        match Identity::parse(identity) {
            Ok(identity) => self.resolve(&identity),
            Err(_) => Ok(None),
        }
    }

    fn find_identity(&self, identity: &str) -> Result<Option<IdentityOrdinal>, Error> {
        match Identity::parse(identity) {
            Ok(identity) => Snapshot::find_identity(self, &identity),
            Err(_) => Ok(None),
        }
    }

    fn customer_name(&self, customer: CustomerOrdinal) -> Result<String, Error> {
        Snapshot::customer_name(self, customer)
    }

    fn identity_name(&self, identity: IdentityOrdinal) -> Result<String, Error> {
        Snapshot::identity_name(self, identity)
    }

    fn customer_column(&self, attr: AttrId) -> Result<Arc<Column>, Error> {
        Snapshot::customer_column(self, attr)
    }
}

/// What stops a query while rows flow.
#[derive(Debug, thiserror::Error)]
pub enum QueryLimit {
    /// The rows held at once are too many.
    #[error(
        "the rows that this query holds take more than {limit} bytes; filter or aggregate earlier, or add LIMIT"
    )]
    RowsBytes {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Whole-number or duration arithmetic left the range of 64 bits.
    #[error("this arithmetic leaves the range of whole numbers (64 bits); multiply by 1.0 to use floats")]
    Overflow {
        /// The operation; of several the first in the text.
        span: Span,
    },
    /// Some journey can fill a pattern in too many ways.
    #[error(
        "in some journey this pattern can be filled in too many ways: more than {MATCH_STATES_MAX} states were looked at"
    )]
    PatternStates {
        /// The operator.
        span: Span,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

impl QueryLimit {
    /// As a finding about the query; `None` where the store failed.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
        match self {
            Self::RowsBytes { .. } => Some(Diagnostic::error("E390", Span::default(), self.to_string())),
            Self::Overflow { span } => Some(overflow(*span)),
            Self::PatternStates { span } => Some(
                Diagnostic::error("E392", *span, self.to_string())
                    .label("takes too long to search for")
                    .help(
                        "add WITHIN or bounds on the arrows, or filter the interactions by WHERE before it",
                    ),
            ),
            Self::Store(_) => None,
        }
    }
}

/// The finding that arithmetic at `span` overflows.
pub(crate) fn overflow(span: Span) -> Diagnostic {
    Diagnostic::error("E310", span, "this arithmetic leaves the range of whole numbers (64 bits)")
        .label("overflows")
        .help("multiply by 1.0 to calculate with floats")
}

/// What a query runs in. Shared by its threads.
pub(crate) struct Env<'a> {
    /// The store, by its names.
    pub snapshot: &'a dyn Names,
    /// Values of `$name`.
    pub params: &'a Params,
    /// Bytes that held rows may take.
    pub rows_bytes_max: u64,
    held: AtomicU64,
    /// The least place of an overflow, `start << 32 | end`; MAX for none.
    overflow: AtomicU64,
    failure: Mutex<Option<Error>>,
    /// Whether customers were counted in several groups.
    overlap: AtomicBool,
    /// What answers should say of how their rows came to be.
    notes: Mutex<Vec<String>>,
}

impl<'a> Env<'a> {
    /// An environment in which nothing has happened yet.
    pub(crate) fn new(snapshot: &'a dyn Names, params: &'a Params) -> Self {
        Self {
            snapshot,
            params,
            rows_bytes_max: ROWS_BYTES_MAX_DEFAULT,
            held: AtomicU64::new(0),
            overflow: AtomicU64::new(u64::MAX),
            failure: Mutex::new(None),
            overlap: AtomicBool::new(false),
            notes: Mutex::new(Vec::new()),
        }
    }

    /// Notes that arithmetic at `span` overflowed.
    pub(crate) fn note_overflow(&self, span: Span) {
        let place = u64::from(span.start) << 32 | u64::from(span.end);
        self.overflow.fetch_min(place.min(u64::MAX - 1), Ordering::Relaxed);
    }

    /// Notes that the store could not be read; the first failure is kept.
    pub(crate) fn note_failure(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    /// Notes what the answer should say beside its rows. Called where rows of
    /// all units are made, so that the order of notes does not depend on threads.
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(note.into());
    }

    /// Takes out what was noted, in order.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Notes where groups whose customers were counted share any.
    pub(crate) fn note_overlap<'s>(&self, groups: impl IntoIterator<Item = &'s RoaringBitmap>) {
        let mut all = RoaringBitmap::new();
        for group in groups {
            if !all.is_disjoint(group) {
                self.note_overlapping();
                return;
            }
            all |= group;
        }
    }

    /// Notes that groups whose customers are counted share some.
    pub(crate) fn note_overlapping(&self) {
        self.overlap.store(true, Ordering::Relaxed);
    }

    /// Whether groups whose customers were counted share any.
    pub(crate) fn overlaps(&self) -> bool {
        self.overlap.load(Ordering::Relaxed)
    }

    /// Counts bytes that are held from now on.
    pub(crate) fn hold(&self, bytes: u64) -> Result<(), QueryLimit> {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.rows_bytes_max {
            return Err(QueryLimit::RowsBytes { limit: self.rows_bytes_max });
        }
        Ok(())
    }

    /// Counts bytes that are held no more.
    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes out the place of an overflow, where one was noted.
    pub(crate) fn take_overflow(&self) -> Option<Span> {
        let place = self.overflow.swap(u64::MAX, Ordering::Relaxed);
        (place != u64::MAX).then_some(Span { start: (place >> 32) as u32, end: place as u32 })
    }

    /// What went wrong in expressions since the last call. Whoever calls
    /// [`Typed::eval`](super::Typed::eval) asks after each batch.
    ///
    /// # Errors
    /// The overflow or failure noted.
    pub(crate) fn check(&self) -> Result<(), QueryLimit> {
        if let Some(span) = self.take_overflow() {
            return Err(QueryLimit::Overflow { span });
        }
        let failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        failure.map_or(Ok(()), |error| Err(QueryLimit::Store(error)))
    }
}
