//! Correlations over whole inputs.

mod chains;
mod measures;

use crate::finding::Alert;
use crate::reference::evaluate;
use tripwasm_plan::{
    Action, Comparison, Condition, Correlation, Decimal, Duplicates, Field, FieldId, FieldSource, Logic,
    Measure, Observed, Operator, Plan, Reads, Rule, RuleIndex, Settings, Source, Window,
};

fn rule(title: &str, logic: Logic) -> Rule {
    Rule {
        id: None,
        name: None,
        title: title.into(),
        level: None,
        tags: vec![],
        author: None,
        action: Action::Tag,
        reported: false,
        logic,
    }
}

/// Two detections that hold of every event, and a correlation of both per `g` that observes `v`.
fn plan(window: Window, measure: Measure, bound: u64) -> Plan {
    let paths = ["t", "id", "g", "v"];
    let counted = if measure == Measure::EventCount { vec![] } else { vec![FieldId(3)] };
    let source = |rule| Source {
        rule: RuleIndex(rule),
        reads: Reads { group_by: vec![FieldId(2)], measured: counted.clone(), observed: vec![FieldId(3)] },
        onward: vec![],
    };
    let correlation = Correlation {
        sources: vec![source(0), source(1)],
        group_by: vec!["g".into()],
        measure,
        condition: vec![Comparison { operator: Operator::Gte, value: Decimal::whole(bound) }],
        window,
        timespan_ms: 10,
        learn_ms: None,
        suppress_ms: None,
        level: 0,
        onward: vec![],
        observed: vec![Observed { name: "v".into(), values: true, distinct: true }],
    };
    Plan {
        rules: vec![
            rule("one", Logic::Detection(Condition::Constant(true))),
            rule("other", Logic::Detection(Condition::Constant(true))),
            Rule { reported: true, ..rule("both", Logic::Correlation(correlation)) },
        ],
        fields: paths.map(|path| Field { name: path.into(), source: FieldSource::Path(path.into()) }).into(),
        predicates: vec![],
        scopes: vec![],
        time: vec![FieldId(0)],
        event_id: vec![FieldId(1)],
        settings: Settings::default(),
    }
}

fn closed(plan: &Plan, events: &[&str], duplicates: Duplicates) -> Vec<Alert> {
    let outcome = evaluate(plan, events.join("\n").as_bytes(), 0, duplicates);
    assert!(outcome.matches.is_empty(), "base rules are not reported");
    outcome.closed
}

fn positions(alert: &Alert) -> Vec<u64> {
    alert.events.iter().map(|event| event.event).collect()
}

#[test]
fn events_without_time_or_group_join_none_and_order_is_that_of_time_and_id() {
    let plan = plan(Window::Anchored, Measure::EventCount, 1);
    let events = [
        r#"{"t":5,"id":"b","g":"x","v":[1,"y"]}"#,
        r#"{"t":5,"id":"a","g":["x"],"v":null}"#,
        r#"{"t":5,"g":"x","v":"y"}"#,
        r#"{"t":1,"id":"z","g":"x"}"#,
        r#"{"t":1,"g":null}"#,
        r#"{"t":1,"g":{}}"#,
        r#"{"t":1}"#,
        r#"{"t":"?","g":"x"}"#,
        r#"{"t":1,"g":true}"#,
    ];
    let alerts = closed(&plan, &events, Duplicates::Once);
    let [true_group, x] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(
        (true_group.group.as_slice(), positions(true_group)),
        (["true".to_owned()].as_slice(), vec![8])
    );
    assert_eq!((x.count, x.first, x.last, x.window_start, x.window_end), (4, 1, 5, 1, 11));
    assert_eq!(positions(x), [3, 2, 1, 0]);
    assert_eq!(
        (x.observations[0].values.as_slice(), x.observations[0].distinct),
        (["1".into(), "y".into()].as_slice(), 2)
    );
    assert_eq!(x.id, crate::alert_id(&plan.rules[2], &x.group, 1));
}

#[test]
fn a_duplicate_counts_once_unless_told_otherwise() {
    let plan = plan(Window::Sliding, Measure::EventCount, 1);
    let events = [
        r#"{"t":1,"id":"a","g":1}"#,
        r#"{"t":1,"id":"a","g":1}"#,
        r#"{"t":2,"id":"a","g":1}"#,
        r#"{"t":1,"g":1}"#,
        r#"{"t":1,"g":1}"#,
    ];
    let counts =
        |duplicates| closed(&plan, &events, duplicates).iter().map(|alert| alert.count).collect::<Vec<_>>();
    assert_eq!(counts(Duplicates::Once), [4]);
    assert_eq!(counts(Duplicates::Count), [5]);
}

#[test]
fn values_are_counted_by_their_first_one() {
    let plan = plan(Window::Tumbling, Measure::ValueCount(vec!["v".into()]), 2);
    let two = [r#"{"t":1,"g":1,"v":["a","b"]}"#, r#"{"t":2,"g":1,"v":"b"}"#, r#"{"t":3,"g":1}"#];
    assert_eq!(closed(&plan, &two, Duplicates::Once)[0].count, 3);
    let one = [r#"{"t":1,"g":1,"v":["a","b"]}"#, r#"{"t":2,"g":1,"v":"a"}"#, r#"{"t":3,"g":1,"v":[]}"#];
    assert_eq!(closed(&plan, &one, Duplicates::Once), []);
}

#[test]
fn lists_are_cut_to_what_comes_first() {
    let plan = plan(Window::Anchored, Measure::EventCount, 1);
    let events: Vec<String> =
        (0..101).rev().map(|n| format!(r#"{{"t":0,"id":"{n:03}","g":1,"v":{n}}}"#)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let cut = &closed(&plan, &events, Duplicates::Once)[0];
    assert_eq!((cut.count, cut.events.len(), cut.truncated), (101, 100, true));
    assert_eq!((cut.observations[0].distinct, cut.observations[0].values.len()), (101, 100));
    assert!(!cut.observations[0].values.contains(&"100".into()), "the value of the last event is cut");
    let whole = &closed(&plan, &events[1..], Duplicates::Once)[0];
    assert_eq!((whole.count, whole.truncated), (100, false));
}
