//! Why a query has no answer.

use crate::diagnostics::{Diagnostic, Severity, render};
use crate::rows::QueryLimit;

/// Why a query has no answer. `Display` renders it for the person who asked,
/// places underlined.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryError {
    /// The query itself is wrong, or went over a limit of its own.
    Query {
        /// Its text.
        text: String,
        /// What is wrong, at least one error; warnings too.
        diagnostics: Vec<Diagnostic>,
    },
    /// The store failed, or the query was stopped.
    Engine(throughline_engine::Error),
}

impl QueryError {
    /// What is wrong with the query; empty where it is the store.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Query { diagnostics, .. } => diagnostics,
            Self::Engine(_) => &[],
        }
    }

    pub(crate) fn of_limit(limit: QueryLimit, text: &str) -> Self {
        match (limit.diagnostic(), limit) {
            (Some(found), _) => Self::Query { text: text.to_owned(), diagnostics: vec![found] },
            (None, QueryLimit::Store(error)) => Self::Engine(error),
            (None, other) => Self::Query {
                text: text.to_owned(),
                diagnostics: vec![Diagnostic::error(
                    "E390",
                    crate::syntax::ast::Span::default(),
                    other.to_string(),
                )],
            },
        }
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Query { text, diagnostics } => {
                let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
                let errors: Vec<Diagnostic> = errors.cloned().collect();
                f.write_str(render(&errors, text, false).trim_end())
            }
        }
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            Self::Query { .. } => None,
        }
    }
}

impl From<throughline_engine::Error> for QueryError {
    fn from(error: throughline_engine::Error) -> Self {
        Self::Engine(error)
    }
}
