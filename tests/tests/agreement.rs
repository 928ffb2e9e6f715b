//! On generated rules and events every engine says what the reference says.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use tripwasm_engine::finding::Alert;
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Duplicates, Logic, Plan, Rule, Settings, Window};
use tripwasm_rules::Severity;
use tripwasm_tests::engines::{
    Component, Engine, LATENESS_UNBOUNDED_MS, Native, Reference, Resumed, Sharded, Stepped, batches,
    is_told_when_learning_began,
};
use tripwasm_tests::generate::{
    DELAY_MAX, Line, correlation_plan, fact_lines, input, line, order_key, plan, redelivered_fact_lines,
    sigma,
};
use tripwasm_tests::rules::diagnose_text;

fn settings(plan: &Plan, lateness_ms: u64, duplicates: Duplicates) -> Settings {
    Settings { lateness_ms, duplicates, ..plan.settings }
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

/// Compares the parts one by one, so that a failure shows the one that differs.
fn agree(engine: &dyn Engine, found: &Outcome, expected: &Outcome) -> Result<(), TestCaseError> {
    let name = engine.name();
    prop_assert_eq!(&found.matches, &expected.matches, "matches of {}", name);
    prop_assert_eq!(&found.remarks, &expected.remarks, "remarks of {}", name);
    for (one, other) in found.closed.iter().zip(&expected.closed) {
        prop_assert_eq!(one, other, "the first alert of {} that differs", name);
    }
    prop_assert_eq!(found.closed.len(), expected.closed.len(), "alerts of {}", name);
    Ok(())
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

/// Events with an id: without one an event is never a duplicate, and of one time it is ordered by its position.
fn identified() -> impl Strategy<Value = Vec<Line>> {
    fact_lines().prop_map(|mut lines| {
        lines.retain(|line| line.text.starts_with(b"{\"id\""));
        lines
    })
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
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None,
        max_global_rejects: 8000, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_engine_matches_as_the_reference(
        plan in plan(), lines in lines(), newline: bool, damage in damage(),
        batch_bytes in 1..2000_usize, duplicates in duplicates(),
    ) {
        let mut input = input(&lines, newline);
        for (place, byte) in damage.into_iter().filter(|_| !lines.is_empty()) {
            let place = place.index(input.len().max(1));
            input.splice(place..(place + 1).min(input.len()), byte);
        }
        let settings = settings(&plan, LATENESS_UNBOUNDED_MS, duplicates);
        let expected = outcome(&Reference, &plan, settings, &input, batch_bytes)?;
        for engine in [&Native as &dyn Engine, &Resumed] {
            agree(engine, &outcome(engine, &plan, settings, &input, batch_bytes)?, &expected)?;
        }
    }

    #[test]
    fn every_engine_correlates_as_the_reference(
        plan in correlation_plan(), lines in redelivered_fact_lines(), batch_bytes in 1..2000_usize,
        duplicates in duplicates(),
    ) {
        let input = input(&lines, true);
        let settings = settings(&plan, LATENESS_UNBOUNDED_MS, duplicates);
        let expected = outcome(&Reference, &plan, settings, &input, batch_bytes)?;
        for engine in [&Native as &dyn Engine, &Resumed] {
            agree(engine, &outcome(engine, &plan, settings, &input, batch_bytes)?, &expected)?;
        }
    }

    #[test]
    fn disorder_within_the_lateness_changes_nothing(
        plan in correlation_plan(), mut lines in redelivered_fact_lines(), batch_bytes in 1..500_usize,
        duplicates in duplicates(),
    ) {
        lines.sort_by_key(order_key);
        let input = input(&lines, true);
        let lateness = settings(&plan, u64::try_from(DELAY_MAX).unwrap(), duplicates);
        let expected = outcome(&Reference, &plan, lateness, &input, batch_bytes)?;
        for engine in [&Native as &dyn Engine, &Resumed] {
            agree(engine, &outcome(engine, &plan, lateness, &input, batch_bytes)?, &expected)?;
        }
    }

    #[test]
    fn rules_as_text_build_or_are_refused_and_run_as_the_reference(
        rules in sigma(), lines in lines(), duplicates in duplicates(),
    ) {
        let config = "time: t\nid: id\nplaceholders: { x: [x, 'y*'] }\n";
        let compiled = diagnose_text(&rules, Some(config));
        let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        prop_assert_eq!(compiled.plan.is_none(), errors.count() > 0);
        let Some(plan) = compiled.plan else { return Ok(()) };
        prop_assert_eq!(tripwasm_plan::decode(&tripwasm_plan::encode(&plan)), Ok(plan.clone()));
        let input = input(&lines, true);
        let settings = settings(&plan, LATENESS_UNBOUNDED_MS, duplicates);
        let expected = outcome(&Reference, &plan, settings, &input, 500)?;
        agree(&Native, &outcome(&Native, &plan, settings, &input, 500)?, &expected)?;
    }

    #[test]
    fn any_split_over_shards_gives_the_same_alerts(
        plan in correlation_plan(), mut lines in redelivered_fact_lines(), batch_bytes in 1..500_usize,
        duplicates in duplicates(), lateness_ms in select(vec![DELAY_MAX.unsigned_abs(), LATENESS_UNBOUNDED_MS]),
    ) {
        prop_assume!(is_told_when_learning_began(&plan, plan.settings));
        lines.sort_by_key(order_key);
        let input = input(&lines, true);
        let settings = settings(&plan, lateness_ms, duplicates);
        let expected = outcome(&Native, &plan, settings, &input, batch_bytes)?;
        for engine in [&Sharded as &dyn Engine, &Stepped] {
            agree(engine, &outcome(engine, &plan, settings, &input, batch_bytes)?, &expected)?;
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_closed_alert(
        plan in correlation_plan(),
        (lines, shuffled) in
            identified().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        // Of first-seen events of one time the one that came first is named, and hands on what it holds.
        prop_assume!(!plan.rules.iter().any(is_first_seen));
        let settings = settings(&plan, LATENESS_UNBOUNDED_MS, Duplicates::Count);
        let closed = |lines: &[Line]| -> Result<Vec<Alert>, TestCaseError> {
            let closed = outcome(&Native, &plan, settings, &input(lines, true), 4096)?.closed;
            Ok(closed.into_iter().map(without_positions).collect())
        };
        prop_assert_eq!(closed(&shuffled)?, closed(&lines)?);
    }

    #[test]
    fn a_second_delivery_changes_no_alert(
        plan in correlation_plan(), lines in identified(), again in prop::collection::vec(any::<bool>(), 50),
    ) {
        let settings = settings(&plan, LATENESS_UNBOUNDED_MS, Duplicates::Once);
        let copies = lines.iter().zip(again).filter(|(_, again)| *again).map(|(line, _)| line.clone());
        let doubled: Vec<Line> = lines.iter().cloned().chain(copies).collect();
        let single = outcome(&Native, &plan, settings, &input(&lines, true), 4096)?.closed;
        let double = outcome(&Native, &plan, settings, &input(&doubled, true), 4096)?.closed;
        prop_assert_eq!(double, single);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_component_says_what_the_reference_says(
        plan in plan(), correlations in correlation_plan(), lines in lines(), facts in fact_lines(),
        batch_bytes in 1..2000_usize, duplicates in duplicates(),
    ) {
        for (plan, lines) in [(plan, lines), (correlations, facts)] {
            let input = input(&lines, true);
            let settings = settings(&plan, LATENESS_UNBOUNDED_MS, duplicates);
            let expected = outcome(&Reference, &plan, settings, &input, batch_bytes)?;
            agree(&Component, &outcome(&Component, &plan, settings, &input, batch_bytes)?, &expected)?;
        }
    }
}
