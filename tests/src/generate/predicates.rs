//! Tests of fields: every kind, over values that hit.

use proptest::prelude::*;
use proptest::sample::select;
use regex_automata::dfa::{StartKind, dense};
use std::sync::LazyLock;
use tripwasm_plan::{
    Calculation, Case, CaseRule, Cidr, Condition, Field, FieldId, FieldSource, Literal, Operand, Operator,
    Part, Pattern, Piece, Predicate, PredicateId, Quantifier, Reference, Scope, Test, TimePart, Types,
    fold_char,
};

/// Automata of small patterns.
/// Automata, and texts that every match holds.
static REGEXES: LazyLock<Vec<(Vec<u8>, &str)>> = LazyLock::new(|| {
    let config = dense::Config::new().start_kind(StartKind::Unanchored);
    let compile = |(pattern, literal): (&str, &'static str)| {
        let dfa = dense::Builder::new().configure(config.clone()).build(pattern).expect("a small pattern");
        (dfa.to_sparse().expect("a small automaton").to_bytes_little_endian(), literal)
    };
    [
        ("x", "x"),
        ("^X", ""),
        ("(?i)É", ""),
        ("1.*0", "0"),
        (r"\[", "["),
        ("^$", ""),
        ("y$", "y"),
        ("(?s)x.y", ""),
        (r"\\", r"\"),
    ]
    .map(compile)
    .into()
});

pub(super) fn condition(predicates: u32) -> impl Strategy<Value = Condition> {
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

/// Predicates over paths alone; cases of calculated fields read only these.
pub(super) const PATH_PREDICATES: u32 = 3;

/// Scopes of a generated plan.
const SCOPES: u32 = 2;

fn field(below: u32) -> impl Strategy<Value = FieldId> {
    // Half of the tests are of what most events have.
    prop_oneof![select(vec![3.min(below - 1), 4.min(below - 1)]), 0..below].prop_map(FieldId)
}

pub(super) fn calculation(below: u32) -> impl Strategy<Value = Calculation> {
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
        operand.clone().prop_map(Calculation::Lower),
        (operand, time_part()).prop_map(|(of, part)| Calculation::TimePart(of, part)),
    ]
}

pub(super) fn predicate(below: u32) -> impl Strategy<Value = Predicate> {
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
        2 => select(REGEXES.to_vec()).prop_map(|(dfa, literal)| Test::Regex { dfa, literal: literal.into() }),
        2 => prop::collection::vec(networks, 1..3).prop_map(Test::Cidr),
        2 => (field(below), reference, case())
            .prop_map(|(other, reference, case)| Test::FieldRef { other, reference, case }),
        2 => members(SCOPES),
    ]
}

fn members(scopes: u32) -> impl Strategy<Value = Test> {
    let quantifier = select(vec![Quantifier::Any, Quantifier::All, Quantifier::AllOrEmpty, Quantifier::None]);
    (quantifier, 0..scopes).prop_map(|(quantifier, scope)| Test::Members { quantifier, scope })
}

fn time_part() -> impl Strategy<Value = TimePart> {
    use TimePart::{Day, Hour, Minute, Month, Week, Year};
    select(vec![Minute, Hour, Day, Week, Month, Year])
}

/// Conditions over members of arrays; the second one may refer to the first.
pub(super) fn scopes() -> impl Strategy<Value = Vec<Scope>> {
    const INSIDE: [&str; 4] = ["", "k", "m", "k.m"];
    let below = u32::try_from(INSIDE.len()).unwrap_or(u32::MAX);
    let any_field = move || (0..below).prop_map(FieldId);
    let plain = move || {
        let test = test(below).prop_filter("scopes refer to what stands before them", |test| {
            !matches!(test, Test::Members { .. })
        });
        (any_field(), test).prop_map(|(field, test)| Predicate { field, test })
    };
    let nested = (any_field(), members(1)).prop_map(|(field, test)| Predicate { field, test });
    let scope = |predicates: BoxedStrategy<Predicate>| {
        (prop::collection::vec(predicates, 2), condition(2)).prop_map(|(predicates, condition)| {
            let path = |path: &str| Field { name: path.into(), source: FieldSource::Path(path.into()) };
            Scope { fields: INSIDE.map(path).into(), predicates, condition }
        })
    };
    (scope(plain().boxed()), scope(prop_oneof![plain(), nested].boxed()))
        .prop_map(|(first, second)| vec![first, second])
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
