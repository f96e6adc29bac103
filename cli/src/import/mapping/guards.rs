//! The section `[guards]` of a map: the rules for joining identities. Each key replaces what the
//! usual rules say there; what is not given is as usual.

use std::fmt::Write;

use throughline::engine::Guards;

use super::{known, section};
use crate::failure::{Failure, Outcome};

const KEYS: [&str; 6] = ["priority", "limits", "other_limit", "hub_links", "blocked", "patterns"];
const PLACE: &str = "[guards] in the map";

/// Reads what the map says of joining, if anything.
pub(super) fn parse(table: &toml::Table) -> Outcome<Option<Guards>> {
    let Some(table) = section(table, "guards")? else { return Ok(None) };
    for key in table.keys() {
        known(key, PLACE, &KEYS)?;
    }
    read(table).map(Some)
}

fn read(table: &toml::Table) -> Outcome<Guards> {
    let usual = Guards::default();
    let wrong = |error: throughline::engine::Error| Failure::said(format!("{PLACE}: {error}"));
    let mut guards = match texts(table, "priority")? {
        Some(priority) => Guards::open().with_priority(priority),
        None => Guards::open().with_priority(usual.priority()),
    }
    .map_err(wrong)?;
    let other_limit = number(table.get("other_limit"), "other_limit")?.unwrap_or(usual.other_limit());
    let hub_links = number(table.get("hub_links"), "hub_links")?.unwrap_or(usual.hub_links());
    guards = guards
        .with_other_limit(other_limit)
        .and_then(|guards| guards.with_hub_links(hub_links))
        .map_err(wrong)?;
    match table.get("limits") {
        None => {
            for (namespace, limit) in usual.limits() {
                guards = guards.with_limit(namespace, limit).map_err(wrong)?;
            }
        }
        Some(toml::Value::Table(limits)) => {
            for (namespace, limit) in limits {
                let limit = number(Some(limit), &format!("limits.{namespace}"))?.unwrap_or_default();
                guards = guards.with_limit(namespace, limit).map_err(wrong)?;
            }
        }
        Some(_) => return Err(Failure::said(format!("`limits` of {PLACE} must be a table: {{ crm = 1 }}"))),
    }
    let given = |key: &str, usual: Vec<(&str, &str)>| -> Outcome<Vec<(String, String)>> {
        let owned = |(namespace, key): (&str, &str)| (namespace.to_owned(), key.to_owned());
        match texts(table, key)? {
            None => Ok(usual.into_iter().map(owned).collect()),
            Some(texts) => texts
                .into_iter()
                .map(|text| {
                    text.split_once(':').map(owned).ok_or_else(|| {
                        Failure::said(format!(
                            "`{text}` in `{key}` of {PLACE} lacks its namespace: write \"phone:…\", or \"*:…\" for all"
                        ))
                    })
                })
                .collect(),
        }
    };
    for (namespace, key) in given("blocked", usual.blocked().collect())? {
        guards = guards.with_blocked(&namespace, &key).map_err(wrong)?;
    }
    for (namespace, pattern) in given("patterns", usual.patterns().collect())? {
        guards = guards.with_blocked_pattern(&namespace, &pattern).map_err(wrong)?;
    }
    Ok(guards)
}

fn number(value: Option<&toml::Value>, key: &str) -> Outcome<Option<u32>> {
    match value {
        None => Ok(None),
        Some(toml::Value::Integer(number)) if u32::try_from(*number).is_ok() => Ok(Some(*number as u32)),
        Some(_) => Err(Failure::said(format!("`{key}` of {PLACE} must be a whole number, 1 or more"))),
    }
}

fn texts<'a>(table: &'a toml::Table, key: &str) -> Outcome<Option<Vec<&'a str>>> {
    let wrong = || Failure::said(format!("`{key}` of {PLACE} must be a list of texts in quotes"));
    match table.get(key) {
        None => Ok(None),
        Some(toml::Value::Array(values)) => {
            values.iter().map(|value| value.as_str().ok_or_else(wrong)).collect::<Outcome<_>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

/// The section that says these rules, whole.
pub(crate) fn written(guards: &Guards) -> String {
    let list = |texts: &mut dyn Iterator<Item = String>| {
        toml::Value::Array(texts.map(toml::Value::String).collect()).to_string()
    };
    let pair = |(namespace, key): (&str, &str)| format!("{namespace}:{key}");
    let limits: toml::Table =
        guards.limits().map(|(namespace, limit)| (namespace.to_owned(), i64::from(limit).into())).collect();
    let mut out = String::from("\n[guards]\n");
    // Writing to a String cannot fail.
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    line("priority", list(&mut guards.priority().map(str::to_owned)));
    line("limits", toml::Value::Table(limits).to_string());
    line("other_limit", guards.other_limit().to_string());
    line("hub_links", guards.hub_links().to_string());
    line("blocked", list(&mut guards.blocked().map(pair)));
    line("patterns", list(&mut guards.patterns().map(pair)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Outcome<Option<Guards>> {
        parse(&text.parse().expect("is TOML"))
    }

    #[test]
    fn what_is_written_reads_back() {
        let odd = Guards::open()
            .with_priority(["twitter", "crm"])
            .and_then(|guards| guards.with_limit("passport", 1))
            .and_then(|guards| guards.with_blocked("phone", "\"q\"\\ a:b\n"))
            .and_then(|guards| guards.with_blocked_pattern("*", r"(x|\d+):\.é?"))
            .expect("are rules");
        for guards in [Guards::default(), Guards::open(), odd] {
            let text = written(&guards);
            assert_eq!(parsed(&text).expect(&text), Some(guards), "{text}");
        }
    }

    #[test]
    fn what_is_not_given_is_as_usual() {
        let guards =
            parsed("[guards]\nlimits = { passport = 1 }\nhub_links = 7").expect("reads").expect("is there");
        assert_eq!((guards.limit("passport"), guards.limit("crm"), guards.hub_links()), (1, 5, 7));
        assert!(guards.blocked().eq(Guards::default().blocked()));
        assert!(guards.priority().eq(Guards::default().priority()));
        assert_eq!(parsed("").expect("reads"), None);
    }

    #[test]
    fn slips_are_named() {
        for (text, words) in [
            ("[guards]\nhub_link = 1", "did you mean `hub_links`?"),
            ("[guards]\nhub_links = 0", "write 1 or more"),
            ("[guards]\nother_limit = -1", "`other_limit` of [guards] in the map must be a whole number"),
            ("[guards]\nlimits = 3", "must be a table"),
            ("[guards]\nblocked = [\"anonymous\"]", "lacks its namespace"),
            ("[guards]\npatterns = [\"phone:(\"]", "is not a pattern"),
            ("[guards]\npriority = [1]", "a list of texts"),
            ("guards = 1", "write [guards]"),
        ] {
            let message = parsed(text).expect_err(text).to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
