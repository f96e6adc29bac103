//! Repeat-contact chains (rule 12), the slow way.

use std::collections::BTreeMap;

use super::Event;
use super::flow::View;

/// `CHAINS SAME … GAP … MIN … WITHIN … STARTED DURING …`.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// `SAME key, …`; none for any contact.
    pub same: Vec<String>,
    /// `GAP`, in milliseconds, inclusive.
    pub gap: i64,
    /// `MIN`, at least 1.
    pub min: usize,
    /// `WITHIN`, in milliseconds, inclusive, counted from the first contact.
    pub within: Option<i64>,
    /// `STARTED DURING a TO b`: a <= started < b.
    pub started: Option<(i64, i64)>,
}

/// A chain, with every column of rule 12 but `public`, which is NULL before
/// anybody says which channels are earned.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The customer's identity.
    pub customer: String,
    /// The values of the keys, in the order of `SAME`.
    pub keys: Vec<String>,
    /// Time of the first contact.
    pub started: i64,
    /// Time of the last contact.
    pub ended: i64,
    /// Contacts in it.
    pub contacts: usize,
    /// Each contact's channel, in order.
    pub channels: Vec<Option<String>>,
    /// Each contact's kind, in order.
    pub kinds: Vec<Option<String>>,
    /// Each contact's agent, in order.
    pub agents: Vec<Option<String>>,
    /// Each contact's case, in order.
    pub cases: Vec<Option<String>>,
    /// Hops to another channel.
    pub channel_changes: usize,
    /// Hops whose case is null or not the one before.
    pub disconnected: usize,
    /// Contacts marked resolved before the last.
    pub resolved_claims: usize,
    /// Contacts carrying the non-null case of an earlier resolved contact.
    pub reopened: usize,
    /// The least sentiment.
    pub worst_sentiment: Option<f64>,
    /// The last known sentiment less the first known one; null where fewer
    /// than two are known.
    pub sentiment_change: Option<f64>,
    /// Whether another contact might still join it.
    pub open: bool,
}

/// All chains, by customer, then keys, then start.
pub fn chains(events: &[Event], view: &View, query: &Chains) -> Vec<Chain> {
    let Some(edge) = view.right_edge(events) else { return Vec::new() };
    let mut found = Vec::new();
    for journey in view.journeys(events) {
        for (keys, contacts) in by_keys(&journey.events(), &query.same) {
            for run in runs(&contacts, query) {
                let begins = run[0].time;
                if query.started.is_none_or(|(from, to)| from <= begins && begins < to) {
                    found.push(describe(&keys, run, edge, query));
                }
            }
        }
    }
    found
}

/// "Among the visible interactions of a customer with equal non-null keys …
/// Interactions without a key are left out" (12).
pub(super) fn by_keys<'a>(rows: &[&'a Event], same: &[String]) -> BTreeMap<Vec<String>, Vec<&'a Event>> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Event>> = BTreeMap::new();
    for event in rows {
        let keys: Option<Vec<String>> = same.iter().map(|key| event.shown(key)).collect();
        if let Some(keys) = keys {
            groups.entry(keys).or_default().push(event);
        }
    }
    groups
}

/// "a chain is a maximal run, each at most GAP after the one before, of at
/// least MIN. With WITHIN d: the earliest contact from which MIN fit within d
/// begins the chain, which takes all within d of it and GAP of one another;
/// the next is sought after its last" (12); both bounds are inclusive (3).
fn runs<'a, 'b>(contacts: &'b [&'a Event], query: &Chains) -> Vec<&'b [&'a Event]> {
    let mut runs = Vec::new();
    let mut first = 0;
    while first < contacts.len() {
        let mut next = first + 1;
        while next < contacts.len()
            && contacts[next].time - contacts[next - 1].time <= query.gap
            && query.within.is_none_or(|within| contacts[next].time - contacts[first].time <= within)
        {
            next += 1;
        }
        if next - first >= query.min {
            runs.push(&contacts[first..next]);
            first = next;
        } else if query.within.is_some() {
            // Too few fit from this one; they may from the contact after it.
            first += 1;
        } else {
            // The run is maximal, and none of its contacts begins a longer one.
            first = next;
        }
    }
    runs
}

/// The columns of rule 12.
pub(super) fn describe(keys: &[String], run: &[&Event], edge: i64, query: &Chains) -> Chain {
    let list = |name: &str| run.iter().map(|event| event.text(name).map(str::to_owned)).collect();
    let started = run[0].time;
    let ended = run[run.len() - 1].time;
    let hops = || run.windows(2).map(|pair| (pair[0], pair[1]));
    let sentiments: Vec<f64> = run.iter().filter_map(|event| event.number("sentiment")).collect();
    let reopened = (0..run.len())
        .filter(|&later| {
            run[later].text("case").is_some_and(|case| {
                run[..later].iter().any(|earlier| earlier.resolved() && earlier.text("case") == Some(case))
            })
        })
        .count();
    Chain {
        customer: run[0].customer.clone(),
        keys: keys.to_vec(),
        started,
        ended,
        contacts: run.len(),
        channels: list("channel"),
        kinds: list("kind"),
        agents: list("agent"),
        cases: list("case"),
        channel_changes: hops()
            .filter(|(a, b)| match (a.text("channel"), b.text("channel")) {
                (Some(a), Some(b)) => a != b,
                _ => false,
            })
            .count(),
        disconnected: hops()
            .filter(|(a, b)| b.text("case").is_none() || a.text("case") != b.text("case"))
            .count(),
        resolved_claims: run[..run.len() - 1].iter().filter(|event| event.resolved()).count(),
        reopened,
        worst_sentiment: sentiments.iter().copied().min_by(f64::total_cmp),
        sentiment_change: (sentiments.len() >= 2).then(|| sentiments[sentiments.len() - 1] - sentiments[0]),
        open: edge <= ended + query.gap && query.within.is_none_or(|within| edge <= started + within),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Val;
    use super::*;

    const DAY: i64 = 86_400_000;

    /// A contact a pair: (day, topic).
    fn contacts(days: &[(f64, &str)]) -> Vec<Event> {
        days.iter()
            .enumerate()
            .map(|(place, &(day, topic))| {
                Event::new("id:1", (day * DAY as f64) as i64, place as u64).with("topic", topic)
            })
            .collect()
    }

    fn check(days: &[(f64, &str)], gap: i64, within: Option<i64>, expected: &[(i64, usize, &str)]) {
        let query = Chains { same: vec!["topic".into()], gap, min: 3, within, started: None };
        let found: Vec<(i64, usize, String)> = chains(&contacts(days), &View::default(), &query)
            .into_iter()
            .map(|chain| (chain.started / DAY, chain.contacts, chain.keys[0].clone()))
            .collect();
        let found: Vec<(i64, usize, &str)> =
            found.iter().map(|(day, length, key)| (*day, *length, key.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_conformance_cases() {
        let billing = |days: &[f64]| days.iter().map(|&day| (day, "billing")).collect::<Vec<_>>();
        check(&billing(&[0.0, 3.0, 9.0, 16.0]), 7 * DAY, None, &[(0, 4, "billing")]);
        check(&billing(&[0.0, 7.0, 14.0]), 7 * DAY, None, &[(0, 3, "billing")]);
        let late = 1.0 / DAY as f64;
        check(&billing(&[0.0, 7.0 + late, 14.0 + late]), 7 * DAY, None, &[]);
        check(&billing(&[0.0, 5.0, 6.0, 7.0]), 7 * DAY, Some(5 * DAY), &[(5, 3, "billing")]);
        let mixed = [(0.0, "x"), (1.0, "y"), (2.0, "x"), (3.0, "y"), (4.0, "x")];
        check(&mixed, 2 * DAY, None, &[(0, 3, "x")]);
        check(&billing(&[1.0, 1.0, 1.0]), 0, None, &[(1, 3, "billing")]);
    }

    #[test]
    fn a_chain_over_the_border_of_a_span() {
        // Days 88, 89, 90, 91 of a year; the span ends with day 90.
        let events = contacts(&[(88.0, "a"), (89.0, "a"), (90.0, "a"), (91.0, "a")]);
        let query = Chains { gap: DAY, min: 2, ..Chains::default() };
        let cut = View::during(0, 90 * DAY);
        assert_eq!(chains(&events, &cut, &query)[0].contacts, 2);
        let started = Chains { started: Some((0, 90 * DAY)), ..query };
        assert_eq!(chains(&events, &View::default(), &started)[0].contacts, 4);
    }

    #[test]
    fn the_columns() {
        // Phone and chat about case 7, resolved in between; then e-mail without a case.
        let contact = |day: i64, channel: &str| Event::new("id:1", day * DAY, 0).with("channel", channel);
        let events = [
            contact(0, "phone").with("case", "7").with("sentiment", Val::Float(-0.5)),
            contact(1, "phone").with("case", "7").with("resolved", Val::Bool(true)),
            contact(2, "chat").with("case", "7").with("sentiment", Val::Float(-0.75)),
            contact(3, "email").with("sentiment", Val::Float(0.25)),
        ];
        let query = Chains { gap: DAY, min: 3, ..Chains::default() };
        let found = chains(&events, &View::default(), &query);
        let [chain] = found.as_slice() else { panic!("one chain, not {found:?}") };
        assert_eq!(chain.channel_changes, 2);
        assert_eq!(chain.disconnected, 1);
        assert_eq!(chain.resolved_claims, 1);
        assert_eq!(chain.reopened, 1);
        assert_eq!(chain.worst_sentiment, Some(-0.75));
        assert_eq!(chain.sentiment_change, Some(0.75));
        assert!(chain.open);
    }
}
