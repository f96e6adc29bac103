//! A store that is asked in the query language.

use std::ops::Deref;
use std::path::Path;

use crate::answer::Answer;
use crate::builder::Journeys;
use crate::error::QueryError;
use crate::run::{QueryOptions, execute_with};
use crate::syntax::parse;
use crate::value::Params;

/// An open store with the query language on top. Everything else is the
/// engine's, which it dereferences to.
#[derive(Debug)]
pub struct Db {
    engine: throughline_engine::Db,
}

impl Db {
    /// Opens the store in a folder, or makes one.
    ///
    /// # Errors
    /// As [`throughline_engine::Db::open`].
    pub fn open(path: impl AsRef<Path>) -> throughline_engine::Result<Self> {
        Ok(Self { engine: throughline_engine::Db::open(path)? })
    }

    /// Opens with options; with `read_only`, whatever writes is refused.
    ///
    /// # Errors
    /// As [`throughline_engine::Db::open_with`].
    pub fn open_with(
        path: impl AsRef<Path>,
        options: throughline_engine::Options,
    ) -> throughline_engine::Result<Self> {
        Ok(Self { engine: throughline_engine::Db::open_with(path, options)? })
    }

    /// Runs a statement of the query language.
    ///
    /// # Errors
    /// [`QueryError::Query`] where the text is wrong, [`QueryError::Engine`]
    /// where the store fails.
    pub fn query(&self, text: &str) -> Result<Answer, QueryError> {
        self.query_with(text, &Params::new())
    }

    /// Runs a statement with values for its parameters (`$name`).
    ///
    /// # Errors
    /// As [`Db::query`]; also for parameters without a value and values without a parameter.
    pub fn query_with(&self, text: &str, params: &Params) -> Result<Answer, QueryError> {
        self.query_options(text, params, &QueryOptions::default())
    }

    /// Runs a statement with parameters and bounds.
    ///
    /// # Errors
    /// As [`Db::query_with`], and where a bound is met.
    pub fn query_options(
        &self,
        text: &str,
        params: &Params,
        options: &QueryOptions,
    ) -> Result<Answer, QueryError> {
        let statement =
            parse(text).map_err(|diagnostics| QueryError::Query { text: text.to_owned(), diagnostics })?;
        execute_with(&self.engine, &statement, params, text, options)
    }

    /// Begins a query made of typed calls instead of text.
    pub fn journeys(&self) -> Journeys<'_> {
        Journeys::new(&self.engine)
    }

    /// Closes the store, everything in memory written into the graph first.
    ///
    /// # Errors
    /// As [`throughline_engine::Db::close`].
    pub fn close(self) -> throughline_engine::Result<()> {
        self.engine.close()
    }
}

impl Deref for Db {
    type Target = throughline_engine::Db;

    fn deref(&self) -> &throughline_engine::Db {
        &self.engine
    }
}

impl From<throughline_engine::Db> for Db {
    fn from(engine: throughline_engine::Db) -> Self {
        Self { engine }
    }
}
