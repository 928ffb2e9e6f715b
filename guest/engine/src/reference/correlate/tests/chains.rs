//! Correlations over correlations.

use super::{closed, plan, rule};
use crate::finding::Alert;
use tripwasm_plan::{
    Comparison, Correlation, Decimal, Duplicates, FieldId, Logic, Measure, Onward, Operator, Plan, Reads,
    Rule, RuleIndex, Source, Window,
};

const LOW: u32 = 1;
const MIDDLE: u32 = 2;
const TOP: u32 = 3;

/// Rule 0 holds of every event. LOW correlates it per `g`, MIDDLE correlates LOW per `v`, TOP both MIDDLE and rule 0 with
/// one group for all.
fn chain(low: Window, low_measure: Measure, change: impl FnOnce(&mut Vec<Rule>)) -> Plan {
    let mut plan = plan(low, low_measure, 2);
    plan.rules.remove(1);
    let reads = |group_by: &[u32]| Reads {
        group_by: group_by.iter().map(|&field| FieldId(field)).collect(),
        measured: vec![FieldId(3)],
        observed: vec![FieldId(3)],
    };
    let onward = |correlation, source, above| Onward { correlation: RuleIndex(correlation), source, above };
    let over = |rule| Source { rule: RuleIndex(rule), reads: Reads::default(), onward: vec![] };
    let Logic::Correlation(low) = &mut plan.rules[1].logic else { panic!("a correlation") };
    low.sources =
        vec![Source { rule: RuleIndex(0), reads: reads(&[2]), onward: vec![reads(&[3]), reads(&[])] }];
    low.onward = vec![onward(MIDDLE, 0, 1), onward(TOP, 0, 0)];
    let at_least = |value| vec![Comparison { operator: Operator::Gte, value: Decimal::whole(value) }];
    let middle = Correlation {
        sources: vec![over(LOW)],
        group_by: vec!["v".into()],
        measure: Measure::EventCount,
        condition: at_least(2),
        window: Window::Sliding,
        timespan_ms: 100,
        level: 1,
        onward: vec![onward(TOP, 0, 0)],
        ..low.clone()
    };
    let raw = Source { rule: RuleIndex(0), reads: reads(&[]), onward: vec![] };
    let top = Correlation {
        sources: vec![over(MIDDLE), raw],
        group_by: vec![],
        condition: at_least(1),
        window: Window::Anchored,
        timespan_ms: 1000,
        level: 2,
        onward: vec![],
        ..middle.clone()
    };
    for correlation in [middle, top] {
        plan.rules.push(Rule { reported: true, ..rule("over", Logic::Correlation(correlation)) });
    }
    change(&mut plan.rules);
    plan
}

fn of_rule(alerts: &[Alert], rule: u32) -> Vec<&Alert> {
    alerts.iter().filter(|alert| alert.rule == RuleIndex(rule)).collect()
}

fn positions(alert: &Alert) -> Vec<u64> {
    alert.events.iter().map(|event| event.event).collect()
}

const EVENTS: [&str; 6] = [
    r#"{"t":0,"id":"a","g":"x","v":"p"}"#,
    r#"{"t":1,"id":"b","g":"x","v":"q"}"#,
    r#"{"t":2,"id":"c","g":"y","v":"q"}"#,
    r#"{"t":3,"id":"d","g":"y","v":"q"}"#,
    r#"{"t":4,"id":"e","g":"z","v":"q"}"#,
    r#"{"t":5,"id":"f","g":"z"}"#,
];

#[test]
fn an_alert_brings_the_values_of_the_event_that_made_it_fire() {
    let plan = chain(Window::Sliding, Measure::EventCount, |_| {});
    let alerts = closed(&plan, &EVENTS, Duplicates::Once);
    assert_eq!(of_rule(&alerts, LOW).len(), 3);
    let [middle] = of_rule(&alerts, MIDDLE)[..] else { panic!("{alerts:?}") };
    // The third alert below fired with an event without `v`, so it joins no group.
    assert_eq!((middle.group.as_slice(), positions(middle)), (["q".to_owned()].as_slice(), vec![1, 3]));
    assert_eq!((middle.window_start, middle.window_end), (1, 3));
    assert_eq!(middle.observations[0].values, ["q"]);
    let [top] = of_rule(&alerts, TOP)[..] else { panic!("{alerts:?}") };
    assert_eq!(positions(top), [0, 1, 2, 3, 4, 5], "the alert's event came by itself as well");
}

#[test]
fn a_fixed_window_fires_at_its_end_unless_its_condition_grows() {
    let times = |measure, operator| -> Vec<(i64, Vec<u64>)> {
        let plan = chain(Window::Tumbling, measure, |rules| {
            let Logic::Correlation(low) = &mut rules[LOW as usize].logic else { panic!("a correlation") };
            low.condition = vec![Comparison { operator, value: Decimal::whole(2) }];
            let Logic::Correlation(middle) = &mut rules[MIDDLE as usize].logic else {
                panic!("a correlation")
            };
            middle.condition = vec![Comparison { operator: Operator::Gte, value: Decimal::whole(1) }];
        });
        let events = [
            r#"{"t":0,"g":1,"v":1}"#,
            r#"{"t":3,"g":1,"v":1}"#,
            r#"{"t":4,"g":1}"#,
            r#"{"t":5,"g":1,"v":1}"#,
        ];
        let alerts = closed(&plan, &events, Duplicates::Once);
        of_rule(&alerts, MIDDLE).iter().map(|alert| (alert.first, positions(alert))).collect()
    };
    assert_eq!(times(Measure::EventCount, Operator::Gte), [(3, vec![1])]);
    assert_eq!(times(Measure::EventCount, Operator::Neq), [(10, vec![3])]);
    assert_eq!(times(Measure::Sum("v".into()), Operator::Gte), [(10, vec![3])]);
}

#[test]
fn what_is_not_reported_or_suppressed_is_no_finding_but_only_the_former_goes_on() {
    let unreported =
        chain(Window::Sliding, Measure::EventCount, |rules| rules[LOW as usize].reported = false);
    let alerts = closed(&unreported, &EVENTS, Duplicates::Once);
    assert_eq!((of_rule(&alerts, LOW).len(), of_rule(&alerts, MIDDLE).len()), (0, 1));
    let again = [
        r#"{"t":0,"g":"x","v":"p"}"#,
        r#"{"t":1,"g":"x","v":"p"}"#,
        r#"{"t":50,"g":"x","v":"p"}"#,
        r#"{"t":51,"g":"x","v":"p"}"#,
    ];
    for (suppress_ms, expected) in [(None, (2, 1)), (Some(51), (1, 0))] {
        let plan = chain(Window::Sliding, Measure::EventCount, |rules| {
            let Logic::Correlation(low) = &mut rules[LOW as usize].logic else { panic!("a correlation") };
            low.suppress_ms = suppress_ms;
        });
        let alerts = closed(&plan, &again, Duplicates::Once);
        assert_eq!((of_rule(&alerts, LOW).len(), of_rule(&alerts, MIDDLE).len()), expected);
    }
}
