//! Throughline while it is written to: how long commits take, and what they
//! do to those who ask meanwhile. `live.py` beside the peers runs it.
//!
//!     live write STORE BATCH SECONDS          appends as fast as it can
//!     live steady STORE RATE BATCH SECONDS [TAIL]    appends at a rate, asking all the time
//!     live open STORE                         opens, and asks for one journey
//!
//! TAIL is how many interactions are kept in memory before they are sealed: a store of a tenth of the
//! customers stands for a large one where it seals a tenth, at a tenth of the rate.
//!
//! Each prints one line of JSON: times in milliseconds, sizes in bytes.
//! `steady` ends without closing the store, as a process that is killed does.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use throughline::Db;
use throughline::engine::{CustomerOrdinal, Interaction, Options, Written};
use throughline_benches::measure::{Outcome, QUESTIONS, ask, quantile, status_bytes, written_bytes};
use throughline_benches::{CHANNELS, Noise, TOPICS};

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str =
    "usage: live write STORE BATCH SECONDS | steady STORE RATE BATCH SECONDS [TAIL] | open STORE";
/// How often each is asked before, to know its quiet time.
const QUIET: usize = 5;
/// Syncs of a file that tell what the disk itself takes.
const SYNCS: usize = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        ["write", store, batch, seconds] => write(store, batch, seconds),
        ["steady", store, rate, batch, seconds] => steady(store, rate, batch, seconds, None),
        ["steady", store, rate, batch, seconds, tail] => steady(store, rate, batch, seconds, Some(tail)),
        ["open", store] => open(store),
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

/// Interactions of customers, by their names, as they happen now.
struct Source {
    noise: Noise,
    cases: u64,
}

impl Source {
    fn batch(&mut self, len: usize, name: &dyn Fn(u64) -> Outcome<String>) -> Outcome<Vec<Interaction>> {
        (0..len).map(|_| self.interaction(name)).collect()
    }

    fn interaction(&mut self, name: &dyn Fn(u64) -> Outcome<String>) -> Outcome<Interaction> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let noise = &mut self.noise;
        let mut of = |words: &[&'static str]| {
            words.get(noise.skewed(words.len() as u64) as usize).copied().unwrap_or_default()
        };
        let (channel, topic) = (of(&CHANNELS), of(&TOPICS));
        let mut interaction =
            Interaction::new(name(noise.bits())?, now).kind("call").channel(channel).topic(topic);
        if noise.chance(50) {
            self.cases += 1;
            interaction = interaction
                .set("agent", format!("agent {:03}", noise.below(400)))
                .case(&format!("live-{:08}", self.cases))
                .set("sentiment", noise.below(201) as f64 / 100.0 - 1.0)
                .set("resolved", noise.chance(60));
        }
        Ok(interaction)
    }
}

/// Appends to a store in batches, one after another.
fn write(store: &str, batch: &str, seconds: &str) -> Outcome<Json> {
    let (batch, limit): (usize, f64) = (batch.parse()?, seconds.parse()?);
    let db = Db::open(store)?;
    let mut source = Source { noise: Noise::new(batch as u64), cases: 0 };
    let name = |bits: u64| Ok(format!("crm:{}", bits % 1_000_000));
    // Made beforehand, as those of the other system are.
    let batches: Vec<Vec<Interaction>> =
        (0..64.min(1 + 640_000 / batch)).map(|_| source.batch(batch, &name)).collect::<Outcome<_>>()?;
    let began = Instant::now();
    let mut interactions = 0;
    for batch in batches.iter().cycle() {
        db.append(batch.iter().cloned())?;
        interactions += batch.len();
        if began.elapsed().as_secs_f64() >= limit {
            break;
        }
    }
    Ok(json!({ "interactions": interactions, "seconds": began.elapsed().as_secs_f64() }))
}

/// Appends at a rate, while somebody asks.
fn steady(store: &str, rate: &str, batch: &str, seconds: &str, tail: Option<&str>) -> Outcome<Json> {
    let (rate, batch, limit): (f64, usize, f64) = (rate.parse()?, batch.parse()?, seconds.parse()?);
    let own_syncs = syncs(Path::new(store), batch * 20)?;
    let mut options = Options::default();
    if let Some(tail) = tail {
        options.tail_interactions = tail.parse()?;
    }
    let db = Db::open_with(store, options)?;
    let quiet: Vec<f64> = QUESTIONS
        .iter()
        .map(|question| {
            let mut times = (0..QUIET).map(|_| ask(&db, question)).collect::<Outcome<Vec<f64>>>()?;
            Ok(quantile(&mut times, 0.5))
        })
        .collect::<Outcome<_>>()?;
    let (before, written) = (db.info()?, written_bytes());

    let over = AtomicBool::new(false);
    let (mut commits, mut latest) = (Vec::new(), 0.0_f64);
    let began = Instant::now();
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut times = vec![Vec::new(); QUESTIONS.len()];
            while !over.load(Ordering::Relaxed) {
                for (question, times) in QUESTIONS.iter().zip(&mut times) {
                    times.push(ask(&db, question)?);
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        });
        let snapshot = db.snapshot();
        let known = u64::from(snapshot.ordinals()).max(1);
        let name = |bits: u64| Ok(snapshot.customer_name((bits % known) as CustomerOrdinal)?.to_string());
        let mut source = Source { noise: Noise::new(1), cases: 0 };
        let mut write = || -> Outcome<()> {
            for turn in 0.. {
                let due = Duration::from_secs_f64(turn as f64 * batch as f64 / rate);
                if due.as_secs_f64() >= limit {
                    return Ok(());
                }
                let interactions = source.batch(batch, &name)?;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                latest = latest.max(began.elapsed().saturating_sub(due).as_secs_f64() * 1e3);
                let begun = Instant::now();
                db.append(interactions)?;
                commits.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            Ok(())
        };
        let outcome = write();
        over.store(true, Ordering::Relaxed);
        let asked = asking.join().map_err(|_| "the thread that asks panicked")?;
        outcome?;
        asked
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let info = db.info()?;
    let encoded = info.history_bytes - before.history_bytes;
    let questions = QUESTIONS.iter().zip(quiet).zip(asked).map(|((question, quiet), mut times)| {
        let (median, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        json!({ "question": question, "quiet": quiet, "median": median, "p99": p99, "asked": times.len() })
    });
    let mut own_syncs = own_syncs;
    let answer = json!({
        "seconds": seconds,
        "commits": commits.len(),
        "interactions": commits.len() * batch,
        "commit": { "median": quantile(&mut commits, 0.5), "p99": quantile(&mut commits, 0.99), "longest": quantile(&mut commits, 1.0) },
        "latest_start": latest,
        "own_sync": { "median": quantile(&mut own_syncs, 0.5), "p99": quantile(&mut own_syncs, 0.99) },
        "questions": questions.collect::<Vec<Json>>(),
        "encoded_bytes": encoded,
        "written_bytes": written_bytes().saturating_sub(written),
        "sealed_bytes": sealed(&before.written, &info.written),
        "peak_bytes": status_bytes("VmHWM:"),
        "unsealed": info.unsealed,
        "runs": info.runs,
    });
    // Nothing is closed: what was acknowledged must be there all the same.
    println!("{answer}");
    std::io::stdout().flush()?;
    std::process::abort()
}

/// What seals gave the graph store to write, by cause.
fn sealed(before: &Written, after: &Written) -> Json {
    json!({
        "seals": after.seals - before.seals,
        "runs": after.runs - before.runs,
        "merges": after.merges - before.merges,
        "bases": after.bases - before.bases,
        "indexes": after.indexes - before.indexes,
        "tallies": after.tallies - before.tallies,
        "others": after.others - before.others,
        "manifests": after.manifests - before.manifests,
    })
}

/// Opens a store, and asks it something.
fn open(store: &str) -> Outcome<Json> {
    let began = Instant::now();
    let db = Db::open(store)?;
    let opened = began.elapsed().as_secs_f64() * 1e3;
    let journey = ask(&db, "journey")?;
    Ok(json!({ "opened": opened, "journey": journey, "interactions": db.snapshot().interactions() }))
}

/// Milliseconds of appending some bytes to a file beside the store and syncing it.
fn syncs(store: &Path, bytes: usize) -> Outcome<Vec<f64>> {
    let path = store.with_extension("syncs");
    let mut file = File::create(&path)?;
    let body = vec![7; bytes];
    let times = (0..SYNCS).map(|_| {
        let began = Instant::now();
        file.write_all(&body)?;
        file.sync_data()?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    });
    let times = times.collect::<std::io::Result<Vec<f64>>>();
    std::fs::remove_file(path)?;
    Ok(times?)
}
