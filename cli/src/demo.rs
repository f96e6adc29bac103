//! A tour: a synthetic history, and the two headline questions answered on it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use throughline::{Answer, Db, Params, Value};

use crate::args::Format;
use crate::failure::{Failure, Outcome};
use crate::generate::{generate, people};
use crate::import::import_plain;
use crate::people::count;
use crate::render;
use crate::shell::show_journey;
use crate::store::{ask, quoted};

const CUSTOMERS: u32 = 20_000;
const SEED: u64 = 7;

const CHAINS: &str = "\
WHERE kind IN ('question', 'complaint', 'ticket', 'callback')
|> CHAINS SAME topic GAP 7d MIN 3
|> AGGREGATE count(*) AS chains, count(DISTINCT customer) AS customers, median(span) AS span GROUP BY topic
|> ORDER BY customers DESC
|> LIMIT 10";

const WORST: &str = "\
WHERE kind IN ('question', 'complaint', 'ticket', 'callback')
|> CHAINS SAME topic GAP 7d MIN 3
|> ORDER BY contacts DESC, span DESC
|> SELECT customer, topic, started, contacts, channels, channel_changes, reopened
|> LIMIT 1";

const FUNNEL: &str = "FUNNEL ON stage: awareness -> consideration -> purchase -> onboarding WITHIN 90d";

/// Runs the tour in a temporary folder, of which nothing remains. The store
/// itself lies at `keep` and stays, where that is given.
pub(crate) fn demo(keep: Option<&Path>) -> Outcome<()> {
    if let Some(path) = keep.filter(|path| path.exists()) {
        return Err(Failure::said(format!(
            "{} is there already; name a folder that is not, or delete it first",
            path.display()
        )));
    }
    let folder = tempfile::Builder::new()
        .prefix("throughline-demo-")
        .tempdir()
        .map_err(|error| Failure::said(format!("cannot make a temporary folder: {error}")))?;
    let mut clock = Clock::default();
    tell(
        "Throughline answers questions about the journeys of customers, over all channels and in order of time.\n",
    )?;

    let file = folder.path().join("history.parquet");
    let customers = folder.path().join("customers.csv");
    let history = clock.time("generating", || {
        people(&customers, CUSTOMERS, SEED)?;
        generate(&file, CUSTOMERS, SEED, 0.0)
    })?;
    tell(&format!(
        "1. A made-up history: {} contacts of {} customers of a telephone company over two years.",
        count(history.interactions),
        count(history.customers)
    ))?;
    shown(&format!("throughline generate history.parquet --customers {CUSTOMERS} --seed {SEED}"))?;

    let path = keep.map_or_else(|| folder.path().join("contacts.db"), Path::to_path_buf);
    let db = Db::open_with(&path, throughline::engine::Options::default())?;
    let summary =
        clock.time("importing", || import_plain(&db, &path, vec![file.clone()], Some(customers)))?;
    tell("2. Imported. The headers say what the columns are; every row is on disk, in one commit.")?;
    shown("throughline import contacts.db history.parquet --customers customers.csv")?;
    for line in summary.written().lines() {
        tell(&format!("    {line}"))?;
    }
    tell("")?;

    tell("3. Who contacts us again and again about the same problem?")?;
    shown(CHAINS)?;
    tell(
        "    WHERE   looks at service contacts only, not at visits, bills and campaigns\n\
         \x20   CHAINS  finds runs of at least 3 contacts of one customer about one topic, each at most 7 days after\n\
         \x20           the one before: a problem that was not solved the first time, nor the second\n\
         \x20   span    the time from the first contact of a chain to its last; half of the chains took longer\n",
    )?;
    let chains = clock.time("finding chains", || ask(&db, CHAINS, &Params::new()))?;
    table(&chains)?;

    journey_behind(&db, &mut clock)?;

    tell("5. Where do customers drop off between stages?")?;
    shown(FUNNEL)?;
    tell(
        "    reached     customers who got as far as this stage within 90 days of the first, in this order\n\
         \x20   moved_on    of those, who reached the next stage in time\n\
         \x20   silent      who did not, and did nothing else either: gone\n\
         \x20   elsewhere   who did not, but were in touch about something else, or came too late\n\
         \x20   open        who still have time: the data ends before their 90 days do\n\
         \x20   from_first, from_previous   shares of the first and of the previous step's customers\n\
         \x20   median, p90 time from the step before: for half, and for nine in ten, it was at most this\n",
    )?;
    let funnel = clock.time("following the funnel", || ask(&db, FUNNEL, &Params::new()))?;
    table(&funnel)?;
    tell(
        "Every step adds up: reached = moved_on + silent + elsewhere + open. To see who they are, write after it:",
    )?;
    shown(&format!("{FUNNEL}\n|> DROPPED AT 2 SILENT |> LIMIT 10"))?;

    tell(&format!("Where the time went: {}.", clock.written()))?;
    let left = match keep {
        Some(path) => {
            format!("The store stays: `throughline shell {}` asks it anything.", path.display())
        }
        None => "The store was temporary; `throughline demo --keep contacts.db` keeps it.".to_owned(),
    };
    tell(&format!("{left} `throughline import --help` says how to bring your own data."))
}

/// The worst chain, and the contacts it is made of.
fn journey_behind(db: &Db, clock: &mut Clock) -> Outcome<()> {
    tell("4. Behind every number are customers. The longest chain of all:")?;
    shown(WORST)?;
    let worst = clock.time("finding chains", || ask(db, WORST, &Params::new()))?;
    table(&worst)?;
    let cell = |name: &str| {
        let place = worst.columns().iter().position(|column| column.name == name)?;
        match worst.rows().first()?.get(place)? {
            Value::Str(text) => Some(text.to_string()),
            _ => None,
        }
    };
    let (Some(customer), Some(topic)) = (cell("customer"), cell("topic")) else { return Ok(()) };
    let query =
        format!("FOR CUSTOMER {} |> WHERE topic = {} |> INTERACTIONS", quoted(&customer), quoted(&topic));
    tell("and what this customer went through about that topic, contact by contact:")?;
    shown(&query)?;
    let journey = clock.time("reading one journey", || ask(db, &query, &Params::new()))?;
    show_journey(&journey)?;
    tell("")
}

fn tell(words: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout().lock(), "{words}")?)
}

/// A query or command, so that it can be copied.
fn shown(text: &str) -> Outcome<()> {
    tell(&format!("\n    {}\n", text.replace('\n', "\n    ")))
}

fn table(answer: &Answer) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let width = crate::store::terminal_width();
    render::rows(&mut out, Format::Table, answer.columns(), answer.rows(), width)?;
    Ok(writeln!(out)?)
}

/// Where time went, by what it was spent on.
#[derive(Default)]
struct Clock {
    parts: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn time<T>(&mut self, what: &'static str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let started = Instant::now();
        let done = work();
        let taken = started.elapsed();
        match self.parts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, time)) => *time += taken,
            None => self.parts.push((what, taken)),
        }
        done
    }

    fn written(&self) -> String {
        let part = |(what, time): &(&str, Duration)| {
            let seconds = time.as_secs_f64();
            if seconds < 1.0 {
                format!("{what} {:.0} ms", seconds * 1_000.0)
            } else {
                format!("{what} {seconds:.1} s")
            }
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}
