//! What values fields have, and conditions over members of arrays. That both evaluators agree is tested elsewhere; this is
//! what they agree on.

use super::*;
use crate::scan::Root;
use tripwasm_plan::{
    Calculation, CaseRule, Field, FieldSource, Operand, Pattern, Plan, Predicate, Quantifier, Scope,
    Settings, TimePart, Types,
};

fn path(path: &str) -> Field {
    Field { name: path.into(), source: FieldSource::Path(path.into()) }
}

fn plan(fields: Vec<Field>, predicates: Vec<Predicate>, scopes: Vec<Scope>) -> Plan {
    Plan {
        rules: vec![],
        fields,
        predicates,
        scopes,
        time: vec![],
        event_id: vec![],
        settings: Settings::default(),
    }
}

/// What `ask` says of an event.
fn asked<T>(mut plan: Plan, event: &str, ask: impl FnOnce(&mut Matcher<'_>) -> T) -> T {
    let compiled = Compiled::new(&mut plan).unwrap();
    let (mut scanner, mut scratch) = (Scanner::default(), Scratch::default());
    // An event before it, of which nothing may stay.
    for event in [r#"{"a":[["old"],{"b":"old"}]}"#, event] {
        scanner.scan(&compiled.trie, event).unwrap();
        let mut matcher = Matcher::new(&compiled, event, scanner.spans(), &mut scratch);
        (0..compiled.tables.fields.len()).for_each(|field| drop(matcher.texts(FieldId(field as u32))));
    }
    let mut matcher = Matcher::new(&compiled, event, scanner.spans(), &mut scratch);
    ask(&mut matcher)
}

impl Matcher<'_> {
    fn text(&mut self, field: FieldId) -> Option<String> {
        let mut text = None;
        self.first_text(field, &mut |found| text = Some(found.to_owned()));
        text
    }
}

fn texts(field: Field, event: &str) -> Vec<String> {
    asked(plan(vec![field], vec![], vec![]), event, |matcher| matcher.texts(FieldId(0)))
}

#[test]
fn an_index_picks_one_element_of_an_array() {
    let three = r#"{"a":[1,["2",3],{"b":4}]}"#;
    let cases: &[(&str, &str, &[&str])] = &[
        (three, "a[0]", &["1"]),
        (three, "a[1]", &["2", "3"]),
        (three, "a[-1].b", &["4"]),
        (three, "a[-3]", &["1"]),
        (three, "a[3]", &[]),
        (three, "a[-4]", &[]),
        (r#"{"a":1}"#, "a[0]", &[]),
        (r#"{"a[0]":1}"#, "a[0]", &[]),
        (r#"{"a[x]":1}"#, "a[x]", &["1"]),
        (r#"{"a":[{"b":[1,2]},[{"b":[3]}],{"b":9}]}"#, "a.b[0]", &["1", "3"]),
        (r#"{"a":[{"b":[{"c":1},{"c":[2,"\u0078"]}]}]}"#, "a[0].b[1].c", &["2", "x"]),
        (r#"{"a":[{"b":1,"b":2}],"a":[ {"b":3} , {"b":4}]}"#, "a[-1].b", &["4"]),
        (r#"{"a":[[{"b":1}]]}"#, "a[0].b", &["1"]),
    ];
    for (event, name, expected) in cases {
        assert_eq!(texts(path(name), event), *expected, "{name} of {event}");
    }
}

#[test]
fn leaves_and_parts_of_times_are_values() {
    let leaves = || Field { name: "keywords".into(), source: FieldSource::Leaves };
    let event = r#"{"a":["x\n",null,{"b":1.50}],"c":true,"d":{}}"#;
    assert_eq!(texts(leaves(), event), ["x\n", "1.50", "true"]);
    let any = |text: &str| {
        let pattern = Pattern::Contains(text.into());
        let test = Test::Text { pattern, case: CaseRule::Fold, types: Types::Any };
        let predicate = Predicate { field: FieldId(0), test };
        let holds = Condition::Holds(PredicateId(0));
        asked(plan(vec![leaves()], vec![predicate], vec![]), event, |matcher| matcher.holds(&holds))
    };
    assert_eq!([any("tru"), any(".5"), any("c"), any("null")], [true, true, false, false]);
    let hour = |event| {
        let of = Operand::Field(FieldId(0));
        let hour = FieldSource::Calculated(Calculation::TimePart(of, TimePart::Hour));
        let fields = vec![path("a[1]"), Field { name: "hour".into(), source: hour }];
        asked(plan(fields, vec![], vec![]), event, |matcher| matcher.text(FieldId(1)))
    };
    assert_eq!(hour(r#"{"a":[0,"2024-02-03 04:05:06+09:00"]}"#).as_deref(), Some("4"));
    assert_eq!(hour(r#"{"a":[0,3600000]}"#).as_deref(), Some("1"));
    assert_eq!(hour(r#"{"a":[0,"noon"]}"#), None);
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

fn nested(field: &str, quantifier: Quantifier, scope: u32) -> Scope {
    Scope {
        fields: vec![path(field)],
        predicates: vec![Predicate { field: FieldId(0), test: Test::Members { quantifier, scope } }],
        condition: Condition::Holds(PredicateId(0)),
    }
}

/// Whether the last scope holds of any, all, all or no, and no members.
fn quantified(field: Field, scopes: &[Scope], event: &str) -> [bool; 4] {
    [Quantifier::Any, Quantifier::All, Quantifier::AllOrEmpty, Quantifier::None].map(|quantifier| {
        let scope = u32::try_from(scopes.len() - 1).unwrap();
        let test = Test::Members { quantifier, scope };
        let fields = vec![path("a"), Field { name: "f".into(), ..field.clone() }];
        let plan = plan(fields, vec![Predicate { field: FieldId(1), test }], scopes.to_vec());
        asked(plan, event, |matcher| matcher.holds(&Condition::Holds(PredicateId(0))))
    })
}

const NO_MEMBERS: [bool; 4] = [false, false, true, true];
const EVERY: [bool; 4] = [true, true, true, false];
const SOME: [bool; 4] = [true, false, false, false];
const NOBODY: [bool; 4] = [false, false, false, true];

#[test]
fn quantifiers_range_over_the_members_of_arrays() {
    let cases = [
        ("{}", NO_MEMBERS),
        (r#"{"a":{"b":null}}"#, NO_MEMBERS),
        (r#"{"a":{"b":[ ]}}"#, NO_MEMBERS),
        (r#"{"a":{"b":[{"x":1,"y":{"z":1}}]}}"#, EVERY),
        (r#"{"a":{"b":{"x":1,"y":{"z":1}}}}"#, EVERY),
        (r#"{"a":{"b":[{"x":1,"y.z":1,"y":{"z":2}}]}}"#, EVERY),
        (r#"{"a":{"b":[[{"x":1,"y.z":1}]]}}"#, NOBODY),
        (r#"{"a":{"b":[{"x":1},{"y":{"z":1}}]}}"#, NOBODY),
        (r#"{"a":{"b":[{"x":1,"y":{"z":1}},null]}}"#, SOME),
        (r#"{"a":{"b":[{"x":2,"x":1,"y":[{"z":[0,1]}]}]}}"#, EVERY),
        (r#"{"a":{"b":[[{"x":1,"y":{"z":1}},7]]}}"#, EVERY),
        (r#"{"a.b":[7],"a":{"b":[{"x":1,"y":{"z":1}}]}}"#, NOBODY),
        (r#"{"a":[{"b":[{"x":1,"y":{"z":1}}]},{"b":null},{"b":[{"x":2}]}]}"#, SOME),
    ];
    for (event, expected) in cases {
        assert_eq!(quantified(path("a.b"), &[ones(&["x", "y.z"])], event), expected, "{event}");
    }
}

#[test]
fn members_are_scalars_arrays_and_calculated_values_too() {
    let itself = [ones(&[""])];
    for (field, event, expected) in [
        ("a", r#"{"a":1}"#, EVERY),
        ("a", r#"{"a":"1"}"#, NOBODY),
        ("a", r#"{"a":[1,1.0]}"#, EVERY),
        ("a", r#"{"a":[1,"1"]}"#, SOME),
        ("a", r#"{"a":[null]}"#, NOBODY),
        ("a", r#"{"a":[[2,1]]}"#, EVERY),
        ("a[1]", r#"{"a":[[1],[2]]}"#, NOBODY),
        ("a[1]", r#"{"a":[[1]]}"#, NO_MEMBERS),
        ("a[0]", r#"{"a":[[1,[3]]]}"#, SOME),
    ] {
        assert_eq!(quantified(path(field), &itself, event), expected, "{field} of {event}");
    }
    let calculated =
        |calculation| Field { name: String::new(), source: FieldSource::Calculated(calculation) };
    let a = || vec![Operand::Field(FieldId(0))];
    let is_text = |text: &str| {
        let pattern = Pattern::Equals(text.into());
        let test = Test::Text { pattern, case: CaseRule::Exact, types: Types::Any };
        [Scope { predicates: vec![Predicate { field: FieldId(0), test }], ..ones(&[""]) }]
    };
    let lower = || calculated(Calculation::Lower(Operand::Field(FieldId(0))));
    assert_eq!(quantified(lower(), &is_text("x\"\n"), r#"{"a":"X\"\n"}"#), EVERY);
    assert_eq!(quantified(lower(), &is_text("1"), r#"{"a":1}"#), NO_MEMBERS);
    let first = || calculated(Calculation::FirstPresent(a()));
    assert_eq!(quantified(first(), &itself, r#"{"a":[[1],[2]]}"#), EVERY, "the first scalar");
    assert_eq!(quantified(first(), &itself, r#"{"a":[[],{}]}"#), NOBODY);
    assert_eq!(quantified(first(), &itself, r#"{"a":[]}"#), NO_MEMBERS);
    assert_eq!(quantified(first(), &itself, r#"{"a":null}"#), NO_MEMBERS);
}

#[test]
fn scopes_nest() {
    let event = r#"{"a":[{"ports":[1,2]},{"ports":[1,1]},{"ports":1}]}"#;
    let all_of_some = [ones(&[""]), nested("ports", Quantifier::All, 0)];
    assert_eq!(quantified(path("a"), &all_of_some, event), SOME);
    let deep = [ones(&[""]), nested("p", Quantifier::Any, 0), nested("q[0]", Quantifier::All, 1)];
    assert_eq!(quantified(path("a"), &deep, r#"{"a":[{"q":[[{"p":[2,1]},{"p":1}],7]}]}"#), EVERY);
    assert_eq!(quantified(path("a"), &deep, r#"{"a":[{"q":[[{"p":[2]},{"p":1}]]},{"q":[]}]}"#), NOBODY);
    let with_index = [ones(&["x[-1]", "x[0]"])];
    assert_eq!(quantified(path("a"), &with_index, r#"{"a":[{"x":[1,0,1]},{"x":[1]}]}"#), EVERY);
}

#[test]
fn what_no_rule_wants_is_not_in_the_trie() {
    let mut keywords = plan(vec![Field { name: "k".into(), source: FieldSource::Leaves }], vec![], vec![]);
    let compiled = Compiled::new(&mut keywords).unwrap();
    assert_eq!(compiled.trie.len(), crate::scan::PathTrie::new(Root::Event).len());
}
