//! The relational tail: WHERE, EXTEND, SELECT, AGGREGATE, ORDER BY, LIMIT, DISTINCT and CUSTOMERS over rows.

use throughline_engine::AttrId;

use super::env::{Env, QueryLimit};
use super::{RowBatch, RowSchema};
use crate::diagnostics::Diagnostic;
use crate::syntax::ast::Op;

pub(crate) struct Tail {}

/// What a unit of work has made of its rows so far.
pub(crate) struct Partial {}

impl Tail {
    /// Compiles the row operators from the front of `ops` until the end or the
    /// first that is none; answers how many it took. `want_sets`: the
    /// customers behind the rows are needed after the tail.
    pub(crate) fn compile(
        _ops: &[Op],
        _input: &RowSchema,
        _input_attrs: &[Option<AttrId>],
        _want_sets: bool,
        _env: &Env,
        _sink: &mut Vec<Diagnostic>,
    ) -> Option<(Self, usize)> {
        None
    }

    /// Which input columns are read.
    pub(crate) fn needed(&self) -> Vec<bool> {
        Vec::new()
    }

    /// Whether input rows must come with their sets.
    pub(crate) fn needs_sets(&self) -> bool {
        false
    }

    /// Whether members of input rows are still there after it.
    pub(crate) fn keeps_members(&self) -> bool {
        false
    }

    /// The columns that come out.
    pub(crate) fn output(&self) -> &RowSchema {
        unreachable!("being written")
    }

    /// The symbol attributes of the columns that come out.
    pub(crate) fn output_attrs(&self) -> &[Option<AttrId>] {
        &[]
    }

    /// An empty state for one unit of work.
    pub(crate) fn start(&self) -> Partial {
        Partial {}
    }

    /// Takes rows in.
    pub(crate) fn push(&self, _partial: &mut Partial, _batch: RowBatch, _env: &Env) -> Result<(), QueryLimit> {
        Ok(())
    }

    /// Whether further rows of this unit of work change nothing.
    pub(crate) fn full(&self, _partial: &Partial) -> bool {
        false
    }

    /// The rows that come out; `partials` in the order of their units.
    pub(crate) fn finish(&self, _partials: Vec<Partial>, _env: &Env) -> Result<RowBatch, QueryLimit> {
        unreachable!("being written")
    }
}
