//! What a store holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value as Json, json};
use throughline::engine::{AttrType, Attribute, Column, Subject, Symbols};
use throughline::{Db, Params, Value};

use crate::args::InfoFormat;
use crate::civil;
use crate::failure::{Failure, Outcome};
use crate::people::{bytes, count, many};
use crate::render::{table, value};
use crate::store::{quoted_name, terminal_width};

/// Values of a symbol attribute that are named.
const TOP_VALUES: usize = 5;
/// So many values are looked up one by one.
const LOOKED_UP_MAX: usize = 4_096;
/// Ranges and most frequent values are looked up in stores up to this size;
/// they read every interaction.
const LOOKED_THROUGH_MAX: u64 = 50_000_000;

/// One attribute, described.
struct Described {
    attribute: Attribute,
    /// Distinct values of a symbol attribute.
    distinct: Option<u64>,
    /// Interactions (or customers) with a value.
    filled: Option<u64>,
    least: Value,
    greatest: Value,
    /// The most frequent values with their counts.
    top: Vec<(Value, u64)>,
}

/// Describes the store at `path`.
pub(crate) fn info(db: &Db, path: &Path, format: InfoFormat) -> Outcome<()> {
    let snapshot = db.snapshot();
    let attributes: Vec<Described> = snapshot
        .schema()
        .attributes()
        .iter()
        .map(|attribute| describe(db, attribute))
        .filter(|described| described.filled != Some(0))
        .collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match format {
        InfoFormat::Json => as_json(db, &attributes).and_then(|json| Ok(writeln!(out, "{json}")?)),
        InfoFormat::Table => for_people(db, path, &attributes, &mut out),
    };
    written.and_then(|()| out.flush().map_err(|error| Failure::output(&error)))
}

fn describe(db: &Db, attribute: &Attribute) -> Described {
    let snapshot = db.snapshot();
    let mut described = Described {
        attribute: attribute.clone(),
        distinct: None,
        filled: None,
        least: Value::Null,
        greatest: Value::Null,
        top: Vec::new(),
    };
    if attribute.subject == Subject::Customer {
        if let Ok(column) = snapshot.customer_column(attribute.id) {
            described.filled = Some(filled(&column));
            describe_customers(&mut described, &column, &snapshot.symbols(attribute.id));
        }
        return described;
    }
    if attribute.ty == AttrType::Symbol {
        let symbols = snapshot.symbols(attribute.id).len();
        // Of many, those are counted too that only erased customers had, until they are vacuumed.
        let looks = symbols <= LOOKED_UP_MAX;
        let has = |symbol: &u32| !looks || snapshot.has_symbol(attribute.id, *symbol).unwrap_or(true);
        described.distinct = Some((0..symbols as u32).filter(has).count() as u64);
    }
    if snapshot.interactions() > LOOKED_THROUGH_MAX {
        return described;
    }
    let name = quoted_name(&attribute.name);
    let ask = |query: &str| db.query_with(query, &Params::new()).ok();
    let whole = match attribute.ty {
        AttrType::Int | AttrType::Float | AttrType::Time => {
            format!("AGGREGATE count({name}) AS filled, min({name}) AS least, max({name}) AS greatest")
        }
        _ => format!("AGGREGATE count({name}) AS filled"),
    };
    if let Some(answer) = ask(&whole)
        && let Some(row) = answer.rows().first()
    {
        described.filled = row.first().and_then(as_count);
        described.least = row.get(1).cloned().unwrap_or(Value::Null);
        described.greatest = row.get(2).cloned().unwrap_or(Value::Null);
    }
    if matches!(attribute.ty, AttrType::Symbol | AttrType::Bool)
        && described.filled.is_some_and(|filled| filled > 0)
    {
        let query = format!(
            "WHERE {name} IS NOT NULL |> AGGREGATE count(*) AS n GROUP BY {name} AS value |> ORDER BY n DESC |> LIMIT {TOP_VALUES}"
        );
        let place = |answer: &throughline::Answer, name: &str| {
            answer.columns().iter().position(|column| column.name == name)
        };
        if let Some(answer) = ask(&query)
            && let (Some(value), Some(n)) = (place(&answer, "value"), place(&answer, "n"))
        {
            described.top = answer
                .rows()
                .iter()
                .filter_map(|row| Some((row.get(value)?.clone(), row.get(n).and_then(as_count)?)))
                .collect();
        }
    }
    described
}

/// What the customers' own attribute holds, whether they did anything or not.
fn describe_customers(described: &mut Described, column: &Column, symbols: &Symbols) {
    let there = |row: &usize| !column.is_null(*row);
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    match (column, described.attribute.ty) {
        (Column::Symbol { codes, dictionary }, _) => {
            for &code in codes.iter().filter(|&&code| code > 0) {
                *counts.entry(code - 1).or_default() += 1;
            }
            described.distinct = Some(counts.len() as u64);
            let named = counts.iter().filter_map(|(&code, &count)| {
                Some((symbols.get(*dictionary.get(code as usize)?).to_owned(), count))
            });
            described.top = most_frequent(named.map(|(text, count)| (Value::Str(text.into()), count)));
        }
        (Column::Int { values, .. }, AttrType::Bool) => {
            for (_, &value) in values.iter().enumerate().filter(|(row, _)| there(row)) {
                *counts.entry(u32::from(value != 0)).or_default() += 1;
            }
            described.top = most_frequent(counts.iter().map(|(&bit, &count)| (Value::Bool(bit == 1), count)));
        }
        (Column::Int { values, .. }, ty) => {
            let wrapped = if ty == AttrType::Time { Value::Time } else { Value::Int };
            let present = || values.iter().enumerate().filter(|(row, _)| there(row)).map(|(_, &value)| value);
            described.least = present().min().map_or(Value::Null, wrapped);
            described.greatest = present().max().map_or(Value::Null, wrapped);
        }
        (Column::Float { values, .. }, _) => {
            let present = || values.iter().enumerate().filter(|(row, _)| there(row)).map(|(_, &value)| value);
            described.least = present().min_by(f64::total_cmp).map_or(Value::Null, Value::Float);
            described.greatest = present().max_by(f64::total_cmp).map_or(Value::Null, Value::Float);
        }
        (Column::Str { .. }, _) => {}
    }
}

/// The most frequent values first, equal ones by value.
fn most_frequent(counts: impl Iterator<Item = (Value, u64)>) -> Vec<(Value, u64)> {
    let mut counts: Vec<(Value, u64)> = counts.collect();
    counts.sort_by_cached_key(|(value, count)| (Reverse(*count), crate::render::for_people(value)));
    counts.truncate(TOP_VALUES);
    counts
}

fn as_count(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn filled(column: &Column) -> u64 {
    (0..column.len()).filter(|&row| !column.is_null(row)).count() as u64
}

fn kind_of(described: &Described) -> &'static str {
    match described.attribute.subject {
        Subject::Interaction => "interaction",
        Subject::Customer => "customer",
    }
}

fn for_people(db: &Db, path: &Path, attributes: &[Described], out: &mut dyn Write) -> Outcome<()> {
    let (snapshot, sizes) = (db.snapshot(), db.info()?);
    writeln!(out, "store         {}", path.display())?;
    writeln!(out, "customers     {}", count(snapshot.customers()))?;
    let said = snapshot.link_counts()?;
    match said.joined {
        0 => writeln!(out, "identities    {}", count(said.identities))?,
        joined => writeln!(
            out,
            "identities    {}, several of {}",
            count(said.identities),
            many(joined, "customer")
        )?,
    }
    if said.links + said.cuts > 0 {
        writeln!(
            out,
            "links         {}, of which {} refused; {}",
            count(said.links),
            count(said.refused),
            many(said.cuts, "cut")
        )?;
    }
    writeln!(out, "interactions  {}", count(snapshot.interactions()))?;
    match snapshot.time_span()? {
        Some((first, last)) => {
            writeln!(out, "times         {} to {} UTC", civil::readable(first), civil::readable(last))?;
        }
        None => writeln!(out, "times         none yet; import something")?,
    }
    if let Some(retention) = snapshot.retention() {
        let said = civil::readable(retention.said);
        write!(out, "retained      {}, said {said} UTC", retention.retain.to_string().to_lowercase())?;
        if let Some(from) = retention.keeps_from {
            write!(out, ": nothing from before {} is kept", civil::readable(from))?;
        }
        writeln!(out)?;
        if let Some(from) = retention.known_from {
            writeln!(out, "AS OF         {} and later", civil::readable(from))?;
        }
    }
    writeln!(out, "last commit   {}", snapshot.commit())?;
    let cohorts = snapshot.cohorts();
    if !cohorts.is_empty() {
        writeln!(out, "cohorts       {}", cohorts.join(", "))?;
    }
    writeln!(
        out,
        "on disk       {}: history {}, graph {} (segments {}, runs {}, event ids {})",
        bytes(sizes.history_bytes + sizes.graph_bytes),
        bytes(sizes.history_bytes),
        bytes(sizes.graph_bytes),
        count(sizes.segments),
        count(sizes.runs),
        bytes(sizes.event_id_bytes)
    )?;
    if sizes.unsealed > 0 {
        writeln!(out, "unsealed      {} interactions, in the history only so far", count(sizes.unsealed))?;
    }
    writeln!(out)?;
    let text = |text: &str| Value::Str(text.into());
    let rows: Vec<Vec<Value>> = attributes
        .iter()
        .map(|described| {
            let attribute = &described.attribute;
            vec![
                text(&attribute.name),
                text(attribute.ty.name()),
                attribute.role.map_or(Value::Null, |role| text(role.name())),
                text(kind_of(described)),
                described.filled.map_or(Value::Null, |filled| Value::Int(filled as i64)),
                text(&values_for_people(described)),
            ]
        })
        .collect();
    table(out, &["attribute", "type", "role", "of", "filled", "values"], &rows, terminal_width())?;
    Ok(())
}

fn values_for_people(described: &Described) -> String {
    let shown = |value: &Value| crate::render::for_people(value);
    if !matches!(described.least, Value::Null) {
        return format!("{} to {}", shown(&described.least), shown(&described.greatest));
    }
    let top: Vec<String> =
        described.top.iter().map(|(value, n)| format!("{} {}", shown(value), count(*n))).collect();
    match described.distinct {
        Some(distinct) if distinct as usize > top.len() && !top.is_empty() => {
            format!("{} values: {}, …", count(distinct), top.join(", "))
        }
        Some(distinct) if top.is_empty() => format!("{} values", count(distinct)),
        _ => top.join(", "),
    }
}

fn as_json(db: &Db, attributes: &[Described]) -> Outcome<Json> {
    let (snapshot, sizes) = (db.snapshot(), db.info()?);
    let span = snapshot.time_span()?;
    let said = snapshot.link_counts()?;
    let attributes: Vec<Json> = attributes
        .iter()
        .map(|described| {
            let attribute = &described.attribute;
            let top: Vec<Json> =
                described.top.iter().map(|(cell, n)| json!({ "value": value(cell), "count": n })).collect();
            json!({
                "name": attribute.name,
                "type": attribute.ty.name(),
                "role": attribute.role.map(|role| role.name()),
                "of": kind_of(described),
                "filled": described.filled,
                "distinct": described.distinct,
                "min": value(&described.least),
                "max": value(&described.greatest),
                "top": top,
            })
        })
        .collect();
    Ok(json!({
        "customers": snapshot.customers(),
        "identities": said.identities,
        "customers_of_several": said.joined,
        "links": said.links,
        "links_refused": said.refused,
        "cuts": said.cuts,
        "interactions": snapshot.interactions(),
        "first": span.map(|(first, _)| value(&Value::Time(first))),
        "last": span.map(|(_, last)| value(&Value::Time(last))),
        "retained": snapshot.retention().map(|retention| json!({
            "kept": retention.retain.to_string(),
            "said": value(&Value::Time(retention.said)),
            "keeps_from": retention.keeps_from.map(|from| value(&Value::Time(from))),
            "known_from": retention.known_from.map(|from| value(&Value::Time(from))),
        })),
        "commit": snapshot.commit(),
        "cohorts": snapshot.cohorts(),
        "history_bytes": sizes.history_bytes,
        "graph_bytes": sizes.graph_bytes,
        "event_id_bytes": sizes.event_id_bytes,
        "segments": sizes.segments,
        "runs": sizes.runs,
        "unsealed": sizes.unsealed,
        "attributes": attributes,
    }))
}
