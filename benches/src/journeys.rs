//! Synthetic journeys: a way through six stages that some leave, repeat
//! contacts about one problem, and the app sessions between them.

use crate::noise::Noise;

const DAY: i64 = 86_400_000;
/// 2024-01-01T00:00:00Z.
const BEGIN: i64 = 1_704_067_200_000;

/// Kinds of the six stages, in order.
pub const FUNNEL: [&str; 6] = ["visit", "signup", "purchase", "activate", "renew", "refer"];
/// What contacts are about; the first are the commonest.
pub const TOPICS: [&str; 12] = [
    "billing", "delivery", "login", "outage", "refund", "contract", "quality", "speed", "roaming", "privacy",
    "moving", "porting",
];
/// Where contacts happen; the first are the commonest.
pub const CHANNELS: [&str; 6] = ["app", "phone", "chat", "email", "twitter", "store"];
const CONTACTS: [&str; 4] = ["call", "ticket", "complaint", "review"];

/// One interaction of a synthetic journey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contact {
    /// Whose, from 0.
    pub customer: u32,
    /// When, ms since 1970 UTC.
    pub time: i64,
    /// What it was.
    pub kind: &'static str,
    /// Where it happened.
    pub channel: &'static str,
    /// What it was about.
    pub topic: Option<&'static str>,
    /// Who answered, and in which case.
    pub answered: Option<(u16, u32)>,
    /// From -1 to 1, by hundredths.
    pub sentiment: Option<f64>,
    /// Whether it was claimed to be resolved.
    pub resolved: Option<bool>,
}

/// The journeys of that many customers, some 17 interactions each over two
/// years, in order of time as a source would deliver them.
pub fn journeys(customers: u32) -> Vec<Contact> {
    let mut contacts = Vec::with_capacity(customers as usize * 22);
    for customer in 0..customers {
        live(customer, &mut contacts);
    }
    contacts.sort_by_key(|contact| (contact.time, contact.customer));
    contacts
}

fn one_of<const N: usize>(noise: &mut Noise, names: &[&'static str; N]) -> &'static str {
    names.get(noise.skewed(N as u64) as usize).copied().unwrap_or_default()
}

fn live(customer: u32, contacts: &mut Vec<Contact>) {
    let mut noise = Noise::new(u64::from(customer));
    let quiet = Contact {
        customer,
        time: BEGIN,
        kind: "session",
        channel: "app",
        topic: None,
        answered: None,
        sentiment: None,
        resolved: None,
    };
    let moment = |noise: &mut Noise, days: i64| (noise.bits() % (days * DAY) as u64) as i64;

    let joined = BEGIN + moment(&mut noise, 300);
    let mut time = joined;
    for kind in FUNNEL {
        contacts.push(Contact { time, kind, channel: one_of(&mut noise, &CHANNELS), ..quiet });
        if !noise.chance(78) {
            break;
        }
        time += 1 + moment(&mut noise, 28);
    }
    for episode in 0..noise.skewed(6) {
        let topic = one_of(&mut noise, &TOPICS);
        let case = customer.wrapping_mul(8) + episode as u32;
        let mut time = joined + moment(&mut noise, 400);
        let mut sentiment = noise.below(120) as i64 - 60;
        for _ in 0..=noise.skewed(6) {
            let resolved = noise.chance(40);
            contacts.push(Contact {
                time,
                kind: one_of(&mut noise, &CONTACTS),
                channel: one_of(&mut noise, &CHANNELS),
                topic: Some(topic),
                answered: noise.chance(80).then(|| (noise.skewed(400) as u16, case)),
                sentiment: noise.chance(70).then_some(sentiment as f64 / 100.0),
                resolved: Some(resolved),
                ..quiet
            });
            sentiment = (sentiment - noise.below(25) as i64).max(-100);
            time += 1 + moment(&mut noise, 9);
        }
    }
    for _ in 0..6 + noise.below(8) {
        contacts.push(Contact { time: joined + moment(&mut noise, 420), ..quiet });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_are_the_same_each_time_and_look_alive() {
        let contacts = journeys(2_000);
        assert_eq!(contacts, journeys(2_000));
        assert!(contacts.is_sorted_by_key(|contact| contact.time));
        let each = contacts.len() / 2_000;
        assert!((15..30).contains(&each), "{each} interactions a customer");
        for kind in FUNNEL {
            assert!(contacts.iter().any(|contact| contact.kind == kind), "{kind}");
        }
    }
}
