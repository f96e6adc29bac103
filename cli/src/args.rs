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
    /// Say what a store holds: customers, identities, times, attributes and their values, sizes
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
    /// Write a store anew without what was erased, redacted or dropped
    #[command(long_about = VACUUM)]
    Vacuum(RebuildArgs),
    /// Copy a store, sound and whole, into a new folder
    #[command(long_about = BACKUP)]
    Backup(BackupArgs),
    /// Write everything in a store as Parquet, with the map by which `import` reads it back
    #[command(long_about = EXPORT)]
    Export(ExportArgs),
    /// Show the rules by which identities become one customer, or set them
    #[command(long_about = GUARDS)]
    Guards(GuardsArgs),
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

AS OF shows what had been recorded by an instant. All of an import is recorded when it commits, so that a history of years
became known today. --recorded COLUMN names a column of times, read as the others, that says when each row was; a row
without a value was when the import commits. Of a row that comes again the first recording time stays.

A row is refused that has no customer or time, a time or number that does not parse, a time before 1900 or after
tomorrow, a recording time in the future, or the wrong number of fields. Refused rows are counted by reason and written, with their line, to DB.rejects.csv;
the others are imported. With --strict the first is an error.

Rows of customers who were erased (ERASE CUSTOMER) are left out and counted, unless --bring-back says that they may
come back; so are interactions from before what is kept (RETAIN).
A file of links (--links) has two columns of identities: `one` and `other`, `a` and `b`, `from` and `to`, or `identity`
and `customer`. `confidence` is more than 0 and at most 1 (1 where nothing is given), `source` who says so (the name of
the file). A link that was recorded before with the same confidence and source is left out: to import a file again adds
nothing, and does not undo an UNLINK. Its refused rows go to the same file.

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
  "Loaded" = "recorded"                        # as --recorded Loaded
  "Number" = { identity = "phone" }            # one more identity of the customer; `customer` may then be empty
  "Internal" = { ignore = true }
  [constants]                                  # for rows without a value of their own
  channel = "phone"
  [customers]                                  # the same as [columns], for the --customers file
  [links]                                      # for --links files: one, other, confidence, source
  "Member" = { attribute = "one", namespace = "crm" }
  "Handle" = { attribute = "other", namespace = "twitter" }
  [guards]                                     # rules for joining; what is not given is as usual
  limits = { crm = 1, passport = 1 }           # identities of a namespace that one customer may have
  blocked = ["phone:anonymous", "*:unknown"]   # values that join nobody; other_limit, hub_links, priority, patterns
and before all sections links_source = "matching" for files of links without a source of their own.

Examples:
  throughline import contacts.db contacts.csv.gz
  throughline import contacts.db 2026-*.parquet --customers crm.csv --map map.toml
  throughline import contacts.db --links matches.csv
  zcat dump.jsonl.gz | jq -c '.events[]' | throughline import contacts.db -"#;

const VACUUM: &str = "Write a store anew without what was erased, redacted or dropped. `ERASE CUSTOMER` takes somebody out \
of every answer at once, `REDACT` a value, and `RETAIN 24 MONTHS` what took place earlier; the files hold it until this is \
run. Afterwards no file of the store does: backups and \
exports made before, files that were imported and DB.rejects.csv are not the store's and stay as they are. Nothing else \
changes: commits keep numbers and times, journeys their order.\n\n\
History and graph are written beside the old ones, which takes about as long as importing everything again, and \
as much room on the disk as the store has; then the old ones are removed. A run that is interrupted leaves the store as it \
was, or done.\n\n\
Example:\n  throughline query contacts.db \"ERASE CUSTOMER 'crm:42'\"\n  throughline vacuum contacts.db";
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
interactions.parquet, customers.parquet (each row of customers' attributes), links.parquet (all that was said about \
identities, in order), cohorts.parquet, and map.toml, with which `import` makes a store of the files that gives the same \
answers.\n\n\
Kept are the identity, time and sequence of each row, when it was recorded, all attributes with their types and roles, \
links, cuts and the rules for joining, so that customers are the same, journeys come in the same order, AS OF shows the \
same of rows, and a source that is imported again adds nothing. Interactions are written as they are now, without what \
they were before they were amended. Written down, but not read back, are by which commit each row came, when links were recorded (AS OF goes by when the export is imported), and cohorts. Rows that no ORDER BY sorts \
may come in another order. `throughline backup` keeps all of that.\n\n\
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
    /// Memory to import and sort in
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = parse_bytes)]
    pub(crate) memory: usize,
}

#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_MORE)]
pub(crate) struct ImportArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// Files of interactions, `-` for standard input
    #[arg(required_unless_present_any = ["customers", "links"])]
    pub(crate) files: Vec<PathBuf>,
    /// What columns become, where their headers do not say
    #[arg(long, value_name = "MAP.toml")]
    pub(crate) map: Option<PathBuf>,
    /// A file of customer attributes: a customer column, and an attribute a column
    #[arg(long, value_name = "FILE")]
    pub(crate) customers: Option<PathBuf>,
    /// The column that says when each row was recorded, which AS OF goes by; else all are when the import commits
    #[arg(long, value_name = "COLUMN")]
    pub(crate) recorded: Option<String>,
    /// A file that says which identities are of one customer: columns `one` and `other`, and where it has them
    /// `confidence` and `source`; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) links: Vec<PathBuf>,
    /// Make the first bad row an error: nothing is imported then
    #[arg(long)]
    pub(crate) strict: bool,
    /// Take rows of erased customers too, who are known again by that
    #[arg(long)]
    pub(crate) bring_back: bool,
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
    /// Refuse statements that write: SAVE COHORT, LINK, UNLINK
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
    /// The rows of GRAPH or LINKS OF, to be drawn by Graphviz
    Dot,
    /// The rows of GRAPH or LINKS OF, for other tools for graphs
    Graphml,
}

const SHELL: &str = "Ask one query after another. A query ends at `;`, on a terminal also at an empty line; `.help` lists \
the dot commands. On a pipe it prints answers only, goes on after an error, and its exit status is 1 where there was one.\n\n\
Example:\n  printf '.mode json\\nCHAINS SAME topic GAP 7d MIN 3 |> LIMIT 1;\\n' | throughline shell contacts.db";

#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The store: a folder; without it, `.open` one
    pub(crate) db: Option<PathBuf>,
    /// Refuse statements that write: SAVE COHORT, LINK, UNLINK
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

const GUARDS: &str = "Show the rules by which identities become one customer, or set them from a file. They hold for \
all that was ever said, before and after; only the identity that an interaction came under stays what it was.";

const GUARDS_MORE: &str = r#"A file says what is to be different from the usual rules. What it leaves out is as usual; a list or
table that is there holds alone. `--format toml` writes the rules of a store in full, as a file to begin with:
  priority = ["crm", "id", "account", "email", "phone"]   # namespaces, the most trusted first
  other_limit = 5                # identities of one namespace that one customer may have
  hub_links = 100                # an identity that is paired with more others joins nobody
  [limits]                       # for single namespaces
  crm = 1
  [blocked]                      # keys that join nobody, whatever their case; "*" is every namespace
  phone = ["anonymous", "withheld"]
  [patterns]                     # the same as regular expressions for the whole key
  email = ["(no-?reply|test)@.*"]

Examples:
  throughline guards contacts.db
  throughline guards contacts.db --format toml > guards.toml
  throughline guards contacts.db --set guards.toml"#;

#[derive(Debug, Args)]
#[command(after_long_help = GUARDS_MORE)]
pub(crate) struct GuardsArgs {
    /// The store: a folder
    pub(crate) db: PathBuf,
    /// Set the rules that stand in a file
    #[arg(long, value_name = "FILE.toml", conflicts_with = "format")]
    pub(crate) set: Option<PathBuf>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = GuardsFormat::Table)]
    pub(crate) format: GuardsFormat,
}

/// How rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardsFormat {
    /// For people
    Table,
    /// A file for --set
    Toml,
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
    /// Which share of the customers comes under several identities, in the columns phone, email and device: 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    pub(crate) linked: f64,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
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
