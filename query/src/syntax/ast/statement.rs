//! What may be asked or told as a whole.

use super::{Lit, Name, Query, Span};

/// What may be asked or told.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A query; one that ends in `SAVE COHORT` writes.
    Query(Query),
    /// `EXPLAIN query`
    Explain(Query),
    /// `PROFILE query`
    Profile(Query),
    /// `WHY NOT CUSTOMER 'crm:42' IN (query)`
    WhyNot {
        /// The identity.
        customer: Lit,
        /// The query that the customer is missing from.
        query: Query,
    },
    /// `LINK …`, `UNLINK …`, `LINKS …`
    Links(Links),
    /// `ERASE CUSTOMER 'crm:42'`
    Erase {
        /// An identity of the customer.
        customer: Lit,
    },
    /// `RETAIN 24 MONTHS`, `RETAIN FOREVER`
    Retain {
        /// How much of what is kept; all where it is `None`.
        last: Option<(Lit, RetainUnit)>,
    },
    /// `AMEND …`, `REDACT …`
    Correction(Correction),
}

/// What is counted in a span of time that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetainUnit {
    /// 24 hours
    Days,
    /// 7 days
    Weeks,
    /// Months of the calendar.
    Months,
    /// Years of the calendar.
    Years,
}

impl RetainUnit {
    /// All of them, with their words for one and for many.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Days, "DAY", "DAYS"),
        (Self::Weeks, "WEEK", "WEEKS"),
        (Self::Months, "MONTH", "MONTHS"),
        (Self::Years, "YEAR", "YEARS"),
    ];

    /// The unit of a word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(word);
        Self::ALL.iter().find(|(_, one, many)| is(one) || is(many)).map(|(unit, ..)| *unit)
    }

    /// Its word for many.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(unit, ..)| *unit == self).map_or("", |(.., many)| many)
    }
}

/// A statement about what an interaction should have been.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// What it tells.
    pub kind: CorrectionKind,
    /// The event id of the interaction.
    pub event: Lit,
    /// An identity of the customer whose it is; all customers' journeys are searched where it is `None`.
    pub customer: Option<Lit>,
}

/// The statements about what an interaction should have been.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrectionKind {
    /// `AMEND EVENT 'e-17' OF CUSTOMER 'crm:42' SET topic = 'billing', resolved = TRUE`
    Amend(Vec<(Name, Lit)>),
    /// `REDACT EVENT 'e-17' OF CUSTOMER 'crm:42' text, agent`
    Redact(Vec<Name>),
}

/// A statement about which identities belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Links {
    /// What it asks or tells.
    pub kind: LinksKind,
    /// The words it begins with (`LINK`, `LINKS OF`), for messages.
    pub keyword: Span,
}

/// The statements about which identities belong together.
#[derive(Clone, Debug, PartialEq)]
pub enum LinksKind {
    /// `LINK 'twitter:@ann' TO 'crm:42' CONFIDENCE 0.9 SOURCE 'web chat'`
    Link {
        /// One identity.
        one: Lit,
        /// The other.
        other: Lit,
        /// How certain it is: more than 0, at most 1.
        confidence: Option<Lit>,
        /// Who says so.
        source: Option<Lit>,
    },
    /// `UNLINK 'phone:1' FROM 'crm:42'`
    Unlink {
        /// One identity.
        one: Lit,
        /// The other.
        other: Lit,
    },
    /// `LINKS OF CUSTOMER 'crm:42'`, `LINKS OF CUSTOMER 'crm:42' IN (query)`
    Of {
        /// An identity of the customer.
        customer: Lit,
        /// The query whose rows are traced back to single links.
        query: Option<Query>,
    },
    /// `LINKS REFUSED`, `LINKS REFUSED FOR CUSTOMER 'crm:42'`
    Refused {
        /// An identity of the customer; all refused links where it is `None`.
        customer: Option<Lit>,
    },
}
