//! Real events: every engine finds exactly what is expected, however the events arrive.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::LazyLock;
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Duplicates, Plan, Settings};
use tripwasm_tests::corpus::{Found, NAMES, directory, events, expected, found, project};
use tripwasm_tests::engines::{
    Component, Engine, LATENESS_UNBOUNDED_MS, Native, Reference, Resumed, Sharded, Stepped, batches,
};
use tripwasm_tests::rules::compile_pack;

const ENGINES: [&dyn Engine; 6] = [&Reference, &Native, &Resumed, &Sharded, &Stepped, &Component];
const HOUR_MS: u64 = 60 * 60 * 1000;

/// The pack, Security Lake's rules on raw names, with every match reported.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let config = project().join("pipelines/ocsf/raw-cloudtrail.yml");
    let mut plan = compile_pack(&project().join("rules/cloudtrail"), Some(&config)).unwrap();
    plan.rules.iter_mut().for_each(|rule| rule.reported = true);
    plan
});

/// Lines with the number that each has in the file.
type Stream = Vec<(u64, Vec<u8>)>;

fn stream(corpus: &Path, name: &str) -> Stream {
    (0..).zip(events(corpus, name).unwrap()).collect()
}

fn run(engine: &dyn Engine, stream: &Stream, settings: Settings, batch_bytes: usize) -> Outcome {
    let input = stream.iter().map(|(_, line)| line.as_slice()).collect::<Vec<_>>().concat();
    let outcome = engine.run(&PLAN, settings, &batches(&input, batch_bytes));
    outcome.unwrap_or_else(|error| panic!("{}: {error:#}", engine.name()))
}

fn find(engine: &dyn Engine, stream: &Stream, settings: Settings, batch_bytes: usize) -> Found {
    let origin: Vec<u64> = stream.iter().map(|(number, _)| *number).collect();
    found(&run(engine, stream, settings, batch_bytes), &PLAN, &origin)
}

/// Sorting by it is a shuffle, the same in every run.
fn hash(number: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

/// Every delivery counts: some files hold ids that were masked to one constant.
fn counting(lateness_ms: u64) -> Settings {
    Settings { lateness_ms, duplicates: Duplicates::Count, ..Settings::default() }
}

fn once(lateness_ms: u64) -> Settings {
    Settings { duplicates: Duplicates::Once, ..counting(lateness_ms) }
}

#[test]
fn every_engine_finds_what_is_expected_in_batches_of_every_size() {
    let Some(corpus) = directory() else { return };
    for name in NAMES {
        let stream = stream(&corpus, name);
        let expected = expected(&corpus, name).unwrap();
        for engine in ENGINES {
            for batch_bytes in [1, 64 << 10, 4 << 20] {
                let found = find(engine, &stream, counting(LATENESS_UNBOUNDED_MS), batch_bytes);
                assert_eq!(found, expected, "{} on {name} in batches of {batch_bytes}", engine.name());
            }
        }
    }
}

#[test]
fn order_of_arrival_changes_nothing() {
    let Some(corpus) = directory() else { return };
    for name in NAMES {
        let mut stream = stream(&corpus, name);
        let mut expected = expected(&corpus, name).unwrap();
        // Of first-seen events of one second the one that arrives first is named.
        expected.first_seen_events.clear();
        stream.sort_by_key(|(number, _)| hash(*number));
        for engine in ENGINES {
            let mut found = find(engine, &stream, counting(LATENESS_UNBOUNDED_MS), 64 << 10);
            found.first_seen_events.clear();
            assert_eq!(found, expected, "{} on {name}", engine.name());
        }
    }
}

#[test]
fn an_hour_of_lateness_is_enough_for_disorder_below_an_hour() {
    let Some(corpus) = directory() else { return };
    for name in ["derived-handout", "invictus"] {
        let stream = stream(&corpus, name);
        let expected = expected(&corpus, name).unwrap();
        for engine in ENGINES {
            let found = find(engine, &stream, once(HOUR_MS), 64 << 10);
            assert_eq!(found, expected, "{} on {name}", engine.name());
        }
    }
}

#[test]
fn one_forged_date_changes_nothing_wherever_it_stands() {
    let Some(corpus) = directory() else { return };
    let forged = br#"{"eventTime":"2099-01-01T00:00:00Z","eventID":"forged","eventName":"ListUsers"}"#;
    for name in ["derived-handout", "invictus"] {
        let genuine = stream(&corpus, name);
        let expected = expected(&corpus, name).unwrap();
        for place in [0, 1, genuine.len() / 2, genuine.len()] {
            let mut stream = genuine.clone();
            stream.insert(place, (u64::MAX, [forged.as_slice(), b"\n"].concat()));
            for engine in ENGINES {
                let found = find(engine, &stream, once(HOUR_MS), 64 << 10);
                assert_eq!(found, expected, "{} on {name}, forged at {place}", engine.name());
            }
        }
    }
}

#[test]
fn doubled_delivery_doubles_matches_and_changes_no_alert() {
    let Some(corpus) = directory() else { return };
    for name in NAMES {
        let single = stream(&corpus, name);
        let again: Stream = single.iter().chain(&single).cloned().collect();
        let beside: Stream = single.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
        for engine in ENGINES {
            let settings = once(LATENESS_UNBOUNDED_MS);
            let expected = run(engine, &single, settings, 64 << 10);
            for (way, doubled) in [("again", &again), ("beside", &beside)] {
                let place = format!("{} on {name}, {way}", engine.name());
                let outcome = run(engine, doubled, settings, 64 << 10);
                assert_eq!(outcome.matches.len(), 2 * expected.matches.len(), "{place}");
                let windows = |outcome: &Outcome| -> Vec<_> {
                    outcome.closed.iter().map(|alert| (alert.id.clone(), alert.count, alert.last)).collect()
                };
                assert_eq!(windows(&outcome), windows(&expected), "{place}");
            }
        }
    }
}
