//! Queries that have an answer.

use std::cell::Cell;

use proptest::prelude::*;
use throughline::engine::{Batch, Identity, Subject, ValueRef};
use throughline::syntax::format;
use throughline::{Answer, Params, QueryOptions};
use throughline_tests::reference::{Event, Val};
use throughline_tests::store::Store;
use throughline_tests::table::Table;

use super::expressions::{Names, expression, predicate};
use super::operators::{Operators, Rows, Written};
use super::tape::Tape;
use crate::differential::compare::{count_one, run_share};
use crate::differential::history::{START, Size, history};

const SIZE: Size = Size { events: 30, hours: 40 };

/// What a drawn query came to.
pub(crate) enum Drawn {
    Query(String),
    /// A part of it is refused, with the message.
    Refused(String),
}

/// Adds what the grammar speaks of: every attribute, customers' attributes, a cohort, a customer of
/// two identities.
pub(crate) fn furnish(store: &Store) {
    let mut whole = Event::new("id:1", START, 1_000).with("sentiment", Val::Float(0.5));
    for (name, value) in
        [("kind", "a"), ("channel", "phone"), ("topic", "x"), ("case", "7"), ("agent", "Ann")]
    {
        whole = whole.with(name, value);
    }
    whole = whole.with("resolved", Val::Bool(true)).with("n", Val::Int(-1));
    throughline_tests::store::append(store.db(), &[whole], true);
    let mut import = store.db().import("customers").expect("an import begins");
    let text = import.schema().find(Subject::Customer, "plan").map(|attribute| attribute.id);
    let plan = text.unwrap_or_else(|| {
        let ty = throughline::engine::AttrType::Symbol;
        import.declare(Subject::Customer, "plan", ty, None).expect("declares")
    });
    let age =
        import.declare(Subject::Customer, "age", throughline::engine::AttrType::Int, None).expect("declares");
    let mut batch = Batch::new(&import.schema().clone());
    for (customer, of, years) in [("id:1", "gold", 40), ("id:2", "free", 20), ("crm:3", "gold", 31)] {
        batch.begin(&Identity::parse(customer).expect("an identity"), 0);
        batch.set(plan, ValueRef::Str(of)).expect("fits");
        batch.set(age, ValueRef::Int(years)).expect("fits");
    }
    import.push_customers(batch).expect("is taken");
    import.commit().expect("commits");
    store.db().query("WHERE kind = 'a' |> SAVE COHORT vips").expect("saves");
    store.db().query("LINK 'id:1' TO 'crm:3'").expect("links");
}

pub(crate) fn answer(store: &Store, query: &str, threads: usize) -> Result<Answer, String> {
    let options = QueryOptions { threads: Some(threads), ..QueryOptions::default() };
    store.db().query_options(query, &Params::new(), &options).map_err(|error| error.to_string())
}

/// A query drawn from the tape. The columns of its rows, which what follows
/// speaks of, are asked of the store.
pub(crate) fn draw(store: &Store, decisions: &[u16], written: Written) -> Drawn {
    let mut tape = Tape::new(decisions);
    let mut text = if tape.chance(50) { "FROM journeys\n|> ".to_owned() } else { String::new() };
    let (first, mut rows) = Operators::new(&mut tape, written).rows(2);
    text += &first;
    for round in 0..2 {
        for _ in 0..tape.below(4) {
            let names = match answer(store, &text, 1) {
                Ok(answer) => names_of(&answer),
                Err(message) => return Drawn::Refused(format!("{text}\n{message}")),
            };
            let (operator, after) = row_operator(&mut tape, &names, rows);
            text += &format!("\n|> {operator}");
            rows = after;
        }
        if round > 0 || !tape.chance(20) {
            break;
        }
        text += match rows {
            Rows::Without => "\n|> JOURNEYS",
            Rows::WithMembers => tape.pick(&["\n|> JOURNEYS", "\n|> JOURNEYS BEFORE", "\n|> JOURNEYS AFTER"]),
        };
        let (next, after) = Operators::new(&mut tape, written).rows(1);
        text += &format!("\n|> {next}");
        rows = after;
    }
    match answer(store, &text, 1) {
        Ok(_) => Drawn::Query(text),
        Err(message) => Drawn::Refused(format!("{text}\n{message}")),
    }
}

fn names_of(answer: &Answer) -> Names {
    let quoted = |name: &str| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !throughline::syntax::words::is_reserved(name);
        // A variable's attribute is written with its dot.
        let dotted = name
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        if plain || dotted { name.to_owned() } else { format!("\"{name}\"") }
    };
    Names {
        columns: answer.columns().iter().map(|column| (quoted(&column.name), column.ty.clone())).collect(),
    }
}

fn row_operator(tape: &mut Tape, names: &Names, rows: Rows) -> (String, Rows) {
    match tape.below(9) {
        0 => (format!("WHERE {}", predicate(tape, names, 2)), rows),
        1 => {
            let ty = names.some_type(tape);
            (format!("EXTEND {} AS extended{}", expression(tape, names, ty, 2), names.columns.len()), rows)
        }
        2 => {
            let count = 1 + tape.below(3);
            let items: Vec<String> = (0..count)
                .map(|number| {
                    let ty = names.some_type(tape);
                    format!("{} AS selected{number}", expression(tape, names, ty, 2))
                })
                .collect();
            (format!("SELECT {}", items.join(", ")), rows)
        }
        3 => (aggregate(tape, names), Rows::Without),
        4 => match names.any(tape) {
            Some((column, _)) => (format!("ORDER BY {column}{}", tape.pick(&["", " DESC", " ASC"])), rows),
            None => ("LIMIT 3".to_owned(), rows),
        },
        5 => (format!("LIMIT {}", tape.below(5)), rows),
        6 => ("DISTINCT".to_owned(), Rows::Without),
        7 if rows == Rows::WithMembers => ("INTERACTIONS".to_owned(), Rows::WithMembers),
        _ => ("CUSTOMERS".to_owned(), Rows::Without),
    }
}

fn aggregate(tape: &mut Tape, names: &Names) -> String {
    use super::expressions::Ty;
    let count = 1 + tape.below(3);
    let items: Vec<String> = (0..count)
        .map(|number| {
            let item = match names.any(tape) {
                None => "count(*)".to_owned(),
                Some((column, ty)) => {
                    let countable = matches!(ty, Ty::Int | Ty::Float | Ty::Duration);
                    match tape.below(10) {
                        0 => "count(*)".to_owned(),
                        1 => format!("count({column})"),
                        2 => format!("count(DISTINCT {column})"),
                        3 if countable => format!("sum({column})"),
                        4 if countable => format!("median({column})"),
                        5 if countable => format!("quantile({column}, 0.9)"),
                        6 => format!("share({})", predicate(tape, names, 1)),
                        7 => format!("top({column}, 2)"),
                        8 => format!("list({column})"),
                        _ if ty != Ty::Bool => format!("max({column})"),
                        _ => format!("share({column})"),
                    }
                }
            };
            format!("{item} AS aggregated{number}")
        })
        .collect();
    let groups = if tape.chance(50) { names.any(tape) } else { None };
    let groups = groups.map_or(String::new(), |(column, _)| format!(" GROUP BY {column} AS grouped"));
    format!("AGGREGATE {}{groups}", items.join(", "))
}

fn check_query(store: &Store, query: &str, by_reading: &str) {
    let statement = throughline::parse(query).unwrap_or_else(|errors| panic!("{query}\n{errors:?}"));
    let canonical = format(&statement);
    let again = throughline::parse(&canonical).unwrap_or_else(|errors| panic!("{canonical}\n{errors:?}"));
    assert_eq!(format(&again), canonical, "{query}");
    let ask = |query: &str, threads: usize| {
        let answer = answer(store, query, threads).unwrap_or_else(|message| panic!("{query}\n{message}"));
        (Table::of(&answer), answer.notes().to_vec())
    };
    let found = ask(query, 1);
    assert_eq!(ask(query, 3), found, "on 3 threads:\n{query}");
    assert_eq!(ask(&canonical, 2), found, "\n{query}\n{canonical}");
    // What was left out is counted among what was read.
    let (by_reading_found, _) = ask(by_reading, 1);
    assert_eq!(by_reading_found, found.0, "by the index and by reading:\n{query}\n{by_reading}");
    // Which of its rows for one customer are there because of one link: no more than there are.
    let only_here = |query: &str| {
        let asked = format!("LINKS OF CUSTOMER 'crm:3' IN ({query})");
        let links = answer(store, &asked, 1).unwrap_or_else(|message| panic!("{asked}\n{message}"));
        let count = |row: usize| links.get(row, "only_here").and_then(throughline::Value::as_int);
        let counts: Vec<Option<i64>> = (0..links.len()).map(count).collect();
        assert!(counts.iter().any(Option::is_some), "{asked}");
        counts
    };
    assert_eq!(only_here(query), only_here(&canonical), "{query}");
    let explained = answer(store, &format!("EXPLAIN {query}"), 1);
    assert!(explained.is_ok_and(|answer| !answer.is_empty()), "EXPLAIN {query}");
}

#[test]
fn valid_queries_have_one_answer() {
    let tapes = prop::collection::vec(prop::collection::vec(any::<u16>(), 0..120), 8);
    let (answered, refused) = (Cell::new(0), Cell::new(0));
    run_share("valid queries", 2_000, &(history(SIZE), tapes), |(history, tapes)| {
        let store = history.deliver();
        furnish(&store);
        for tape in &tapes {
            let drawn = [Written::Plain, Written::ForReading].map(|written| draw(&store, tape, written));
            match drawn {
                [Drawn::Query(query), Drawn::Query(by_reading)] => check_query(&store, &query, &by_reading),
                // What does not go together is refused, whatever the types say.
                [Drawn::Refused(message), _] | [_, Drawn::Refused(message)] => {
                    assert!(message.contains("error[E4"), "{message}");
                    refused.set(refused.get() + 1);
                    continue;
                }
            }
            count_one();
            answered.set(answered.get() + 1);
        }
    });
    let (answered, refused) = (answered.get(), refused.get());
    assert!(answered > refused, "{answered} answered, {refused} refused");
    eprintln!("valid queries: {answered} answered, {refused} refused");
}
