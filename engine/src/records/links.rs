//! What was said about identities, and the rules for joining them, as history frames hold them.
//!
//! A body of pairs, little-endian:
//!
//! ```text
//! version u8 = 1 | rows u32 | 5 x bytes u32
//! the five columns, end to end, each as `columns::encode` writes it:
//! one: string | other: string | said: int (0 row, 1 link, 2 cut)
//! confidence: int, NULL of row and cut | source: string
//! ```

use serde::{Deserialize, Serialize};

use super::{from_bytes, to_bytes};
use crate::column::Column;
use crate::columns;
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::resolution::{FULL_CONFIDENCE, Said};
use crate::strings::{StringTable, Strings};

const VERSION: u8 = 1;
const COLUMNS: usize = 5;
/// Pairs in a frame. Columns of one value take no bytes a row, so that a length alone does not bound
/// what reading takes.
pub(crate) const PAIRS_MAX: usize = 1 << 20;
/// The number that is stored for what was said.
pub(crate) fn number_of(said: Said) -> i64 {
    match said {
        Said::Row => 0,
        Said::Link => 1,
        Said::Cut => 2,
    }
}

/// From that number, and whether the confidence, in thousandths, is one that it may have: a link's
/// is 1 to 1,000, and 0 stands for none.
pub(crate) fn said_of(number: i64, confidence: i64) -> Option<(Said, u16)> {
    match (number, u16::try_from(confidence).ok()?) {
        (0, 0) => Some((Said::Row, 0)),
        (1, confidence @ 1..=FULL_CONFIDENCE) => Some((Said::Link, confidence)),
        (2, 0) => Some((Said::Cut, 0)),
        _ => None,
    }
}

/// A pair of identities, written `namespace:key`, and what was said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    pub one: &'a str,
    pub other: &'a str,
    pub said: Said,
    /// Of a link, in thousandths: 1 to 1,000; else 0.
    pub confidence: u16,
    /// Who said so: a file, a program, a statement; may be empty.
    pub source: &'a str,
}

/// Distinct texts, and for each pair the place of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    pub texts: Strings,
    pub codes: Vec<u32>,
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(|&code| self.texts.get(code as usize))
    }
}

/// Pairs of identities in the order they were said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FrameLinks {
    pub one: Texts,
    pub other: Texts,
    /// What was said, and the confidence.
    pub said: Vec<(Said, u16)>,
    pub source: Texts,
}

impl FrameLinks {
    /// # Errors
    /// [`Error::Limit`] for more than [`PAIRS_MAX`], or more text than a frame holds.
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = Pair<'a>>) -> Result<Self> {
        let mut tables: [StringTable; 3] = Default::default();
        let mut codes: [Vec<u32>; 3] = Default::default();
        let mut all = Vec::new();
        for Pair { one, other, said, confidence, source } in pairs {
            for ((table, codes), text) in tables.iter_mut().zip(&mut codes).zip([one, other, source]) {
                codes.push(table.try_intern(text)?);
            }
            all.push((said, confidence));
        }
        if all.len() > PAIRS_MAX {
            let value = all.len() as u64;
            return Err(Error::Limit { what: "links in one commit", value, limit: PAIRS_MAX as u64 });
        }
        let [one, other, source] = tables.map(StringTable::into_strings);
        let [one_codes, other_codes, source_codes] = codes;
        Ok(Self {
            one: Texts { texts: one, codes: one_codes },
            other: Texts { texts: other, codes: other_codes },
            said: all,
            source: Texts { texts: source, codes: source_codes },
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.said.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// The pairs, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let texts = self.one.iter().zip(self.other.iter()).zip(self.source.iter());
        self.said.iter().zip(texts).map(|(&(said, confidence), ((one, other), source))| Pair {
            one,
            other,
            said,
            confidence,
            source,
        })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let text = |texts: &Texts| Column::Str {
            codes: texts.codes.iter().map(|code| code + 1).collect(),
            dictionary: texts.texts.clone(),
        };
        let columns: [Column; COLUMNS] = [
            text(&self.one),
            text(&self.other),
            Column::Int { values: self.said.iter().map(|(said, _)| number_of(*said)).collect(), valid: None },
            Column::Int {
                values: self.said.iter().map(|&(_, confidence)| i64::from(confidence)).collect(),
                valid: Some(self.said.iter().map(|&(_, confidence)| confidence > 0).collect()),
            },
            text(&self.source),
        ];
        let mut parts = Vec::with_capacity(COLUMNS);
        for column in &columns {
            let mut bytes = Vec::new();
            columns::encode(column, &mut bytes)?;
            parts.push(bytes);
        }
        let mut out = vec![VERSION];
        out.extend((self.len() as u32).to_le_bytes());
        for bytes in &parts {
            out.extend((bytes.len() as u32).to_le_bytes());
        }
        out.extend(parts.concat());
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        let damaged = |message: &str| Error::damaged(what, 0, message);
        let short = || damaged("a frame of links is cut short");
        let (&version, rest) = bytes.split_first().ok_or_else(short)?;
        if version != VERSION {
            return Err(damaged(&format!("links of version {version}, this program reads {VERSION}")));
        }
        let (rows, mut rest) = number(rest).ok_or_else(short)?;
        if rows > PAIRS_MAX {
            return Err(damaged(&format!("a frame of {rows} links, and none has more than {PAIRS_MAX}")));
        }
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            (*length, rest) = number(rest).ok_or_else(short)?;
        }
        let mut columns = Vec::with_capacity(COLUMNS);
        for length in lengths {
            let (column, after) = rest.split_at_checked(length).ok_or_else(short)?;
            columns.push(columns::decode(column, rows, what)?);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(damaged("a frame of links has more than its columns"));
        }
        let Ok([one, other, said, confidence, source]) = <[Column; COLUMNS]>::try_from(columns) else {
            return Err(short());
        };
        let ends = |column: Column| match column {
            Column::Str { codes, dictionary } => {
                let codes = codes.into_iter().map(|code| code.checked_sub(1)).collect::<Option<_>>();
                Ok(Texts {
                    codes: codes.ok_or_else(|| damaged("a link lacks an identity or a source"))?,
                    texts: dictionary,
                })
            }
            _ => Err(damaged("identities or sources of links are no text")),
        };
        let numbers = |column: Column| match column {
            Column::Int { values, valid } => {
                let valid = valid.unwrap_or_else(|| vec![true; values.len()]);
                Ok(values
                    .into_iter()
                    .zip(valid)
                    .map(|(value, valid)| valid.then_some(value))
                    .collect::<Vec<_>>())
            }
            _ => Err(damaged("what links say is no number")),
        };
        let said = numbers(said)?.into_iter().zip(numbers(confidence)?);
        // NULL is no confidence, and so is no 0.
        let said = said.map(|(number, confidence)| match confidence {
            Some(0) => None,
            confidence => said_of(number?, confidence.unwrap_or(0)),
        });
        let said = said.collect::<Option<_>>();
        Ok(Self {
            one: ends(one)?,
            other: ends(other)?,
            source: ends(source)?,
            said: said.ok_or_else(|| damaged("a link says what this program does not know"))?,
        })
    }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number) as usize, rest))
}

/// The rules for joining identities, from a commit on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GuardsRecord {
    /// Namespaces, the most trusted first.
    pub priority: Vec<String>,
    /// Identities of a namespace that a customer may have.
    pub limits: Vec<(String, u32)>,
    /// As `limits`, of every other namespace.
    pub other_limit: u32,
    /// Partners that an identity may be paired with before it joins nobody.
    pub hub_links: u32,
    /// Keys that join nobody, by namespace.
    pub exact: Vec<(String, String)>,
    /// Patterns for whole keys, likewise.
    pub patterns: Vec<(String, String)>,
}

impl GuardsRecord {
    pub(crate) fn of(guards: &Guards) -> Self {
        let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        Self {
            priority: guards.priority().map(str::to_owned).collect(),
            limits: guards.limits().map(|(namespace, limit)| (namespace.to_owned(), limit)).collect(),
            other_limit: guards.other_limit(),
            hub_links: guards.hub_links(),
            exact: guards.blocked().map(owned).collect(),
            patterns: guards.patterns().map(owned).collect(),
        }
    }

    /// # Errors
    /// [`Error::Invalid`] where a rule is none, which was not written so.
    pub(crate) fn guards(&self) -> Result<Guards> {
        let mut guards = Guards::open()
            .with_priority(self.priority.iter().map(String::as_str))?
            .with_other_limit(self.other_limit)?
            .with_hub_links(self.hub_links)?;
        for (namespace, limit) in &self.limits {
            guards = guards.with_limit(namespace, *limit)?;
        }
        for (namespace, key) in &self.exact {
            guards = guards.with_blocked(namespace, key)?;
        }
        for (namespace, pattern) in &self.patterns {
            guards = guards.with_blocked_pattern(namespace, pattern)?;
        }
        Ok(guards)
    }

    /// version u8 = 1 | bincode
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = vec![VERSION];
        out.extend(to_bytes(self)?);
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8], what: &str) -> Result<Self> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => from_bytes(rest, what),
            Some((version, _)) => {
                let message = format!("rules of version {version}, this program reads {VERSION}");
                Err(Error::damaged(what, 0, message))
            }
            None => Err(Error::damaged(what, 0, "a record of rules is cut short")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Made = (String, String, Said, u16, String);

    fn pairs() -> impl Strategy<Value = Vec<Made>> {
        let identity = || "(crm|phone|é):[a-c日]{1,3}";
        let said = prop_oneof![
            Just((Said::Row, 0)),
            (1..=1_000_u16).prop_map(|confidence| (Said::Link, confidence)),
            Just((Said::Cut, 0)),
        ];
        let pair = (identity(), identity(), said, "(|statement|links.csv)");
        let pair =
            pair.prop_map(|(one, other, (said, confidence), source)| (one, other, said, confidence, source));
        prop::collection::vec(pair, 0..40)
    }

    fn frame(pairs: &[Made]) -> FrameLinks {
        let pairs = pairs.iter().map(|(one, other, said, confidence, source)| Pair {
            one,
            other,
            said: *said,
            confidence: *confidence,
            source,
        });
        FrameLinks::from_pairs(pairs).expect("fits")
    }

    fn made(links: &FrameLinks) -> Vec<Made> {
        let owned = |pair: Pair| {
            let source = pair.source.to_owned();
            (pair.one.to_owned(), pair.other.to_owned(), pair.said, pair.confidence, source)
        };
        links.pairs().map(owned).collect()
    }

    fn guards() -> GuardsRecord {
        GuardsRecord {
            priority: vec!["crm".into(), "phone".into()],
            limits: vec![("crm".into(), 1)],
            other_limit: 5,
            hub_links: 100,
            exact: vec![("phone".into(), "withheld".into())],
            patterns: vec![("*".into(), "n/?a".into())],
        }
    }

    proptest! {
        #[test]
        fn pairs_read_back(pairs in pairs()) {
            let links = frame(&pairs);
            prop_assert_eq!(links.len(), pairs.len());
            let found = FrameLinks::decode(&links.encode().expect("encodes"), "frame").expect("decodes");
            prop_assert_eq!(made(&found), pairs);
        }

        /// What decodes is sound, and is what it says when it is encoded again.
        #[test]
        fn any_bytes_are_read_or_refused(
            pairs in pairs(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            noise in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut bytes = frame(&pairs).encode().expect("encodes");
            for (place, byte) in changes {
                *place.get_mut(&mut bytes) = byte;
            }
            for bytes in [bytes, noise] {
                let Ok(found) = FrameLinks::decode(&bytes, "frame") else { continue };
                prop_assert_eq!(made(&found).len(), found.len());
                let again = FrameLinks::decode(&found.encode().expect("encodes"), "frame").expect("decodes");
                prop_assert_eq!(made(&again), made(&found));
            }
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_refused() {
        let pair = |one: &str, said, confidence| {
            (one.to_owned(), "phone:1".to_owned(), said, confidence, "calls.csv".to_owned())
        };
        let links = frame(&[
            pair("crm:1", Said::Row, 0),
            pair("crm:2", Said::Link, 900),
            pair("crm:3", Said::Cut, 0),
        ]);
        let bytes = links.encode().expect("encodes");
        for cut in 0..bytes.len() {
            assert!(FrameLinks::decode(&bytes[..cut], "frame").is_err(), "cut at {cut}");
        }
        assert!(FrameLinks::decode(&[&bytes[..], &[0]].concat(), "frame").is_err());
        let later = [&[VERSION + 1], &bytes[1..]].concat();
        let error = FrameLinks::decode(&later, "frame").expect_err("is refused").to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn only_links_have_a_confidence() {
        for (number, confidence, expected) in [
            (0, 0, Some((Said::Row, 0))),
            (1, 1, Some((Said::Link, 1))),
            (1, 1_000, Some((Said::Link, 1_000))),
            (2, 0, Some((Said::Cut, 0))),
            (0, 500, None),
            (1, 0, None),
            (1, 1_001, None),
            (1, -1, None),
            (2, 1, None),
            (3, 0, None),
        ] {
            assert_eq!(said_of(number, confidence), expected, "{number} {confidence}");
        }
    }

    #[test]
    fn rules_read_back() {
        let bytes = guards().encode().expect("encodes");
        assert_eq!(GuardsRecord::decode(&bytes, "rules").expect("decodes"), guards());
        let usual = Guards::default();
        assert_eq!(GuardsRecord::of(&usual).guards().expect("are rules"), usual);
        assert_eq!(GuardsRecord::of(&guards().guards().expect("are rules")), guards());
        for cut in 0..bytes.len() {
            assert!(GuardsRecord::decode(&bytes[..cut], "rules").is_err(), "cut at {cut}");
        }
        let later = [&[VERSION + 1], &bytes[1..]].concat();
        assert!(
            GuardsRecord::decode(&later, "rules").expect_err("is refused").to_string().contains("version 2")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_rules_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(found) = GuardsRecord::decode(&bytes, "rules") {
                let again = GuardsRecord::decode(&found.encode().expect("encodes"), "rules").expect("decodes");
                prop_assert_eq!(again, found);
            }
        }
    }
}
