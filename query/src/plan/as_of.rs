//! AS OF: the store as it was known at an instant.

use std::time::{Duration, Instant};

use throughline_engine::{Millis, Snapshot};

use super::compile::Planner;
use crate::diagnostics::Diagnostic;
use crate::rows::{Env, instant_of};
use crate::syntax::ast::Lit;
use crate::time::format_instant;

/// AS OF, resolved.
#[derive(Clone, Debug)]
pub(crate) struct AsOf {
    /// The instant.
    pub at: Millis,
    /// What had been recorded by then.
    pub snapshot: Snapshot,
    /// How long it took to find that out.
    pub found_in: Duration,
}

impl AsOf {
    /// Reads the instant, and warns where nothing had been recorded by then.
    pub(crate) fn compile(lit: &Lit, planner: &mut Planner<'_>) -> Option<Self> {
        let snapshot = planner.snapshot;
        let at = instant_of(lit, &Env::new(snapshot, planner.params), &mut planner.sink)?;
        if let Some(from) = snapshot.retention().and_then(|retention| retention.known_from)
            && at < from
        {
            let message = format!("what was known by {} cannot be told any more", format_instant(at));
            let wrong = Diagnostic::error("E424", lit.span, message).label("before what is kept");
            planner.sink.push(wrong.help(format!(
                "interactions from before {} were dropped (RETAIN): ask AS OF that instant or a later one",
                format_instant(from)
            )));
            return None;
        }
        let began = Instant::now();
        let then = planner.engine(snapshot.as_of(at))?;
        let found_in = began.elapsed();
        if then.interactions() == 0 {
            let kept = if snapshot.retention().is_some() { " that is kept" } else { "" };
            let message = format!("no interaction{kept} had been recorded by {}", format_instant(at));
            let warning = Diagnostic::warning("W503", lit.span, message).label("nothing is seen as of then");
            planner.sink.push(match then.first_recorded() {
                None => warning.help("nothing has been recorded so far"),
                Some(first) => warning.help(format!(
                    "the first row was recorded at {}; an import is recorded when it commits, however old its interactions are, unless `import --recorded` says when each was",
                    format_instant(first)
                )),
            });
        }
        Some(Self { at, snapshot: then, found_in })
    }
}
