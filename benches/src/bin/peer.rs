//! Throughline as a peer among others: answers the questions that come as
//! lines of JSON, and says how long each took.
//!
//!     peer STORE [MB]      with a page cache of so many megabytes
//!  -> {"ready": true, "version": "…"}
//!     {"query": "…", "threads": 2, "params": {"who": "crm:42"}}
//!  -> {"open_seconds": 0.01, "seconds": 0.2, "columns": ["…"], "rows": [[…]]}
//!
//! The store is opened for the first question, so that a new process shows
//! what a cold start costs. Times are milliseconds since 1970, and durations
//! milliseconds, so that answers can be compared exactly.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value as Json, json};
use throughline::engine::Options;
use throughline::{Db, Params, QueryOptions, Value};

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options { create: false, read_only: true, ..Options::default() };
    let (store, options) = match &arguments[..] {
        [store] => (store, Some(options)),
        [store, megabytes] => {
            let bytes = megabytes.parse::<usize>().ok().map(|megabytes| megabytes << 20);
            (store, bytes.map(|cache_bytes| Options { cache_bytes, ..options }))
        }
        _ => (&String::new(), None),
    };
    let Some(options) = options else {
        eprintln!("usage: peer STORE [MB]");
        return ExitCode::from(2);
    };
    match serve(store, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(store: &str, options: &Options) -> io::Result<()> {
    let mut db = None;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", json!({ "ready": true, "version": env!("CARGO_PKG_VERSION") }))?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let answer =
            respond(&mut db, store, options, &line?).unwrap_or_else(|error| json!({ "error": error }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// Answers one line.
fn respond(db: &mut Option<Db>, store: &str, options: &Options, line: &str) -> Result<Json, String> {
    let request: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = request.get("query").and_then(Json::as_str).ok_or("a request has a query")?;
    let threads = request.get("threads").and_then(Json::as_u64).map(|threads| threads as usize);
    let params: Params = request
        .get("params")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), Value::from(value.as_str()?))))
        .collect();

    let began = Instant::now();
    if db.is_none() {
        *db = Some(Db::open_with(store, options.clone()).map_err(|error| error.to_string())?);
    }
    let open_seconds = began.elapsed().as_secs_f64();
    let db = db.as_ref().ok_or("the store is open")?;

    let began = Instant::now();
    let options = QueryOptions { threads, ..QueryOptions::default() };
    let answer = db.query_options(text, &params, &options).map_err(|error| error.to_string())?;
    let seconds = began.elapsed().as_secs_f64();

    let columns: Vec<&str> = answer.columns().iter().map(|column| column.name.as_str()).collect();
    let rows: Vec<Vec<Json>> = answer.rows().iter().map(|row| row.iter().map(plain).collect()).collect();
    Ok(json!({ "open_seconds": open_seconds, "seconds": seconds, "columns": columns, "rows": rows }))
}

/// A value as JSON, with times as numbers.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) | Value::Time(number) | Value::Duration(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text.as_ref()),
        Value::List(items) => items.iter().map(plain).collect(),
    }
}
