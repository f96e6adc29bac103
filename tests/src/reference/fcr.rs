//! First-contact resolution: chains of one contact or more, told apart by
//! whether the first contact was enough.

use super::Event;
use super::chains::{Chain, Chains, by_keys, describe};
use super::flow::View;

/// When the time begins in which another contact counts as a repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Clock {
    #[default]
    Contact,
    Resolution,
}

/// `FCR SAME … GAP … CLOCK …`
#[derive(Clone, Debug, Default)]
pub struct Fcr {
    /// `SAME key, …`; none for any contact.
    pub same: Vec<String>,
    /// `GAP`, in milliseconds, inclusive.
    pub gap: i64,
    /// `CLOCK …`
    pub clock: Clock,
}

/// A chain with what is said of its first contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The columns of CHAINS.
    pub chain: Chain,
    /// False where there were repeats, `None` while it is open, else true.
    pub fcr: Option<bool>,
    /// The agent that it is charged to.
    pub charged: Option<String>,
    /// Later contacts with the same agent.
    pub repeats: usize,
    /// Later contacts with another known agent.
    pub redos: usize,
}

/// By customer, then keys, then start.
pub fn fcr(events: &[Event], view: &View, query: &Fcr) -> Vec<Resolution> {
    let Some(edge) = view.right_edge(events) else { return Vec::new() };
    let as_chains = Chains { same: query.same.clone(), gap: query.gap, min: 1, ..Chains::default() };
    let mut found = Vec::new();
    for journey in view.journeys(events) {
        for (keys, contacts) in by_keys(&journey.events(), &query.same) {
            for run in runs(&contacts, query) {
                let chain = describe(&keys, &run, edge, &as_chains);
                found.push(resolution(chain, &run, edge, query));
            }
        }
    }
    found
}

/// The time from which GAP is counted after the contacts of a run.
fn clock(run: &[&Event], query: &Fcr) -> i64 {
    let resolved = run.iter().rev().find(|contact| contact.resolved());
    match (query.clock, resolved) {
        (Clock::Resolution, Some(contact)) => contact.time,
        _ => run[run.len() - 1].time,
    }
}

fn runs<'a>(contacts: &[&'a Event], query: &Fcr) -> Vec<Vec<&'a Event>> {
    let mut runs: Vec<Vec<&Event>> = Vec::new();
    for contact in contacts {
        match runs.last_mut() {
            Some(run) if contact.time - clock(run, query) <= query.gap => run.push(contact),
            _ => runs.push(vec![contact]),
        }
    }
    runs
}

fn resolution(mut chain: Chain, run: &[&Event], edge: i64, query: &Fcr) -> Resolution {
    chain.open = edge <= clock(run, query) + query.gap;
    let charged = match query.clock {
        Clock::Contact => 0,
        Clock::Resolution => run.iter().position(|contact| contact.resolved()).unwrap_or(0),
    };
    let agent = run[charged].text("agent");
    let later = || run[charged + 1..].iter().map(|contact| contact.text("agent"));
    let fcr = match (chain.contacts > 1, chain.open) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => Some(true),
    };
    Resolution {
        fcr,
        charged: agent.map(str::to_owned),
        repeats: later().filter(|other| agent.is_some() && *other == agent).count(),
        redos: later().filter(|other| agent.is_some() && other.is_some() && *other != agent).count(),
        chain,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Val;
    use super::*;

    fn check(clock: Clock, expected: &[(usize, Option<bool>, usize, usize)]) {
        // Ann at 0, resolved by Bo at 5, Bo again at 9, Ann at 16; the data ends at 20.
        let contact = |time: i64, agent: &str| Event::new("id:1", time, 0).with("agent", agent);
        let events = [
            contact(0, "Ann"),
            contact(5, "Bo").with("resolved", Val::Bool(true)),
            contact(9, "Bo"),
            contact(16, "Ann"),
            Event::new("id:2", 20, 0),
        ];
        let query = Fcr { gap: 8, clock, ..Fcr::default() };
        let mut found = fcr(&events, &View::default(), &query);
        found.retain(|one| one.chain.customer == "id:1");
        let found: Vec<_> =
            found.into_iter().map(|one| (one.chain.contacts, one.fcr, one.repeats, one.redos)).collect();
        assert_eq!(found, expected, "{clock:?}");
    }

    #[test]
    fn the_clock_decides_what_is_a_repeat() {
        check(Clock::Contact, &[(4, Some(false), 1, 2)]);
        check(Clock::Resolution, &[(3, Some(false), 1, 0), (1, None, 0, 0)]);
    }
}
