//! Random trees survive being written and read again.

use proptest::prelude::*;

use super::ast::*;
use super::parser::parse_without_places;
use super::{chain, format};

fn name() -> impl Strategy<Value = Name> {
    // Keywords that may be attributes, reserved words, and names that need quotes.
    let words = prop::sample::select(vec![
        "a", "Kind", "case", "distinct", "when", "then", "end", "as", "group", "has", "cohort", "customer",
        "first", "step", "open", "in", "NOT", "null", "days", "größe", "a b", "x\"y", "1st", "from",
        "within", "count",
    ]);
    words.prop_map(Name::new)
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(Literal::Int),
        (-9_i64..9).prop_map(Literal::Int),
        any::<f64>().prop_filter("has a text", |n| n.is_finite()).prop_map(Literal::Float),
        "[a-z' \n日;\"-]{0,6}".prop_map(Literal::Str),
        duration(),
        Just(Literal::Param("p".into())),
    ]
}

fn duration() -> impl Strategy<Value = Literal> {
    prop_oneof![
        (0..i64::MAX).prop_map(Literal::Duration),
        (0_i64..200).prop_map(|n| Literal::Duration(n * 3_600_000))
    ]
}

fn bare(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        literal().prop_map(ExprKind::Literal),
        (prop::option::of(name()), name()).prop_map(|(qualifier, name)| ExprKind::Column { qualifier, name }),
    ]
    .prop_map(bare);
    leaf.prop_recursive(5, 30, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let sign = prop::sample::select(vec![
            BinaryOp::Eq,
            BinaryOp::Ne,
            BinaryOp::Lt,
            BinaryOp::Le,
            BinaryOp::Gt,
            BinaryOp::Ge,
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Div,
            BinaryOp::Mod,
        ]);
        let joined = (any::<bool>(), prop::collection::vec(inner.clone(), 1..5))
            .prop_filter_map("some", |(and, all)| {
                chain::expressions(if and { BinaryOp::And } else { BinaryOp::Or }, all)
            });
        let list = prop::collection::vec(inner.clone(), 1..4);
        let case = (
            prop::option::of(boxed.clone()),
            prop::collection::vec((inner.clone(), inner.clone()), 1..3),
            prop::option::of(boxed.clone()),
        );
        let call = (name(), any::<bool>(), any::<bool>(), prop::collection::vec(inner.clone(), 0..3));
        let (b, any_bool) = (boxed.clone(), any::<bool>());
        prop_oneof![
            2 => joined,
            6 => (sign, b.clone(), b.clone()).prop_map(|(op, x, y)| bare(ExprKind::Binary(op, x, y))),
            2 => (any_bool, b.clone()).prop_map(|(not, x)| bare(ExprKind::Unary(
                if not { UnaryOp::Not } else { UnaryOp::Minus },
                x
            ))),
            1 => (b.clone(), list, any_bool).prop_map(|(value, list, negated)| bare(ExprKind::In {
                value,
                list,
                negated
            })),
            1 => (b.clone(), b.clone(), b.clone(), any_bool).prop_map(|(value, low, high, negated)| bare(
                ExprKind::Between { value, low, high, negated }
            )),
            1 => (b.clone(), b.clone(), any_bool).prop_map(|(value, pattern, negated)| bare(ExprKind::Like {
                value,
                pattern,
                negated
            })),
            1 => (b.clone(), any_bool).prop_map(|(value, negated)| bare(ExprKind::IsNull { value, negated })),
            1 => (b.clone(), b.clone()).prop_map(|(x, y)| bare(ExprKind::Item(x, y))),
            1 => case.prop_map(|(operand, branches, otherwise)| bare(ExprKind::Case {
                operand,
                branches,
                otherwise
            })),
            1 => call.prop_map(|(name, star, distinct, args)| {
                let star = star && args.is_empty();
                let distinct = distinct && !args.is_empty();
                bare(ExprKind::Call { name, distinct, star, args })
            }),
        ]
    })
}

fn lit(value: impl Strategy<Value = Literal>) -> impl Strategy<Value = Lit> {
    value.prop_map(Lit::new)
}

fn step() -> impl Strategy<Value = Step> {
    let properties = prop::collection::vec((name(), lit(literal())), 0..3);
    (prop::option::of(name()), prop::collection::vec(name(), 0..3), properties, prop::option::of(expr()))
        .prop_map(|(name, labels, properties, predicate)| Step {
            name,
            labels,
            properties,
            predicate,
            span: Span::default(),
        })
}

fn edge() -> impl Strategy<Value = Edge> {
    let condition = prop_oneof![
        Just(Condition::Next(Span::default())),
        lit(duration()).prop_map(Condition::AtMost),
        lit(duration()).prop_map(Condition::AtLeast),
        prop::collection::vec(name(), 1..3).prop_map(|attrs| Condition::Same(attrs, Span::default())),
        step().prop_map(|absent| Condition::No(Box::new(absent), Span::default())),
    ];
    prop::collection::vec(condition, 0..3).prop_map(|conditions| Edge { conditions, span: Span::default() })
}

fn element() -> impl Strategy<Value = Element> {
    let quantifier =
        prop::option::of((0_u32..3, prop::option::of(1_u32..4)).prop_map(|(min, more)| Quantifier {
            min,
            max: more.map(|more| min + more),
            span: Span::default(),
        }));
    let kind = prop_oneof![
        3 => step().prop_map(ElementKind::Step),
        1 => prop::collection::vec(step(), 1..3).prop_map(ElementKind::Alternatives),
        1 => (step(), lit(duration())).prop_map(|(step, within)| ElementKind::Absent { step, within }),
    ];
    (kind, quantifier).prop_map(|(kind, quantifier)| {
        let quantifier = if matches!(kind, ElementKind::Absent { .. }) { None } else { quantifier };
        Element { kind, quantifier, span: Span::default() }
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (element(), prop::collection::vec((edge(), element()), 0..3)).prop_map(|(first, rest)| {
        let mut pattern = Pattern { elements: vec![first], ..Pattern::default() };
        for (edge, element) in rest {
            pattern.edges.push(edge);
            pattern.elements.push(element);
        }
        pattern
    })
}

fn customers() -> impl Strategy<Value = ForExpr> {
    let what = prop_oneof![
        // A step of only a name is read as a predicate.
        step()
            .prop_filter("not only a name", |s| {
                s.name.is_none() || !s.labels.is_empty() || !s.properties.is_empty() || s.predicate.is_some()
            })
            .prop_map(|s| HasWhat::Step(Box::new(s))),
        expr().prop_map(HasWhat::Predicate),
    ];
    let has = (any::<bool>(), prop::option::of(0_i64..9), what).prop_map(|(no, n, what)| ForExpr::Has {
        no,
        at_least: n.filter(|_| !no).map(|n| Lit::new(Literal::Int(n))),
        what,
        span: Span::default(),
    });
    let query = prop::collection::vec(expr(), 0..3).prop_map(|all| {
        ForExpr::In(Box::new(query(all.into_iter().map(OpKind::Where).collect())), Span::default())
    });
    let leaf = prop_oneof![
        2 => has,
        1 => name().prop_map(ForExpr::Cohort),
        2 => expr().prop_map(ForExpr::Attributes),
        1 => "[a-z']{0,4}".prop_map(|id| ForExpr::Customer(Lit::new(Literal::Str(id)))),
        1 => query,
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (any::<bool>(), prop::collection::vec(inner.clone(), 1..4))
                .prop_filter_map("some", |(and, all)| {
                    chain::customers(if and { BinaryOp::And } else { BinaryOp::Or }, all)
                }),
            inner.prop_map(|x| match x {
                ForExpr::Attributes(x) =>
                    ForExpr::Attributes(bare(ExprKind::Unary(UnaryOp::Not, Box::new(x)))),
                other => ForExpr::Not(Box::new(other), Span::default()),
            }),
        ]
    })
}

fn query(kinds: Vec<OpKind>) -> Query {
    let op = |kind| Op { kind, span: Span::default(), keyword: Span::default() };
    Query { ops: kinds.into_iter().map(op).collect(), span: Span::default() }
}

fn operator() -> impl Strategy<Value = OpKind> {
    let item = || (expr(), prop::option::of(name())).prop_map(|(expr, alias)| SelectItem { expr, alias });
    let within = || prop::option::of(lit(duration()));
    prop_oneof![
        expr().prop_map(OpKind::Where),
        customers().prop_map(OpKind::For),
        (pattern(), within(), within()).prop_map(|(pattern, within, simultaneous)| {
            OpKind::Match(Box::new(Match { pattern, within, simultaneous, ..Match::default() }))
        }),
        (pattern(), within(), prop::option::of(name()), prop::collection::vec(name(), 0..3)).prop_map(
            |(pattern, within, hold, attrs)| {
                let by =
                    (!attrs.is_empty()).then(|| Breakdown { attrs, at: At::Last, span: Span::default() });
                OpKind::Funnel(Box::new(Funnel { pattern, within, hold, by, ..Funnel::default() }))
            }
        ),
        (prop::collection::vec(item(), 0..3), prop::collection::vec(item(), 0..3))
            .prop_filter("not empty", |(items, groups)| !items.is_empty() || !groups.is_empty())
            .prop_map(|(items, group_by)| OpKind::Aggregate { items, group_by }),
        prop::collection::vec(item(), 1..3).prop_map(OpKind::Select),
        prop::collection::vec((expr(), any::<bool>()), 1..3).prop_map(|items| {
            OpKind::OrderBy(
                items.into_iter().map(|(expr, descending)| OrderItem { expr, descending }).collect(),
            )
        }),
        (prop::collection::vec(name(), 0..3), lit(duration()), within()).prop_map(|(same, gap, within)| {
            let min = Some(Lit::new(Literal::Int(2)));
            OpKind::Chains(Chains { same, gap: Some(gap), min, within, ..Chains::default() })
        }),
        (prop::collection::vec(name(), 0..3), lit(duration()), any::<Option<bool>>()).prop_map(
            |(same, gap, clock)| {
                let clock =
                    clock.map(|of| (if of { Clock::Resolution } else { Clock::Contact }, Span::default()));
                OpKind::Fcr(Chains { same, gap: Some(gap), clock, ..Chains::default() })
            }
        ),
        name().prop_map(OpKind::SaveCohort),
    ]
}

/// A text, or a parameter for one.
fn text() -> impl Strategy<Value = Lit> {
    lit(prop_oneof!["[a-z' \n日;\"-]{0,6}".prop_map(Literal::Str), Just(Literal::Param("p".into()))])
}

fn confidence() -> impl Strategy<Value = Lit> {
    lit(prop_oneof![
        (1..=1_000_i32).prop_map(|n| Literal::Float(f64::from(n) / 1_000.0)),
        Just(Literal::Int(1)),
        Just(Literal::Param("p".into())),
    ])
}

fn whole_query() -> impl Strategy<Value = Query> {
    prop::collection::vec(operator(), 0..4).prop_map(query)
}

/// How much is kept.
fn kept() -> impl Strategy<Value = Lit> {
    let value =
        prop_oneof![(0..i64::MAX).prop_map(Literal::Int), "[a-z][a-z0-9_]{0,6}".prop_map(Literal::Param)];
    value.prop_map(|value| Lit { value, span: Span::default() })
}

fn statement() -> impl Strategy<Value = Statement> {
    let links = prop_oneof![
        (text(), text(), prop::option::of(confidence()), prop::option::of(text())).prop_map(
            |(one, other, confidence, source)| { LinksKind::Link { one, other, confidence, source } }
        ),
        (text(), text()).prop_map(|(one, other)| LinksKind::Unlink { one, other }),
        (text(), prop::option::of(whole_query()))
            .prop_map(|(customer, query)| LinksKind::Of { customer, query }),
        prop::option::of(text()).prop_map(|customer| LinksKind::Refused { customer }),
    ];
    let kind = prop_oneof![
        prop::collection::vec((name(), lit(literal())), 1..4).prop_map(|mut values| {
            values.sort_by_key(|(name, _)| name.text.to_ascii_lowercase());
            values.dedup_by_key(|(name, _)| name.text.to_ascii_lowercase());
            CorrectionKind::Amend(values)
        }),
        prop::collection::vec(name(), 1..4).prop_map(|mut names| {
            names.sort_by_key(|name| name.text.to_ascii_lowercase());
            names.dedup_by_key(|name| name.text.to_ascii_lowercase());
            CorrectionKind::Redact(names)
        }),
    ];
    let correction = (kind, text(), prop::option::of(text()))
        .prop_map(|(kind, event, customer)| Correction { kind, event, customer });
    prop_oneof![
        2 => correction.prop_map(Statement::Correction),
        3 => whole_query().prop_map(Statement::Query),
        1 => whole_query().prop_map(Statement::Explain),
        1 => whole_query().prop_map(Statement::Profile),
        2 => (text(), whole_query()).prop_map(|(customer, query)| Statement::WhyNot { customer, query }),
        1 => text().prop_map(|customer| Statement::Erase { customer }),
        1 => prop::option::of((kept(), prop::sample::select(&RetainUnit::ALL[..]).prop_map(|(unit, ..)| unit)))
            .prop_map(|last| Statement::Retain { last }),
        2 => links.prop_map(|kind| Statement::Links(Links { kind, keyword: Span::default() })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn random_expressions_survive_text(all in prop::collection::vec(expr(), 1..4)) {
        let items = all.into_iter().map(|expr| SelectItem { expr, alias: None }).collect();
        let statement = Statement::Query(query(vec![OpKind::Select(items)]));
        let text = format(&statement);
        match parse_without_places(&text) {
            Ok(parsed) => prop_assert_eq!(parsed, statement, "{}", text),
            Err(errors) => prop_assert!(false, "{}", crate::diagnostics::render(&errors, &text, false)),
        }
    }

    #[test]
    fn random_trees_survive_text(statement in statement()) {
        let text = format(&statement);
        match parse_without_places(&text) {
            Ok(parsed) => prop_assert_eq!(parsed, statement, "{}", text),
            Err(errors) => prop_assert!(false, "{}", crate::diagnostics::render(&errors, &text, false)),
        }
    }
}
