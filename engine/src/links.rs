//! What somebody says about identities: links.

use crate::error::{Error, Result};
use crate::model::Identity;
use crate::resolution::FULL_CONFIDENCE;

/// Says that two identities are of one customer.
///
/// ```
/// # fn main() -> Result<(), throughline_engine::Error> {
/// use throughline_engine::{Identity, Link};
///
/// let (handle, number) = (Identity::parse("twitter:@ann")?, Identity::parse("crm:42")?);
/// let link = Link::new(handle, number)?.with_confidence(0.9)?.with_source("matching of June");
/// assert_eq!((link.one().as_str(), link.confidence(), link.source()), ("twitter:@ann", 0.9, "matching of June"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    one: Identity,
    other: Identity,
    /// In thousandths, 1 to 1,000.
    pub(crate) thousandths: u16,
    source: String,
}

impl Link {
    /// A link of full confidence, from nowhere in particular.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the two are one identity.
    pub fn new(one: Identity, other: Identity) -> Result<Self> {
        check_two(&one, &other)?;
        Ok(Self { one, other, thousandths: FULL_CONFIDENCE, source: String::new() })
    }

    /// With how certain it is: more than 0 and at most 1. It is kept in thousandths.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other number.
    pub fn with_confidence(mut self, confidence: f64) -> Result<Self> {
        if !(confidence > 0.0 && confidence <= 1.0) {
            return Err(Error::invalid(format!(
                "a link has a confidence of {confidence}: write more than 0 and at most 1"
            )));
        }
        // The least that is more than nothing is a thousandth.
        self.thousandths = ((confidence * f64::from(FULL_CONFIDENCE)).round() as u16).max(1);
        Ok(self)
    }

    /// With who says so: a file, a program, a person.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// One of the two.
    pub fn one(&self) -> &Identity {
        &self.one
    }

    /// The other.
    pub fn other(&self) -> &Identity {
        &self.other
    }

    /// How certain it is, in thousandths exactly.
    pub fn confidence(&self) -> f64 {
        confidence_of(self.thousandths)
    }

    /// Who says so; may be empty.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// A confidence that is kept in thousandths.
pub(crate) fn confidence_of(thousandths: u16) -> f64 {
    f64::from(thousandths) / f64::from(FULL_CONFIDENCE)
}

/// Refuses an identity and itself.
pub(crate) fn check_two(one: &Identity, other: &Identity) -> Result<()> {
    if one == other {
        return Err(Error::invalid(format!("`{}` and itself are no two identities", one.as_str())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> Identity {
        Identity::parse(text).expect("is an identity")
    }

    #[test]
    fn a_link_needs_two_identities_and_a_confidence_that_is_one() {
        assert!(Link::new(identity("crm:1"), identity(" crm: 1")).is_err());
        let link = Link::new(identity("crm:1"), identity("phone:1")).expect("are two");
        for confidence in [0.0, -0.1, 1.001, f64::NAN, f64::INFINITY] {
            let error = link.clone().with_confidence(confidence).expect_err("is refused").to_string();
            assert!(error.contains("at most 1"), "{error}");
        }
        for (given, kept) in [(1.0, 1_000), (0.5, 500), (0.0001, 1), (0.9996, 1_000)] {
            assert_eq!(link.clone().with_confidence(given).expect("is one").thousandths, kept);
        }
    }
}
