//! Which column of a source becomes what: the headers understood by
//! themselves, and the map file that overrides them.

pub(crate) mod guards;
pub(crate) mod links;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use throughline::engine::{AttrType, Guards, Role, Schema};

use super::values::TimeRule;
use crate::failure::{Failure, Outcome, did_you_mean};
use links::{LinksMap, check_namespace};

/// Headers for the customer, best first.
const CUSTOMER_HEADERS: [&str; 2] = ["customer_id", "customer"];
/// Headers for the time, best first.
const TIME_HEADERS: [&str; 4] = ["ts", "time", "timestamp", "at"];
/// Other headers that stand for an attribute of another name.
const ALIASES: [(&str, &str); 2] = [("event", "kind"), ("case_id", "case")];
/// Words of the language that no attribute can go by.
const TAKEN: [&str; 4] = ["customer", "identity", "at", "persona"];
/// Headers of what may say who it was, but may as well be about somebody else.
const LIKE_IDENTITIES: [&str; 14] = [
    "account",
    "account_id",
    "cookie",
    "device",
    "device_id",
    "email",
    "email_address",
    "member_id",
    "mobile",
    "msisdn",
    "phone",
    "phone_number",
    "user_id",
    "visitor_id",
];

/// What a column becomes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The identity of the customer.
    Customer,
    /// The time of the interaction.
    Time,
    /// Its order among interactions of one time.
    Sequence,
    /// When it was recorded. Only said, never taken from a header.
    Recorded,
    /// Another identity of the customer; by the column, of which there may be several.
    Also(String),
    /// An attribute of that name.
    Attribute(String),
}

impl Target {
    fn parse(name: &str) -> Self {
        match name.trim().to_lowercase().as_str() {
            "customer" | "customer_id" | "identity" => Self::Customer,
            "ts" | "time" | "timestamp" | "at" => Self::Time,
            "sequence" => Self::Sequence,
            lower => match ALIASES.iter().find(|(alias, _)| *alias == lower) {
                Some((_, name)) => Self::Attribute((*name).to_owned()),
                None if Role::parse(lower).is_some() || lower == "value" => Self::Attribute(lower.to_owned()),
                None => Self::Attribute(name.trim().to_owned()),
            },
        }
    }
}

/// A column and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct ColumnRule {
    /// Place of the column in the source.
    pub(crate) column: usize,
    /// Its header.
    pub(crate) header: String,
    /// What it becomes.
    pub(crate) target: Target,
    /// The type the map gives it.
    pub(crate) ty: Option<AttrType>,
    /// The role the map gives it.
    pub(crate) role: Option<Role>,
    /// The namespace the map gives identities.
    pub(crate) namespace: Option<String>,
    /// How times are read.
    pub(crate) time: TimeRule,
}

/// What a map file says of one column.
#[derive(Clone, Debug, Default)]
struct Entry {
    targets: Vec<Target>,
    ignore: bool,
    ty: Option<AttrType>,
    role: Option<Role>,
    namespace: Option<String>,
    /// The namespace of the identities that it holds beside the customer.
    identity: Option<String>,
    time: TimeRule,
}

/// A value that every row gets which has none of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    /// The attribute.
    pub(crate) name: String,
    /// Its value, as it would stand in a text file.
    pub(crate) text: String,
    /// Its type, where the attribute is new.
    pub(crate) ty: AttrType,
}

/// A map file, read and checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    columns: BTreeMap<String, Entry>,
    customers: BTreeMap<String, Entry>,
    time: TimeRule,
    /// Values for rows that have none of their own.
    pub(crate) constants: Vec<Constant>,
    /// The separator of delimited files, where it is not to be guessed.
    pub(crate) delimiter: Option<u8>,
    /// Whether values and names of attributes stand as they are: the files are an export.
    pub(crate) exact: bool,
    /// The column of `--recorded`, lower-cased.
    recorded: Option<String>,
    /// What columns of files of links say.
    pub(crate) links: LinksMap,
    /// The rules for joining identities, where the map gives some.
    pub(crate) guards: Option<Guards>,
}

/// Which section of the map speaks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// `[columns]`: a file of interactions.
    Interactions,
    /// `[customers]`: a file of customer attributes.
    Customers,
}

const TOP_KEYS: [&str; 10] = [
    "columns",
    "customers",
    "constants",
    "links",
    "links_source",
    "guards",
    "zone",
    "time_format",
    "delimiter",
    "exact",
];
const ENTRY_KEYS: [&str; 8] =
    ["attribute", "type", "role", "namespace", "identity", "time_format", "zone", "ignore"];

impl Mapping {
    /// Reads the text of a map file.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let table: toml::Table =
            text.parse().map_err(|error| Failure::said(format!("the map is not TOML: {error}")))?;
        let mut mapping = Self::default();
        let only_known = |key: &str| known(key, "the map", &TOP_KEYS);
        for key in table.keys() {
            only_known(key)?;
        }
        mapping.time = time_rule(&table, "the map", &TimeRule::default())?;
        if let Some(delimiter) = string(&table, "delimiter", "the map")? {
            mapping.delimiter = match delimiter.as_bytes() {
                [byte] => Some(*byte),
                b"\\t" | b"tab" => Some(b'\t'),
                _ => {
                    return Err(Failure::said(
                        "`delimiter` in the map must be one character, such as \";\" or \"\\t\"",
                    ));
                }
            };
        }
        mapping.exact = truth(&table, "exact", "the map")?;
        mapping.columns = mapping.entries(&table, "columns")?;
        mapping.customers = mapping.entries(&table, "customers")?;
        mapping.links = LinksMap::parse(&table, mapping.exact)?;
        mapping.guards = guards::parse(&table)?;
        if let Some(constants) = section(&table, "constants")? {
            for (name, value) in constants {
                mapping.constants.push(constant(name, value)?);
            }
        }
        Ok(mapping)
    }

    fn entries(&self, table: &toml::Table, name: &str) -> Outcome<BTreeMap<String, Entry>> {
        let mut entries = BTreeMap::new();
        for (column, value) in section(table, name)?.into_iter().flatten() {
            let entry = entry(column, value, &self.time, self.exact)?;
            entries.insert(column.trim().to_lowercase(), entry);
        }
        Ok(entries)
    }

    fn section(&self, section: Section) -> &BTreeMap<String, Entry> {
        match section {
            Section::Interactions => &self.columns,
            Section::Customers => &self.customers,
        }
    }

    /// Columns the map names in a section, lower-cased.
    pub(crate) fn named(&self, section: Section) -> BTreeSet<String> {
        let named = self.section(section).keys();
        named.filter(|name| self.recorded.as_ref() != Some(*name)).cloned().collect()
    }

    /// What each header of a source becomes, beside those in `before` (columns
    /// of the same source met earlier, for sources whose columns show up one
    /// by one). Notes say where a header was not taken for what it looks like.
    pub(crate) fn rules(
        &self,
        headers: &[(usize, String)],
        section: Section,
        before: &[ColumnRule],
        notes: &mut Vec<String>,
    ) -> Outcome<Vec<ColumnRule>> {
        let entries = self.section(section);
        // A target the map gives to one column is not taken by another's looks.
        let mut taken: BTreeMap<Target, String> =
            before.iter().map(|rule| (rule.target.clone(), rule.header.clone())).collect();
        for (column, entry) in entries {
            for target in &entry.targets {
                taken.entry(target.clone()).or_insert_with(|| column.clone());
            }
        }
        let mut ordered: Vec<&(usize, String)> = headers.iter().collect();
        ordered.sort_by_key(|(place, header)| (preference(header), *place));
        let mut rules = Vec::new();
        for (column, header) in ordered {
            let header = header.trim();
            let rule = |target: Target, entry: &Entry| ColumnRule {
                column: *column,
                header: header.to_owned(),
                target,
                ty: entry.ty,
                role: entry.role,
                namespace: entry.namespace.clone(),
                time: entry.time.clone(),
            };
            if let Some(entry) = entries.get(&header.to_lowercase()) {
                if !entry.ignore {
                    let own = [default_target(header, section)];
                    let said = entry.identity.is_some() || !entry.targets.is_empty();
                    let targets = if said { &entry.targets } else { &own[..] };
                    rules.extend(targets.iter().map(|target| rule(target.clone(), entry)));
                    if entry.identity.is_some() {
                        let namespace = entry.identity.clone();
                        let target = Target::Also(header.to_lowercase());
                        rules.push(ColumnRule { namespace, ..rule(target, entry) });
                    }
                }
                continue;
            }
            if header.is_empty() {
                notes.push(format!("column {} has no header and is left out", column + 1));
                continue;
            }
            let mut target = default_target(header, section);
            let lower = header.to_lowercase().replace([' ', '-'], "_");
            if LIKE_IDENTITIES.contains(&lower.as_str()) {
                notes.push(format!(
                    "column `{header}` is kept as an attribute; where it says who it was, make it an identity in a map: {} = {{ identity = \"{}\" }}",
                    toml::Value::String(header.to_owned()),
                    lower.split('_').next().unwrap_or_default(),
                ));
            }
            if let Target::Attribute(name) = &target
                && TAKEN.contains(&name.to_lowercase().as_str())
            {
                let name = free_name(header, &taken);
                notes.push(format!(
                    "column `{header}` is kept as the attribute `{name}`, because the language uses that word"
                ));
                target = Target::Attribute(name);
            }
            if let Some(by) = taken.get(&target) {
                let name = free_name(header, &taken);
                notes.push(format!(
                    "column `{header}` is kept as the attribute `{name}`, because `{by}` is the {}",
                    described(&target)
                ));
                target = Target::Attribute(name);
            }
            taken.insert(target.clone(), header.to_owned());
            rules.push(rule(target, &Entry { time: self.time.clone(), ..Entry::default() }));
        }
        rules.sort_by_key(|rule| rule.column);
        twice(before.iter().chain(&rules))?;
        Ok(rules)
    }
}

/// Two columns cannot fill one attribute.
fn twice<'a>(rules: impl Iterator<Item = &'a ColumnRule>) -> Outcome<()> {
    let mut seen: BTreeMap<Target, &str> = BTreeMap::new();
    for rule in rules {
        let folded = match &rule.target {
            Target::Attribute(name) => Target::Attribute(name.to_lowercase()),
            other => other.clone(),
        };
        if let Some(first) = seen.insert(folded, &rule.header) {
            return Err(Failure::said(format!(
                "columns `{first}` and `{}` both become the {}; give one another name in the map, or `{{ ignore = true }}`",
                rule.header,
                described(&rule.target)
            )));
        }
    }
    Ok(())
}

/// That a file gives the customer and the time.
pub(crate) fn check_complete(
    mapping: &Mapping,
    rules: &[ColumnRule],
    headers: &[String],
    file: &str,
    section: Section,
) -> Outcome<()> {
    let has = |target: &Target| rules.iter().any(|rule| rule.target == *target);
    let also = rules.iter().any(|rule| matches!(rule.target, Target::Also(_)));
    let (missing, target) = if !has(&Target::Customer) && !also {
        ("customer", Target::Customer)
    } else if section == Section::Interactions && !has(&Target::Time) {
        ("time", Target::Time)
    } else {
        return Ok(());
    };
    if let Some((column, _)) =
        mapping.section(section).iter().find(|(_, entry)| entry.targets.contains(&target))
    {
        return Err(Failure::said(format!(
            "the map says that the {missing} is in the column `{column}`, which {file} does not have{}; its columns are: {}",
            did_you_mean(column, headers.iter().map(String::as_str)),
            headers.join(", ")
        )));
    }
    if headers.is_empty() {
        return Err(Failure::said(format!(
            "{file} has no line that is a JSON object with the {missing}; where it is one large JSON value, write its parts a line each, for example: jq -c '.events[]' FILE | throughline import DB -"
        )));
    }
    let usual = if missing == "time" { TIME_HEADERS.join(", ") } else { CUSTOMER_HEADERS.join(", ") };
    let example = headers.iter().find(|header| !header.trim().is_empty());
    let example = toml::Value::String(example.map_or("Some column", String::as_str).trim().to_owned());
    let part = if section == Section::Customers { "customers" } else { "columns" };
    Err(Failure::said(format!(
        "{file} has no column for the {missing} (looked for: {usual}); its columns are: {}. Say which one it is in a map file, and give it with --map:\n\n    [{part}]\n    {example} = \"{missing}\"\n",
        headers.join(", ")
    )))
}

/// That every column the map names was met in some file.
pub(crate) fn check_all_met(named: &BTreeSet<String>, met: &BTreeSet<String>) -> Outcome<()> {
    check_met_all("the map", named, met)
}

fn check_met_all(speaker: &str, named: &BTreeSet<String>, met: &BTreeSet<String>) -> Outcome<()> {
    let Some(missing) = named.iter().find(|name| !met.contains(*name)) else { return Ok(()) };
    Err(Failure::said(format!(
        "{speaker} speaks of a column `{missing}` that no file has{}; the columns are: {}",
        did_you_mean(missing, met.iter().map(String::as_str)),
        met.iter().cloned().collect::<Vec<_>>().join(", ")
    )))
}

fn default_target(header: &str, section: Section) -> Target {
    match section {
        Section::Interactions => Target::parse(header),
        Section::Customers => match header.to_lowercase().as_str() {
            "customer" | "customer_id" | "identity" => Target::Customer,
            "ts" | "time" | "timestamp" | "at" => Target::Time,
            _ => Target::Attribute(header.to_owned()),
        },
    }
}

/// Places of a header among those that mean the same: the plainest wins.
fn preference(header: &str) -> usize {
    let header = header.trim().to_lowercase();
    let place = |list: &[&str]| list.iter().position(|name| *name == header);
    place(&CUSTOMER_HEADERS)
        .or_else(|| place(&TIME_HEADERS))
        .unwrap_or(if ALIASES.iter().any(|(alias, _)| *alias == header) { 5 } else { 4 })
}

fn free_name(header: &str, taken: &BTreeMap<Target, String>) -> String {
    let lower = header.to_lowercase();
    let mut name =
        if TAKEN.contains(&lower.as_str()) { format!("source_{lower}") } else { header.to_owned() };
    while taken.contains_key(&Target::Attribute(name.clone())) {
        name.push_str("_2");
    }
    name
}

fn described(target: &Target) -> String {
    match target {
        Target::Customer => "customer".into(),
        Target::Time => "time".into(),
        Target::Sequence => "sequence".into(),
        Target::Recorded => "recording time".into(),
        Target::Also(column) => format!("identity of `{column}`"),
        Target::Attribute(name) => format!("attribute `{name}`"),
    }
}

fn known(key: &str, place: &str, keys: &[&str]) -> Outcome<()> {
    if keys.contains(&key) {
        return Ok(());
    }
    Err(Failure::said(format!(
        "{place} does not know `{key}`{}; known are: {}",
        did_you_mean(key, keys.iter().copied()),
        keys.join(", ")
    )))
}

fn section<'a>(table: &'a toml::Table, name: &str) -> Outcome<Option<&'a toml::Table>> {
    match table.get(name) {
        None => Ok(None),
        Some(toml::Value::Table(section)) => Ok(Some(section)),
        Some(_) => Err(Failure::said(format!("`{name}` in the map must be a section: write [{name}]"))),
    }
}

fn string<'a>(table: &'a toml::Table, key: &str, place: &str) -> Outcome<Option<&'a str>> {
    match table.get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::said(format!("`{key}` of {place} must be a text in quotes"))),
    }
}

fn time_rule(table: &toml::Table, place: &str, otherwise: &TimeRule) -> Outcome<TimeRule> {
    let zone = match string(table, "zone", place)? {
        None => otherwise.zone.clone(),
        Some(name) => Some(TimeZone::get(name).map_err(|_| {
            Failure::said(format!(
                "`{name}` ({place}) is not a time zone; write one such as Europe/Berlin or UTC"
            ))
        })?),
    };
    let format = string(table, "time_format", place)?.map(str::to_owned).or_else(|| otherwise.format.clone());
    Ok(TimeRule { format, zone })
}

fn truth(table: &toml::Table, key: &str, place: &str) -> Outcome<bool> {
    match table.get(key) {
        None => Ok(false),
        Some(toml::Value::Boolean(truth)) => Ok(*truth),
        Some(_) => Err(Failure::said(format!("`{key}` of {place} must be true or false"))),
    }
}

fn entry(column: &str, value: &toml::Value, otherwise: &TimeRule, exact: bool) -> Outcome<Entry> {
    let place = format!("column `{column}` of the map");
    let plain = Entry { time: otherwise.clone(), ..Entry::default() };
    match value {
        toml::Value::Table(table) => {
            for key in table.keys() {
                known(key, &place, &ENTRY_KEYS)?;
            }
            let ty = match string(table, "type", &place)? {
                None => None,
                Some(name) => Some(AttrType::parse(name).ok_or_else(|| {
                    let types = ["symbol", "id", "int", "float", "bool", "time", "text"];
                    Failure::said(format!(
                        "`{name}` ({place}) is not a type{}; types are: {}",
                        did_you_mean(name, types),
                        types.join(", ")
                    ))
                })?),
            };
            let role = match string(table, "role", &place)? {
                None => None,
                Some(name) => Some(Role::parse(name).ok_or_else(|| {
                    let roles = Role::ALL.map(Role::name);
                    Failure::said(format!(
                        "`{name}` ({place}) is not a role{}; roles are: {}",
                        did_you_mean(name, roles),
                        roles.join(", ")
                    ))
                })?),
            };
            let targets = match table.get("attribute") {
                Some(toml::Value::String(name)) if exact => vec![Target::Attribute(name.clone())],
                named => targets(named, &place)?,
            };
            let identity = string(table, "identity", &place)?.map(str::to_owned);
            check_namespace(identity.as_deref(), &place)?;
            if identity.is_some() && targets.contains(&Target::Customer) {
                return Err(Failure::said(format!(
                    "{place}: the customer is an identity already; its namespace is `namespace`"
                )));
            }
            Ok(Entry {
                identity,
                targets,
                ignore: truth(table, "ignore", &place)?,
                ty,
                role,
                namespace: string(table, "namespace", &place)?.map(str::to_owned),
                time: time_rule(table, &place, otherwise)?,
            })
        }
        other => Ok(Entry { targets: targets(Some(other), &place)?, ..plain }),
    }
}

fn targets(value: Option<&toml::Value>, place: &str) -> Outcome<Vec<Target>> {
    let target = |name: &str| match Target::parse(name) {
        _ if name.trim().eq_ignore_ascii_case("recorded") => Ok(Target::Recorded),
        Target::Attribute(name) if TAKEN.contains(&name.to_lowercase().as_str()) || name.is_empty() => {
            Err(Failure::said(format!(
                "{place}: an attribute cannot be called `{name}`, the language uses that word"
            )))
        }
        target => Ok(target),
    };
    match value {
        None => Ok(Vec::new()),
        Some(toml::Value::String(name)) => Ok(vec![target(name)?]),
        Some(toml::Value::Array(names)) => names
            .iter()
            .map(|name| match name {
                toml::Value::String(name) => target(name),
                _ => Err(Failure::said(format!("{place} must name attributes in quotes"))),
            })
            .collect(),
        Some(_) => Err(Failure::said(format!(
            "{place} must be the name of an attribute in quotes, a list of them, or a table {{ attribute = … }}"
        ))),
    }
}

fn constant(name: &str, value: &toml::Value) -> Outcome<Constant> {
    let Target::Attribute(name) = Target::parse(name) else {
        return Err(Failure::said(format!("`{name}` cannot be a constant: every row needs its own")));
    };
    let (text, ty) = match value {
        toml::Value::String(text) => (text.clone(), AttrType::Symbol),
        toml::Value::Integer(number) => (number.to_string(), AttrType::Int),
        toml::Value::Float(number) => (number.to_string(), AttrType::Float),
        toml::Value::Boolean(truth) => (truth.to_string(), AttrType::Bool),
        toml::Value::Datetime(time) => (time.to_string(), AttrType::Time),
        _ => return Err(Failure::said(format!("the constant `{name}` must be a single value"))),
    };
    Ok(Constant { name, text, ty })
}

/// Whether every store has this attribute from the start, so that its type stands.
pub(crate) fn is_core(name: &str) -> bool {
    Schema::new().find(throughline::engine::Subject::Interaction, name).is_some()
}

#[cfg(test)]
mod tests;
