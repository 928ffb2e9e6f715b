//! Tests inside rules: what the runner gets.

use tripwasm_plan::RuleIndex;
use tripwasm_rules::{
    ExpectedAlert, ExpectedMatches, Missing, OnError, SourceFile, TestCase, compile, coverage,
};

fn cases(text: &str) -> Vec<TestCase> {
    let file = SourceFile { path: "r.yml".to_owned(), text: text.to_owned() };
    let compiled = compile(&[file], &[], None, OnError::Refuse);
    let shown: Vec<String> = compiled.diagnostics.iter().map(ToString::to_string).collect();
    assert!(compiled.plan.is_some(), "{}", shown.join("\n"));
    compiled.tests
}

const DETECTION: &str = "
title: D
name: d
detection: { s: { a: b }, condition: s }
tripwasm:
  tests:
";

#[test]
fn events_become_json_lines_and_repeats_are_written_out() {
    let cases = cases(&format!(
        "{DETECTION}
    - name: copies
      events:
        - {{ a: 1.10, b: [null, true, 'q\"\\'], c: {{ d: 12345678901234567890123 }} }}
        - {{ repeat: 2, every: 90s, event: {{ eventTime: '2024-02-28T23:59:00Z', eventID: x, time: 5, metadata: {{ uid: u }} }} }}
        - {{ event: {{ eventID: alone }} }}
        - {{ event: {{ a: b }}, other: 1 }}
      expect: {{ matches: [2, 0, 2] }}
    - {{ name: count, events: [{{}}], expect: {{ matches: 1 }} }}
    - {{ name: match, event: {{ a: b }}, expect: match }}
    - {{ name: none, event: {{ a: c }}, expect: none }}
"
    ));
    assert_eq!(
        cases[0].events,
        [
            r#"{"a":1.10,"b":[null,true,"q\"\\"],"c":{"d":12345678901234567890123}}"#,
            r#"{"eventTime":"2024-02-28T23:59:00Z","eventID":"x-0","time":5,"metadata":{"uid":"u-0"}}"#,
            r#"{"eventTime":"2024-02-29T00:00:30Z","eventID":"x-1","time":90005,"metadata":{"uid":"u-1"}}"#,
            r#"{"eventID":"alone"}"#,
            r#"{"event":{"a":"b"},"other":1}"#,
        ]
    );
    let expected: Vec<_> = cases.iter().map(|case| case.expect.matches.clone().unwrap()).collect();
    assert_eq!(
        expected,
        [
            ExpectedMatches::Positions(vec![0, 2]),
            ExpectedMatches::Count(1),
            ExpectedMatches::All,
            ExpectedMatches::None
        ]
    );
    assert_eq!((cases[0].rule.as_str(), cases[0].rule_index, cases[0].line), ("d", RuleIndex(0), 8));
    let stored = serde_json::to_string(&cases).unwrap();
    assert_eq!(serde_json::from_str::<Vec<TestCase>>(&stored).unwrap(), cases);
}

#[test]
fn alerts_of_correlations() {
    let cases = cases(&format!(
        "{}---
title: C
correlation: {{ type: event_count, rules: [d], group-by: [user], timespan: 1h, condition: {{ gte: 1 }} }}
tripwasm:
  tests:
    - {{ name: silent, event: {{ a: c }}, expect: none }}
    - name: one
      event: {{ a: b }}
      expect:
        matches: [0]
        alerts:
          - count: 1
            group: {{ user: 5 }}
            first: '1970-01-01T00:00:01Z'
            window: {{ end: '1970-01-01 00:00:02' }}
            values: {{ eventName: [B, A] }}
            distinct: {{ eventName: 2 }}
",
        DETECTION.replace("tripwasm:\n  tests:\n", "")
    ));
    assert_eq!(cases[0].expect.alerts, Some(vec![]));
    let expected = ExpectedAlert {
        count: Some(1),
        group: [("user".to_owned(), "5".to_owned())].into(),
        first: Some(1000),
        window_end: Some(2000),
        values: [("eventName".to_owned(), vec!["A".to_owned(), "B".to_owned()])].into(),
        distinct: [("eventName".to_owned(), 2)].into(),
        ..ExpectedAlert::default()
    };
    assert_eq!(cases[1].expect.alerts, Some(vec![expected]));
    assert_eq!(cases[1].rule_index, RuleIndex(1));
}

#[test]
fn measured_figures_are_numbers_and_exactness_a_word() {
    let cases = cases(
        "
title: D
name: d
detection: { s: { a: b }, condition: s }
---
title: Sum
name: sum
correlation: { type: value_sum, rules: [d], timespan: 1h, condition: { gt: 1, field: n } }
tripwasm:
  tests:
    - { name: t, event: {}, expect: { alerts: [{ measured: 1.50, exact: true }, { measured: '-2e3' }] } }
",
    );
    let alerts = cases[0].expect.alerts.clone().unwrap();
    let figures: Vec<_> = alerts.iter().map(|alert| (alert.measured.as_deref(), alert.exact)).collect();
    assert_eq!(figures, [(Some("1.5"), Some(true)), (Some("-2000"), None)]);
}

#[test]
fn rules_without_tests_of_both_kinds_are_named() {
    let text = "
title: Both in one
name: both
detection: { s: { a: b }, condition: s }
tripwasm: { tests: [{ name: t, events: [{ a: b }, {}], expect: { matches: [0] } }] }
---
title: Positive alone
name: positive
detection: { s: { a: b }, condition: s }
tripwasm: { tests: [{ name: t, event: { a: b }, expect: match }] }
---
title: Below
name: below
detection: { s: { a: c }, condition: s }
---
title: Middle
name: middle
correlation: { type: event_count, rules: [below], timespan: 1h, condition: { gte: 2 } }
---
title: Top
name: top
correlation: { type: event_count, rules: [middle], timespan: 1h, condition: { gte: 2 } }
tripwasm:
  tests:
    - { name: none, event: {}, expect: none }
    - { name: matches alone, event: { a: c }, expect: { matches: 1 } }
---
title: Reported
name: reported
generate: true
correlation: { type: event_count, rules: [open], timespan: 1h, condition: { gte: 2 } }
tripwasm: { tests: [{ name: t, event: {}, expect: none }, { name: u, event: {}, expect: { alerts: [{}] } }] }
---
title: Open
name: open
detection: { s: { a: d }, condition: s }
";
    let file = SourceFile { path: "r.yml".to_owned(), text: text.to_owned() };
    let compiled = compile(&[file], &[], None, OnError::Refuse);
    let found = coverage(&compiled.plan.unwrap(), &compiled.tests);
    let found: Vec<_> = found.iter().map(|found| (found.label.as_str(), found.missing)).collect();
    let expected = [
        ("positive", Missing::Negative),
        ("below", Missing::Positive),
        ("middle", Missing::Positive),
        ("top", Missing::Positive),
        ("open", Missing::Both),
    ];
    assert_eq!(found, expected);
}
