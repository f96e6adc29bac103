//! Customers who come under several identities: by telephone, by e-mail, from a device, and only
//! now and then by their number.

use std::io::Write;

use super::lifecycle::Contact;
use super::random::Random;

/// The columns that a history has more where some customers are linked.
pub(crate) const HEADERS: [&str; 3] = ["phone", "email", "device"];

/// Apart from the streams that histories and people are drawn from.
const STREAM: u64 = 1 << 41;
/// One in so many linked customers shares the telephone of the customer before.
const SHARES_PHONE: u32 = 50;
/// How often a contact names the customer beside what the channel knows.
const NAMES_CUSTOMER: f64 = 0.5;
/// How often it names one identity more.
const NAMES_ANOTHER: f64 = 0.1;

/// By channel, in the order of the vocabulary: which of [`HEADERS`] a channel knows.
const KNOWN: [Option<usize>; 8] = [Some(0), Some(1), Some(1), Some(2), Some(2), None, None, None];

/// Which customers come under several identities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linked {
    seed: u64,
    share: f64,
}

/// What a contact says of who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Whether the number of the customer is there.
    pub(crate) customer: bool,
    /// The customers whose telephone, address and device it came from.
    others: [Option<u32>; HEADERS.len()],
}

impl Linked {
    /// This share of the customers; nothing for none.
    pub(crate) fn of(seed: u64, share: f64) -> Option<Self> {
        (share > 0.0).then_some(Self { seed, share })
    }

    /// What a contact carries.
    pub(crate) fn carried(&self, contact: &Contact) -> Carried {
        let customer = contact.customer;
        let mut nature = Random::new(self.seed, STREAM + u64::from(customer));
        let known = KNOWN.get(usize::from(contact.channel)).copied().flatten();
        let mut others = [None; HEADERS.len()];
        let linked = nature.chance(self.share);
        let Some(known) = known.filter(|_| linked) else { return Carried { customer: true, others } };
        let phone = if nature.below(SHARES_PHONE) == 0 { customer.saturating_sub(1) } else { customer };
        let of = [phone, customer, customer];
        let stream = (u64::from(customer) << 32 | u64::from(contact.second)) ^ STREAM.rotate_left(20);
        let mut now = Random::new(self.seed, stream);
        let shown = now.chance(NAMES_CUSTOMER);
        let another = now.below(HEADERS.len() as u32) as usize;
        let more = now.chance(NAMES_ANOTHER);
        for (place, (slot, of)) in others.iter_mut().zip(of).enumerate() {
            *slot = (place == known || (more && place == another)).then_some(of);
        }
        Carried { customer: shown, others }
    }
}

impl Carried {
    /// Writes the identity of one of [`HEADERS`], or nothing.
    pub(crate) fn write(&self, place: usize, text: &mut Vec<u8>) {
        let Some(of) = self.others.get(place).copied().flatten() else { return };
        let number = 1_000_001 + u64::from(of);
        // Writing to a Vec cannot fail.
        let _ = match place {
            0 => write!(text, "+4420{number:08}"),
            1 => write!(text, "c{number}@mail.example"),
            _ => write!(text, "d-{number:x}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::history::History;
    use super::*;

    #[test]
    fn a_share_of_the_customers_goes_by_several_names() {
        assert!(Linked::of(7, 0.0).is_none());
        let linked = Linked::of(7, 0.3).expect("is some");
        let history = History::new(2_000, 7, 2);
        let mut customers: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
        let mut strangers = 0;
        for contact in history.iter() {
            let carried = linked.carried(contact);
            assert_eq!(carried, linked.carried(contact));
            let others = carried.others.iter().flatten();
            assert!(carried.customer || others.clone().count() > 0, "nobody");
            strangers += others.clone().filter(|of| **of != contact.customer).count();
            let counts = customers.entry(contact.customer).or_default();
            counts.0 += 1;
            counts.1 += u64::from(!carried.customer);
            counts.2 += u64::from(carried.customer && others.count() > 0);
        }
        let all = customers.len() as f64;
        let share = |is: &dyn Fn(&(u64, u64, u64)) -> bool| {
            customers.values().filter(|counts| is(counts)).count() as f64 / all
        };
        let both = share(&|counts| counts.2 > 0);
        assert!((0.2..0.32).contains(&both), "{both} are linked");
        assert!((0.2..0.32).contains(&share(&|counts| counts.1 > 0)));
        assert!(strangers > 0, "some share a telephone");
    }
}
