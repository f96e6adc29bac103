//! What it costs to find out who is one customer.
//!
//!     merges all STORE GROUP       joins all customers in groups of so many, in one commit
//!     merges single STORE LINKS    joins so many pairs, a commit each
//!     merges before STORE LINKS    joins so many pairs at once, and asks how it was before
//!
//! Each prints one line of JSON: times in milliseconds, sizes in bytes. Questions are those of the
//! comparison, before and after.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use throughline::Db;
use throughline::engine::{CustomerOrdinal, Guards, Identity, Link};
use throughline_benches::measure::{
    Outcome, QUESTIONS, ask, ask_as_of, quantile, status_bytes, written_bytes,
};

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: merges all STORE GROUP | single STORE LINKS | before STORE LINKS";
/// How often each question is asked.
const ASKED: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        ["all", store, group] => all(store, group),
        ["single", store, links] => single(store, links),
        ["before", store, links] => before(store, links),
        _ => Err(USAGE.into()),
    };
    match answer {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn questions(db: &Db) -> Outcome<Vec<f64>> {
    let median = |question: &&str| {
        let mut times = (0..ASKED).map(|_| ask(db, question)).collect::<Outcome<Vec<f64>>>()?;
        Ok(quantile(&mut times, 0.5))
    };
    QUESTIONS.iter().map(median).collect()
}

/// Opens a store whose rules let so many of its identities be one customer.
fn open(store: &str, group: u32) -> Outcome<Db> {
    let db = Db::open(store)?;
    db.set_guards(&Guards::open().with_other_limit(group)?)?;
    db.seal()?;
    Ok(db)
}

fn names(db: &Db, most: usize) -> Outcome<Vec<Identity>> {
    let snapshot = db.snapshot();
    let customers = snapshot.present().iter().take(most);
    customers
        .map(|customer| Ok(Identity::parse(&snapshot.customer_name(customer as CustomerOrdinal)?)?))
        .collect()
}

fn report(db: &Db, before: &[f64], after: &[f64]) -> Json {
    let questions =
        QUESTIONS.iter().zip(before).zip(after).map(
            |((question, before), after)| json!({ "question": question, "before": before, "after": after }),
        );
    let snapshot = db.snapshot();
    json!({
        "customers": snapshot.customers(),
        "interactions": snapshot.interactions(),
        "questions": questions.collect::<Vec<Json>>(),
        "peak_bytes": status_bytes("VmHWM:"),
    })
}

fn all(store: &str, group: &str) -> Outcome<Json> {
    let group: usize = group.parse()?;
    let db = open(store, group as u32)?;
    let before = questions(&db)?;
    let customers = db.snapshot().customers();
    let mut links = Vec::new();
    for group in names(&db, usize::MAX)?.chunks(group) {
        let pairs = group.iter().zip(group.iter().skip(1));
        links.extend(
            pairs.map(|(one, other)| Link::new(one.clone(), other.clone())).collect::<Result<Vec<_>, _>>()?,
        );
    }
    let peak = status_bytes("VmHWM:");
    let (merges, written, began) = (links.len(), written_bytes(), Instant::now());
    db.link(links)?;
    db.seal()?;
    let milliseconds = began.elapsed().as_secs_f64() * 1e3;
    let written = written_bytes().saturating_sub(written);
    let after = questions(&db)?;
    let answer = report(&db, &before, &after);
    db.close()?;
    let began = Instant::now();
    let reopened = Db::open(store)?;
    let opened = began.elapsed().as_secs_f64() * 1e3;
    Ok(json!({ "merges": merges, "customers_before": customers, "milliseconds": milliseconds,
        "written_bytes": written, "peak_bytes_before": peak, "opened": opened,
        "reopened": questions(&reopened)?, "then": answer }))
}

fn single(store: &str, links: &str) -> Outcome<Json> {
    let links: usize = links.parse()?;
    let db = open(store, 2)?;
    let before = questions(&db)?;
    let names = names(&db, links * 2)?;
    let (written, mut times) = (written_bytes(), Vec::new());
    for pair in names.chunks_exact(2) {
        let link = Link::new(pair[0].clone(), pair[1].clone())?;
        let began = Instant::now();
        db.link([link])?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let unsealed = questions(&db)?;
    db.seal()?;
    let written = written_bytes().saturating_sub(written);
    let after = questions(&db)?;
    Ok(json!({ "merges": times.len(), "written_bytes": written,
        "commit": { "median": quantile(&mut times, 0.5), "p99": quantile(&mut times, 0.99), "longest": quantile(&mut times, 1.0) },
        "unsealed": unsealed, "then": report(&db, &before, &after) }))
}

/// Asks now and AS OF an instant before the links, in turn.
fn before(store: &str, links: &str) -> Outcome<Json> {
    let links: usize = links.parse()?;
    let db = open(store, 2)?;
    // The clock counts in milliseconds.
    std::thread::sleep(Duration::from_millis(5));
    let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    std::thread::sleep(Duration::from_millis(5));
    let names = names(&db, links * 2)?;
    let pairs = names.chunks_exact(2).map(|pair| Link::new(pair[0].clone(), pair[1].clone()));
    db.link(pairs.collect::<Result<Vec<_>, _>>()?)?;
    db.close()?;
    let db = Db::open(store)?;
    let instant = throughline::time::format_instant(at);
    let mut rows = Vec::new();
    for question in &QUESTIONS[..3] {
        let first = ask_as_of(&db, question, Some(&instant))?;
        let (mut now, mut then) = (Vec::new(), Vec::new());
        for _ in 0..ASKED {
            now.push(ask(&db, question)?);
            then.push(ask_as_of(&db, question, Some(&instant))?);
        }
        let (now, then) = (quantile(&mut now, 0.5), quantile(&mut then, 0.5));
        rows.push(
            json!({ "question": question, "first": first, "now": now, "then": then, "ratio": then / now }),
        );
    }
    Ok(json!({ "linked": links, "questions": rows, "peak_bytes": status_bytes("VmHWM:") }))
}
