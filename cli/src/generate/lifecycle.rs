//! One synthetic customer: how they become one, what goes wrong afterwards,
//! and how they come back about it.

use super::random::Random;
use super::vocabulary::{
    ACTIVATION, AGENTS, APP, CALLBACK, CAMPAIGN, CANCELLATION, COMPLAINT, PAYMENT, PHONE, PURCHASE, QUESTION,
    QUOTE, REVIEW, REVIEW_SITE, STORE, TICKET, TOPICS, TWITTER, VISIT, WEB,
};

/// First moment of every history: 2024-07-01T00:00:00Z, in seconds since 1970.
pub(crate) const START_SECONDS: i64 = 1_719_792_000;
/// Seconds from the first moment to the end, 2026-07-01T00:00:00Z exclusive.
pub(crate) const SPAN_SECONDS: u32 = 730 * DAY;
/// No customer has more interactions.
const INTERACTIONS_MAX: usize = 600;
const DAY: u32 = 86_400;
const DAYS: f64 = DAY as f64;

/// An interaction, packed into 20 bytes, because tens of millions are sorted in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Seconds since [`START_SECONDS`]; rising within a customer.
    pub(crate) second: u32,
    /// Number of the customer, from 0.
    pub(crate) customer: u32,
    /// The customer's case, from 1; 0 where the link to it was lost or there is none.
    pub(crate) case: u16,
    /// From 1; 0 for none.
    pub(crate) agent: u16,
    pub(crate) channel: u8,
    pub(crate) stage: u8,
    pub(crate) kind: u8,
    pub(crate) topic: u8,
    /// Hundredths; `i8::MIN` for none.
    pub(crate) sentiment: i8,
    /// 1 to 5; 0 for none.
    pub(crate) csat: u8,
    pub(crate) resolved: Option<bool>,
}

/// Rising sums of the topics' weights: Zipf's law with exponent 0.9.
pub(crate) fn topic_weights() -> Vec<f64> {
    let mut sum = 0.0;
    (1..=TOPICS.len())
        .map(|rank| {
            sum += libm::exp(-0.9 * libm::log(rank as f64));
            sum
        })
        .collect()
}

/// Adds the interactions of one customer, in order of time.
pub(crate) fn live(seed: u64, customer: u32, topics: &[f64], contacts: &mut Vec<Contact>) {
    let mut random = Random::new(seed, u64::from(customer));
    let second = random.below(SPAN_SECONDS * 4 / 5);
    let life = Life {
        favourite: random.weighted(&[0.3, 0.42, 0.6, 0.82, 0.95, 1.0]) as u8,
        activity: random.log_normal(1.0, 0.6),
        random,
        customer,
        second,
        stage: 0,
        case: 0,
        mood: 0.1,
        topics,
        first: contacts.len(),
        contacts,
    };
    life.run();
}

struct Life<'a> {
    random: Random,
    customer: u32,
    second: u32,
    stage: u8,
    case: u16,
    /// Sentiment as it stands, -1 to 1.
    mood: f64,
    /// The channel taken when nothing speaks against it.
    favourite: u8,
    /// How often things happen, against others.
    activity: f64,
    topics: &'a [f64],
    first: usize,
    contacts: &'a mut Vec<Contact>,
}

impl Life<'_> {
    fn run(mut self) {
        let interest = self.random.weighted(self.topics) as u8;
        // Becoming a customer: each stage loses some.
        let path = [
            (&[CAMPAIGN, VISIT, VISIT][..], 0.88),
            (&[VISIT, QUOTE], 0.80),
            (&[PURCHASE], 0.93),
            (&[ACTIVATION, QUESTION], 0.95),
        ];
        for (stage, (kinds, goes_on)) in (0..).zip(path) {
            self.stage = stage;
            for &kind in kinds {
                if kind == PURCHASE || kind == ACTIVATION || self.random.chance(0.75) {
                    let channel = self.commercial_channel(kind);
                    self.add(channel, kind, interest, 0, None);
                    if !self.wait(2.5, 1.1) {
                        return;
                    }
                }
            }
            if !self.random.chance(goes_on) {
                self.look_elsewhere();
                return;
            }
        }
        self.stage = 4;
        self.retain(interest);
    }

    /// Some who are lost come by again, for something else.
    fn look_elsewhere(&mut self) {
        while self.random.chance(0.3) && self.wait(20.0, 1.0) {
            let topic = self.random.weighted(self.topics) as u8;
            self.add(WEB, VISIT, topic, 0, None);
        }
    }

    /// Years of bills, and now and then an episode of trouble.
    fn retain(&mut self, interest: u8) {
        let mut topic = interest;
        loop {
            let median = 20.5 / self.activity;
            if !self.wait(median, 0.9) {
                return;
            }
            if self.random.chance(0.35) {
                self.add(APP, PAYMENT, 0, 0, None);
                continue;
            }
            // Troubles come back more often than new ones appear.
            if !self.random.chance(0.35) {
                topic = self.random.weighted(self.topics) as u8;
            }
            if !self.episode(topic) {
                return;
            }
            if self.mood < -0.8 && self.random.chance(0.25) {
                self.add(self.favourite, CANCELLATION, topic, 0, None);
                return;
            }
            if self.stage == 4 && self.mood > 0.5 && self.random.chance(0.06) {
                self.stage = 5;
                self.add(REVIEW_SITE, REVIEW, topic, 0, None);
            }
        }
    }

    /// Contacts about one topic until it is resolved or given up. `false`
    /// where the history ends first.
    fn episode(&mut self, topic: u8) -> bool {
        self.case = self.case.saturating_add(1);
        let mut case = self.case;
        let mut channel = self.favourite;
        let mut unresolved = 0;
        self.mood = (0.15 + 0.3 * self.random.normal()).clamp(-1.0, 1.0);
        loop {
            let kind = match unresolved {
                0 if self.mood > 0.0 => QUESTION,
                0 => TICKET,
                _ => [COMPLAINT, TICKET, CALLBACK, COMPLAINT]
                    .get(self.random.below(4) as usize)
                    .copied()
                    .unwrap_or(TICKET),
            };
            let resolved = self.random.chance(0.52);
            self.mood = (self.mood + if resolved { 0.45 } else { -0.25 } + 0.1 * self.random.normal())
                .clamp(-1.0, 1.0);
            self.add(channel, kind, topic, case, Some(resolved));
            if resolved {
                // Some resolutions do not hold.
                if !self.random.chance(0.18) {
                    return true;
                }
            } else {
                unresolved += 1;
            }
            if unresolved >= 8 || (unresolved > 0 && self.random.chance(0.08)) {
                return true;
            }
            if !self.wait(1.6, 1.1) {
                return false;
            }
            if unresolved >= 3 && self.mood < -0.4 && self.random.chance(0.3) {
                let public = if self.random.chance(0.7) { TWITTER } else { REVIEW_SITE };
                self.add(public, REVIEW, topic, 0, None);
                if !self.wait(1.0, 0.8) {
                    return false;
                }
            }
            if self.random.chance(0.3) {
                channel = self.random.below(u32::from(STORE) + 1) as u8;
                if self.random.chance(0.35) {
                    case = 0;
                }
            }
        }
    }

    fn commercial_channel(&mut self, kind: u8) -> u8 {
        match kind {
            CAMPAIGN if self.random.chance(0.3) => TWITTER,
            PURCHASE if self.random.chance(0.4) => STORE,
            ACTIVATION | PAYMENT => APP,
            QUESTION => PHONE,
            _ => WEB,
        }
    }

    /// Lets a log-normal time pass, at least a second. `false` where the history ends first.
    fn wait(&mut self, median_days: f64, sigma: f64) -> bool {
        let seconds = self.random.log_normal(median_days, sigma) * DAYS;
        let seconds = if seconds < f64::from(SPAN_SECONDS) { seconds as u32 } else { SPAN_SECONDS };
        self.second = self.second.saturating_add(seconds.max(1));
        self.second < SPAN_SECONDS && self.contacts.len() - self.first < INTERACTIONS_MAX
    }

    fn add(&mut self, channel: u8, kind: u8, topic: u8, case: u16, resolved: Option<bool>) {
        let sentiment =
            if kind >= QUESTION && self.random.chance(0.85) { (self.mood * 100.0) as i8 } else { i8::MIN };
        let csat = if self.random.chance(0.1) {
            (3.0 + 1.6 * self.mood + 0.7 * self.random.normal()).clamp(1.0, 5.0) as u8
        } else {
            0
        };
        let human = kind >= QUESTION && !matches!(channel, APP | WEB | TWITTER | REVIEW_SITE);
        let agent = if human || channel == STORE { 1 + self.random.below(AGENTS) as u16 } else { 0 };
        // What follows at once happens a second later.
        let second = match self.contacts.last() {
            Some(last) if self.contacts.len() > self.first => self.second.max(last.second + 1),
            _ => self.second,
        };
        self.second = second;
        if second >= SPAN_SECONDS {
            return;
        }
        let (customer, stage) = (self.customer, self.stage);
        self.contacts.push(Contact {
            second,
            customer,
            case,
            agent,
            channel,
            stage,
            kind,
            topic,
            sentiment,
            csat,
            resolved,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_population_looks_like_one() {
        let topics = topic_weights();
        let mut contacts = Vec::new();
        let customers = 4_000;
        for customer in 0..customers {
            live(7, customer, &topics, &mut contacts);
        }
        let mean = contacts.len() as f64 / f64::from(customers);
        assert!((17.0..23.0).contains(&mean), "{mean} interactions a customer");
        let scored = contacts.iter().filter(|contact| contact.csat > 0).count() as f64;
        assert!((scored / contacts.len() as f64 - 0.1).abs() < 0.01);
        let mut seen = [false; 40];
        contacts.iter().for_each(|contact| seen[usize::from(contact.topic)] = true);
        assert!(seen.iter().all(|&seen| seen), "every topic occurs");
        assert!(contacts.iter().any(|contact| contact.stage == 5));
        assert!(contacts.iter().all(|contact| contact.second < SPAN_SECONDS));
        for pair in contacts.windows(2) {
            assert!(pair[0].customer != pair[1].customer || pair[0].second < pair[1].second);
        }
        assert_eq!(size_of::<Contact>(), 20);
    }
}
