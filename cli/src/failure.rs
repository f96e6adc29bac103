//! Why a command did not do what was asked: a sentence for the person at the terminal.

use std::io;

use throughline::engine;

/// The result of a command and of its parts.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What, where and what to do.
    #[error("{0}")]
    Said(String),
    /// What had to be said is on standard error already.
    #[error("")]
    AlreadySaid,
    /// The reader of our output went away (`| head`): a quiet end.
    #[error("")]
    OutputClosed,
    /// The engine refused or failed.
    #[error("{}", in_words(.0))]
    Engine(#[from] engine::Error),
}

impl Failure {
    /// A failure in these words.
    pub(crate) fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }

    /// A failed write to standard output.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Said(format!("cannot write the answer: {error}")),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::output(&error)
    }
}

/// The engine's own words, and the way out where it does not know the command's name.
pub(crate) fn in_words(error: &engine::Error) -> String {
    match error {
        engine::Error::Graph { .. } => {
            format!("{error}; `throughline rebuild DB` makes the graph anew from the history")
        }
        other => other.to_string(),
    }
}

/// The candidate nearest to `word`, where one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().min(word.chars().count()) / 4
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean …?)` where something is near, else nothing.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        assert_eq!(nearest("chanel", ["channel", "topic"]), Some("channel"));
        assert_eq!(nearest("zebra", ["channel", "topic"]), None);
    }
}
