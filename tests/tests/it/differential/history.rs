//! Random small histories, and the roads by which they reach a store.

use std::fmt;

use proptest::prelude::*;
use throughline::engine::{Identity, Link};
use throughline_tests::reference::flow::{Stage, View};
use throughline_tests::reference::{Event, Val};
use throughline_tests::store::{Store, append, try_import_recorded};

pub(crate) const HOUR: i64 = 3_600_000;
/// 2026-01-01T00:00:00Z
pub(crate) const START: i64 = 1_767_225_600_000;

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Most interactions.
    pub(crate) events: usize,
    /// They lie within so many hours: few, so that times tie.
    pub(crate) hours: i64,
}

/// How a part of a history reaches the store.
#[derive(Clone, Debug)]
struct Delivery {
    /// How many of the events that are left.
    events: usize,
    /// By bulk import in pieces of this length; appended where there is none.
    import: Option<usize>,
    /// What happens to the store after it.
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    Seal,
    Reopen,
    Rebuild,
    LoseTheGraph,
}

/// A history, in the order of its events' sequences, and its road.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) events: Vec<Event>,
    /// Whether the events carry their sequences.
    sequenced: bool,
    /// The order in which the events arrive.
    arrival: Vec<usize>,
    deliveries: Vec<Delivery>,
    /// On a real disk, which is slow, or on one in memory.
    in_folder: bool,
    /// Decides under which of the customer's identities each event comes, and when they are linked;
    /// without it every customer has one.
    aliases: Option<u64>,
}

/// Customers, by the identity that they are shown by, and what else they go by.
const CUSTOMERS: &[(&str, &[&str])] = &[
    ("id:1", &["email:1@x", "phone:11"]),
    ("id:2", &["twitter:@2", "device:2"]),
    ("crm:3", &["id:33", "email:3@x"]),
    ("phone:+44:4", &["device:4", "web:4"]),
];

fn event(hours: i64) -> impl Strategy<Value = Event> {
    let one_of = |values: &'static [&'static str]| prop::sample::select(values);
    (
        (prop::sample::select(CUSTOMERS).prop_map(|(customer, _)| customer), 0..hours),
        prop::option::weighted(0.95, one_of(&["a", "b", "c", "d", "e"])),
        prop::option::weighted(0.8, one_of(&["x", "y", "z"])),
        prop::option::weighted(0.9, one_of(&["phone", "chat"])),
        prop::option::weighted(0.6, one_of(&["7", "08"])),
        prop::option::weighted(0.5, one_of(&["Ann", "Bo"])),
        prop::option::weighted(0.6, any::<bool>()),
        prop::option::weighted(0.6, -4_i32..=4),
    )
        .prop_map(|((customer, hour), kind, topic, channel, case, agent, resolved, sentiment)| {
            let mut event = Event::new(customer, START + hour * HOUR, 0);
            for (name, value) in
                [("kind", kind), ("topic", topic), ("channel", channel), ("case", case), ("agent", agent)]
            {
                if let Some(value) = value {
                    event = event.with(name, value);
                }
            }
            if let Some(resolved) = resolved {
                event = event.with("resolved", Val::Bool(resolved));
            }
            if let Some(sentiment) = sentiment {
                event = event.with("sentiment", Val::Float(f64::from(sentiment) / 4.0));
            }
            event
        })
}

/// A history of one event or more. The attribute `n` tells its events apart.
pub(crate) fn history(size: Size) -> impl Strategy<Value = History> {
    let then = prop_oneof![
        4 => Just(Then::Nothing),
        3 => Just(Then::Seal),
        2 => Just(Then::Reopen),
        1 => Just(Then::Rebuild),
        1 => Just(Then::LoseTheGraph),
    ];
    let delivery = (1_usize..12, prop::option::of(1_usize..6), then)
        .prop_map(|(events, import, then)| Delivery { events, import, then });
    (
        prop::collection::vec(event(size.hours), 1..size.events),
        prop::bool::weighted(0.6),
        prop::collection::vec(delivery, 1..6),
        any::<u64>(),
        any::<bool>(),
        prop::option::of(any::<u64>()),
    )
        .prop_map(|(mut events, sequenced, deliveries, seed, named, aliases)| {
            for (place, event) in events.iter_mut().enumerate() {
                event.sequence = place as u64;
                // No two rows are equal, else an import would take the second for the first.
                *event = event.clone().with("n", Val::Int(place as i64));
                if named {
                    *event = event.clone().with("event_id", format!("e{place:03}").as_str());
                }
            }
            // Without a sequence the event id orders equal times, and without that
            // the order of arrival (rule 1).
            let arrival =
                if sequenced || named { shuffle(events.len(), seed) } else { (0..events.len()).collect() };
            History { events, sequenced, arrival, deliveries, in_folder: seed % 32 == 0, aliases }
        })
}

impl fmt::Debug for History {
    /// A line an interaction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<&Event> = self.events.iter().collect();
        rows.sort_by_key(|event| (&event.customer, event.time, event.sequence));
        writeln!(f)?;
        for event in rows {
            write!(f, "{} {}h", event.customer, (event.time - START) / HOUR)?;
            for name in event.attrs.keys() {
                write!(f, " {name}={}", event.shown(name).unwrap_or_default())?;
            }
            writeln!(f)?;
        }
        write!(
            f,
            "sequenced: {}, arrival: {:?}, deliveries: {:?}, aliases: {:?}",
            self.sequenced, self.arrival, self.deliveries, self.aliases
        )
    }
}

/// The numbers below `length` in an order drawn from `seed`.
fn shuffle(length: usize, mut seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    for place in (1..length).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(place, (seed >> 33) as usize % (place + 1));
    }
    order
}

impl History {
    /// Brings the events into a store by their road.
    pub(crate) fn deliver(&self) -> Store {
        self.deliver_parts(self.parts(), |_| 0)
    }

    /// In how many commits or imports the events come.
    pub(crate) fn parts(&self) -> usize {
        self.deliveries.len()
    }

    /// As [`History::deliver`], only the first so many parts, each recorded at an instant.
    pub(crate) fn deliver_parts(&self, parts: usize, recorded: impl Fn(usize) -> i64) -> Store {
        self.deliver_if(&recorded, &|_| None, &|number, _| number < parts, &|number| number < parts)
    }

    /// As [`History::deliver`], each part recorded at an instant, but what is imported where `own`
    /// says so; only what had been recorded `by` an instant.
    pub(crate) fn deliver_by(
        &self,
        recorded: &dyn Fn(usize) -> i64,
        own: &dyn Fn(&Event) -> Option<i64>,
        by: i64,
    ) -> Store {
        let imported = |number: usize| self.deliveries.get(number).is_some_and(|part| part.import.is_some());
        let known = |number: usize, event: &Event| {
            own(event).filter(|_| imported(number)).unwrap_or_else(|| recorded(number)) <= by
        };
        self.deliver_if(recorded, own, &known, &|number| recorded(number) <= by)
    }

    fn deliver_if(
        &self,
        recorded: &dyn Fn(usize) -> i64,
        own: &dyn Fn(&Event) -> Option<i64>,
        taken: &dyn Fn(usize, &Event) -> bool,
        linked: &dyn Fn(usize) -> bool,
    ) -> Store {
        let mut store = if self.in_folder { Store::in_folder() } else { Store::new() };
        let mut left: Vec<Event> = self.arrival.iter().map(|&place| self.alias(place)).collect();
        for (number, delivery) in self.deliveries.iter().enumerate() {
            store.set_clock(recorded(number));
            let rest = if number + 1 == self.deliveries.len() { left.len() } else { delivery.events };
            let mut part: Vec<Event> = left.drain(..rest.min(left.len())).collect();
            part.retain(|event| taken(number, event));
            if number % 2 == 0 && linked(number) {
                self.link(&store, number);
            }
            match delivery.import {
                Some(piece) => {
                    let source = format!("part {number}");
                    let report = try_import_recorded(store.db(), &source, &part, piece, self.sequenced, own)
                        .expect("imports");
                    assert_eq!((report.added, report.duplicates), (part.len() as u64, 0));
                }
                None => append(store.db(), &part, self.sequenced),
            }
            if number % 2 == 1 && linked(number) {
                self.link(&store, number);
            }
            match delivery.then {
                Then::Nothing => {}
                Then::Seal => store.db().seal().expect("seals"),
                Then::Reopen => store.reopen(),
                Then::Rebuild => store.db().rebuild().expect("rebuilds"),
                Then::LoseTheGraph => store.lose_the_graph(),
            }
        }
        store
    }
}

impl History {
    /// Whether customers have several identities.
    pub(crate) fn is_linked(&self) -> bool {
        self.aliases.is_some()
    }

    /// The event as it comes: under one of its customer's identities.
    fn alias(&self, place: usize) -> Event {
        let mut event = self.events[place].clone();
        let known = CUSTOMERS.iter().find(|(customer, _)| *customer == event.customer);
        if let (Some(seed), Some((_, aliases))) = (self.aliases, known)
            && let Some(alias) = aliases.get(number_of(seed, place, aliases.len() + 1))
        {
            event.customer = (*alias).to_owned();
        }
        event
    }

    /// Says what is said in a part of identities that belong together: by all parts, all of it.
    fn link(&self, store: &Store, part: usize) {
        let Some(seed) = self.aliases else { return };
        let pairs = CUSTOMERS
            .iter()
            .flat_map(|(customer, aliases)| aliases.iter().map(move |alias| (customer, alias)));
        for (number, (customer, alias)) in pairs.enumerate() {
            if number_of(seed, 1_000 + number, self.parts()) == part {
                let identity = |text: &str| Identity::parse(text).expect("is one");
                let link = Link::new(identity(customer), identity(alias)).expect("are two");
                store.db().link([link]).expect("links");
            }
        }
    }
}

/// A number below `bound` that a seed and a place decide.
fn number_of(seed: u64, place: usize, bound: usize) -> usize {
    let mixed =
        (seed ^ (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as usize % bound
}

/// A span that begins and ends between the full hours, or on them.
pub(crate) fn span(hours: i64) -> impl Strategy<Value = (i64, i64)> {
    (-2..hours, 1..hours, prop::sample::select(vec![0, HOUR / 2]))
        .prop_map(|(from, length, off)| (START + from * HOUR + off, START + (from + length) * HOUR + off))
}

/// As [`span`], with ends between the hours only: whether an interaction at the
/// very end of DURING breaks a silence is decided in the conformance cases.
pub(crate) fn span_between_hours(hours: i64) -> impl Strategy<Value = (i64, i64)> {
    span(hours).prop_map(|(from, to)| (from, to - to.rem_euclid(HOUR) + HOUR / 2))
}

/// `DURING` and `WHERE`, each or neither.
pub(crate) fn narrowed(span: impl Strategy<Value = (i64, i64)>) -> impl Strategy<Value = View> {
    let during = span.prop_map(|(from, to)| Stage::During(from, to));
    (prop::option::weighted(0.3, during), prop::option::weighted(0.3, only()))
        .prop_map(|(during, only)| View { stages: during.into_iter().chain(only).collect() })
}

/// `WHERE attr IN (…)`
pub(crate) fn only() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(("kind", vec!["a", "b", "c"])),
        Just(("channel", vec!["phone"])),
        Just(("topic", vec!["x", "y"])),
    ]
    .prop_map(|(attr, values)| Stage::Only(attr.to_owned(), values.into_iter().map(str::to_owned).collect()))
}

/// Any stages, in any order: narrowed, split and cut.
pub(crate) fn cut(hours: i64) -> impl Strategy<Value = View> {
    let attrs = prop::sample::subsequence(vec!["topic", "channel", "case", "agent"], 1..=2);
    let stage = prop_oneof![
        1 => span_between_hours(hours).prop_map(|(from, to)| Stage::During(from, to)),
        1 => only(),
        2 => attrs.prop_map(|attrs| Stage::Split(attrs.into_iter().map(str::to_owned).collect())),
        2 => (0..hours / 4).prop_map(|gap| Stage::Sessions(gap * HOUR)),
    ];
    prop::collection::vec(stage, 0..4).prop_map(|stages| View { stages })
}
