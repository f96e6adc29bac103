//! What broken queries are told, word for word.

use super::parse;
use crate::diagnostics::render;

/// (query, message): a message is part of what is promised, so a change to it is seen here.
#[rustfmt::skip]
const MESSAGES: &[(&str, &str)] = &[
    (r#"FUNEL (:a) -> (:b)"#, r#"
error[E102]: there is no operator `FUNEL`
1 | FUNEL (:a) -> (:b)
  | ^^^^^
  = help: did you mean FUNNEL?
"#),
    (r#"CHAINS SAME topic GAP 7d MIN 3 |> AGREGATE count(*)"#, r#"
error[E102]: there is no operator `AGREGATE`
1 | CHAINS SAME topic GAP 7d MIN 3 |> AGREGATE count(*)
  |                                   ^^^^^^^^
  = help: did you mean AGGREGATE?
"#),
    (r#"LINK crm:1 TO 'crm:42'"#, r#"
error[E101]: expected an identity, found `crm`
1 | LINK crm:1 TO 'crm:42'
  |      ^^^
  = help: write it in single quotes: `LINK 'twitter:@ann' TO 'crm:42'`
"#),
    (r#"LINK 'phone:1', 'crm:42'"#, r#"
error[E101]: expected `TO`, found `,`
1 | LINK 'phone:1', 'crm:42'
  |               ^
  = help: write `LINK 'twitter:@ann' TO 'crm:42'`
"#),
    (r#"LINK 'phone:1' TO 'crm:42' CONFIDENCE 90"#, r#"
error[E105]: a confidence is more than 0 and at most 1
1 | LINK 'phone:1' TO 'crm:42' CONFIDENCE 90
  |                                       ^^
  = help: write `CONFIDENCE 0.9` for nine in ten
"#),
    (r#"LINK 'phone:1' TO 'crm:42' CONFIDENCE 'high'"#, r#"
error[E101]: expected a number after CONFIDENCE, found the text `'high'`
1 | LINK 'phone:1' TO 'crm:42' CONFIDENCE 'high'
  |                                       ^^^^^^
"#),
    (r#"LINK 'phone:1' TO 'crm:42' SORCE 'chat'"#, r#"
error[E101]: expected `CONFIDENCE`, `SOURCE` or the end of the statement, found `SORCE`
1 | LINK 'phone:1' TO 'crm:42' SORCE 'chat'
  |                            ^^^^^
  = help: did you mean SOURCE?
"#),
    (r#"UNLINK 'phone:1' TO 'crm:42'"#, r#"
error[E101]: expected `FROM`, found `TO`
1 | UNLINK 'phone:1' TO 'crm:42'
  |                  ^^
  = help: write `UNLINK 'phone:1' FROM 'crm:42'`
"#),
    (r#"LINKS CUSTOMER 'crm:42'"#, r#"
error[E101]: expected `OF CUSTOMER` or `REFUSED` after LINKS, found `CUSTOMER`
1 | LINKS CUSTOMER 'crm:42'
  |       ^^^^^^^^
  = help: write `LINKS OF CUSTOMER 'crm:42'` or `LINKS REFUSED`
"#),
    (r#"LINKS REFUSD"#, r#"
error[E101]: expected `OF CUSTOMER` or `REFUSED` after LINKS, found `REFUSD`
1 | LINKS REFUSD
  |       ^^^^^^
  = help: did you mean REFUSED?
"#),
    (r#"ERASE 'crm:42'"#, r#"
error[E101]: expected `CUSTOMER`, found the text `'crm:42'`
1 | ERASE 'crm:42'
  |       ^^^^^^^^
  = help: write `ERASE CUSTOMER 'crm:42'`
"#),
    (r#"ERASE CUSTOMER crm:42"#, r#"
error[E101]: expected an identity, found `crm`
1 | ERASE CUSTOMER crm:42
  |                ^^^
  = help: write it in single quotes: `ERASE CUSTOMER 'crm:42'`
"#),
    (r#"ERASE CUSTOMER 'crm:42' |> LIMIT 1"#, r#"
error[E101]: expected the end, found `|>`
1 | ERASE CUSTOMER 'crm:42' |> LIMIT 1
  |                         ^^
"#),
    (r#"EXPLAIN ERASE CUSTOMER 'crm:42'"#, r#"
error[E102]: there is no operator `ERASE`
1 | EXPLAIN ERASE CUSTOMER 'crm:42'
  |         ^^^^^
  = help: it stands only at the start of a statement
"#),
    (r#"RETAIN 24"#, r#"
error[E101]: the query ends where DAYS, WEEKS, MONTHS or YEARS should stand
1 | RETAIN 24
  |          ^
  = help: write `RETAIN 24 MONTHS`, or `RETAIN FOREVER`
"#),
    (r#"RETAIN 24 MONHTS"#, r#"
error[E101]: expected DAYS, WEEKS, MONTHS or YEARS, found `MONHTS`
1 | RETAIN 24 MONHTS
  |           ^^^^^^
  = help: did you mean MONTHS?
"#),
    (r#"RETAIN 730d"#, r#"
error[E101]: expected a whole number or FOREVER after RETAIN, found a duration
1 | RETAIN 730d
  |        ^^^^
  = help: write `RETAIN 24 MONTHS`, or `RETAIN FOREVER`
"#),
    (r#"RETAIN 24 MONTHS |> LIMIT 1"#, r#"
error[E101]: expected the end, found `|>`
1 | RETAIN 24 MONTHS |> LIMIT 1
  |                  ^^
"#),
    (r#"EXPLAIN LINK 'phone:1' TO 'crm:42'"#, r#"
error[E102]: there is no operator `LINK`
1 | EXPLAIN LINK 'phone:1' TO 'crm:42'
  |         ^^^^
  = help: it stands only at the start of a statement
"#),
    (r#"CHAINS SAME topic MIN 3"#, r#"
error[E107]: CHAINS needs a GAP: the longest pause within a chain
1 | CHAINS SAME topic MIN 3
  | ^^^^^^
  = help: write for example `CHAINS SAME topic GAP 7d MIN 3`
"#),
    (r#"CHAINS SAME topic GAP 7d"#, r#"
error[E107]: CHAINS needs a MIN: the fewest contacts that make a chain
1 | CHAINS SAME topic GAP 7d
  | ^^^^^^
  = help: write for example `MIN 3`
"#),
    (r#"CHAINS SAME topic GAP 7 MIN 3"#, r#"
error[E105]: GAP needs a duration, and `7` has no unit
1 | CHAINS SAME topic GAP 7 MIN 3
  |                       ^
  = help: write `7d` for days, `7h` for hours, `7m` for minutes
"#),
    (r#"CHAINS GAP '7d' MIN 3"#, r#"
error[E105]: GAP needs a duration, not a text
1 | CHAINS GAP '7d' MIN 3
  |            ^^^^
  = help: write `7d` without quotes
"#),
    (r#"CHAINS GAP 7d GAP 8d MIN 3"#, r#"
error[E106]: GAP is written twice in one CHAINS
1 | CHAINS GAP 7d GAP 8d MIN 3
  |               ^^^ again here
  |        --- first here
  = help: keep one of the two
"#),
    (r#"CHAINS GAP 1mo MIN 2"#, r#"
error[E105]: `1mo` is neither a number nor a duration
1 | CHAINS GAP 1mo MIN 2
  |            ^^^
  = help: months and years differ in length; write days or weeks: `30d`, `52w`
"#),
    (r#"CHAINS GAP 1.5h MIN 2"#, r#"
error[E105]: a duration is a whole number of its unit
1 | CHAINS GAP 1.5h MIN 2
  |            ^^^^
  = help: write it in a smaller unit: `90m` for one and a half hours
"#),
    (r#"CHAINS GAP 7d MIN 3 WITHN 30d"#, r#"
error[E101]: expected `|>` or the end of the query, found `WITHN`
1 | CHAINS GAP 7d MIN 3 WITHN 30d
  |                     ^^^^^
  = help: did you mean WITHIN?
"#),
    (r#"FUNNEL (:a) -> (:b) WHERE x = 1"#, r#"
error[E101]: expected `|>` or the end of the query, found `WHERE`
1 | FUNNEL (:a) -> (:b) WHERE x = 1
  |                     ^^^^^
  = help: write `|> WHERE`
"#),
    (r#"FUNNEL (:a) --> (:b)"#, r#"
error[E108]: `-->` is not an arrow here
1 | FUNNEL (:a) --> (:b)
  |             ^^^
  = help: write `->`
"#),
    (r#"FUNNEL (:a) -[<= 1d] -> (:b)"#, r#"
error[E101]: expected `,` or `]->`, found `]`
1 | FUNNEL (:a) -[<= 1d] -> (:b)
  |                    ^
  |             -- the arrow begins here
  = help: an arrow ends in `]->`, without a space
"#),
    (r#"FUNNEL (:a) -[< 1d]-> (:b)"#, r#"
error[E101]: expected NEXT, `<=`, `>=`, SAME or NO, found `<`
1 | FUNNEL (:a) -[< 1d]-> (:b)
  |               ^
  = help: bounds are inclusive: write `<=` or `>=`
"#),
    (r#"FUNNEL (:a) -[NOT (:c)]-> (:b)"#, r#"
error[E101]: expected NEXT, `<=`, `>=`, SAME or NO, found `NOT`
1 | FUNNEL (:a) -[NOT (:c)]-> (:b)
  |               ^^^
  = help: write `NO (:label)`: nothing matching it lies between
"#),
    (r#"FUNNEL (:a) <- (:b)"#, r#"
error[E108]: arrows do not point back
1 | FUNNEL (:a) <- (:b)
  |             ^
  = help: time runs to the right: write `(:first) -> (:second)`
"#),
    (r#"FUNNEL (:a), (:b)"#, r#"
error[E111]: steps joined by `,` have no order
1 | FUNNEL (:a), (:b)
  |            ^
  = help: write `->` for steps in order, or `FUNNEL ANY ORDER` for steps in any order
"#),
    (r#"FUNNEL ('complaint') -> (:b)"#, r#"
error[E101]: a label stands after a colon
1 | FUNNEL ('complaint') -> (:b)
  |         ^^^^^^^^^^^
  = help: write `(:complaint)`
"#),
    (r#"FUNNEL (:a sentiment < 0)"#, r#"
error[E101]: expected `)`, found `sentiment`
1 | FUNNEL (:a sentiment < 0)
  |            ^^^^^^^^^
  |        - the step begins here
  = help: a predicate stands after WHERE: `(:complaint WHERE sentiment < 0)`
"#),
    (r#"FUNNEL (:a) -> NOT (:b)"#, r#"
error[E101]: the query ends where `WITHIN` and a duration should stand
1 | FUNNEL (:a) -> NOT (:b)
  |                        ^
  = help: absence needs a deadline: `NOT (:b) WITHIN 1h`; between two steps write `-[NO (:b)]->`
"#),
    (r#"FUNNEL (:a {channel = 'x'})"#, r#"
error[E101]: expected `:`, found `=`
1 | FUNNEL (:a {channel = 'x'})
  |                     ^
  = help: write `{attr: value}`
"#),
    (r#"FUNNEL (:a) {channel: 'x'}"#, r#"
error[E101]: expected a number of repetitions, found `channel`
1 | FUNNEL (:a) {channel: 'x'}
  |              ^^^^^^^
  = help: after the bracket `{` counts repetitions; properties stand inside: `(:a {channel: 'x'})`
"#),
    (r#"FUNNEL WITHIN 30d"#, r#"
error[E107]: the query ends where the steps of the funnel should stand
1 | FUNNEL WITHIN 30d
  |                  ^
  | ------
  = help: write them as `(:first) -> (:second)`, or `ON stage: a -> b`
"#),
    (r#"FUNNEL (:a) -> (:b"#, r#"
error[E101]: the query ends where `)` should stand
1 | FUNNEL (:a) -> (:b
  |                   ^
  |                - the step begins here
"#),
    (r#"WHERE kind == 'x'"#, r#"
error[E108]: `==` is not an operator
1 | WHERE kind == 'x'
  |            ^^
  = help: write `=`
"#),
    (r#"WHERE kind = 'x"#, r#"
error[E103]: this string is never closed
1 | WHERE kind = 'x
  |              ^^
  = help: close it with `'`; inside it the quote is written twice: `''`
"#),
    (r#"WHERE kind = ‘x’"#, r#"
error[E104]: the character `‘` has no meaning here
1 | WHERE kind = ‘x’
  |              ^
  = help: write straight quotes: `'value'` or `"name"`

error[E104]: the character `’` has no meaning here
1 | WHERE kind = ‘x’
  |                ^
  = help: write straight quotes: `'value'` or `"name"`
"#),
    (r#"WHERE größe = 1"#, r#"
error[E104]: the name `größe` has letters that only a quoted name may have
1 | WHERE größe = 1
  |       ^^^^^
  = help: write `"größe"`, or `'größe'` if it is a value
"#),
    (r#"WHERE a < b < c"#, r#"
error[E112]: comparisons do not chain
1 | WHERE a < b < c
  |             ^
  = help: write `a < b AND b < c`, or put one of them in brackets
"#),
    (r#"WHERE in = 3"#, r#"
error[E109]: expected an expression, found `in`
1 | WHERE in = 3
  |       ^^
  = help: `in` is reserved; write `"in"` if it is a name
"#),
    (r#"WHERE a || b = 'x'"#, r#"
error[E101]: expected `|>` or the end of the query, found `||`
1 | WHERE a || b = 'x'
  |         ^^
  = help: texts are not joined with `||`; alternatives are written `a OR b`, labels `a|b`
"#),
    (r#"WHERE x IS 3"#, r#"
error[E101]: expected `NULL` after IS, found the number `3`
1 | WHERE x IS 3
  |            ^
  = help: compare other values with `=` or `<>`
"#),
    (r#"WHERE kind IN 'x'"#, r#"
error[E101]: expected a list after IN, found the text `'x'`
1 | WHERE kind IN 'x'
  |               ^^^
  = help: write `IN ('a', 'b')` or `IN $list`
"#),
    (r#"WHERE x = .5"#, r#"
error[E101]: expected an expression, found `.`
1 | WHERE x = .5
  |           ^
  = help: write a digit before the point: `0.5`
"#),
    (r#"WHERE x = 99999999999999999999"#, r#"
error[E105]: the whole number `99999999999999999999` is too large
1 | WHERE x = 99999999999999999999
  |           ^^^^^^^^^^^^^^^^^^^^
  = help: whole numbers go up to 9223372036854775807; write `1e20` for a decimal number
"#),
    (r#"DURING 2026"#, r#"
error[E101]: expected an instant, a span of time or LAST, found the number `2026`
1 | DURING 2026
  |        ^^^^
  = help: write it in single quotes: `DURING '2026-Q1'`
"#),
    (r#"FROM customers |> LIMIT 3"#, r#"
error[E111]: a query cannot read from `customers`
1 | FROM customers |> LIMIT 3
  |      ^^^^^^^^^
  = help: write `FROM journeys`, or leave it out
"#),
    (r#"LIMIT 3 |> AS OF '2026-01-01'"#, r#"
error[E111]: AS OF must come first
1 | LIMIT 3 |> AS OF '2026-01-01'
  |            ^^^^^
  = help: write it before every other operator: what was known decides what they see
"#),
    (r#"LIMIT 3 |> |> LIMIT 4"#, r#"
error[E101]: expected an operator, found `|>`
1 | LIMIT 3 |> |> LIMIT 4
  |            ^^
  = help: take one `|>` away, or write an operator before it
"#),
    (r#"LIMIT 3 |>"#, r#"
error[E101]: the query ends where an operator should stand
1 | LIMIT 3 |>
  |           ^
  = help: take the last `|>` away, or write an operator after it
"#),
    (r#"SELECT *"#, r#"
error[E108]: there is no `SELECT *`
1 | SELECT *
  |        ^
  = help: leave SELECT out to keep every column
"#),
    (r#"SELECT DISTINCT kind"#, r#"
error[E108]: there is no `SELECT DISTINCT`
1 | SELECT DISTINCT kind
  |        ^^^^^^^^
  = help: write `SELECT … |> DISTINCT`
"#),
    (r#"EXTEND a + b"#, r#"
error[E101]: the query ends where `AS` and a name should stand
1 | EXTEND a + b
  |             ^
  = help: a new column needs a name: `EXTEND span / 2 AS half`
"#),
    (r#"ORDER BY a NULLS LAST"#, r#"
error[E108]: the place of nulls cannot be chosen
1 | ORDER BY a NULLS LAST
  |            ^^^^^
  = help: nulls always come last; take `NULLS …` away
"#),
    (r#"FCR SAME topic GAP 7d MIN 2"#, r#"
error[E107]: FCR takes only SAME, GAP, CLOCK and STARTED DURING
1 | FCR SAME topic GAP 7d MIN 2
  |                       ^^^
  = help: FCR is about chains of any length; write CHAINS to choose among them
"#),
    (r#"FCR GAP 7d CLOCK closing"#, r#"
error[E107]: CLOCK takes `contact` or `resolution`
1 | FCR GAP 7d CLOCK closing
  |                  ^^^^^^^
  = help: `CLOCK resolution` counts the gap from the last contact marked resolved
"#),
    (r#"CHAINS GAP 7d MIN 2 CLOCK contact"#, r#"
error[E107]: CLOCK belongs to FCR
1 | CHAINS GAP 7d MIN 2 CLOCK contact
  |                     ^^^^^
  = help: write FCR, or leave it out: chains go from contact to contact
"#),
    (r#"LIMIT 1; LIMIT 2"#, r#"
error[E101]: expected the end, found `LIMIT`
1 | LIMIT 1; LIMIT 2
  |          ^^^^^
  = help: one statement at a time
"#),
    (r#"FOR HAS NO AT LEAST 3 (:a)"#, r#"
error[E111]: HAS NO and AT LEAST exclude one another
1 | FOR HAS NO AT LEAST 3 (:a)
  |            ^^
  = help: write `NOT HAS AT LEAST n (…)`
"#),
    (r#"FUNNEL (:a) COUNT CUSTOMER"#, r#"
error[E101]: expected CUSTOMERS, ATTEMPTS or SESSIONS, found `CUSTOMER`
1 | FUNNEL (:a) COUNT CUSTOMER
  |                   ^^^^^^^^
  = help: did you mean CUSTOMERS?
"#),
    (r#"FUNEL (:a) |> LIMIT x |> WHERE a = |> CUSTOMERS"#, r#"
error[E102]: there is no operator `FUNEL`
1 | FUNEL (:a) |> LIMIT x |> WHERE a = |> CUSTOMERS
  | ^^^^^
  = help: did you mean FUNNEL?

error[E101]: expected a whole number after LIMIT, found `x`
1 | FUNEL (:a) |> LIMIT x |> WHERE a = |> CUSTOMERS
  |                     ^

error[E101]: expected an expression, found `|>`
1 | FUNEL (:a) |> LIMIT x |> WHERE a = |> CUSTOMERS
  |                                    ^^
"#),
    (r#"SAVE COHORT 'x'"#, r#"
error[E101]: expected the cohort's name, found the text `'x'`
1 | SAVE COHORT 'x'
  |             ^^^
  = help: write `x`; single quotes are for values
"#),
    (r#"MATCH (:a){3,2}"#, r#"
error[E105]: no number of repetitions fits this quantifier
1 | MATCH (:a){3,2}
  |           ^^^^^
  = help: write the least number first: `{2,5}`
"#),
    (r#"LIMIT 3 WHERE x = 1"#, r#"
error[E101]: expected `|>` or the end of the query, found `WHERE`
1 | LIMIT 3 WHERE x = 1
  |         ^^^^^
  = help: write `|> WHERE`
"#),
    (r#"/* all */ LIMIT 3"#, r#"
error[E108]: comments are not written `/* … */`
1 | /* all */ LIMIT 3
  | ^^^^^^^^^
  = help: write `-- …`, up to the end of the line
"#),
    (r#"SPLITT BY topic"#, r#"
error[E102]: there is no operator `SPLITT`
1 | SPLITT BY topic
  | ^^^^^^
  = help: did you mean SPLIT?
"#),
    (r#"FOR plan = 'gold' AN HAS (:a)"#, r#"
error[E101]: expected `|>` or the end of the query, found `AN`
1 | FOR plan = 'gold' AN HAS (:a)
  |                   ^^
"#),
    (r#"GRAPH channel"#, r#"
error[E101]: expected `BY`, found `channel`
1 | GRAPH channel
  |       ^^^^^^^
"#),
    (r#"PATHS (:a)"#, r#"
error[E101]: expected FROM, TO or BETWEEN, found `(`
1 | PATHS (:a)
  |       ^
  = help: write for example `PATHS FROM (:complaint)`
"#),
    (r#"FUNNEL (:a) (:b)"#, r#"
error[E101]: nothing joins this step to the one before
1 | FUNNEL (:a) (:b)
  |             ^
  = help: write `->` between them
"#),
    (r#"FUNNEL ON stage: a -[<= 1d]-> b"#, r#"
error[E111]: after `ON attr:` arrows take no conditions
1 | FUNNEL ON stage: a -[<= 1d]-> b
  |                    ^^
  = help: write the steps in brackets to put conditions between them: `(:a) -[<= 7d]-> (:b)`
"#),
    (r#"FUNNEL STRICT ANY ORDER (:a), (:b)"#, r#"
error[E111]: STRICT and ANY ORDER exclude one another
1 | FUNNEL STRICT ANY ORDER (:a), (:b)
  |        ^^^^^^
  |               ---------
  = help: keep one of the two
"#),
    (r#"SELECT a.b.c"#, r#"
error[E101]: a third part of a name
1 | SELECT a.b.c
  |           ^
  = help: names have at most two parts: `customer.plan`, `a.channel`
"#),
    (r#"WHERE x = $"#, r#"
error[E104]: a parameter needs a name after `$`
1 | WHERE x = $
  |           ^
  = help: write `$name`; names begin with a letter
"#),
    (r#"WHERE CASE WHEN a THEN b"#, r#"
error[E101]: the query ends where `END` should stand
1 | WHERE CASE WHEN a THEN b
  |                         ^
  |       ---- CASE begins here
"#),
    (r#"GROUP BY topic"#, r#"
error[E102]: there is no operator `GROUP`
1 | GROUP BY topic
  | ^^^^^
  = help: write `AGGREGATE count(*) GROUP BY …`
"#),
];

#[test]
fn broken_queries() {
    for (query, expected) in MESSAGES {
        let errors = parse(query).expect_err(query);
        let message = render(&errors, query, false);
        assert_eq!(message.trim(), expected.trim(), "\n{message}");
    }
}

#[test]
fn the_limit_of_errors_of_one_text() {
    let many = vec!["FUNEL"; 50].join(" |> ");
    let errors = parse(&many).expect_err("fifty errors");
    assert_eq!(errors.len(), crate::limits::QUERY_ERRORS_MAX);
}
