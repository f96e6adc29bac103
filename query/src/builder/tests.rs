//! What the calls make is what the parser makes of the text.

use super::*;
use crate::syntax::ast::{Count, Period, Which};
use crate::syntax::parse_without_places;

#[track_caller]
fn check(built: Result<Statement, Vec<Diagnostic>>, text: &str) {
    let built = built.expect("a good query");
    assert_eq!(parse_without_places(text).expect("a good text"), built, "{}", crate::syntax::format(&built));
}

#[test]
fn chains() {
    let query = Journeys::detached()
        .filter("kind IN ('complaint', 'call', 'ticket')")
        .chains(Chains::same("topic").gap(days(7)).at_least(3).started_during("2026-Q1"))
        .aggregate([
            count().named("chains"),
            count_distinct("customer").named("customers"),
            median("span").named("span"),
        ])
        .group_by(["topic"])
        .order_by_desc("customers")
        .order_by("topic")
        .limit(10);
    check(
        query.statement(),
        "FROM journeys
        |> WHERE kind IN ('complaint', 'call', 'ticket')
        |> CHAINS SAME topic GAP 7d MIN 3 STARTED DURING '2026-Q1'
        |> AGGREGATE count(*) AS chains, count(DISTINCT customer) AS customers, median(span) AS span GROUP BY topic
        |> ORDER BY customers DESC, topic
        |> LIMIT 10",
    );
}

#[test]
fn predicates() {
    let query = Journeys::detached()
        .as_of("2026-02-01")
        .during_last(weeks(2))
        .filter(
            attr("kind")
                .is_in(["a", "b"])
                .and(attr("score").lt(3).or(!attr("open").eq(true)))
                .and(attr("x").is_not_null()),
        )
        .filter(
            (attr("a.b") + 1 - attr("c") * 2.5).ge(-attr("d")).and(attr("t").between(hours(1), minutes(90))),
        )
        .filter(attr("tags").item(-1).like("x%").and(attr("k").is_not_in([param("p")])))
        .interactions()
        .extend("half", attr("span") / 2)
        .select([attr("half"), quantile("span", 0.9).named("p90")])
        .distinct();
    check(
        query.statement(),
        "AS OF '2026-02-01' |> DURING LAST 2w
        |> WHERE kind IN ('a', 'b') AND (score < 3 OR NOT open = TRUE) AND x IS NOT NULL
        |> WHERE a.b + 1 - c * 2.5 >= -d AND t BETWEEN 1h AND 90m
        |> WHERE tags[-1] LIKE 'x%' AND k NOT IN $p
        |> INTERACTIONS |> EXTEND span / 2 AS half |> SELECT half, quantile(span, 0.9) AS p90 |> DISTINCT",
    );
}

#[test]
fn funnels() {
    let steps = Funnel::steps([step("Assign seriousness"), step("Closed")]).within(days(30));
    check(
        Journeys::detached().funnel(steps.clone()).reached(2).statement(),
        "FUNNEL (:'Assign seriousness') -> (:Closed) WITHIN 30d |> REACHED 2",
    );
    check(
        Journeys::detached()
            .funnel(steps.on("stage").count(Count::Attempts).trend_by(Period::Week).by(["channel"], At::Step(2)))
            .dropped_at_with(1, Outcome::Silent)
            .customers()
            .save_cohort("lost")
            .statement(),
        "FUNNEL ON stage: 'Assign seriousness' -> Closed WITHIN 30d COUNT ATTEMPTS TREND BY week BY channel AT STEP 2
        |> DROPPED AT 1 SILENT |> CUSTOMERS |> SAVE COHORT lost",
    );
}

#[test]
fn patterns() {
    let pattern = step("complaint")
        .named("a")
        .with("channel", "twitter")
        .then_within(any_step().named("b").with("channel", "phone"), days(1))
        .same(["topic", "case"])
        .then_without(
            step("x").when("agent IS NULL"),
            step("review").or_label("post").when(attr("sentiment").lt(0)),
        )
        .then_not(step("reply"), hours(1))
        .then_next(any_step().repeated(2, None))
        .then(step("z").optional());
    check(
        Journeys::detached().matching(Match::pattern(pattern).which(Which::Each).within(days(9))).statement(),
        "MATCH (a:complaint {channel: 'twitter'}) -[<= 1d, SAME (topic, case)]-> (b {channel: 'phone'})
        -[NO (:x WHERE agent IS NULL)]-> (:review|post WHERE sentiment < 0) -> NOT (:reply) WITHIN 1h
        -[NEXT]-> (){2,} -> (:z)? WITHIN 9d EACH",
    );
}

#[test]
fn patterns_with_alternatives_and_absences() {
    let pattern = absent(step("visit"), days(7))
        .then(either(step("complaint").named("a"), [step("call").named("b")]).one_or_more())
        .then_within(step("ticket").any_number(), hours(2))
        .without(step("x"))
        .then(step("review"))
        .directly()
        .same(["case"]);
    check(
        Journeys::detached().matching(Match::pattern(pattern).simultaneous(seconds(1))).statement(),
        "MATCH NOT (:visit) WITHIN 7d -> ((a:complaint) | (b:call))+ -[<= 2h, NO (:x)]-> (:ticket)*
        -[NEXT, SAME case]-> (:review) SIMULTANEOUS 1s",
    );
    let wrong = Steps::from(step("a")).then_not(step("b").optional(), days(1));
    let wrong = wrong.then(either(step("c"), [step("d").repeated(2, None)]));
    let errors =
        Journeys::detached().matching(Match::pattern(wrong)).statement().expect_err("two quantifiers");
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn customers_and_back() {
    let often = Journeys::detached().chains(Chains::any().gap(days(7)).at_least(3));
    let query = Journeys::detached()
        .only("plan = 'gold' OR HAS (sentiment < 0)")
        .only(
            has(step("a"))
                .and(!has_at_least(3, step("b")))
                .and(attr("plan").eq("gold"))
                .or(in_cohort("vips")),
        )
        .only(behind(&often).or(customer("crm:42")))
        .split_by(["case"])
        .sessions(minutes(30))
        .fcr(Chains::same("topic").gap(days(7)))
        .filter("fcr = FALSE")
        .journeys(Part::Before)
        .map_by(["stage", "channel"]);
    check(
        query.statement(),
        "FOR plan = 'gold' OR HAS (sentiment < 0)
        |> FOR HAS (:a) AND NOT HAS AT LEAST 3 (:b) AND plan = 'gold' OR COHORT vips
        |> FOR IN (CHAINS GAP 7d MIN 3) OR CUSTOMER 'crm:42'
        |> SPLIT BY case |> SESSIONS GAP 30m |> FCR SAME topic GAP 7d |> WHERE fcr = FALSE
        |> JOURNEYS BEFORE |> MAP BY stage, channel",
    );
}

#[test]
fn bad_texts_are_reported_when_the_query_is_made() {
    let query = Journeys::detached()
        .filter("kind == 'x'")
        .only("HAS (")
        .funnel(Funnel::steps([step("a").when("score <")]))
        .rows();
    let errors = query.statement().expect_err("three bad texts");
    let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "in the text `kind == 'x'`: `==` is not an operator",
            "in the text `HAS (`: the query ends where an expression should stand",
            "in the text `score <`: the query ends where an expression should stand",
        ]
    );
    let empty: [Step; 0] = [];
    assert!(Journeys::detached().funnel(Funnel::steps(empty)).statement().is_err());
}

#[test]
fn a_long_chain_of_calls_stays_shallow() {
    let all = (0..500).fold(attr("x").eq(0), |all, n| all.or(attr("x").eq(n)));
    let query = Journeys::detached().filter(all).interactions();
    let statement = query.statement().expect("a good query");
    assert_eq!(parse_without_places(&crate::syntax::format(&statement)), Ok(statement));
}

#[test]
fn paths_and_graphs() {
    let paths =
        Paths::from(step("complaint").with("channel", "twitter")).depth(4).by("channel").collapse().top(10);
    check(
        Journeys::detached().paths(paths).limit(3).statement(),
        "PATHS FROM (:complaint {channel: 'twitter'}) DEPTH 4 BY channel COLLAPSE TOP 10 |> LIMIT 3",
    );
    check(Journeys::detached().paths(Paths::to(step("call"))).statement(), "PATHS TO (:call)");
    let between = Paths::between(step("a"), step("b").when("score < 3"));
    check(Journeys::detached().paths(between).statement(), "PATHS BETWEEN (:a) AND (:b WHERE score < 3)");
    let check_graph = |graph: Graph, text: &str| check(Journeys::detached().graph(graph).statement(), text);
    check_graph(Graph::by("channel"), "GRAPH BY channel");
    check_graph(Graph::by("kind").loops(), "GRAPH BY kind LOOPS");
    check_graph(Graph::by("kind").cheapest("a", "b"), "GRAPH BY kind CHEAPEST 'a' TO 'b'");
    check_graph(Graph::by("kind").dominators_of("x"), "GRAPH BY kind DOMINATORS OF 'x'");
    let wrong = Journeys::detached().paths(Paths::to(step("a").when("score <"))).statement();
    assert!(wrong.is_err());
}

#[test]
fn a_query_without_a_database_says_so() {
    let error = Journeys::detached().interactions().run();
    assert!(error.expect_err("no database").to_string().contains("E416"));
}
