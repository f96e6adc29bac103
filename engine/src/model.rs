//! The public words: identities, times, customers.

use std::fmt;

use crate::error::{Error, Result};
use crate::limits::IDENTITY_BYTES_MAX;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// The UTC date that `ms` lies in: year, month from 1, day from 1.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, <https://howardhinnant.github.io/date_algorithms.html>.
pub(crate) fn date_of(ms: Millis) -> (i64, i64, i64) {
    // Days since 0000-03-01; a year begins in March, so that a leap day ends it.
    let days = ms.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A customer's number inside one store: that of the first known of the
/// identities it goes by. It never shows in an answer.
pub type CustomerOrdinal = u32;

/// An identity's number inside one store, by the order in which identities
/// became known. It never shows in an answer, and is no customer's number even
/// where both are written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityOrdinal(pub u32);

/// A name a customer goes by: `crm:42`, `twitter:@ann`, `phone:+4420…`.
///
/// The namespace is what stands before the first colon where that matches
/// `[a-z][a-z0-9_]*`, else `id`; so `42` is `id:42`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    text: String,
    namespace_len: usize,
}

impl Identity {
    /// Reads `namespace:key`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the key is empty, [`Error::Limit`] where the
    /// whole is longer than [`IDENTITY_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (namespace, key) = match text.split_once(':') {
            Some((namespace, key)) if is_namespace(namespace) => (namespace, key.trim()),
            _ => ("id", text),
        };
        Self::new(namespace, key)
    }

    /// An identity of a given namespace, whatever the key looks like.
    ///
    /// # Errors
    /// As [`Identity::parse`], and [`Error::Invalid`] where `namespace` does
    /// not match `[a-z][a-z0-9_]*`.
    pub fn new(namespace: &str, key: &str) -> Result<Self> {
        if !is_namespace(namespace) {
            return Err(Error::invalid(format!(
                "`{namespace}` is not a namespace: write lower-case letters, digits and _, a letter first"
            )));
        }
        if key.is_empty() {
            return Err(Error::invalid("an identity needs a key: write `namespace:key`"));
        }
        let text = format!("{namespace}:{key}");
        if text.len() > IDENTITY_BYTES_MAX {
            return Err(Error::Limit {
                what: "bytes in an identity",
                value: text.len() as u64,
                limit: IDENTITY_BYTES_MAX as u64,
            });
        }
        Ok(Self { namespace_len: namespace.len(), text })
    }

    /// The namespace: `crm` of `crm:42`.
    pub fn namespace(&self) -> &str {
        self.text.get(..self.namespace_len).unwrap_or_default()
    }

    /// The key: `42` of `crm:42`.
    pub fn key(&self) -> &str {
        self.text.get(self.namespace_len + 1..).unwrap_or_default()
    }

    /// The whole: `crm:42`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// An [`Identity`] whose text lies elsewhere: no memory is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityRef<'a> {
    text: &'a str,
}

impl<'a> IdentityRef<'a> {
    /// As [`Identity::parse`], or as [`Identity::new`] of the trimmed `text` where there is a
    /// `namespace`. What is not written as an identity is laid down in `buffer`.
    ///
    /// # Errors
    /// As those.
    pub fn read(text: &'a str, namespace: Option<&str>, buffer: &'a mut String) -> Result<Self> {
        let text = text.trim();
        let (namespace, key) = match (namespace, text.split_once(':')) {
            (Some(namespace), _) => (namespace, text),
            (None, Some((namespace, key))) if is_namespace(namespace) => (namespace, key.trim()),
            _ => ("id", text),
        };
        let len = namespace.len() + 1 + key.len();
        if !is_namespace(namespace) || key.is_empty() || len > IDENTITY_BYTES_MAX {
            return Err(match Identity::new(namespace, key) {
                Err(error) => error,
                Ok(_) => Error::invalid("an identity needs a key: write `namespace:key`"),
            });
        }
        // As long as the text, and parts of it.
        if len == text.len()
            && text.starts_with(namespace)
            && text.as_bytes().get(namespace.len()) == Some(&b':')
        {
            return Ok(Self { text });
        }
        buffer.clear();
        buffer.push_str(namespace);
        buffer.push(':');
        buffer.push_str(key);
        Ok(Self { text: buffer })
    }

    /// One that was read before, as it was written down.
    pub(crate) fn stored(text: &'a str) -> Self {
        Self { text }
    }

    /// The namespace: `crm` of `crm:42`.
    pub fn namespace(&self) -> &'a str {
        self.text.split_once(':').map_or("", |(namespace, _)| namespace)
    }

    /// The key: `42` of `crm:42`.
    pub fn key(&self) -> &'a str {
        self.text.split_once(':').map_or("", |(_, key)| key)
    }

    /// The whole: `crm:42`.
    pub fn as_str(&self) -> &'a str {
        self.text
    }
}

impl<'a> From<&'a Identity> for IdentityRef<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self { text: &identity.text }
    }
}

/// Whether it is `[a-z][a-z0-9_]*`.
pub(crate) fn is_namespace(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Identity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_and_keys() {
        let check = |text: &str, namespace: &str, key: &str| {
            let identity = Identity::parse(text).expect(text);
            assert_eq!((identity.namespace(), identity.key()), (namespace, key), "{text}");
        };
        check("42", "id", "42");
        check("crm:42", "crm", "42");
        check("phone:+44:1", "phone", "+44:1");
        check("Caller 5: x", "id", "Caller 5: x");
        check("CRM:42", "id", "CRM:42");
        for text in ["42", " crm:42 ", "crm: 42", "phone:+44:1", "CRM:42", "a b:c", "crm:\u{a0}4", "", "crm:"]
        {
            for namespace in [None, Some("erp"), Some("E")] {
                let whole = match namespace {
                    None => Identity::parse(text),
                    Some(namespace) => Identity::new(namespace, text.trim()),
                };
                let mut buffer = String::new();
                let read = IdentityRef::read(text, namespace, &mut buffer);
                assert_eq!(
                    read.ok().map(|read| (read.as_str(), read.namespace(), read.key())),
                    whole.as_ref().ok().map(|whole| (whole.as_str(), whole.namespace(), whole.key())),
                    "{text}"
                );
            }
        }
        assert!(Identity::parse("").is_err());
        assert!(Identity::parse("crm:").is_err());
        assert!(Identity::parse(&"x".repeat(IDENTITY_BYTES_MAX - 3)).is_ok());
        assert!(Identity::parse(&"x".repeat(IDENTITY_BYTES_MAX - 2)).is_err());
    }
}
