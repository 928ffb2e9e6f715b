//! Keywords, parts of times, members of arrays, filters and collections, in the plan's terms.

mod plan_text;

use plan_text::{built, field, file, plan, selection, shown};
use tripwasm_plan::RuleIndex;
use tripwasm_rules::{AppliedFilter, ExpectedMatches, OnError, compile};

#[test]
fn keywords_search_every_scalar() {
    let cases = [
        ("evil", r#"leaves *"evil"*"#),
        (
            "[Evil, 'a*b']",
            r#"any(leaves *"evil"*, leaves [AnyText, Literal("a"), AnyText, Literal("b"), AnyText])"#,
        ),
        ("[4624, true]", r#"any(leaves *"4624"*, leaves *"true"*)"#),
        ("{ '|all': [a, b] }", r#"all(leaves *"a"*, leaves *"b"*)"#),
        ("{ '|cased': Evil }", r#"leaves cased *"Evil"*"#),
        ("{ '|re': 'e.il' }", "leaves regex"),
        ("{ '|startswith': a }", r#"leaves "a"*"#),
        (
            "{ '|base64offset|contains': foobar }",
            r#"any(leaves *"zm9vymfy"*, leaves *"zvb2jhc"*, leaves *"mb29iyx"*)"#,
        ),
        ("{ '|all': [a, b], eventName: c }", r#"all(all(leaves *"a"*, leaves *"b"*), eventName ="c")"#),
        (
            "[a, { eventName: b }, [c, { eventName: d }]]",
            r#"any(leaves *"a"*, eventName ="b", any(leaves *"c"*, eventName ="d"))"#,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(selection(text), expected, "{text}");
    }
}

#[test]
fn parts_of_times_are_calculated() {
    let cases = [
        ("{ eventTime|hour: 5 }", "eventTime|hour() number 5"),
        ("{ eventTime|day: [1, 31] }", "any(eventTime|day() number 1, eventTime|day() number 31)"),
        ("{ eventTime|hour|gte: 22 }", "eventTime|hour() Gte 22"),
        ("{ eventTime|week|neq: 53 }", "all(eventTime|week() exists, not(eventTime|week() number 53))"),
    ];
    for (text, expected) in cases {
        assert_eq!(selection(text), expected, "{text}");
    }
}

#[test]
fn members_of_arrays() {
    let cases = [
        ("{ 'resources[any]': { type: a, ARN: b } }", r#"resources Any{all(type ="a", ARN ="b")}"#),
        ("{ 'resources[all].type': a }", r#"resources All{type ="a"}"#),
        ("{ 'r.tags[none]|contains': [a, b] }", r#"r.tags None{any(. *"a"*, . *"b"*)}"#),
        ("{ 'r[all_or_empty].s.t': { u: a } }", r#"r AllOrEmpty{s.t.u ="a"}"#),
        ("{ 'r[any]': { 's[none].t': a } }", r#"r Any{s None{t ="a"}}"#),
        ("{ 'r[0].s[-1]': a }", r#"r[0].s[-1] ="a""#),
        ("{ 'r[0]': { s: a, t: b } }", r#"all(r[0].s ="a", r[0].t ="b")"#),
        ("{ 'r[any]': { .|cidr: 10.0.0.0/8 } }", "r Any{. [V4(167772160, 8)]}"),
        ("{ 'r[any]': { a|fieldref: b } }", "r Any{a = b}"),
        (
            "{ 'r[any]': { one: { a: x }, two: [{ b: y }, { c: z }], condition: one and not two } }",
            r#"r Any{all(a ="x", not(any(b ="y", c ="z")))}"#,
        ),
        ("{ 'r[any].a': x, eventName: y }", r#"all(r Any{a ="x"}, eventName ="y")"#),
    ];
    for (text, expected) in cases {
        let rule = format!("title: T\nsigma-version: 3\ndetection:\n  s: {text}\n  condition: s\n");
        assert_eq!(shown(&plan(&rule), 0), expected, "{text}");
    }
}

#[test]
fn equal_scopes_are_shared_and_stand_before_their_users() {
    let plan = plan(concat!(
        "title: T\nsigma-version: 3\ndetection:\n",
        "  s: { 'a[any].b[any].c': x, 'd[any].b[any].c': x, 'e[none].c': x }\n  condition: s\n",
    ));
    let arrays: Vec<String> = plan.predicates.iter().map(|predicate| field(&plan, predicate.field)).collect();
    assert_eq!(arrays, ["a", "d", "e"]);
    assert_eq!(plan.scopes.len(), 2);
}

const RULES: &str = "
title: One
name: one
detection: { s: { eventName: a }, condition: s }
---
title: Two
name: two
logsource: { product: aws, service: cloudtrail }
detection: { s: { eventName: b }, condition: s }
---
title: Over both
name: both
correlation: { type: event_count, rules: [one, two], timespan: 1h, condition: { gte: 5 } }
---
";

#[test]
fn filters_are_joined_to_the_rules_they_are_for() {
    let conditions = |filter: &str| {
        let compiled = built(&[file("r.yml", &format!("{RULES}title: F\n{filter}"))], None, OnError::Refuse);
        let plan = compiled.plan.unwrap();
        assert_eq!(plan.rules.len(), 3);
        let rules: Vec<u32> = compiled.filters[0].rules.iter().map(|rule| rule.0).collect();
        ([0, 1].map(|rule| shown(&plan, rule)), rules)
    };
    let alone = [r#"eventName ="a""#, r#"eventName ="b""#].map(str::to_owned);
    let filtered = alone.clone().map(|condition| format!(r#"all({condition}, not(userAgent ="cli"))"#));
    let filter = |rules: &str, more: &str| {
        format!("{more}filter: {{ rules: {rules}, f: {{ userAgent: cli }}, condition: not f }}\n")
    };
    let [one, two] = [[filtered[0].clone(), alone[1].clone()], [alone[0].clone(), filtered[1].clone()]];
    let cloudtrail = "logsource: { product: aws, service: cloudtrail }\n";
    assert_eq!(conditions(&filter("any", "")), (filtered.clone(), vec![0, 1]));
    assert_eq!(conditions(&filter("any", cloudtrail)), (filtered.clone(), vec![0, 1]));
    assert_eq!(conditions(&filter("[two, one]", "logsource: { product: aws }\n")), (filtered, vec![0, 1]));
    assert_eq!(conditions(&filter("one", "")), (one, vec![0]));
    assert_eq!(conditions(&filter("[two]", cloudtrail)), (two, vec![1]));
}

#[test]
fn filters_tell_where_they_stand() {
    let text = format!(
        "{RULES}title: F\nid: f-1\nfilter: {{ rules: [two], f: {{ userAgent: x }}, condition: not f }}\n"
    );
    let compiled = built(&[file("r.yml", &text)], None, OnError::Refuse);
    let expected = AppliedFilter {
        file: "r.yml".to_owned(),
        line: 15,
        label: "f-1".to_owned(),
        rules: vec![RuleIndex(1)],
    };
    assert_eq!(compiled.filters, [expected]);
}

#[test]
fn collections_merge_members() {
    let text = "
action: global
title: Common
logsource: { product: aws, service: cloudtrail }
level: high
detection: { condition: selection }
---
name: one
detection: { selection: { eventName: a } }
---
action: repeat
name: two
detection: { selection: { eventName: b } }
---
action: reset
---
title: Alone
name: three
detection: { other: { eventName: c }, condition: other }
";
    let plan = built(&[file("r.yml", text)], None, OnError::Refuse).plan.unwrap();
    let rules: Vec<_> =
        plan.rules.iter().map(|rule| (rule.label(), rule.title.as_str(), rule.level.is_some())).collect();
    assert_eq!(rules, [("one", "Common", true), ("two", "Common", true), ("three", "Alone", false)]);
    let conditions = [0, 1, 2].map(|rule| shown(&plan, rule));
    assert_eq!(conditions, [r#"eventName ="a""#, r#"eventName ="b""#, r#"eventName ="c""#]);
}

#[test]
fn of_two_documents_with_one_name_the_first_by_path_stays() {
    let rule = |path: &str, value: &str| {
        file(
            path,
            &format!("title: {path}\nname: twin\ndetection: {{ s: {{ eventName: {value} }}, condition: s }}"),
        )
    };
    let over = file("c.yml", "title: C\nfilter: { rules: [twin], s: { userAgent: x }, condition: not s }");
    let compiled = built(&[rule("b.yml", "b"), rule("a.yml", "a"), over], None, OnError::KeepGoing);
    let plan = compiled.plan.unwrap();
    assert_eq!(plan.rules.iter().map(|rule| rule.title.as_str()).collect::<Vec<_>>(), ["a.yml"]);
    let left: Vec<_> =
        compiled.left_out.iter().map(|left| (left.file.as_str(), left.reason.as_str())).collect();
    assert_eq!(left, [("b.yml", "name `twin` is taken by the rule at a.yml:2")]);
    assert_eq!(compiled.filters[0].rules, [RuleIndex(0)]);
}

#[test]
fn a_filter_stays_for_the_rules_that_are_left() {
    let text = format!(
        "{RULES}title: F\nfilter: {{ rules: [one, two], f: {{ userAgent: x }}, condition: not f }}\n"
    );
    let broken = text.replacen("eventName: b", "'eventName|is': b", 1);
    let some = built(&[file("r.yml", &broken)], None, OnError::KeepGoing);
    assert_eq!(some.filters[0].rules, [RuleIndex(0)]);
    assert_eq!(some.left_out.len(), 2);
    assert!(some.plan.unwrap().rules[0].reported, "a correlation that is left out silences nothing");
    let none = built(
        &[file("r.yml", &broken.replacen("eventName: a", "'eventName|is': a", 1))],
        None,
        OnError::KeepGoing,
    );
    assert!(none.filters.is_empty());
    assert_eq!(none.left_out[3].reason, "every rule that it is for is left out");
}

#[test]
fn exemplars_are_tests() {
    let text = "
title: T
name: t
detection: { s: { eventName: x }, condition: s }
custom_attributes:
  rsigma.exemplars:
    - { name: fires, expect: match, event: { eventName: x } }
    - { expect: no-match, event: { eventName: y } }
tripwasm: { tests: [{ name: own, event: { eventName: x }, expect: match }] }
---
title: C
correlation: { type: event_count, rules: [t], timespan: 1h, condition: { gte: 2 } }
rsigma.exemplars:
  - expect: match
    events:
      - { offset: 0s, event: { eventName: x, eventTime: later } }
      - { offset: 90s, event: { eventName: x } }
  - { name: one, expect: no-match, events: [{ offset: 1h, event: { eventName: x } }] }
";
    let compiled = built(&[file("r.yml", text)], None, OnError::Refuse);
    let names: Vec<_> = compiled.tests.iter().map(|test| (test.name.as_str(), test.line)).collect();
    assert_eq!(names, [("own", 9), ("fires", 7), ("exemplar 1", 8), ("exemplar 0", 14), ("one", 18)]);
    assert_eq!(compiled.tests[1].expect.matches, Some(ExpectedMatches::All));
    assert_eq!(compiled.tests[2].expect.matches, Some(ExpectedMatches::None));
    assert!(compiled.tests[3].expect.fires && compiled.tests[3].expect.alerts.is_none());
    assert_eq!(
        compiled.tests[3].events,
        [
            r#"{"eventName":"x","eventTime":"2024-01-01T00:00:00Z"}"#,
            r#"{"eventName":"x","eventTime":"2024-01-01T00:01:30Z"}"#,
        ]
    );
    assert_eq!(compiled.tests[4].expect.alerts, Some(vec![]));
    assert_eq!(compiled.tests[4].rule_index, RuleIndex(1));
}

#[test]
fn a_filter_is_no_rule_of_a_correlation() {
    let text = "title: F\nname: f\nfilter: { rules: any, s: { eventName: x }, condition: not s }\n---\n\
                title: C\ncorrelation: { type: event_count, rules: [f], timespan: 1h, condition: { gte: 2 } }\n";
    let refused = compile(&[file("r.yml", text)], &[], None, OnError::Refuse);
    assert!(refused.diagnostics.iter().any(|found| found.message == "no rule has the name or id `f`"));
}
