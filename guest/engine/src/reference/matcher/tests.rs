//! Tables of the tests of single fields.

use super::*;
use crate::reference::json::parse;
use tripwasm_plan::{Field, FieldSource, Operator, Pattern, Settings};

/// For each value, whether the test passes on `{"a":value}`; the value `absent` leaves `a` out.
fn check(test: &Test, cases: &[(&str, bool)]) {
    let path = |path: &str| Field { name: path.into(), source: FieldSource::Path(path.into()) };
    let plan = Plan {
        scopes: vec![],
        rules: vec![],
        fields: vec![path("a"), path("b")],
        predicates: vec![Predicate { field: FieldId(0), test: test.clone() }],
        time: vec![],
        event_id: vec![],
        settings: Settings::default(),
    };
    for (value, expected) in cases {
        let event = match *value {
            "absent" => "{}".to_owned(),
            value => format!(r#"{{"a":{value}}}"#),
        };
        let event = parse(&event).unwrap();
        let fields = calculate::fields(&plan, &event);
        let passed = holds(&Condition::Holds(PredicateId(0)), Tests::of(&plan), &fields);
        assert_eq!(passed, *expected, "{test:?} of {value}");
    }
}

#[test]
fn null_absent_and_empty_are_three_things() {
    let values = ["absent", "null", r#""""#, "{}", "[]", "[null]", "[[null],1]"];
    let table = |expected: [bool; 7]| -> Vec<(&str, bool)> { values.into_iter().zip(expected).collect() };
    check(&Test::Exists, &table([false, true, true, true, true, true, true]));
    check(&Test::Null, &table([true, true, false, false, false, true, true]));
}

#[test]
fn text_reads_every_type_unless_strict() {
    let text = |pattern, case, types| Test::Text { pattern, case, types };
    let anything = |types| text(Pattern::Anything, CaseRule::Fold, types);
    check(
        &anything(Types::Any),
        &[("absent", false), ("null", false), (r#""""#, true), ("0", true), ("{}", true)],
    );
    check(
        &anything(Types::Strict),
        &[(r#""""#, true), ("0", false), ("true", false), ("[]", false), (r#"["x"]"#, true)],
    );
    let equals = |text: &str| Pattern::Equals(text.into());
    check(
        &text(equals("false"), CaseRule::Fold, Types::Any),
        &[("false", true), (r#""FALSE""#, true), ("0", false)],
    );
    check(&text(equals("false"), CaseRule::Exact, Types::Any), &[("false", true), (r#""FALSE""#, false)]);
    check(
        &text(equals("1.0"), CaseRule::Fold, Types::Any),
        &[("1.0", true), ("1", false), (r#""1.0""#, true)],
    );
    let contains = text(Pattern::Contains(r#""k":[1"#.into()), CaseRule::Exact, Types::Any);
    check(&contains, &[(r#"{ "k" : [ 1 ] }"#, true), (r#"[{"k":[1,2]}]"#, true), (r#""k""#, false)]);
}

#[test]
fn booleans_and_numbers_are_coerced_unless_strict() {
    let bool = |types| Test::Bool { value: false, types };
    check(
        &bool(Types::Any),
        &[("false", true), (r#""False""#, true), ("true", false), ("0", false), ("null", false)],
    );
    check(&bool(Types::Strict), &[("false", true), (r#""false""#, false), ("[true,false]", true)]);
    let number = |types| Test::Number { value: "10".into(), types };
    check(
        &number(Types::Any),
        &[("10", true), ("1e1", true), ("10.0", true), (r#""10""#, true), (r#""10.0""#, false)],
    );
    check(&number(Types::Strict), &[("10", true), (r#""10""#, false), ("true", false)]);
    let huge = Test::Number { value: "9007199254740993".into(), types: Types::Any };
    check(&huge, &[("9007199254740993", true), ("9007199254740992", false)]);
}

#[test]
fn comparisons_take_numbers_and_plain_decimals() {
    let at_least = Test::Compare { operator: Operator::Gte, bound: "10".into() };
    check(
        &at_least,
        &[
            ("10", true),
            ("9.99", false),
            (r#""10""#, true),
            (r#""010.5""#, true),
            (r#""1e2""#, false),
            (r#"" 11""#, false),
            ("true", false),
            ("null", false),
            ("[1,11]", true),
            ("absent", false),
            ("100000000000000000000000", true),
        ],
    );
    let other = Test::Compare { operator: Operator::Neq, bound: "10".into() };
    check(&other, &[("10", false), ("11", true), (r#""x""#, false), ("absent", false)]);
}

#[test]
fn cidr_takes_strings_that_are_addresses() {
    let all = Test::Cidr(vec![Cidr::V4(0, 0), Cidr::V6(0, 0)]);
    for address in [
        "3.10.107.144",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "::",
        "2001:DB8::1",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:7::",
        "::1:2:3:4:5:6:7",
        "fe80::1%eth0",
    ] {
        check(&all, &[(&format!("{address:?}"), true)]);
    }
    for other in [
        "010.1.1.1",
        "255.18.064.253",
        "256.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "1::2::3",
        "12345::",
        "::1.2.3.04",
        "1:2:3:4:5:6:7:8:9",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4/32",
        "1.2.3.4:443",
        "[::1]",
        "fe80::1%",
        "fe80::1%a%b",
        "0x7f.1",
        "2130706433",
        "１.2.3.4",
        "",
        "AWS Internal",
        "sqs.amazonaws.com",
        "1.2.3.4%eth0",
    ] {
        check(&all, &[(&format!("{other:?}"), false)]);
    }
    check(&all, &[("2130706433", false), ("true", false), ("null", false), (r#"["x","::1"]"#, true)]);
    let network = |network| Test::Cidr(vec![network]);
    check(&network(Cidr::V4(0x0a01_0000, 16)), &[(r#""10.1.255.0""#, true), (r#""10.2.0.0""#, false)]);
    check(&network(Cidr::V4(0x0a01_0203, 32)), &[(r#""10.1.2.3""#, true), (r#""10.1.2.2""#, false)]);
    check(&network(Cidr::V4(0, 0)), &[(r#""::ffff:1.2.3.4""#, false)]);
    check(&network(Cidr::V6(0xfe80 << 112, 10)), &[(r#""fe80::1%eth0""#, true), (r#""fec0::1""#, false)]);
}

#[test]
fn field_references_relate_any_pair_of_scalars() {
    let reference = |reference, case| Test::FieldRef { other: FieldId(1), reference, case };
    let equals = reference(Reference::Equals, CaseRule::Fold);
    check(
        &equals,
        &[
            (r#""X","b":"x""#, true),
            (r#""x","b":"y""#, false),
            (r#"1,"b":"1""#, true),
            (r#"null,"b":null"#, false),
            (r#"["y","x"],"b":["z",["X"]]"#, true),
            (r#"{},"b":{}"#, false),
            (r#""x""#, false),
            (r#"true,"b":"TRUE""#, true),
        ],
    );
    check(&reference(Reference::Equals, CaseRule::Exact), &[(r#""X","b":"x""#, false)]);
    check(
        &reference(Reference::StartsWith, CaseRule::Fold),
        &[(r#""ab","b":"A""#, true), (r#""ab","b":"b""#, false)],
    );
    check(
        &reference(Reference::EndsWith, CaseRule::Fold),
        &[(r#""ab","b":"B""#, true), (r#""ab","b":"a""#, false)],
    );
    check(
        &reference(Reference::Contains, CaseRule::Fold),
        &[(r#""abc","b":"B""#, true), (r#""abc","b":"""#, true)],
    );
}

#[test]
fn conditions_are_classical() {
    let plan = Plan {
        scopes: vec![],
        rules: vec![],
        fields: vec![],
        predicates: vec![],
        time: vec![],
        event_id: vec![],
        settings: Settings::default(),
    };
    let event = parse("{}").unwrap();
    let fields = calculate::fields(&plan, &event);
    let (yes, no) = (Condition::Constant(true), Condition::Constant(false));
    let cases = [
        (Condition::All(vec![]), true),
        (Condition::Any(vec![]), false),
        (Condition::All(vec![yes.clone(), no.clone()]), false),
        (Condition::Any(vec![yes.clone(), no.clone()]), true),
        (Condition::AtLeast(2, vec![yes.clone(), no.clone(), yes.clone()]), true),
        (Condition::AtLeast(2, vec![yes, no.clone()]), false),
        (Condition::AtLeast(0, vec![]), true),
        (Condition::Not(Box::new(no)), true),
        (Condition::Holds(PredicateId(0)), false),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(&condition, Tests::of(&plan), &fields), expected, "{condition:?}");
    }
}

/// Whether the test passes on `{"a":value}`, for every quantifier: any, all, all or empty, none.
fn check_members(scopes: &[Scope], field: &str, cases: &[(&str, [bool; 4])]) {
    let quantifiers = [Quantifier::Any, Quantifier::All, Quantifier::AllOrEmpty, Quantifier::None];
    let last = u32::try_from(scopes.len() - 1).unwrap();
    let predicate =
        |quantifier| Predicate { field: FieldId(0), test: Test::Members { quantifier, scope: last } };
    let plan = Plan {
        scopes: scopes.to_vec(),
        rules: vec![],
        fields: vec![path(field)],
        predicates: quantifiers.map(predicate).into(),
        time: vec![],
        event_id: vec![],
        settings: Settings::default(),
    };
    for (event, expected) in cases {
        let parsed = parse(event).unwrap();
        let fields = calculate::fields(&plan, &parsed);
        let passed = [0, 1, 2, 3]
            .map(|predicate| holds(&Condition::Holds(PredicateId(predicate)), Tests::of(&plan), &fields));
        assert_eq!(passed, *expected, "{field} of {event}");
    }
}

fn path(path: &str) -> Field {
    Field { name: path.into(), source: FieldSource::Path(path.into()) }
}

/// Members whose values at all of these paths are `1`.
fn ones(paths: &[&str]) -> Scope {
    let number = || Test::Number { value: "1".into(), types: Types::Strict };
    let ids = || (0..).take(paths.len());
    Scope {
        fields: paths.iter().map(|one| path(one)).collect(),
        predicates: ids().map(|field| Predicate { field: FieldId(field), test: number() }).collect(),
        condition: Condition::All(ids().map(|id| Condition::Holds(PredicateId(id))).collect()),
    }
}

#[test]
fn quantifiers_range_over_the_members_of_arrays() {
    const NO_MEMBERS: [bool; 4] = [false, false, true, true];
    const EVERY: [bool; 4] = [true, true, true, false];
    const SOME: [bool; 4] = [true, false, false, false];
    const NOBODY: [bool; 4] = [false, false, false, true];
    check_members(
        &[ones(&["x", "y.z"])],
        "a.b",
        &[
            (r#"{}"#, NO_MEMBERS),
            (r#"{"a":{"b":null}}"#, NO_MEMBERS),
            (r#"{"a":{"b":[]}}"#, NO_MEMBERS),
            (r#"{"a":{"b":[{"x":1,"y":{"z":1}}]}}"#, EVERY),
            (r#"{"a":{"b":{"x":1,"y":{"z":1}}}}"#, EVERY),
            (r#"{"a":{"b":[{"x":1,"y.z":1,"y":{"z":2}}]}}"#, EVERY),
            // One member has the one value, one the other.
            (r#"{"a":{"b":[{"x":1},{"y":{"z":1}}]}}"#, NOBODY),
            (r#"{"a":{"b":[{"x":1,"y":{"z":1}},null]}}"#, SOME),
            (r#"{"a":{"b":[{"x":[0,1],"y":[{"z":1}]}]}}"#, EVERY),
            (r#"{"a":{"b":[[{"x":1,"y":{"z":1}},7]]}}"#, EVERY),
            (r#"{"a.b":[7],"a":{"b":[{"x":1,"y":{"z":1}}]}}"#, NOBODY),
            (r#"{"a":[{"b":[{"x":1,"y":{"z":1}}]},{"b":null},{"b":[{"x":2}]}]}"#, SOME),
        ],
    );
    let itself = &[ones(&[""])];
    check_members(
        itself,
        "a",
        &[
            (r#"{"a":1}"#, EVERY),
            (r#"{"a":[1,1.0]}"#, EVERY),
            (r#"{"a":[1,"1"]}"#, SOME),
            (r#"{"a":[null]}"#, NOBODY),
            (r#"{"a":[[2,1]]}"#, EVERY),
        ],
    );
    check_members(itself, "a[1]", &[(r#"{"a":[[1],[2]]}"#, NOBODY), (r#"{"a":[[1]]}"#, NO_MEMBERS)]);
}

#[test]
fn scopes_nest_and_see_earlier_ones_alone() {
    let nested = |scope| Scope {
        fields: vec![path("ports")],
        predicates: vec![Predicate {
            field: FieldId(0),
            test: Test::Members { quantifier: Quantifier::All, scope },
        }],
        condition: Condition::Holds(PredicateId(0)),
    };
    let event = r#"{"a":[{"ports":[1,2]},{"ports":[1,1]}]}"#;
    check_members(&[ones(&[""]), nested(0)], "a", &[(event, [true, false, false, false])]);
    check_members(&[ones(&[""]), nested(1)], "a", &[(event, [false, false, false, true])]);
    check_members(&[ones(&[""]), nested(9)], "a", &[(event, [false, false, false, true])]);
}
