//! What keeps strangers apart when identities are joined: which namespace counts for more, how many
//! identities of a namespace one customer may have, and which values say nothing about who it was.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use regex_lite::{Regex, RegexBuilder};

use crate::error::{Error, Result};
use crate::limits::{
    BLOCKED_PATTERN_BYTES_MAX, BLOCKED_PATTERN_PROGRAM_BYTES_MAX, BLOCKED_PATTERNS_MAX, BLOCKED_VALUES_MAX,
    IDENTITY_BYTES_MAX,
};
use crate::model::{IdentityRef, is_namespace};

/// Stands for all namespaces where values are blocked.
const ANY: &str = "*";

/// Namespaces from the most trusted on: a number that a company gives out itself says more than an
/// address, which says more than a device.
const PRIORITY: &[&str] = &["crm", "id", "account", "email", "phone"];

/// Limits of single namespaces: two numbers of one customer system are two customers.
const LIMITS: &[(&str, u32)] = &[("crm", 1)];
/// The limit of every other namespace.
const OTHER_LIMIT: u32 = 5;
/// An identity that is paired with more others than that joins nobody: a shared telephone.
const HUB_LINKS: u32 = 100;

/// What systems write where they do not know the caller. To look a key up costs next to nothing, so
/// what can be listed is listed, and no pattern is tried on the identities of most namespaces.
const BLOCKED: &[(&str, &str)] = &[
    // Dashes drawn in place of a value.
    (ANY, "-"),
    (ANY, "--"),
    (ANY, "---"),
    // What programs print for a missing value, and people for a trial.
    (ANY, "n/a"),
    (ANY, "na"),
    (ANY, "nan"),
    (ANY, "nil"),
    (ANY, "none"),
    (ANY, "null"),
    (ANY, "test"),
    (ANY, "undefined"),
    (ANY, "unknown"),
    // Telephone systems, for a caller who hides the number or has none.
    ("phone", "anonymous"),
    ("phone", "private"),
    ("phone", "restricted"),
    ("phone", "unavailable"),
    ("phone", "withheld"),
];

/// As [`BLOCKED`], with a pattern for the whole key.
const BLOCKED_PATTERNS: &[(&str, &str)] = &[
    // Zeros in place of a number, however many the field asked for.
    ("phone", r"\+?0+"),
    // Senders that nobody reads, and addresses made up to get past a form.
    ("email", "(no-?reply|do-?not-?reply|test|unknown|none|na)@.*"),
];

/// A pattern for keys that join nobody.
#[derive(Clone, Debug)]
struct Pattern {
    namespace: String,
    text: String,
    whole: Regex,
}

/// Where a namespace stands: the lesser, the more it is trusted. The listed ones come in their
/// order, all others after them by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank<'a> {
    /// The place in [`Guards::priority`], from 0.
    Listed(usize),
    /// The name of a namespace that is not listed.
    Unlisted(&'a str),
}

/// The rules by which identities are joined.
///
/// `Guards::default()` trusts `crm`, `id`, `account`, `email`, `phone` in this order, gives one
/// customer one `crm` identity and five of any other namespace, lets an identity that is paired
/// with more than 100 others join nobody, and blocks what systems write where they do not know who
/// it was: `phone:anonymous`, `phone:000000`, `email:noreply@…`, `null`, `n/a` and their like.
///
/// ```
/// # fn main() -> Result<(), throughline_engine::Error> {
/// use throughline_engine::{Guards, Identity};
///
/// let guards = Guards::default().with_limit("passport", 1)?.with_blocked("phone", "+44 20 7946 0000")?;
/// assert_eq!((guards.limit("crm"), guards.limit("passport"), guards.limit("twitter")), (1, 1, 5));
/// assert!(guards.rank("crm") < guards.rank("phone") && guards.rank("phone") < guards.rank("device"));
/// for blocked in ["phone:Anonymous", "phone:+44 20 7946 0000", "email:no-reply@shop.example", "crm:NULL"] {
///     assert!(guards.blocks((&Identity::parse(blocked)?).into()), "{blocked}");
/// }
/// assert!(!guards.blocks((&Identity::parse("phone:+44 20 7946 0001")?).into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Guards {
    priority: Vec<String>,
    limits: BTreeMap<String, u32>,
    other_limit: u32,
    hub_links: u32,
    /// Lower-case keys by namespace.
    exact: BTreeMap<String, BTreeSet<String>>,
    patterns: Vec<Pattern>,
}

impl Default for Guards {
    fn default() -> Self {
        // The constants above are sound: a test takes them in.
        Self::usual().unwrap_or_else(|_| Self::open())
    }
}

impl PartialEq for Guards {
    fn eq(&self, other: &Self) -> bool {
        self.priority == other.priority
            && self.limits == other.limits
            && self.other_limit == other.other_limit
            && self.hub_links == other.hub_links
            && self.exact == other.exact
            && self.patterns().eq(other.patterns())
    }
}

impl Eq for Guards {}

impl Guards {
    /// No rule at all: every pair joins, and namespaces come by name. Something to build on.
    pub fn open() -> Self {
        Self {
            priority: Vec::new(),
            limits: BTreeMap::new(),
            other_limit: u32::MAX,
            hub_links: u32::MAX,
            exact: BTreeMap::new(),
            patterns: Vec::new(),
        }
    }

    fn usual() -> Result<Self> {
        let mut guards = Self::open()
            .with_priority(PRIORITY.iter().copied())?
            .with_other_limit(OTHER_LIMIT)?
            .with_hub_links(HUB_LINKS)?;
        for &(namespace, limit) in LIMITS {
            guards = guards.with_limit(namespace, limit)?;
        }
        for &(namespace, key) in BLOCKED {
            guards = guards.with_blocked(namespace, key)?;
        }
        for &(namespace, pattern) in BLOCKED_PATTERNS {
            guards = guards.with_blocked_pattern(namespace, pattern)?;
        }
        Ok(guards)
    }

    /// Lists the namespaces from the most trusted on, in place of those listed so far.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no namespace, and for one that is listed twice.
    pub fn with_priority<'a>(mut self, namespaces: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        self.priority.clear();
        for namespace in namespaces {
            namespace_or_error(namespace)?;
            if self.priority.iter().any(|listed| listed == namespace) {
                return Err(Error::invalid(format!(
                    "the priority lists `{namespace}` twice: leave one of the two out"
                )));
            }
            self.priority.push(namespace.to_owned());
        }
        Ok(self)
    }

    /// Sets how many identities of a namespace one customer may have.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no namespace, and for a limit of 0.
    pub fn with_limit(mut self, namespace: &str, limit: u32) -> Result<Self> {
        namespace_or_error(namespace)?;
        self.limits.insert(namespace.to_owned(), at_least_one(limit, "the limit of a namespace")?);
        Ok(self)
    }

    /// Sets the limit of the namespaces that have none of their own.
    ///
    /// # Errors
    /// [`Error::Invalid`] for 0.
    pub fn with_other_limit(mut self, limit: u32) -> Result<Self> {
        self.other_limit = at_least_one(limit, "the limit of a namespace")?;
        Ok(self)
    }

    /// Sets with how many others an identity may be paired: one with more joins nobody.
    ///
    /// # Errors
    /// [`Error::Invalid`] for 0.
    pub fn with_hub_links(mut self, links: u32) -> Result<Self> {
        self.hub_links = at_least_one(links, "the number of an identity's links")?;
        Ok(self)
    }

    /// Blocks a key of a namespace, `*` for all namespaces. Case does not matter.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no namespace and for an empty key; [`Error::Limit`] for a
    /// key that is longer than any identity, and for one more than [`BLOCKED_VALUES_MAX`].
    pub fn with_blocked(mut self, namespace: &str, key: &str) -> Result<Self> {
        namespace_or_any(namespace)?;
        let key = lower(key.trim()).into_owned();
        if key.is_empty() {
            return Err(Error::invalid("a blocked value needs a key: `anonymous` of the namespace `phone`"));
        }
        within("bytes in a blocked value", key.len(), IDENTITY_BYTES_MAX)?;
        self.exact.entry(namespace.to_owned()).or_default().insert(key);
        within("blocked values", self.exact.values().map(BTreeSet::len).sum(), BLOCKED_VALUES_MAX)?;
        Ok(self)
    }

    /// Blocks the keys of a namespace, `*` for all namespaces, that a regular expression matches
    /// from the first character to the last. Case does not matter.
    ///
    /// The syntax is that of the crate `regex-lite`: no look-around and no back-references, so that
    /// a match takes time in proportion to the lengths of key and pattern, whatever they are.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no namespace or no regular expression; [`Error::Limit`] for
    /// one that is longer than [`BLOCKED_PATTERN_BYTES_MAX`], and for one more than
    /// [`BLOCKED_PATTERNS_MAX`].
    pub fn with_blocked_pattern(mut self, namespace: &str, pattern: &str) -> Result<Self> {
        namespace_or_any(namespace)?;
        within("bytes in a pattern of blocked values", pattern.len(), BLOCKED_PATTERN_BYTES_MAX)?;
        // Alone as well: `a)|(b` would be sound inside of the parentheses, and mean something else.
        compile(pattern, pattern)?;
        let whole = compile(&format!(r"\A(?:{pattern})\z"), pattern)?;
        if self.patterns().all(|known| known != (namespace, pattern)) {
            within("patterns of blocked values", self.patterns.len() + 1, BLOCKED_PATTERNS_MAX)?;
            let (namespace, text) = (namespace.to_owned(), pattern.to_owned());
            self.patterns.push(Pattern { namespace, text, whole });
        }
        Ok(self)
    }

    /// The listed namespaces, the most trusted first.
    pub fn priority(&self) -> impl Iterator<Item = &str> {
        self.priority.iter().map(String::as_str)
    }

    /// The namespaces that have a limit of their own, by name.
    pub fn limits(&self) -> impl Iterator<Item = (&str, u32)> {
        self.limits.iter().map(|(namespace, &limit)| (namespace.as_str(), limit))
    }

    /// The limit of the namespaces that have none of their own; `u32::MAX` for none.
    pub fn other_limit(&self) -> u32 {
        self.other_limit
    }

    /// With how many others an identity may be paired; `u32::MAX` for any number.
    pub fn hub_links(&self) -> u32 {
        self.hub_links
    }

    /// Namespace (or `*`) and key of the blocked values, sorted; keys are in lower case.
    pub fn blocked(&self) -> impl Iterator<Item = (&str, &str)> {
        self.exact
            .iter()
            .flat_map(|(namespace, keys)| keys.iter().map(|key| (namespace.as_str(), key.as_str())))
    }

    /// Namespace (or `*`) and text of the patterns, in the order they were given.
    pub fn patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.patterns.iter().map(|pattern| (pattern.namespace.as_str(), pattern.text.as_str()))
    }

    /// Where a namespace stands among all.
    pub fn rank<'a>(&self, namespace: &'a str) -> Rank<'a> {
        match self.priority.iter().position(|listed| listed == namespace) {
            Some(place) => Rank::Listed(place),
            None => Rank::Unlisted(namespace),
        }
    }

    /// How many identities of a namespace one customer may have.
    pub fn limit(&self, namespace: &str) -> u32 {
        self.limits.get(namespace).copied().unwrap_or(self.other_limit)
    }

    /// Whether the identity says nothing about who it was, and so joins nobody.
    pub fn blocks(&self, identity: IdentityRef<'_>) -> bool {
        let namespace = identity.namespace();
        let key = lower(identity.key());
        let exactly = |namespace: &str| self.exact.get(namespace).is_some_and(|keys| keys.contains(&*key));
        exactly(namespace)
            || exactly(ANY)
            || self.patterns.iter().any(|pattern| {
                (pattern.namespace == namespace || pattern.namespace == ANY) && pattern.whole.is_match(&key)
            })
    }

    /// The identity that an interaction with several comes under: of those that are not blocked
    /// the first by rank, then by its bytes; of blocked ones alone the first in the same way.
    /// `None` where there is no identity.
    ///
    /// ```
    /// # fn main() -> Result<(), throughline_engine::Error> {
    /// use throughline_engine::{Guards, Identity};
    ///
    /// let call = [Identity::parse("phone:+4420")?, Identity::parse("crm:unknown")?];
    /// let primary = Guards::default().primary(call.iter().map(Into::into));
    /// assert_eq!(primary.map(|identity| identity.as_str()), Some("phone:+4420"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn primary<'a>(
        &self,
        identities: impl IntoIterator<Item = IdentityRef<'a>>,
    ) -> Option<IdentityRef<'a>> {
        identities.into_iter().min_by_key(|&identity| {
            (self.blocks(identity), self.rank(identity.namespace()), identity.as_str())
        })
    }
}

/// In lower case, which most keys are already.
fn lower(key: &str) -> Cow<'_, str> {
    if key.is_ascii() && !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(key.to_lowercase())
    }
}

fn namespace_or_error(namespace: &str) -> Result<()> {
    if is_namespace(namespace) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{namespace}` is not a namespace: write lower-case letters, digits and _, a letter first"
    )))
}

fn namespace_or_any(namespace: &str) -> Result<()> {
    if namespace == ANY { Ok(()) } else { namespace_or_error(namespace) }
}

fn at_least_one(value: u32, what: &str) -> Result<u32> {
    if value == 0 {
        return Err(Error::invalid(format!("{what} is 0, and nothing would join: write 1 or more")));
    }
    Ok(value)
}

fn within(what: &'static str, value: usize, limit: usize) -> Result<()> {
    if value > limit {
        return Err(Error::Limit { what, value: value as u64, limit: limit as u64 });
    }
    Ok(())
}

fn compile(text: &str, given: &str) -> Result<Regex> {
    RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(BLOCKED_PATTERN_PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| Error::invalid(format!("`{given}` is not a pattern for blocked values: {error}")))
}

#[cfg(test)]
mod tests;
