//! The run of an import: one thread reads, this one hands over to the engine.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use throughline::engine::{Db, Import, ImportReport, Link};

use super::intake::{Intake, Message, Table, Tally};
use super::links::LinkTable;
use super::mapping::{Mapping, Section, check_all_met};
use super::rejects::{Reason, Rejects};
use super::source::{self, Format, Source, shown};
use super::taking::Taking;
use super::{delimited, jsonl, parquet};
use crate::civil;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::people::{count, many};
use crate::progress::ByteProgress;

/// What is imported, and how.
pub(crate) struct Plan {
    /// Files of interactions, in order; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
    /// A file of customer attributes.
    pub(crate) customers: Option<PathBuf>,
    /// Files of links between identities.
    pub(crate) links: Vec<PathBuf>,
    /// The map file, read.
    pub(crate) mapping: Mapping,
    /// Whether the first bad row is a failure.
    pub(crate) strict: bool,
    /// Whether erased customers may come back.
    pub(crate) bring_back: bool,
    /// Where refused rows go.
    pub(crate) rejects: PathBuf,
}

impl Plan {
    /// All files, in the order they are read. Links come last: whoever was met first keeps its place.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().chain(&self.customers).chain(&self.links)
    }
}

/// What an import came to.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The engine's own report.
    pub(crate) report: ImportReport,
    /// What was read.
    pub(crate) tally: Tally,
    /// Refused rows by reason, most first.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// Whether the rules for joining identities changed.
    pub(crate) guards: bool,
    /// Where they were written.
    pub(crate) rejects: Option<PathBuf>,
    /// Seconds from start to end.
    pub(crate) seconds: f64,
}

/// Imports files in one commit: all of it or, on a failure, nothing.
pub(crate) fn import(db: &Db, plan: &Plan) -> Outcome<Summary> {
    let started = Instant::now();
    let bounds = db.time_bounds();
    let names: Vec<String> = plan.sources().map(|path| shown(path)).collect();
    let mut import = db.import(&names.join(", "))?;
    if plan.bring_back {
        import.bring_back();
    }
    let guards = plan.mapping.guards.as_ref().filter(|guards| **guards != *db.snapshot().guards());
    if let Some(guards) = guards {
        import.set_guards(guards)?;
    }

    let progress = Arc::new(AtomicU64::new(0));
    let total = plan.sources().map(|path| files::length(path)).sum::<Option<u64>>();
    let bar = ByteProgress::follow(&progress, total);

    // Two batches wait, one is read and one is taken in: four in memory.
    let (sender, receiver) = sync_channel(2);
    let rejects = Rejects::new(plan.rejects.clone(), plan.strict);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
    let mut intake = Intake::new(&plan.mapping, rejects, import.schema().clone(), bounds, now, sender);
    let (taken, read) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let read = read_all(&mut intake, plan, &progress);
            let flushed = intake.rejects.flush();
            read.and(flushed).map(|()| (intake.tally, intake.rejects))
        });
        let taken = take_all(&mut import, &receiver);
        drop(receiver);
        let read = reader.join().unwrap_or_else(|_| Err(Failure::said("reading stopped unexpectedly")));
        (taken, read)
    });
    taken?;
    let (tally, rejects) = read?;
    let report = import.commit()?;
    drop(bar);

    let mut refused: Vec<(&'static str, u64)> =
        rejects.counts.iter().map(|(reason, &count)| (reason.words(), count)).collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(Summary {
        report,
        tally,
        refused,
        guards: guards.is_some(),
        rejects: rejects.path().map(Path::to_owned),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn take_all(import: &mut Import<'_>, receiver: &Receiver<Message>) -> Outcome<()> {
    for message in receiver {
        match message {
            Message::Rows(Section::Interactions, batch) => {
                import.push(batch)?;
            }
            Message::Rows(Section::Customers, batch) => {
                import.push_customers(batch)?;
            }
            Message::Said { said, again: true } => {
                import.say(&said)?;
            }
            Message::Said { said, again: false } => {
                let links: Vec<Link> = said.into_iter().map(|(_, link)| link).collect();
                import.link(&links)?;
            }
            Message::Declare(wanted, reply) => {
                let declared = import
                    .declare(wanted.subject, &wanted.name, wanted.ty, wanted.role)
                    .map(|attr| (attr, import.schema().clone()));
                // The reader only goes away before the answer when it has failed itself.
                let _ = reply.send(declared);
            }
        }
    }
    Ok(())
}

fn read_all(intake: &mut Intake<'_>, plan: &Plan, progress: &Arc<AtomicU64>) -> Outcome<()> {
    for path in &plan.files {
        read_one(intake, path, progress, rows_of(Section::Interactions))?;
    }
    if !plan.files.is_empty() {
        check_met(intake, Section::Interactions)?;
    }
    if let Some(path) = &plan.customers {
        read_one(intake, path, progress, rows_of(Section::Customers))?;
        check_met(intake, Section::Customers)?;
    }
    for path in &plan.links {
        read_one(intake, path, progress, |intake, file, _| LinkTable::new(intake, file))?;
    }
    if !plan.links.is_empty() {
        check_all_met(&intake.mapping.links.named(), &intake.tally.links.met)?;
    }
    intake.mapping.check_recorded_met(&intake.tally.met)
}

fn rows_of(section: Section) -> impl Fn(&Intake<'_>, &str, bool) -> Table {
    move |intake, file, typed| Table::new(intake, file, section, typed)
}

fn check_met(intake: &Intake<'_>, section: Section) -> Outcome<()> {
    let empty = BTreeSet::new();
    let met = intake.tally.met.get(usize::from(section == Section::Customers)).unwrap_or(&empty);
    check_all_met(&intake.mapping.named(section), met)
}

/// Reads a source into what `table` makes, given its name and whether it knows types.
fn read_one<T: Taking>(
    intake: &mut Intake<'_>,
    path: &Path,
    progress: &Arc<AtomicU64>,
    table: impl Fn(&Intake<'_>, &str, bool) -> T,
) -> Outcome<()> {
    let source = source::open(path, progress)?;
    let table = table(intake, &shown(path), matches!(source, Source::Parquet(_)));
    match source {
        Source::Parquet(file) => parquet::read(intake, path, table, file, progress),
        Source::Text(Format::JsonLines, text) => jsonl::read(intake, path, table, text),
        Source::Text(Format::Delimited(delimiter), text) => {
            delimited::read(intake, path, table, delimiter, text)
        }
        Source::Text(Format::Parquet, _) => Err(Failure::said(format!("{} is not Parquet", shown(path)))),
    }
}

/// So many identities.
fn people(n: u64) -> String {
    if n == 1 { "1 identity".to_owned() } else { format!("{} identities", count(n)) }
}

impl Summary {
    /// The report for people, several lines.
    pub(crate) fn written(&self) -> String {
        let Self { report, tally, refused, .. } = self;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        for note in &tally.notes {
            line(format!("note: {note}"));
        }
        let total_refused: u64 = refused.iter().map(|(_, count)| count).sum();
        let rows = tally.rows + tally.customer_rows;
        let customers = match tally.customer_rows {
            0 => String::new(),
            rows => format!(" ({} of customers)", count(rows)),
        };
        let links = tally.links.rows;
        let refused_links = links.saturating_sub(report.links + report.links_left_out);
        if rows > 0 || links == 0 {
            line(format!(
                "read {}{customers}: {} added, {} there already, {} refused",
                many(rows, "row"),
                count(report.added),
                count(report.duplicates),
                count(total_refused.saturating_sub(refused_links))
            ));
        }
        if links > 0 {
            line(format!(
                "read {}: {} added, {} left out because they were recorded before, {} refused",
                many(links, "link"),
                count(report.links),
                count(report.links_left_out),
                count(refused_links)
            ));
        }
        if report.erased > 0 {
            line(format!(
                "  left out {} of customers who were erased; --bring-back takes them",
                many(report.erased, "row")
            ));
        }
        if report.expired > 0 {
            line(format!(
                "  left out {} from before what is kept; `RETAIN FOREVER` keeps all that comes",
                many(report.expired, "row")
            ));
        }
        if report.brought_back > 0 {
            let known = if report.brought_back == 1 { "is known again" } else { "are known again" };
            line(format!("  {} that had been erased {known}", people(report.brought_back)));
        }
        if report.pairs > 0 {
            line(format!("  rows carried {} of identities that none did before", many(report.pairs, "pair")));
        }
        if self.guards {
            line("  the rules for joining identities are those of the map from now on".to_owned());
        }
        for (reason, refused) in refused {
            line(format!("  refused {}: {reason}", count(*refused)));
        }
        if let Some(path) = &self.rejects {
            line(format!("  each refused row is in {}, with its line and the reason", path.display()));
            let of_times = [Reason::BadTime, Reason::BadRecorded].map(Reason::words);
            if refused.iter().any(|(reason, _)| of_times.contains(reason)) {
                line("  a map file says how times are written: throughline import --help".to_owned());
            }
        }
        if let Some((first, last)) = tally.span {
            line(format!("  times from {} to {} UTC", civil::readable(first), civil::readable(last)));
        }
        line(format!(
            "durable as commit {}: the store holds {} of {}",
            report.commit,
            many(report.interactions, "interaction"),
            many(report.customers, "customer")
        ));
        let rows = rows + links;
        let per_second = rows as f64 / self.seconds.max(1e-9);
        line(format!("{:.2} s, {} rows/s", self.seconds, count(per_second as u64)));
        text
    }
}
