//! The public words: identities, times, customers.

use std::fmt;

use crate::error::{Error, Result};
use crate::limits::IDENTITY_BYTES_MAX;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// A customer's number inside one store. It never shows in an answer.
pub type CustomerOrdinal = u32;

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

fn is_namespace(text: &str) -> bool {
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
        assert!(Identity::parse("").is_err());
        assert!(Identity::parse("crm:").is_err());
        assert!(Identity::parse(&"x".repeat(IDENTITY_BYTES_MAX - 3)).is_ok());
        assert!(Identity::parse(&"x".repeat(IDENTITY_BYTES_MAX - 2)).is_err());
    }
}
