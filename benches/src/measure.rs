//! What programs that measure stores share: the comparison's questions, and what the system counts.

use std::path::Path;
use std::time::Instant;

use throughline::{Db, Params, Value};

/// What a program that measures answers.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Questions that are asked while a store is changed, as the comparison has them.
pub const QUESTIONS: [&str; 5] = ["funnel", "chains", "map_all", "count", "journey"];

/// Milliseconds that a question takes.
///
/// # Errors
/// What the store said, and where the question cannot be read.
pub fn ask(db: &Db, question: &str) -> Outcome<f64> {
    ask_as_of(db, question, None)
}

/// As [`ask`], of what had been recorded at an instant, `2026-01-31T12:00:00Z`.
///
/// # Errors
/// As [`ask`].
pub fn ask_as_of(db: &Db, question: &str, at: Option<&str>) -> Outcome<f64> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/throughline").join(question).with_extension("tl");
    let text = std::fs::read_to_string(path)?;
    let snapshot = db.snapshot();
    let who = snapshot.customer_name(snapshot.ordinals() / 2)?.to_string();
    let of_customer = text.contains("$who").then(|| ("who".to_owned(), Value::from(who.as_str())));
    let params: Params = of_customer.into_iter().collect();
    let as_of = at.map(|at| format!("AS OF '{at}' |> ")).unwrap_or_default();
    let text = match text.contains("FROM ") {
        true => text.replace("FROM journeys |> ", &format!("FROM journeys |> {as_of}")),
        false => format!("FROM journeys |> {as_of}{text}"),
    };
    let began = Instant::now();
    db.query_with(&text, &params)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The value below which a share of the times lie; the largest for 1, 0 of none.
pub fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let place = (times.len() as f64 * share).ceil() as usize;
    times.get(place.max(1) - 1).copied().unwrap_or(0.0)
}

/// Bytes that this process has sent to disks.
pub fn written_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// A line of the state of this process, which is in kilobytes.
pub fn status_bytes(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
