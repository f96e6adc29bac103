//! The section `[links]` of a map: which columns of a file of links say what.

use std::collections::{BTreeMap, BTreeSet};

use throughline::engine::Identity;

use super::{known, section, string, truth};
use crate::failure::{Failure, Outcome};

/// Headers for the two identities where the map does not say, best first.
const ENDS: [(&str, &str); 4] = [("one", "other"), ("a", "b"), ("from", "to"), ("identity", "customer")];
const PARTS: [&str; 5] = ["one", "other", "confidence", "source", "said"];
const KEYS: [&str; 3] = ["attribute", "namespace", "ignore"];

/// What `[links]` says of one column.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// One of [`PARTS`]; nothing where the column is left out.
    part: Option<&'static str>,
    namespace: Option<String>,
}

/// The section, read and checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinksMap {
    entries: BTreeMap<String, Entry>,
    /// Who says what a file says that has no column for it.
    pub(crate) source: Option<String>,
}

/// A column that holds identities.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) column: usize,
    pub(crate) namespace: Option<String>,
    pub(crate) header: String,
}

/// The columns of a file: place and header.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkColumns {
    pub(crate) one: Option<End>,
    pub(crate) other: Option<End>,
    pub(crate) confidence: Option<(usize, String)>,
    pub(crate) source: Option<(usize, String)>,
    /// Whether a row, a link or a cut said so; of exports alone.
    pub(crate) said: Option<(usize, String)>,
}

impl LinkColumns {
    /// The places that are read.
    pub(crate) fn wanted(&self) -> BTreeSet<usize> {
        let ends = self.one.iter().chain(&self.other).map(|end| end.column);
        let rest = self.confidence.iter().chain(&self.source).chain(&self.said).map(|(column, _)| *column);
        ends.chain(rest).collect()
    }
}

impl LinksMap {
    /// Reads what the map says of links.
    pub(super) fn parse(table: &toml::Table, exact: bool) -> Outcome<Self> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for (column, value) in section(table, "links")?.into_iter().flatten() {
            entries.insert(column.trim().to_lowercase(), entry(column, value)?);
        }
        if let Some((column, _)) = entries.iter().find(|(_, entry)| entry.part == Some("said") && !exact) {
            return Err(Failure::said(format!(
                "column `{column}` of [links] in the map: only an export says what was `said`, and its map has exact = true"
            )));
        }
        let source = string(table, "links_source", "the map")?.map(str::to_owned);
        Ok(Self { entries, source })
    }

    /// Columns that it names, lower-cased.
    pub(crate) fn named(&self) -> BTreeSet<String> {
        self.entries.keys().cloned().collect()
    }

    /// What the headers of a file say. `exact` files are exports, and say more.
    pub(crate) fn columns(&self, headers: &[String], exact: bool) -> LinkColumns {
        let lower: Vec<String> = headers.iter().map(|header| header.trim().to_lowercase()).collect();
        let place = |name: &str| lower.iter().position(|header| header == name);
        let given = |part: &str| {
            let found = self.entries.iter().find_map(|(column, entry)| {
                let place = (entry.part == Some(part)).then(|| place(column)).flatten()?;
                Some((place, entry.namespace.clone()))
            });
            let named = self.entries.values().any(|entry| entry.part == Some(part));
            (found, named)
        };
        let free = |name: &str| place(name).filter(|_| !self.entries.contains_key(name));
        let (one, other) = (given("one"), given("other"));
        // Where the map gives one of the two the other goes by its own name.
        let usual = match (one.1, other.1) {
            (false, false) => ENDS.iter().find(|(one, other)| free(one).and(free(other)).is_some()),
            _ => None,
        };
        let (usual_one, usual_other) = usual.copied().unwrap_or(("one", "other"));
        let header = |place: usize| headers.get(place).map(|header| header.trim().to_owned());
        let end = |(found, named): (Option<(usize, Option<String>)>, bool), usual: &str| {
            let found = if named { found } else { free(usual).map(|place| (place, None)) };
            let (column, namespace) = found?;
            Some(End { column, namespace, header: header(column)? })
        };
        let part = |name: &str| {
            let (found, named) = given(name);
            let column = if named { found.map(|(place, _)| place) } else { free(name) }?;
            Some((column, header(column)?))
        };
        LinkColumns {
            one: end(one, usual_one),
            other: end(other, usual_other),
            confidence: part("confidence"),
            source: part("source"),
            said: if exact { part("said") } else { None },
        }
    }

    /// That a file gives two identities. Answers what should be known of its other columns.
    pub(crate) fn check(
        &self,
        columns: &LinkColumns,
        headers: &[String],
        file: &str,
    ) -> Outcome<Vec<String>> {
        if columns.one.is_none() || columns.other.is_none() {
            let usual: Vec<String> = ENDS.iter().map(|(one, other)| format!("{one} and {other}")).collect();
            let mut named = headers.iter().filter(|header| !header.trim().is_empty());
            let mut example = |or: &str| {
                let header = named.next().map_or(or, String::as_str).trim().to_owned();
                toml::Value::String(header)
            };
            return Err(Failure::said(format!(
                "{file} has no columns for two identities (looked for: {}); its columns are: {}. Say which they are in a map file, and give it with --map:\n\n    [links]\n    {} = {{ attribute = \"one\", namespace = \"crm\" }}\n    {} = \"other\"\n",
                usual.join(", "),
                headers.join(", "),
                example("Some column"),
                example("Another column"),
            )));
        }
        let said = |header: &String| header.trim().eq_ignore_ascii_case("said");
        if columns.said.is_none() && !self.entries.contains_key("said") && headers.iter().any(said) {
            return Err(Failure::said(format!(
                "{file} has a column `said`, as exports have, whose cuts would be taken for links; give the map of the export with --map, or leave the column out of the file"
            )));
        }
        let read = columns.wanted();
        let left_out = headers.iter().enumerate().filter(|(place, header)| {
            !read.contains(place) && !self.entries.contains_key(&header.trim().to_lowercase())
        });
        let left_out: Vec<String> = left_out.map(|(_, header)| format!("`{}`", header.trim())).collect();
        Ok(match left_out.len() {
            0 => Vec::new(),
            1 => vec![format!("column {} says nothing of links and is left out", left_out.concat())],
            _ => vec![format!("columns {} say nothing of links and are left out", left_out.join(", "))],
        })
    }
}

fn entry(column: &str, value: &toml::Value) -> Outcome<Entry> {
    let place = format!("column `{column}` of [links] in the map");
    let part = |name: &str| -> Outcome<Option<&'static str>> {
        known(name, &place, &PARTS)?;
        Ok(PARTS.iter().copied().find(|part| *part == name))
    };
    match value {
        toml::Value::String(name) => Ok(Entry { part: part(name)?, namespace: None }),
        toml::Value::Table(table) => {
            for key in table.keys() {
                known(key, &place, &KEYS)?;
            }
            if truth(table, "ignore", &place)? {
                return Ok(Entry::default());
            }
            let namespace = string(table, "namespace", &place)?;
            let named = string(table, "attribute", &place)?.map(part).transpose()?.flatten();
            check_namespace(namespace, &place)?;
            if namespace.is_some() && !matches!(named, Some("one" | "other")) {
                return Err(Failure::said(format!("{place}: only `one` and `other` have a namespace")));
            }
            if named.is_none() {
                return Err(Failure::said(format!(
                    "{place} must say what it is: {{ attribute = \"one\" }}, or {{ ignore = true }}"
                )));
            }
            Ok(Entry { part: named, namespace: namespace.map(str::to_owned) })
        }
        _ => Err(Failure::said(format!("{place} must be one of {} in quotes, or a table", PARTS.join(", ")))),
    }
}

/// That identities can be of a namespace.
pub(super) fn check_namespace(namespace: Option<&str>, place: &str) -> Outcome<()> {
    let Some(namespace) = namespace else { return Ok(()) };
    Identity::new(namespace, "x").map(drop).map_err(|error| Failure::said(format!("{place}: {error}")))
}
