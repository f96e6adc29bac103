//! The rules for joining identities: shown, and set from a file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use throughline::Value;
use throughline::engine::Guards;

use crate::args::{GuardsArgs, GuardsFormat};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::people::{count, many};
use crate::render::table;
use crate::store::{self, say, terminal_width};

/// The rules as a file says them. What it leaves out is as usual.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    priority: Option<Vec<String>>,
    other_limit: Option<u32>,
    hub_links: Option<u32>,
    limits: Option<BTreeMap<String, u32>>,
    blocked: Option<BTreeMap<String, Vec<String>>>,
    patterns: Option<BTreeMap<String, Vec<String>>>,
}

impl Written {
    fn of(guards: &Guards) -> Self {
        Self {
            priority: Some(guards.priority().map(str::to_owned).collect()),
            other_limit: Some(guards.other_limit()),
            hub_links: Some(guards.hub_links()),
            limits: Some(guards.limits().map(|(namespace, limit)| (namespace.to_owned(), limit)).collect()),
            blocked: Some(by_namespace(guards.blocked())),
            patterns: Some(by_namespace(guards.patterns())),
        }
    }

    fn guards(self) -> throughline::engine::Result<Guards> {
        let usual = Self::of(&Guards::default());
        let mut guards = Guards::open();
        if let Some(priority) = self.priority.or(usual.priority) {
            guards = guards.with_priority(priority.iter().map(String::as_str))?;
        }
        if let Some(limit) = self.other_limit.or(usual.other_limit) {
            guards = guards.with_other_limit(limit)?;
        }
        if let Some(links) = self.hub_links.or(usual.hub_links) {
            guards = guards.with_hub_links(links)?;
        }
        for (namespace, limit) in self.limits.or(usual.limits).into_iter().flatten() {
            guards = guards.with_limit(&namespace, limit)?;
        }
        for (namespace, keys) in self.blocked.or(usual.blocked).into_iter().flatten() {
            for key in keys {
                guards = guards.with_blocked(&namespace, &key)?;
            }
        }
        for (namespace, patterns) in self.patterns.or(usual.patterns).into_iter().flatten() {
            for pattern in patterns {
                guards = guards.with_blocked_pattern(&namespace, &pattern)?;
            }
        }
        Ok(guards)
    }
}

fn by_namespace<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (namespace, text) in pairs {
        map.entry(namespace.to_owned()).or_default().push(text.to_owned());
    }
    map
}

/// Shows the rules of a store, or sets them.
pub(crate) fn guards(args: &GuardsArgs) -> Outcome<()> {
    let Some(file) = &args.set else {
        let db = store::open(&args.db, true)?;
        return show(&db.snapshot().guards(), args.format);
    };
    // The file is read before the store is touched: a slip in it changes nothing.
    let guards = read(file)?;
    let db = store::open(&args.db, false)?;
    // In which order namespaces have their patterns changes nothing.
    if Written::of(&db.snapshot().guards()) == Written::of(&guards) {
        say("these rules hold already; nothing was written");
        return Ok(());
    }
    let before = db.snapshot().customers();
    db.set_guards(&guards)?;
    let counts = db.snapshot().link_counts()?;
    say(&format!(
        "the rules hold for all that was said: {} (before: {}), {} of several identities, {} of {} refused",
        many(db.snapshot().customers(), "customer"),
        count(before),
        count(counts.joined),
        count(counts.refused),
        many(counts.links, "link"),
    ));
    Ok(())
}

fn read(file: &Path) -> Outcome<Guards> {
    let wrong = |why: &dyn std::fmt::Display| Failure::said(format!("{}: {why}", file.display()));
    let written: Written = toml::from_str(&files::read_text(file)?).map_err(|error| wrong(&error))?;
    written.guards().map_err(|error| wrong(&error))
}

fn show(guards: &Guards, format: GuardsFormat) -> Outcome<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        GuardsFormat::Toml => {
            let text = toml::to_string(&Written::of(guards))
                .map_err(|error| Failure::said(format!("the rules are no TOML: {error}")))?;
            out.write_all(text.as_bytes())?;
        }
        GuardsFormat::Table => {
            table(&mut out, &["rule", "namespace", "value"], &rows(guards), terminal_width())?;
        }
    }
    Ok(out.flush()?)
}

fn rows(guards: &Guards) -> Vec<Vec<Value>> {
    let text = |text: &str| Value::Str(text.into());
    let most = |limit: u32| match limit {
        u32::MAX => text("any number"),
        limit => text(&count(u64::from(limit))),
    };
    let priority = guards.priority().collect::<Vec<_>>().join(", ");
    let mut rows = vec![vec![text("priority"), Value::Null, text(&priority)]];
    for (namespace, limit) in guards.limits() {
        rows.push(vec![text("limit"), text(namespace), most(limit)]);
    }
    rows.push(vec![text("other_limit"), Value::Null, most(guards.other_limit())]);
    rows.push(vec![text("hub_links"), Value::Null, most(guards.hub_links())]);
    for (namespace, keys) in by_namespace(guards.blocked()) {
        rows.push(vec![text("blocked"), text(&namespace), text(&keys.join(", "))]);
    }
    for (namespace, patterns) in by_namespace(guards.patterns()) {
        rows.extend(patterns.iter().map(|pattern| vec![text("pattern"), text(&namespace), text(pattern)]));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_and_read_back() {
        let some = Guards::default().with_limit("crm", 3).and_then(|some| some.with_blocked("*", "x\"y"));
        for guards in [Guards::default(), Guards::open(), some.expect("are rules")] {
            let text = toml::to_string(&Written::of(&guards)).expect("is TOML");
            let read: Written = toml::from_str(&text).expect("reads");
            assert_eq!(Written::of(&read.guards().expect("are rules")), Written::of(&guards), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_as_usual_and_what_is_there_holds_alone() {
        let read = |text: &str| toml::from_str::<Written>(text).expect("reads").guards();
        assert_eq!(Written::of(&read("").expect("are rules")), Written::of(&Guards::default()));
        let guards = read("hub_links = 7\n[limits]\npassport = 1\n[blocked]\n").expect("are rules");
        assert_eq!((guards.limit("crm"), guards.limit("passport"), guards.hub_links()), (5, 1, 7));
        assert_eq!(
            (guards.blocked().count(), guards.patterns().count()),
            (0, Guards::default().patterns().count())
        );
        assert!(read("other_limit = 0").expect_err("is refused").to_string().contains("1 or more"));
        assert!(toml::from_str::<Written>("hub_link = 7").is_err());
    }
}
