//! What became of attempts that went no further (language rule 10).

use throughline_engine::Millis;

use super::super::pattern::InSight;
use crate::kernels::pattern::{Found, Joint, Matcher};
use crate::rows::Env;
use crate::syntax::ast::Outcome;

/// What became of an attempt at what `matcher` looks for; `None` where it is
/// complete. `found` has rows of `view`.
pub(super) fn outcome(view: &InSight<'_>, found: &Found, matcher: &Matcher, env: &Env) -> Option<Outcome> {
    if found.complete {
        return None;
    }
    let rows = view.rows();
    let edge = matcher.rule().right_edge;
    let deadline = matcher.deadline(&rows, found);
    let over = || view.flow().closes(view.journey).is_some_and(|closes| edge > closes);
    let ended = || {
        let beside = view.beside(env);
        let joint = matcher.rule().is_joint().then_some(&beside as &dyn Joint);
        matcher.has_ended(&rows, joint, found)
    };
    let is_open = may_go_on(deadline, edge) && !over() && !ended();
    // Silence is that of the whole customer, whatever WHERE hides.
    let flow = view.flow();
    let last = found.rows.iter().map(|&(row, _)| flow.whole_row(view.row(row))).max();
    let rest = last.map_or(0, |last| last + 1)..flow.whole_journey(view.journey).end;
    let next = flow.whole().times.get(rest).and_then(|times| times.first()).copied();
    Some(became(is_open, deadline, edge, next))
}

/// Whether an attempt that nothing has ended may still go on where the data ends at `edge`.
pub(super) fn may_go_on(deadline: Option<Millis>, edge: Millis) -> bool {
    deadline.is_some_and(|deadline| edge <= deadline)
}

/// What became of an attempt that is not complete; `next` is the customer's
/// next interaction after its last.
pub(super) fn became(is_open: bool, deadline: Option<Millis>, edge: Millis, next: Option<Millis>) -> Outcome {
    let until = deadline.map_or(edge, |deadline| deadline.min(edge));
    match next {
        _ if is_open => Outcome::Open,
        Some(at) if at <= until => Outcome::Elsewhere,
        _ => Outcome::Silent,
    }
}
