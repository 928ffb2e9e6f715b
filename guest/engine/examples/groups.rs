//! What correlation state costs: bytes a group, time a fact, time and size of a snapshot.
//!
//! `cargo run --release -p tripwasm-engine --example groups [GROUPS] [KIND]` prints one line for each kind of correlation: ten
//! matches a group, all behind the watermark, event ids that are UUIDs, keys of 24 characters.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::time::{Duration, Instant};
use tripwasm_engine::{Detector, Entry, EventId, Fact, Lists, Origin, Values};
use tripwasm_plan::{
    Action, Comparison, Condition, Correlation, Decimal, Field, FieldId, FieldSource, Logic, Measure,
    Operator, Order, Plan, Reads, Rule, RuleIndex, Settings, Source, Window,
};

const MATCHES: u64 = 10;
const FEW_GROUPS: u64 = 10;
const BASE: i64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const FEW_RUNS: usize = 2001;
/// Groups that are matched in turn, ten times, before the next ones.
const BATCH_GROUPS: u64 = 10_000;
/// Time from one round of matches to the next. The watermark follows at once, so that each group is packed between them.
const ROUND_MS: i64 = 50;

fn main() {
    let groups: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    println!("{groups} groups of {MATCHES} matches");
    println!(
        "{:<34} {:>8} {:>8} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "correlation", "estim. B", "real B", "ns/fact", "few", "ratio", "snap B", "snap s"
    );
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for (name, window, measure, bound) in kinds().into_iter().filter(|kind| kind.0.starts_with(&wanted)) {
        let plan = plan(window, measure, bound);
        let before = resident_bytes();
        let (mut detector, many) = filled(&plan, groups);
        let real = resident_bytes().saturating_sub(before) / groups;
        let few = few(&plan);
        let began = Instant::now();
        let snapshot = detector.snapshot();
        let took = began.elapsed();
        let statistics = detector.statistics();
        assert_eq!(statistics.rules[1].groups, groups, "{name}");
        println!(
            "{name:<34} {:>8} {real:>8} {:>9.0} {:>9.0} {:>7.2} {:>9} {:>9.2}",
            statistics.state_bytes / groups,
            many,
            few,
            many / few,
            snapshot.len() as u64 / groups,
            took.as_secs_f64()
        );
        detector.restore(&snapshot).expect("its own snapshot");
    }
}

fn kinds() -> Vec<(&'static str, Window, Measure, u64)> {
    let field = || "f".to_owned();
    let temporal = |order| Measure::Temporal { order, clauses: None };
    vec![
        ("event_count gte 20, tumbling 1d", Window::Tumbling, Measure::EventCount, 20),
        ("event_count gte 20, sliding 1d", Window::Sliding, Measure::EventCount, 20),
        ("value_count gte 20, tumbling 1d", Window::Tumbling, Measure::ValueCount(vec![field()]), 20),
        ("value_count gte 20, sliding 1d", Window::Sliding, Measure::ValueCount(vec![field()]), 20),
        ("temporal of 3, sliding 1d", Window::Sliding, temporal(Order::Any), 3),
        ("temporal_ordered of 3, sliding 1d", Window::Sliding, temporal(Order::AsListed), 3),
        ("value_sum, tumbling 1d", Window::Tumbling, Measure::Sum(field()), 1_000_000),
        ("value_avg, sliding 1d", Window::Sliding, Measure::Average(field()), 1_000_000),
        ("value_median, tumbling 1d", Window::Tumbling, Measure::Median(field()), 1_000_000),
        ("first seen", Window::FirstSeen { forget_ms: None }, Measure::EventCount, 1),
    ]
}

fn plan(window: Window, measure: Measure, bound: u64) -> Plan {
    let rule = |title: &str, reported, logic| Rule {
        id: None,
        name: None,
        title: title.to_owned(),
        level: None,
        tags: vec![],
        author: None,
        action: Action::Tag,
        reported,
        logic,
    };
    let measured = measure.fields().iter().map(|_| FieldId(1)).collect();
    let reads = Reads { group_by: vec![FieldId(0)], measured, observed: vec![] };
    let source = Source { rule: RuleIndex(0), reads, onward: vec![] };
    let field = |name: &str| Field { name: name.to_owned(), source: FieldSource::Path(name.to_owned()) };
    let operator = if matches!(window, Window::FirstSeen { .. }) { Operator::Eq } else { Operator::Gte };
    let correlation = Correlation {
        sources: vec![source; 3],
        group_by: vec!["key".to_owned()],
        measure,
        condition: vec![Comparison { operator, value: Decimal::whole(bound) }],
        window,
        timespan_ms: DAY_MS,
        observed: vec![],
        learn_ms: None,
        suppress_ms: None,
        level: 0,
        onward: vec![],
    };
    Plan {
        rules: vec![
            rule("base", false, Logic::Detection(Condition::Constant(true))),
            rule("correlation", true, Logic::Correlation(correlation)),
        ],
        fields: vec![field("key"), field("f")],
        predicates: vec![],
        scopes: vec![],
        time: vec![],
        event_id: vec![],
        settings: Settings { state_bytes_max: u64::MAX, ..Settings::default() },
    }
}

/// A detector that holds so many groups, and the nanoseconds that a fact took.
fn filled(plan: &Plan, groups: u64) -> (Detector, f64) {
    let mut detector = Detector::new(plan.clone()).expect("a plan");
    let mut took = Duration::ZERO;
    let mut time = BASE - BASE.rem_euclid(DAY_MS as i64);
    for first in (0..groups).step_by(BATCH_GROUPS as usize) {
        for round in 0..MATCHES {
            time += ROUND_MS;
            let batch = first..groups.min(first + BATCH_GROUPS);
            let facts = batch.map(|group| fact(time, round * groups + group, group)).collect();
            let began = Instant::now();
            std::hint::black_box(detector.correlate(0, facts, time + 1));
            took += began.elapsed();
        }
    }
    (detector, took.as_nanos() as f64 / (groups * MATCHES) as f64)
}

/// The nanoseconds that a fact takes where few groups are held, over as many facts in all.
fn few(plan: &Plan) -> f64 {
    let runs: Vec<f64> = (0..FEW_RUNS).map(|_| filled(plan, FEW_GROUPS).1).collect();
    let mut sorted = runs;
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn fact(time: i64, event: u64, group: u64) -> Fact {
    let mixed = u128::from(event + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Fact {
        correlation: RuleIndex(1),
        group: [format!("arn:aws:iam::1:u/{group:07}")].into_iter().collect(),
        entry: Entry {
            time,
            event_id: Some(EventId::Uuid(mixed.to_le_bytes())),
            event,
            sources: 1,
            origin: Origin::Event,
            values: Values {
                tuple: Some([format!("value-{}", event % 7)].into_iter().collect()),
                number: Some(Decimal::whole(event % 100)),
                observed: Lists::default(),
            },
            onward: vec![],
        },
    }
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * 4096
}
