//! Dot commands: what is not a query.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use throughline::engine::Subject;
use throughline::{Answer, Value};

use super::{Shell, Then};
use crate::args::{Format, InfoFormat};
use crate::failure::{Failure, Outcome, did_you_mean};
use crate::import::import_plain;
use crate::store::{ask, quoted, say, show, terminal_width};
use crate::{info, params, render};

const HELP: &str = "\
.open DB                      open the store in a folder
.info                         what the store holds
.schema                       attributes, their types and roles
.journey ID                   one customer's journey: .journey crm:42
.import FILE                  import a file (throughline import --help tells of headers)
.mode FORMAT                  table, csv, json, jsonl or markdown; dot or graphml for GRAPH and LINKS OF
.param set NAME VALUE         the value of $NAME in queries
.param list, .param clear
.timer on|off                 say how long each query took
.read FILE                    run the lines of a file
.help, .exit (or .quit)
A query ends at ; and on a terminal also at an empty line.";

const COMMANDS: [&str; 12] = [
    ".help", ".open", ".mode", ".info", ".schema", ".import", ".param", ".timer", ".read", ".journey",
    ".exit", ".quit",
];

fn usage(text: &str) -> Failure {
    Failure::said(format!("write {text}"))
}

impl Shell {
    /// Runs a dot command.
    pub(super) fn command(&mut self, line: &str) -> Outcome<Then> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim().trim_end_matches(';').trim_end();
        match name.trim_end_matches(';') {
            ".exit" | ".quit" => return Ok(Then::Leave),
            ".help" => say(HELP),
            ".open" if !rest.is_empty() => self.open(Path::new(unquoted(rest)))?,
            ".open" => return Err(usage(".open DB, where DB is the folder of a store")),
            ".mode" => self.mode(rest)?,
            ".info" => {
                let Some((path, _)) = &self.db else { return self.db().map(|_| Then::GoOn) };
                let format = if self.format == Format::Json { InfoFormat::Json } else { InfoFormat::Table };
                info::info(self.db()?, path, format)?;
            }
            ".schema" => self.schema()?,
            ".journey" if !rest.is_empty() => self.journey(unquoted(rest))?,
            ".journey" => return Err(usage(".journey ID, such as .journey crm:42")),
            ".import" if !rest.is_empty() => self.import(unquoted(rest))?,
            ".import" => return Err(usage(".import FILE")),
            ".param" => self.param(rest)?,
            ".timer" => match rest {
                "on" => self.timer = true,
                "off" => self.timer = false,
                _ => return Err(usage(".timer on or .timer off")),
            },
            ".read" if !rest.is_empty() => return self.read(Path::new(unquoted(rest))),
            ".read" => return Err(usage(".read FILE")),
            unknown => {
                return Err(Failure::said(format!(
                    "there is no command `{unknown}`{}; .help lists them",
                    did_you_mean(unknown, COMMANDS)
                )));
            }
        }
        Ok(Then::GoOn)
    }

    fn mode(&mut self, name: &str) -> Outcome<()> {
        let known = ["table", "csv", "json", "jsonl", "markdown", "dot", "graphml"];
        if name.is_empty() {
            return Err(usage(&format!(".mode FORMAT, where FORMAT is one of {}", known.join(", "))));
        }
        self.format = Format::from_str(name, true).map_err(|_| {
            Failure::said(format!(
                "`{name}` is no mode{}; modes are {}",
                did_you_mean(name, known),
                known.join(", ")
            ))
        })?;
        Ok(())
    }

    fn schema(&self) -> Outcome<()> {
        let snapshot = self.db()?.snapshot();
        let text = |text: &str| Value::Str(text.into());
        let rows: Vec<Vec<Value>> = snapshot
            .schema()
            .attributes()
            .iter()
            .map(|attribute| {
                let of = if attribute.subject == Subject::Customer { "customer" } else { "interaction" };
                vec![
                    text(&attribute.name),
                    text(attribute.ty.name()),
                    attribute.role.map_or(Value::Null, |role| text(role.name())),
                    text(of),
                ]
            })
            .collect();
        let mut out = std::io::stdout().lock();
        render::named_rows(
            &mut out,
            self.format,
            &["attribute", "type", "role", "of"],
            &rows,
            terminal_width(),
        )?;
        Ok(())
    }

    /// Every interaction of a customer, without the columns that are empty throughout.
    fn journey(&self, id: &str) -> Outcome<()> {
        let query = format!("FOR CUSTOMER {} |> INTERACTIONS", quoted(id));
        let answer = ask(self.db()?, &query, &self.params)?;
        if answer.rows().is_empty() {
            return Err(Failure::said(format!(
                "no customer goes by `{id}`; an identity is written namespace:key, and `{id}` alone is id:{id}"
            )));
        }
        match self.format {
            Format::Table | Format::Dot | Format::Graphml => show_journey(&answer),
            format => show(&answer, format),
        }
    }

    fn import(&self, file: &str) -> Outcome<()> {
        let Some((path, _)) = &self.db else { return self.db().map(|_| ()) };
        if self.read_only {
            return Err(Failure::said("the shell was started with --read-only, and an import writes"));
        }
        let summary = import_plain(self.db()?, path, vec![PathBuf::from(file)], None)?;
        say(&summary.written());
        Ok(())
    }

    fn param(&mut self, rest: &str) -> Outcome<()> {
        let mut words = rest.splitn(3, char::is_whitespace);
        match (words.next().unwrap_or_default(), words.next(), words.next()) {
            ("set", Some(name), Some(value)) => {
                let (name, value) = params::parse(&format!("{name}={value}")).map_err(Failure::Said)?;
                self.params.insert(name, value);
            }
            ("list", None, None) => {
                for (name, value) in &self.params {
                    say(&format!("${name} = {}", render::for_people(value)));
                }
            }
            ("clear", None, None) => self.params.clear(),
            _ => return Err(usage(".param set NAME VALUE, .param list or .param clear")),
        }
        Ok(())
    }
}

/// A customer's interactions as a table, without the columns that are empty
/// throughout, and without those that say of each row whose it is, where that
/// is the same throughout.
pub(crate) fn show_journey(answer: &Answer) -> Outcome<()> {
    let known = |place: &usize| {
        let name = answer.columns().get(*place).map(|column| column.name.as_str());
        let mut cells = answer.rows().iter().map(|row| row.get(*place));
        let first = cells.next();
        name == Some("customer") || (name == Some("identity") && cells.all(|cell| Some(cell) == first))
    };
    let places: Vec<usize> = render::filled(answer).into_iter().filter(|place| !known(place)).collect();
    let (names, rows) = render::some_columns(answer, &places);
    render::table(&mut std::io::stdout().lock(), &names, &rows, terminal_width())?;
    Ok(())
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Shell {
        Shell {
            db: None,
            read_only: false,
            format: Format::Table,
            params: throughline::Params::new(),
            timer: false,
            failures: 0,
            depth: 0,
            pending: String::new(),
        }
    }

    #[test]
    fn a_slip_is_met_with_the_near_name() {
        let mut shell = shell();
        let said = |shell: &mut Shell, line: &str| shell.command(line).expect_err(line).to_string();
        assert!(said(&mut shell, ".opne x").contains("did you mean `.open`?"));
        assert!(said(&mut shell, ".mode jsno").contains("did you mean `json`?"));
        assert!(said(&mut shell, ".schema").contains(".open DB"));
    }

    #[test]
    fn settings_last() {
        let mut shell = shell();
        shell.command(".mode json").expect("is a mode");
        shell.command(".param set who crm:42").expect("sets");
        shell.command(".timer on").expect("sets");
        assert_eq!((shell.format, shell.timer, shell.params.len()), (Format::Json, true, 1));
        assert_eq!(shell.command(".quit").expect("leaves"), Then::Leave);
    }

    #[test]
    fn statements_without_a_store_fail_and_the_shell_goes_on() {
        let mut shell = shell();
        assert_eq!(shell.line("INTERACTIONS |>", false).expect("waits"), Then::GoOn);
        assert_eq!(shell.failures, 0);
        shell.line("LIMIT 1; INTERACTIONS;", false).expect("goes on");
        assert_eq!((shell.failures, shell.pending.as_str()), (2, ""));
        shell.line("INTERACTIONS", true).expect("waits");
        shell.line("", true).expect("goes on");
        assert_eq!(shell.failures, 3);
    }
}
