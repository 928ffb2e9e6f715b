//! On generated rules and events every engine says what the reference says.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use tripwasm_engine::finding::Alert;
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Duplicates, Logic, Plan, Rule, Settings, Window};
use tripwasm_tests::engines::{Engine, LATENESS_UNBOUNDED_MS, Native, Reference, Resumed, Sharded, batches};
use tripwasm_tests::generate::{DELAY_MAX, Line, input, line, order_key, plan};

fn settings(lateness_ms: u64, duplicates: Duplicates) -> Settings {
    Settings { lateness_ms, duplicates, ..Settings::default() }
}

fn outcome(
    engine: &dyn Engine,
    plan: &Plan,
    settings: Settings,
    input: &[u8],
    batch_bytes: usize,
) -> Result<Outcome, TestCaseError> {
    let run = engine.run(plan, settings, &batches(input, batch_bytes));
    run.map_err(|error| TestCaseError::fail(format!("{}: {error:#}", engine.name())))
}

fn is_first_seen(rule: &Rule) -> bool {
    match &rule.logic {
        Logic::Correlation(correlation) => matches!(correlation.window, Window::FirstSeen { .. }),
        Logic::Detection(_) => false,
    }
}

/// An alert without what tells in which order the events stood.
fn without_positions(mut alert: Alert) -> Alert {
    alert.events.iter_mut().for_each(|event| event.event = 0);
    alert.events.sort_by(|one, other| one.event_id.cmp(&other.event_id));
    alert
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(line(), 0..60)
}

/// Bytes to put in the place of others, or nothing.
fn damage() -> impl Strategy<Value = Vec<(Index, Option<u8>)>> {
    let byte = select(b"{}[]\",:\\ \n\r019-+.eEtnu/\xff\xc3\xa9\x00".to_vec());
    prop::collection::vec((any::<Index>(), prop::option::of(byte)), 0..4)
}

fn duplicates() -> impl Strategy<Value = Duplicates> {
    select(vec![Duplicates::Once, Duplicates::Count])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_engine_agrees_with_the_reference(
        plan in plan(), lines in lines(), newline: bool, damage in damage(),
        batch_bytes in 1..2000_usize, duplicates in duplicates(),
    ) {
        let mut input = input(&lines, newline);
        for (place, byte) in damage.into_iter().filter(|_| !lines.is_empty()) {
            let place = place.index(input.len().max(1));
            input.splice(place..(place + 1).min(input.len()), byte);
        }
        let settings = settings(LATENESS_UNBOUNDED_MS, duplicates);
        let expected = outcome(&Reference, &plan, settings, &input, batch_bytes)?;
        for engine in [&Native as &dyn Engine, &Resumed, &Sharded] {
            let found = outcome(engine, &plan, settings, &input, batch_bytes)?;
            prop_assert_eq!(&found, &expected, "{}", engine.name());
        }
    }

    #[test]
    fn disorder_within_the_lateness_changes_nothing(
        plan in plan(), mut lines in lines(), batch_bytes in 1..2000_usize, duplicates in duplicates(),
    ) {
        lines.sort_by_key(order_key);
        let input = input(&lines, true);
        let lateness = settings(u64::try_from(DELAY_MAX).unwrap(), duplicates);
        let expected = outcome(&Reference, &plan, lateness, &input, batch_bytes)?;
        for engine in [&Native as &dyn Engine, &Resumed] {
            let found = outcome(engine, &plan, lateness, &input, batch_bytes)?;
            prop_assert_eq!(&found, &expected, "{}", engine.name());
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_closed_alert(
        plan in plan(),
        (lines, shuffled) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        // Of first-seen events of one time the one that came first is named.
        let mut plan = plan;
        plan.rules.retain(|rule| !is_first_seen(rule));
        let settings = settings(LATENESS_UNBOUNDED_MS, Duplicates::Count);
        let closed = |lines: &[Line]| -> Result<Vec<Alert>, TestCaseError> {
            let closed = outcome(&Native, &plan, settings, &input(lines, true), 4096)?.closed;
            Ok(closed.into_iter().map(without_positions).collect())
        };
        prop_assert_eq!(closed(&shuffled)?, closed(&lines)?);
    }
}
