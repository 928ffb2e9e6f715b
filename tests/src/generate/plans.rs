//! Plans: every test, every calculation, every kind of window.

use proptest::prelude::*;
use proptest::sample::select;
use regex_automata::dfa::{StartKind, dense};
use std::sync::LazyLock;
use tripwasm_plan::{
    Action, Calculation, Case, CaseRule, Cidr, Comparison, Condition, Correlation, Decimal, Field, FieldId,
    FieldSource, Literal, Logic, Measure, Observed, Operand, Operator, Part, Pattern, Piece, Plan, Predicate,
    PredicateId, Reads, Reference, Rule, RuleIndex, Settings, Source, Test, Types, Window, fold_char,
};

/// Event paths of every generated plan; calculated fields stand behind them.
const PATHS: [&str; 10] = ["t", "id", "g", "a", "b", "o", "o.k", "l", "l.k", "o.k.m"];
const GROUP: FieldId = FieldId(2);
const CALCULATED: u32 = 2;
/// Predicates over paths alone; cases of calculated fields read only these.
const PATH_PREDICATES: u32 = 3;
const PREDICATES: u32 = 6;
const DETECTIONS: u32 = 3;

/// Automata of small patterns.
static REGEXES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let config = dense::Config::new().start_kind(StartKind::Unanchored);
    let compile = |pattern: &str| {
        let dfa = dense::Builder::new().configure(config.clone()).build(pattern).expect("a small pattern");
        dfa.to_sparse().expect("a small automaton").to_bytes_little_endian()
    };
    ["x", "^X", "(?i)É", "1.*0", r"\[", "^$", "y$", "(?s)x.y", r"\\"].map(compile).into()
});

/// A plan that the lowering could have made.
pub fn plan() -> impl Strategy<Value = Plan> {
    let paths = u32::try_from(PATHS.len()).unwrap_or(u32::MAX);
    let calculated: Vec<_> = (paths..paths + CALCULATED).map(|below| calculation(below).boxed()).collect();
    let predicates: Vec<_> = (0..PREDICATES)
        .map(|index| predicate(if index < PATH_PREDICATES { paths } else { paths + CALCULATED }).boxed())
        .collect();
    let detections = prop::collection::vec((condition(PREDICATES), any::<bool>()), DETECTIONS as usize);
    let correlations = prop::collection::vec(correlation(paths + CALCULATED), 0..3);
    (calculated, predicates, detections, correlations).prop_map(
        |(calculated, predicates, detections, correlations)| {
            let path = |path: &str| Field { name: path.into(), source: FieldSource::Path(path.into()) };
            let calculated = calculated
                .into_iter()
                .map(|calculation| Field { name: "c".into(), source: FieldSource::Calculated(calculation) });
            let detections =
                detections.into_iter().map(|(condition, reported)| (Logic::Detection(condition), reported));
            let correlations =
                correlations.into_iter().map(|correlation| (Logic::Correlation(correlation), true));
            let rules = detections.chain(correlations).enumerate();
            Plan {
                rules: rules.map(|(index, (logic, reported))| rule(index, logic, reported)).collect(),
                fields: PATHS.map(path).into_iter().chain(calculated).collect(),
                predicates,
                scopes: vec![],
                time: vec![FieldId(0)],
                event_id: vec![FieldId(1)],
                settings: Settings::default(),
            }
        },
    )
}

fn rule(index: usize, logic: Logic, reported: bool) -> Rule {
    Rule {
        id: None,
        name: Some(format!("rule_{index}")),
        title: format!("Rule {index}"),
        level: None,
        tags: vec![],
        author: None,
        action: Action::Tag,
        reported,
        logic,
    }
}

fn condition(predicates: u32) -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        8 => (0..predicates).prop_map(|predicate| Condition::Holds(PredicateId(predicate))),
        1 => any::<bool>().prop_map(Condition::Constant),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            several.clone().prop_map(Condition::All),
            several.clone().prop_map(Condition::Any),
            (0..4_u32, several).prop_map(|(bound, of)| Condition::AtLeast(bound, of)),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn field(below: u32) -> impl Strategy<Value = FieldId> {
    // Half of the tests are of what most events have.
    prop_oneof![select(vec![3, 4]), 0..below].prop_map(FieldId)
}

fn calculation(below: u32) -> impl Strategy<Value = Calculation> {
    let literal = select(vec![
        Literal::Null,
        Literal::Bool(false),
        Literal::Number("1".into()),
        Literal::Text("x".into()),
        Literal::Text(String::new()),
    ]);
    let operand =
        prop_oneof![3 => field(below).prop_map(Operand::Field), 1 => literal.prop_map(Operand::Literal)]
            .boxed();
    let operands = prop::collection::vec(operand.clone(), 1..4);
    let case = (condition(PATH_PREDICATES), operand.clone()).prop_map(|(when, value)| Case { when, value });
    let part = select(vec![Part::First, Part::Last, Part::Nth(0), Part::Nth(1), Part::Nth(9)]);
    let separator = select(vec!["/", "x", ".", "xy"]);
    prop_oneof![
        operands.clone().prop_map(Calculation::FirstPresent),
        operands.clone().prop_map(Calculation::FirstNonNull),
        operands.prop_map(Calculation::FirstTruthy),
        (prop::collection::vec(case, 1..3), prop::option::of(operand.clone()))
            .prop_map(|(cases, otherwise)| Calculation::Cases { cases, otherwise }),
        (operand.clone(), separator, part).prop_map(|(of, separator, part)| Calculation::Split {
            of,
            separator: separator.into(),
            part
        }),
        operand.prop_map(Calculation::Lower),
    ]
}

fn predicate(below: u32) -> impl Strategy<Value = Predicate> {
    (field(below), test(below)).prop_map(|(field, test)| Predicate { field, test })
}

fn test(below: u32) -> impl Strategy<Value = Test> {
    let types = || select(vec![Types::Any, Types::Any, Types::Strict]);
    let case = || select(vec![CaseRule::Fold, CaseRule::Exact]);
    let number = || select(vec!["0", "1", "10", "1.0", "-2.5", "9007199254740993", "1e1", "1e400"]);
    let operator =
        select(vec![Operator::Lt, Operator::Lte, Operator::Gt, Operator::Gte, Operator::Eq, Operator::Neq]);
    let reference =
        select(vec![Reference::Equals, Reference::StartsWith, Reference::EndsWith, Reference::Contains]);
    let networks = select(vec![
        Cidr::V4(0, 0),
        Cidr::V4(0x0a00_0000, 16),
        Cidr::V4(0x0a00_0001, 32),
        Cidr::V6(0, 0),
        Cidr::V6(0xfe80 << 112, 10),
        Cidr::V6((0xfe80 << 112) | 1, 128),
    ]);
    prop_oneof![
        1 => Just(Test::Exists),
        1 => Just(Test::Null),
        6 => (pattern(), case(), types()).prop_map(|(pattern, case, types)| match case {
            CaseRule::Fold => Test::Text { pattern: folded(pattern), case, types },
            CaseRule::Exact => Test::Text { pattern, case, types },
        }),
        1 => (any::<bool>(), types()).prop_map(|(value, types)| Test::Bool { value, types }),
        2 => (number(), types()).prop_map(|(value, types)| Test::Number { value: value.into(), types }),
        2 => (operator, number()).prop_map(|(operator, bound)| Test::Compare { operator, bound: bound.into() }),
        2 => select(REGEXES.to_vec()).prop_map(|dfa| Test::Regex { dfa }),
        2 => prop::collection::vec(networks, 1..3).prop_map(Test::Cidr),
        2 => (field(below), reference, case())
            .prop_map(|(other, reference, case)| Test::FieldRef { other, reference, case }),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let literal = || {
        select(vec![
            "", "x", "X", "xy", "É", "1", "10", "true", "null", "[", "{\"k\":", "1.0", "s", "k", "\u{fffd}",
            "\\", "\\\"", "\n", "\\u001f", "/", "[]", "{}", ",", "1]",
        ])
        .prop_map(str::to_owned)
    };
    let piece =
        prop_oneof![literal().prop_map(Piece::Literal), Just(Piece::AnyText), Just(Piece::OneCharacter),];
    prop_oneof![
        1 => Just(Pattern::Anything),
        3 => literal().prop_map(Pattern::Equals),
        1 => literal().prop_map(Pattern::StartsWith),
        1 => literal().prop_map(Pattern::EndsWith),
        2 => literal().prop_map(Pattern::Contains),
        2 => prop::collection::vec(piece, 0..5).prop_map(Pattern::Wildcard),
    ]
}

fn folded(pattern: Pattern) -> Pattern {
    let fold = |text: String| text.chars().map(fold_char).collect();
    match pattern {
        Pattern::Anything => Pattern::Anything,
        Pattern::Equals(text) => Pattern::Equals(fold(text)),
        Pattern::StartsWith(text) => Pattern::StartsWith(fold(text)),
        Pattern::EndsWith(text) => Pattern::EndsWith(fold(text)),
        Pattern::Contains(text) => Pattern::Contains(fold(text)),
        Pattern::Wildcard(pieces) => {
            let pieces = pieces.into_iter().map(|piece| match piece {
                Piece::Literal(text) => Piece::Literal(fold(text)),
                piece => piece,
            });
            Pattern::Wildcard(pieces.collect())
        }
    }
}

fn correlation(below: u32) -> impl Strategy<Value = Correlation> {
    let window = prop_oneof![
        Just(Window::Sliding),
        Just(Window::Tumbling),
        Just(Window::Anchored),
        (1..15_u64).prop_map(|gap_ms| Window::Session { gap_ms }),
        prop::option::of(1..20_u64).prop_map(|forget_ms| Window::FirstSeen { forget_ms }),
    ];
    let operator =
        select(vec![Operator::Gte, Operator::Gte, Operator::Gt, Operator::Eq, Operator::Neq, Operator::Lte]);
    let comparison = (operator, 1..5_u64)
        .prop_map(|(operator, value)| Comparison { operator, value: Decimal::whole(value) });
    let comparisons = prop::collection::vec(comparison, 1..3);
    let grouped = any::<bool>();
    let counted = prop::collection::vec(field(below), 0..3);
    let observed = prop::collection::vec((field(below), any::<bool>()), 0..3);
    let sources = prop::sample::subsequence((0..DETECTIONS).collect::<Vec<_>>(), 1..3);
    (window, comparisons, 1..25_u64, grouped, counted, observed, sources).prop_map(
        |(window, condition, timespan_ms, grouped, counted, observed, sources)| {
            let source = |rule| Source {
                rule: RuleIndex(rule),
                reads: Reads {
                    group_by: if grouped { vec![GROUP] } else { vec![] },
                    measured: counted.clone(),
                    observed: observed.iter().map(|(field, _)| *field).collect(),
                },
                onward: vec![],
            };
            Correlation {
                sources: sources.into_iter().map(source).collect(),
                group_by: if grouped { vec!["g".into()] } else { vec![] },
                measure: match counted.as_slice() {
                    [] => Measure::EventCount,
                    fields => Measure::ValueCount(fields.iter().map(|field| field.0.to_string()).collect()),
                },
                condition: condition_in(window, condition),
                window,
                timespan_ms,
                learn_ms: None,
                suppress_ms: None,
                level: 0,
                onward: vec![],
                observed: observed
                    .iter()
                    .map(|(field, values)| Observed {
                        name: field.0.to_string(),
                        values: *values,
                        distinct: true,
                    })
                    .collect(),
            }
        },
    )
}

/// First-seen has a condition of its own. In a sliding window `neq` may hold, fail and hold again over
/// windows that begin with the same event: two alerts of one id.
fn condition_in(window: Window, mut condition: Vec<Comparison>) -> Vec<Comparison> {
    match window {
        Window::FirstSeen { .. } => vec![Comparison { operator: Operator::Eq, value: Decimal::whole(1) }],
        Window::Sliding => {
            condition.retain(|comparison| comparison.operator != Operator::Neq);
            condition
        }
        _ => condition,
    }
}
