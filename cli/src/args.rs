//! What can be written after `throughline`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::people::parse_bytes;

/// Journeys of customers: import them, ask about them.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, about, long_about = LONG, max_term_width = 130)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const LONG: &str = "An embedded graph database for customer journeys: who contacts us again and again about the same \
problem, and where customers drop off between stages.\n\n\
Answers go to standard output, everything else to standard error. The exit status is 0 for an answer, 1 for a \
query or import that failed, 2 for wrong usage.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read files of interactions into a store, which is made where there is none
    #[command(long_about = IMPORT)]
    Import(ImportArgs),
    /// Say of interactions, by their event ids, what they should have been
    #[command(long_about = AMEND)]
    Amend(AmendArgs),
    /// Answer a query
    #[command(long_about = QUERY)]
    Query(QueryArgs),
    /// Ask one query after another
    #[command(long_about = SHELL)]
    Shell(ShellArgs),
    /// Say what a store holds: customers, times, attributes and their values, sizes
    Info(InfoArgs),
    /// Verify every stored byte that has a checksum, and the invariants
    #[command(
        long_about = "Verify every stored byte that has a checksum, and the invariants. Prints what was read, \
and each problem with its place; the exit status is 1 where there is one. `throughline rebuild DB` makes the graph \
anew where only that is damaged."
    )]
    Check(StoreArgs),
    /// Make the graph anew from the history
    #[command(
        long_about = "Make the graph anew from the history. The history is the truth, so nothing is lost by it; \
answers are the same before and after."
    )]
    Rebuild(RebuildArgs),
    /// Copy a store, sound and whole, into a new folder
    #[command(long_about = BACKUP)]
    Backup(BackupArgs),
    /// Write everything in a store as Parquet, with the map by which `import` reads it back
    #[command(long_about = EXPORT)]
    Export(ExportArgs),
    /// Write a synthetic history to try things on
    #[command(long_about = GENERATE)]
    Generate(GenerateArgs),
    /// See it work: generate, import and answer two questions on a made-up history
    #[command(
        long_about = "See it work, in under a minute: generates a history of 20,000 customers, imports it into a \
temporary store, and answers the two headline questions, with a word on each line. Every query it prints can be \
copied. Nothing remains afterwards, unless --keep says where the store shall stay: the examples of the language \
reference are asked of that store."
    )]
    Demo(DemoArgs),
}

const IMPORT: &str = "Read files of interactions into a store, which is made where there is none. csv, tsv, JSON \
lines and Parquet, each also packed as .gz or .zst; `-` is standard input. The separator of a csv file is guessed from its \
header.\n\n\
All files become visible by one commit: a run either states what is durable, or imported nothing. Running it again adds \
nothing twice: rows are told apart by event_id, or where there is none by their content and how often it occurred before.";

const IMPORT_MORE: &str = r#"Columns are known by their header, whatever its case:
  customer_id or customer        the customer, required: `crm:42` is key 42 in namespace crm, `42` is id:42
  ts, time, timestamp or at      the time, required: ISO 8601 (without a zone UTC, a bare date midnight),
                                 or seconds or milliseconds since 1970
  channel, stage, topic, agent, team, touchpoint, direction      words
  event or kind                  what it was
  case_id or case, event_id      ids
  sentiment                      -1 to 1, or a word: very positive 1, positive, happy or satisfied 0.6,
                                 neutral or mixed 0, negative, unhappy or frustrated -0.6, angry -1, …
  score, csat, nps, ces, value   numbers (decimal point)
  resolved                       true/false, yes/no, y/n, 1/0
  text                           the customer's own words
  sequence                       the order among interactions of one time
Any other column becomes an attribute; its type is found from the first 20,000 rows (Parquet: from the file), and is
widened where a later value does not fit. In numbers, times and truths NULL, NaN, None, NA, N/A, \N and - mean nothing.

A row is refused that has no customer or time, a time or number that does not parse, a time before 1900 or after
tomorrow, or the wrong number of fields. Refused rows are counted by reason and written, with their line, to DB.rejects.csv;
the others are imported. With --strict the first is an error.

A map file (--map) says otherwise:
  zone = "Europe/Berlin"                       # of times that name none
  time_format = "%d/%m/%Y %H:%M"               # of all times
  delimiter = ";"
  exact = true                                 # names and values stand as they are, as `export` writes them
  [columns]                                    # header = what it becomes
  "Caller" = "customer"
  "Ticket" = ["case", "event_id"]              # two things at once
  "Opened" = { attribute = "ts", time_format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }
  "Member" = { attribute = "customer", namespace = "crm" }
  "Priority" = { type = "symbol" }             # symbol, id, int, float, bool, time, text
  "Issue" = { attribute = "issue", role = "topic" }
  "Internal" = { ignore = true }
  [constants]                                  # for rows without a value of their own
  channel = "phone"
  [customers]                                  # the same as [columns], for the --customers file

Examples:
  throughline import contacts.db contacts.csv.gz
  throughline import contacts.db 2026-*.parquet --customers crm.csv --map map.toml
  zcat dump.jsonl.gz | jq -c '.events[]' | throughline import contacts.db -"#;

const AMEND: &str = "Say of interactions, by their event ids, what they should have been: a topic that was found \
later, that something was resolved. The file is csv or tsv, also packed as .gz or .zst; `-` is standard input.\n\n\
Its columns are event_id, perhaps customer, and the attributes that are to change. An empty cell leaves the attribute as it \
is, NULL leaves it without a value; a column that the store does not know becomes an attribute of words. With a customer \
in every row journeys are read one by one; else the event ids of the store are searched, once for every 100,000 rows.\n\n\
Answers go by the new values from then on, and AS OF a time before by the old ones. Rows are committed as they come; \
what is so already is not written again, so that a run that was interrupted is simply run again. Rows that are \
refused are counted by reason and written, with their line, to DB.rejects.csv.\n\n\
Example:\n  throughline amend contacts.db topics.csv";

#[derive(Debug, Args)]
pub(crate) struct AmendArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// The file, `-` for standard input
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) memory: Memory,
    /// Where refused rows go [default: DB.rejects.csv]
    #[arg(long, value_name = "PATH")]
    pub(crate) rejects: Option<PathBuf>,
}

const BACKUP: &str = "Copy a store into a folder that is not there yet, or is empty. Copied is the history, which is \
all that a store knows: commits and when they were recorded, customers' attributes, cohorts. Each frame is read back from \
the copy, and only then does the copy count as a store; where something goes wrong nothing remains of it. The graph is \
not copied: the copy makes it when it is opened first, which takes about as long as the import did.\n\n\
An application that has the store open may write on meanwhile: the copy ends with a whole commit. It can also make \
copies itself, with `Db::backup`.\n\n\
Example:\n  throughline backup contacts.db backups/2026-06-30.db";

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// The copy: a folder that is not there yet
    pub(crate) to: PathBuf,
}

const EXPORT: &str = "Write everything in a store as Parquet into a folder that is not there yet, or is empty: \
interactions.parquet, customers.parquet (each row of customers' attributes), cohorts.parquet, and map.toml, with which \
`import` makes a store of the files that gives the same answers.\n\n\
Kept are the identity, time and sequence of each row and all attributes with their types and roles, so that journeys \
come in the same order, and a source that is imported again adds nothing. Interactions are written as they are now, \
without what they were before they were amended. Written down, but not read back, are when \
each row was recorded and by which commit (AS OF goes by when the export is imported), and cohorts. Rows that no \
ORDER BY sorts may come in another order. `throughline backup` keeps all of that.\n\n\
Example:\n  throughline export contacts.db contacts/";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// Where the files go: a folder that is not there yet
    #[arg(value_name = "DIR")]
    pub(crate) to: PathBuf,
}

/// How much memory may be used.
#[derive(Debug, Args)]
pub(crate) struct Memory {
    /// Memory to import, sort and cache in
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = parse_bytes)]
    pub(crate) memory: usize,
}

#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_MORE)]
pub(crate) struct ImportArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// Files of interactions, `-` for standard input
    #[arg(required_unless_present = "customers")]
    pub(crate) files: Vec<PathBuf>,
    /// What columns become, where their headers do not say
    #[arg(long, value_name = "MAP.toml")]
    pub(crate) map: Option<PathBuf>,
    /// A file of customer attributes: a customer column, and an attribute a column
    #[arg(long, value_name = "FILE")]
    pub(crate) customers: Option<PathBuf>,
    /// Make the first bad row an error: nothing is imported then
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) memory: Memory,
    /// Where refused rows go [default: DB.rejects.csv]
    #[arg(long, value_name = "PATH")]
    pub(crate) rejects: Option<PathBuf>,
}

const QUERY: &str = "Answer a query. Several statements are told apart by `;`. The answer is written to standard output, \
warnings and notes to standard error.\n\n\
In csv, json and jsonl times are RFC 3339 and durations seconds; lists are JSON. In tables durations are written for \
people (`3d 4h`), times are UTC, and NULL is –.";

const QUERY_MORE: &str = r"Examples:
  throughline query contacts.db 'CHAINS SAME topic GAP 7d MIN 3 |> ORDER BY contacts DESC |> LIMIT 10'
  throughline query contacts.db 'FUNNEL ON stage: awareness -> consideration -> purchase WITHIN 30d'
  throughline query contacts.db 'FOR CUSTOMER $who |> INTERACTIONS' --param who=crm:42 --format json
  throughline query contacts.db 'GRAPH BY channel |> WHERE count >= 10' --format dot | dot -Tsvg > channels.svg";

#[derive(Debug, Args)]
#[command(after_long_help = QUERY_MORE)]
pub(crate) struct QueryArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// The query
    pub(crate) query: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The value of `$name`; a number, true or false where it looks like one (quote it, 'name="42"', to make it text)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Refuse statements that write, such as SAVE COHORT
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// One array of objects
    Json,
    /// One object a line
    Jsonl,
    /// A table for documents
    Markdown,
    /// The rows of GRAPH, to be drawn by Graphviz
    Dot,
    /// The rows of GRAPH, for other tools for graphs
    Graphml,
}

const SHELL: &str = "Ask one query after another. A query ends at `;`, on a terminal also at an empty line; `.help` lists \
the dot commands. On a pipe it prints answers only, goes on after an error, and its exit status is 1 where there was one.\n\n\
Example:\n  printf '.mode json\\nCHAINS SAME topic GAP 7d MIN 3 |> LIMIT 1;\\n' | throughline shell contacts.db";

#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The store: a folder; without it, `.open` one
    pub(crate) db: Option<PathBuf>,
    /// Refuse statements that write, such as SAVE COHORT
    #[arg(long)]
    pub(crate) read_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t = InfoFormat::Table)]
    pub(crate) format: InfoFormat,
}

/// How a description of a store is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InfoFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    #[command(flatten)]
    pub(crate) memory: Memory,
}

const GENERATE: &str = "Write a synthetic history to try things on: about 20 interactions a customer over two years that end \
on 2026-06-30, in episodes of one topic with log-normal gaps, with stages, 8 channels, 12 kinds, 40 topics, cases, agents, \
sentiment, CSAT on a tenth and resolutions, in order of time. The same seed gives the same bytes.\n\n\
Examples:\n  throughline generate history.parquet --customers 1000000 --seed 7\n  throughline generate history.csv.gz --customers 1000 --seed 1";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the store in this folder, which must not be there yet
    #[arg(long, value_name = "DB")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The file: .csv, .jsonl or .parquet; text also as .gz or .zst
    pub(crate) out: PathBuf,
    /// How many customers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) customers: u32,
    /// What the history is drawn from
    #[arg(long, value_name = "S")]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_status_2() {
        let error = Cli::try_parse_from(["throughline", "import", "x.db"]).expect_err("needs a file");
        assert_eq!(error.exit_code(), 2);
    }
}
