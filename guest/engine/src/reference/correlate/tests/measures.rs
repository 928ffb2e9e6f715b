//! Every measure, and what alerts begin and tell.

use super::{closed, plan, rule};
use crate::finding::Alert;
use tripwasm_plan::{
    Clause, Comparison, Condition, Correlation, Decimal, Duplicates, Field, FieldId, FieldSource, Logic,
    Measure, Operator, Order, Plan, Predicate, PredicateId, RuleIndex, Source, Test, Types, Window,
};

/// A plan whose detections `0`, `1` and `2` hold of events with that number in `s`, and whose rule 3 is a correlation of
/// all of them per `g` over `v`, changed by `change`.
fn numbered(window: Window, measure: Measure, change: impl FnOnce(&mut Correlation)) -> Plan {
    let mut plan = plan(window, measure, 1);
    plan.fields.push(Field { name: "s".into(), source: FieldSource::Path("s".into()) });
    let Some(Logic::Correlation(mut correlation)) = plan.rules.pop().map(|rule| rule.logic) else {
        panic!("the last rule is the correlation")
    };
    let template = correlation.sources[0].clone();
    correlation.sources = (0..3).map(|rule| Source { rule: RuleIndex(rule), ..template.clone() }).collect();
    change(&mut correlation);
    plan.rules = (0..3)
        .map(|number| rule(&number.to_string(), Logic::Detection(Condition::Holds(PredicateId(number)))))
        .collect();
    plan.predicates = (0..3)
        .map(|number| Predicate {
            field: FieldId(4),
            test: Test::Number { value: number.to_string(), types: Types::Strict },
        })
        .collect();
    let mut both = rule("all", Logic::Correlation(correlation));
    both.reported = true;
    plan.rules.push(both);
    plan
}

/// `(time, sources, value)`, all in one group.
type Told<'t> = (i64, &'t [u8], &'t str);

fn alerts(plan: &Plan, events: &[Told<'_>]) -> Vec<Alert> {
    let line = |(at, (time, sources, value)): (usize, &Told<'_>)| {
        format!(r#"{{"t":{time},"id":"{at:03}","g":"x","s":{sources:?},"v":{value}}}"#)
    };
    let lines: Vec<String> = events.iter().enumerate().map(line).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    closed(plan, &lines, Duplicates::Once)
}

fn comparison(operator: Operator, value: &str) -> Vec<Comparison> {
    vec![Comparison { operator, value: Decimal::parse(value).unwrap() }]
}

/// The measure, the condition, the values, what the alert tells if there is one.
type NumericCase<'t> = (Measure, Operator, &'t str, &'t [&'t str], Option<&'t str>);

#[test]
fn numbers_are_compared_exactly_and_told_rounded() {
    let field = || "v".to_owned();
    let tenths: &[&str] = &["0.1", "0.2", "\"0.3\""];
    let thirds: &[&str] = &["1", "0", "0"];
    let none: &[&str] = &["true", "null", "\"1e3\"", "\"x\"", "[]", "1e20"];
    let five: &[&str] = &["5", "1", "3", "2", "4"];
    let cases: [NumericCase<'_>; 18] = [
        (Measure::Sum(field()), Operator::Eq, "0.6", tenths, Some("0.6")),
        (Measure::Sum(field()), Operator::Lt, "1", none, None),
        (Measure::Sum(field()), Operator::Gt, "1e2", &["1e3", "null"], Some("1000")),
        (Measure::Sum(field()), Operator::Eq, "9", &["[9,1]"], Some("9")),
        (Measure::Average(field()), Operator::Eq, "0.333333333", thirds, None),
        (Measure::Average(field()), Operator::Gt, "0.333333333", thirds, Some("0.333333333")),
        (Measure::Average(field()), Operator::Lt, "0.333333334", thirds, Some("0.333333333")),
        (Measure::Average(field()), Operator::Neq, "5", none, None),
        (Measure::Median(field()), Operator::Eq, "3", five, Some("3")),
        (Measure::Median(field()), Operator::Eq, "2.5", &["1", "2", "3", "9"], Some("2.5")),
        (Measure::Median(field()), Operator::Gt, "0", &["0", "0.000000001"], Some("0.000000001")),
        (Measure::Median(field()), Operator::Neq, "1", &["null"], None),
        (Measure::Percentile(field(), 50), Operator::Eq, "3", five, Some("3")),
        (Measure::Percentile(field(), 95), Operator::Eq, "5", five, Some("5")),
        (Measure::Percentile(field(), 20), Operator::Eq, "1", five, Some("1")),
        (Measure::Percentile(field(), 21), Operator::Eq, "2", five, Some("2")),
        (Measure::Percentile(field(), 0), Operator::Eq, "1", five, Some("1")),
        (Measure::Percentile(field(), 100), Operator::Lte, "4", five, None),
    ];
    for (measure, operator, bound, values, expected) in cases {
        let plan = numbered(Window::Anchored, measure.clone(), |correlation| {
            correlation.condition = comparison(operator, bound);
        });
        let events: Vec<Told<'_>> = values.iter().map(|value| (0, &[0_u8][..], *value)).collect();
        let told: Vec<String> = alerts(&plan, &events)
            .iter()
            .map(|alert| {
                assert_eq!(alert.count, values.len() as u64, "values that are no numbers are events");
                alert.measured.map_or("none".into(), |value| value.to_string())
            })
            .collect();
        assert_eq!(told, Vec::from_iter(expected), "{measure:?} {operator:?} {bound} of {values:?}");
    }
}

/// Time, sources.
type Seen<'t> = (i64, &'t [u8]);

/// Whether a temporal correlation over an anchored window of these `(time, sources)` alerts.
fn is_temporal(order: Order, clauses: Option<Vec<Clause>>, bound: u64, events: &[Seen<'_>]) -> bool {
    let plan =
        numbered(Window::Anchored, Measure::Temporal { order, clauses: clauses.clone() }, |correlation| {
            correlation.timespan_ms = 1000;
            correlation.condition = match clauses {
                Some(_) => vec![],
                None => vec![Comparison { operator: Operator::Gte, value: Decimal::whole(bound) }],
            };
            for source in &mut correlation.sources {
                source.reads.measured.clear();
            }
        });
    let events: Vec<Told<'_>> = events.iter().map(|(time, sources)| (*time, *sources, "0")).collect();
    !alerts(&plan, &events).is_empty()
}

#[test]
fn sources_are_counted_or_chained() {
    let cases: [(&[Seen<'_>], u64, u64); 8] = [
        // Events, most different sources, longest chain.
        (&[(0, &[0]), (1, &[1]), (2, &[2])], 3, 3),
        (&[(0, &[2]), (1, &[1]), (2, &[0])], 3, 1),
        (&[(0, &[0]), (1, &[2])], 2, 2),
        (&[(0, &[1]), (1, &[0]), (2, &[2])], 3, 2),
        (&[(5, &[2]), (5, &[1]), (5, &[0])], 3, 3),
        (&[(5, &[0, 1, 2])], 3, 3),
        (&[(0, &[1, 2]), (1, &[0])], 3, 2),
        (&[(0, &[0]), (1, &[0]), (2, &[0])], 1, 1),
    ];
    for (events, different, chained) in cases {
        for bound in 1..=3 {
            assert_eq!(is_temporal(Order::Any, None, bound, events), bound <= different, "{events:?}");
            assert_eq!(is_temporal(Order::AsListed, None, bound, events), bound <= chained, "{events:?}");
        }
    }
}

#[test]
fn clauses_ask_for_some_sources_and_refuse_others() {
    let clause = |seen: &[u32], unseen: &[u32]| Clause { seen: seen.into(), unseen: unseen.into() };
    let both = vec![clause(&[0, 1], &[2])];
    let either = vec![clause(&[2], &[]), clause(&[0], &[1])];
    let cases: [(&[Clause], &[Seen<'_>], [bool; 2]); 9] = [
        (&both, &[(0, &[0]), (1, &[1])], [true, true]),
        (&both, &[(0, &[1]), (1, &[0])], [true, false]),
        (&both, &[(0, &[1]), (1, &[0]), (2, &[1])], [true, true]),
        (&both, &[(0, &[0, 1])], [true, true]),
        (&both, &[(0, &[0]), (1, &[1]), (2, &[2])], [false, false]),
        (&both, &[(0, &[0])], [false, false]),
        (&either, &[(0, &[0])], [true, true]),
        (&either, &[(0, &[0]), (1, &[1])], [false, false]),
        (&either, &[(0, &[0]), (1, &[1]), (2, &[2])], [true, true]),
    ];
    for (clauses, events, expected) in cases {
        let found =
            [Order::Any, Order::AsListed].map(|order| is_temporal(order, Some(clauses.to_vec()), 1, events));
        assert_eq!(found, expected, "{clauses:?} of {events:?}");
    }
}

#[test]
fn a_sliding_alert_tells_the_number_with_which_it_began() {
    let plan = numbered(Window::Sliding, Measure::Sum("v".into()), |correlation| {
        correlation.condition = comparison(Operator::Gte, "10");
    });
    let told = |events: &[Told<'_>]| -> Vec<(i64, i64, u64, String)> {
        let text = |alert: &Alert| alert.measured.map_or(String::new(), |value| value.to_string());
        let tell = |alert: &Alert| (alert.window_start, alert.window_end, alert.count, text(alert));
        alerts(&plan, events).iter().map(tell).collect()
    };
    let all: &[u8] = &[0];
    assert_eq!(told(&[(0, all, "4"), (1, all, "7"), (2, all, "5")]), [(0, 2, 3, "11".into())]);
    // It stops at 2 and holds again at 3, with the same first event.
    let again = [(0, all, "4"), (1, all, "7"), (2, all, "-9"), (3, all, "8"), (30, all, "10")];
    assert_eq!(told(&again), [(0, 3, 4, "11".into()), (30, 30, 1, "10".into())]);
}

#[test]
fn alerts_are_suppressed_from_the_last_one_told() {
    let plan = |window, operator, suppress_ms| {
        numbered(window, Measure::EventCount, |correlation| {
            correlation.condition = comparison(operator, "2");
            correlation.suppress_ms = Some(suppress_ms);
        })
    };
    let starts = |plan: &Plan, times: &[i64]| -> Vec<i64> {
        let events: Vec<Told<'_>> = times.iter().map(|&time| (time, &[0_u8][..], "0")).collect();
        alerts(plan, &events).iter().map(|alert| alert.window_start).collect()
    };
    let pairs = [0, 1, 20, 21, 40, 41, 60, 61];
    assert_eq!(starts(&plan(Window::Sliding, Operator::Gte, 40), &pairs), [0, 40]);
    assert_eq!(starts(&plan(Window::Sliding, Operator::Gte, 41), &pairs), [0, 60]);
    // A growing condition fires with the event that completes it, another one when its window ends.
    let late = [0, 9, 10, 11];
    assert_eq!(starts(&plan(Window::Tumbling, Operator::Gte, 2), &late), [0, 10]);
    assert_eq!(starts(&plan(Window::Tumbling, Operator::Gte, 3), &late), [0]);
    assert_eq!(starts(&plan(Window::Tumbling, Operator::Eq, 10), &late), [0, 10]);
    assert_eq!(starts(&plan(Window::Tumbling, Operator::Eq, 11), &late), [0]);
}

#[test]
fn learning_is_silent_and_remembers() {
    let plan = |learn_from| {
        let mut plan = numbered(Window::FirstSeen { forget_ms: None }, Measure::EventCount, |correlation| {
            correlation.learn_ms = Some(10);
        });
        plan.settings.learn_from = learn_from;
        plan
    };
    let group = |time: i64, group: &str| format!(r#"{{"t":{time},"g":"{group}","s":0}}"#);
    let events = [group(5, "a"), group(14, "b"), group(15, "c"), group(16, "a"), group(17, "b")];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let groups = |learn_from| -> Vec<String> {
        closed(&plan(learn_from), &events, Duplicates::Once)
            .into_iter()
            .flat_map(|alert| alert.group)
            .collect()
    };
    assert_eq!(groups(None), ["c"]);
    assert_eq!(groups(Some(0)), ["b", "c"]);
    assert_eq!(groups(Some(6)), [""; 0]);
}
