//! The `throughline` command.

mod args;
mod civil;
mod failure;
mod files;
mod people;

mod import;
mod params;
mod progress;
mod render;
mod store;

mod backup;
mod check;
mod demo;
mod export;
mod generate;
mod guards;
mod info;
mod shell;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};

use args::{AmendArgs, Cli, Command, GenerateArgs, ImportArgs, QueryArgs};
use failure::{Failure, Outcome};
use store::say;

/// Importing takes and gives back large columns on several threads at once, which the system's
/// allocator pays for with page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::AlreadySaid) => ExitCode::FAILURE,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome<()> {
    match command {
        Command::Import(args) => import(&args),
        Command::Amend(args) => amend(&args),
        Command::Query(args) => query(&args),
        Command::Shell(args) => shell::run(args.db.as_deref(), args.read_only),
        Command::Info(args) => info::info(&store::open(&args.db, true)?, &args.db, args.format),
        Command::Check(args) => check::check(&store::open(&args.db, true)?, &args.db),
        Command::Rebuild(args) => {
            check::rebuild(&store::open_with_memory(&args.db, false, args.memory.memory)?)
        }
        Command::Vacuum(args) => {
            check::vacuum(&store::open_with_memory(&args.db, false, args.memory.memory)?)
        }
        Command::Backup(args) => backup::backup(&args.db, &args.to),
        Command::Export(args) => export::export(&store::open(&args.db, true)?, &args.to),
        Command::Guards(args) => guards::guards(&args),
        Command::Generate(args) => generate(&args),
        Command::Demo(args) => demo::demo(args.keep.as_deref()),
    }
}

fn amend(args: &AmendArgs) -> Outcome<()> {
    import::check_readable([&args.file])?;
    let rejects = args.rejects.clone().unwrap_or_else(|| import::default_rejects(&args.db));
    if files::same(&args.file, &rejects) {
        return Err(Failure::said(format!(
            "{} cannot be read and take the refused rows at once; name another file with --rejects",
            args.file.display()
        )));
    }
    let db = store::open_with_memory(&args.db, false, args.memory.memory)?;
    import::amend(&db, &args.file, rejects)
}

fn import(args: &ImportArgs) -> Outcome<()> {
    // The map is read before the store is made: a slip in it leaves nothing behind.
    let mut mapping = import::read_map(args.map.as_deref())?;
    args.recorded.iter().for_each(|column| mapping.take_recorded(column));
    let sources = || args.files.iter().chain(&args.customers).chain(&args.links);
    import::check_readable(sources())?;
    let rejects = args.rejects.clone().unwrap_or_else(|| import::default_rejects(&args.db));
    if let Some(source) = sources().find(|source| files::same(source, &rejects)) {
        return Err(Failure::said(format!(
            "{} cannot be read and take the refused rows at once; name another file with --rejects",
            source.display()
        )));
    }
    let fresh = !args.db.exists();
    let db = store::open_with_memory(&args.db, true, args.memory.memory)?;
    let plan = import::Plan {
        files: args.files.clone(),
        customers: args.customers.clone(),
        links: args.links.clone(),
        mapping,
        strict: args.strict,
        bring_back: args.bring_back,
        rejects,
    };
    match import::import(&db, &plan) {
        Ok(summary) => say(&summary.written()),
        Err(failure) => {
            let empty = db.snapshot().commit() == 0;
            drop(db);
            if fresh && empty {
                // The store that this very run made, and nothing came into.
                files::remove_folder(&args.db);
            }
            return Err(failure);
        }
    }
    Ok(())
}

fn query(args: &QueryArgs) -> Outcome<()> {
    let params = match params::parse_all(&args.params) {
        Ok(params) => params,
        Err(words) => wrong_usage(words),
    };
    if let Some(unused) = params.keys().find(|name| !store::uses(&args.query, name)) {
        let words = format!(
            "the query does not speak of `${unused}`; leave out --param {unused}=… or write ${unused} in it"
        );
        wrong_usage(words);
    }
    let db = store::open(&args.db, args.read_only)?;
    let statements = store::statements(&args.query);
    if statements.is_empty() {
        return Err(Failure::said("the query is empty; `throughline query --help` shows some"));
    }
    for statement in statements {
        let answer = store::ask(&db, statement, &params)?;
        store::show(&answer, args.format)?;
    }
    Ok(())
}

/// Exits with status 2, as clap does for every other slip of usage.
fn wrong_usage(words: String) -> ! {
    let mut command = Cli::command();
    command.build();
    let command = command.find_subcommand_mut("query").map_or_else(Cli::command, |query| query.clone());
    command.clone().error(clap::error::ErrorKind::ValueValidation, words).exit()
}

fn generate(args: &GenerateArgs) -> Outcome<()> {
    let started = Instant::now();
    let generated = generate::generate(&args.out, args.customers, args.seed, args.linked)?;
    let idle = match u64::from(args.customers).saturating_sub(generated.customers) {
        0 => String::new(),
        idle => format!(" ({} more did nothing)", people::count(idle)),
    };
    say(&format!(
        "wrote {} interactions of {} customers{idle} to {} in {:.1} s",
        people::count(generated.interactions),
        people::count(generated.customers),
        args.out.display(),
        started.elapsed().as_secs_f64()
    ));
    if args.linked > 0.0 {
        say(
            "read it with this map, or identities are words like others:\n  [columns]\n  phone = { identity = \"phone\" }\n  email = { identity = \"email\" }\n  device = { identity = \"device\" }",
        );
    }
    Ok(())
}
