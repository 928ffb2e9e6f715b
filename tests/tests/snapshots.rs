//! State as bytes: canonical, refused when damaged, and kept across changes of other rules.

use proptest::prelude::*;
use tripwasm::{CompileCache, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_engine::finding::{Alert, AlertState};
use tripwasm_engine::{Detector, LostState};
use tripwasm_plan::{Plan, Settings};
use tripwasm_tests::engines::{Arrival, Engine, Input, LATENESS_UNBOUNDED_MS, Native, Resumed, batches};
use tripwasm_tests::generate::{DELAY_MAX, Line, correlation_plan, input, order_key, redelivered_fact_lines};
use tripwasm_tests::rules::compile_text;

const RULES: &str = "
title: A
name: a
detection: { selection: { k: a }, condition: selection }
---
title: Three
name: three
correlation: { type: event_count, rules: [a], group-by: [g], timespan: 1h, condition: { gte: 3 } }
---
title: New
name: new
correlation: { type: event_count, rules: [a], group-by: [g], timespan: 30d, condition: { eq: 1 } }
---
title: B
name: b
detection: { selection: { k: b }, condition: selection }
---
title: Sum
name: sum
correlation: { type: value_sum, rules: [b], group-by: [g], timespan: 1h, condition: { field: n, gte: 3 } }
---
title: Both
name: both
correlation: { type: temporal, rules: [three, sum], group-by: [g], timespan: 1h }
";

/// Two events of each of two groups for every rule.
const FIRST_HALF: &str = r#"{"time":1000,"k":["a","b"],"g":"p","n":1}
{"time":2000,"k":["a","b"],"g":"q","n":1}
{"time":3000,"k":["a","b"],"g":"p","n":1}
{"time":4000,"k":["a","b"],"g":"q","n":1}
"#;

const SECOND_HALF: &str = r#"{"time":5000,"k":["a","b"],"g":"p","n":1}
"#;

fn plan(rules: &str) -> Plan {
    compile_text(rules, None).unwrap()
}

fn after(plan: &Plan, events: &str) -> Detector {
    let mut detector = Detector::new(plan.clone()).unwrap();
    detector.evaluate(events.as_bytes(), 0, None);
    detector
}

/// The labels of the correlations with closed alerts, the rest of the events fed and everything closed.
fn alerts_after(mut detector: Detector) -> Vec<String> {
    let report = detector.evaluate(SECOND_HALF.as_bytes(), 4, None);
    let alerts: Vec<Alert> = report.alerts.into_iter().chain(detector.close(i64::MAX)).collect();
    let closed = alerts.iter().filter(|alert| alert.state == AlertState::Closed);
    let mut labels: Vec<String> =
        closed.map(|alert| detector.rules()[alert.rule.0 as usize].label().to_owned()).collect();
    labels.sort();
    labels
}

#[test]
fn damaged_and_foreign_bytes_are_refused_and_the_old_state_stays() {
    let plan = plan(RULES);
    let state = after(&plan, FIRST_HALF).snapshot();
    let mut detector = after(&plan, "{\"time\":9000,\"k\":\"a\",\"g\":\"z\"}\n");
    let own = detector.snapshot();
    let mut refuse = |bytes: &[u8], what: &str| {
        assert!(detector.restore(bytes).is_err(), "{what} is taken");
        assert_eq!(detector.snapshot(), own, "{what} changed the state");
    };
    for length in 0..state.len() {
        refuse(&state[..length], &format!("{length} bytes of {}", state.len()));
    }
    for at in 0..state.len() {
        for bit in 0..8 {
            let mut flipped = state.clone();
            flipped[at] ^= 1 << bit;
            refuse(&flipped, &format!("state with bit {bit} of byte {at} flipped"));
        }
    }
    refuse(&[state.as_slice(), b"\0"].concat(), "state with a byte behind it");
    refuse(&[state.as_slice(), state.as_slice()].concat(), "state twice");
    for foreign in
        [&b"PK\x03\x04"[..], b"{}", b"\0asm\x01\0\0\0", &[0xff; 4096], &tripwasm_plan::encode(&plan)]
    {
        refuse(foreign, "something else");
    }
    assert!(detector.restore(&state).is_ok());
    assert_eq!(detector.snapshot(), state);
}

#[test]
fn facts_and_state_of_steps_are_refused_when_damaged() {
    let plan = plan(RULES);
    let mut detector = Detector::new(plan.clone()).unwrap();
    let fact = detector.facts(FIRST_HALF.as_bytes(), 0).remove(0);
    let step = detector.step(&[], vec![fact.clone()], 0).unwrap();
    let written = detector.write_fact(&fact);
    assert!(!step.state.is_empty());
    for (what, bytes) in [("fact", &written), ("state", &step.state)] {
        let taken = |bytes: &[u8]| match what {
            "fact" => detector.read_fact(bytes).is_ok(),
            _ => !bytes.is_empty() && detector.step(bytes, Vec::new(), 0).is_ok(),
        };
        assert!(taken(bytes));
        for at in 0..bytes.len() {
            assert!(!taken(&bytes[..at]), "{at} bytes of a {what} are taken");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(!taken(&flipped), "a {what} with byte {at} changed is taken");
        }
    }
    let other = after(&self::plan(&RULES.replace("gte: 3", "gte: 4")), "");
    assert!(other.read_fact(&written).is_err(), "a fact of other rules is taken");
    assert!(other.step(&step.state, Vec::new(), 0).is_err(), "state of other rules is taken");
}

/// A change of the rules, and what comes of it.
struct Change {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    lost: Option<&'static str>,
    alerts: &'static [&'static str],
}

const CHANGES: [Change; 7] = [
    Change { what: "nothing", from: "zzz", to: "", lost: None, alerts: &["both", "new", "new"] },
    Change {
        what: "a title",
        from: "title: Three",
        to: "title: Third",
        lost: None,
        alerts: &["both", "new", "new"],
    },
    Change {
        what: "a level",
        from: "name: three\n",
        to: "name: three\nlevel: high\n",
        lost: None,
        alerts: &["both", "new", "new"],
    },
    Change {
        what: "a threshold",
        from: "{ gte: 3 }",
        to: "{ gte: 1 }",
        lost: Some("three"),
        alerts: &["both", "new", "new"],
    },
    Change {
        what: "a timespan",
        from: "timespan: 30d",
        to: "timespan: 29d",
        lost: Some("new"),
        alerts: &["both", "new"],
    },
    Change {
        what: "a detection",
        from: "{ k: b }",
        to: "{ k: [b, c] }",
        lost: Some("sum"),
        alerts: &["new", "new"],
    },
    Change {
        what: "a field",
        from: "field: n,",
        to: "field: m,",
        lost: Some("sum"),
        alerts: &["new", "new"],
    },
];

#[test]
fn a_changed_rule_loses_its_own_state_and_says_so() {
    let state = after(&plan(RULES), FIRST_HALF).snapshot();
    for Change { what, from, to, lost, alerts } in CHANGES {
        let mut detector = Detector::new(plan(&RULES.replace(from, to))).unwrap();
        let expected: Vec<_> =
            lost.iter().map(|&rule| LostState { rule: rule.to_owned(), groups: 2 }).collect();
        assert_eq!(detector.restore(&state), Ok(expected), "{what} changed");
        assert_eq!(alerts_after(detector), alerts, "{what} changed");
    }
}

#[test]
fn rules_may_come_go_and_move() {
    let state = after(&plan(RULES), FIRST_HALF).snapshot();
    let mut documents: Vec<&str> = RULES.split("---").collect();
    documents.reverse();
    let mut moved = Detector::new(plan(&documents.join("\n---\n"))).unwrap();
    assert_eq!(moved.restore(&state), Ok(vec![]));
    assert_eq!(alerts_after(moved), ["both", "new", "new"]);
    let without_chain = RULES.split("---\ntitle: Both").next().unwrap();
    let mut fewer = Detector::new(plan(without_chain)).unwrap();
    assert_eq!(fewer.restore(&state), Ok(vec![]), "there was no state of `both` yet");
    assert_eq!(alerts_after(fewer), ["new", "new", "sum", "three"]);
    let without_new = RULES.replace("title: New\nname: new\ncorrelation", "title: D\nname: d\ncorrelation");
    let mut renamed = Detector::new(plan(&without_new)).unwrap();
    assert_eq!(renamed.restore(&state), Ok(vec![]), "a name is no meaning");
    let more = format!(
        "{RULES}---\ntitle: C\nname: c\ndetection: {{ selection: {{ k: c }}, condition: selection }}\n"
    );
    let mut grown = Detector::new(plan(&more)).unwrap();
    assert_eq!(grown.restore(&state), Ok(vec![]));
    assert_eq!(alerts_after(grown), ["both", "new", "new"]);
}

#[test]
fn state_of_other_rules_alone_is_refused_and_the_old_state_stays() {
    let state = after(&plan(RULES), FIRST_HALF).snapshot();
    let other = "
title: X
name: x
detection: { selection: { y: z }, condition: selection }
---
title: Two
name: two
correlation: { type: event_count, rules: [x], group-by: [h], timespan: 1h, condition: { gte: 2 } }
";
    let mut detector = after(&plan(other), "{\"time\":1000,\"y\":\"z\",\"h\":1}\n");
    let own = detector.snapshot();
    assert!(detector.restore(&state).is_err());
    assert_eq!(detector.snapshot(), own);
}

#[test]
fn the_component_writes_the_same_bytes_and_refuses_the_same() {
    let plan = plan(RULES);
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::PerUser }).unwrap();
    let wasm = tripwasm::build::build(
        &runtime,
        &plan,
        tripwasm::build::Target::Component,
        tripwasm::build::Carried::Nothing,
    )
    .unwrap();
    let module = Module::load(&runtime, &wasm).unwrap();
    let mut component = tripwasm::Detector::new(&module, DetectorOptions::of(&module)).unwrap();
    component.evaluate(FIRST_HALF.as_bytes(), 0, None).unwrap();
    let state = component.snapshot().unwrap();
    assert_eq!(state, after(&plan, FIRST_HALF).snapshot());
    for length in (0..state.len()).step_by(17) {
        assert!(component.restore(&state[..length]).is_err());
        assert_eq!(component.snapshot().unwrap(), state);
    }
    let mut next = tripwasm::Detector::new(&module, DetectorOptions::of(&module)).unwrap();
    assert!(next.restore(&state).unwrap().is_empty());
    assert_eq!(next.snapshot().unwrap(), state);
    assert_eq!(component.traps() + next.traps(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_states_give_equal_bytes(
        plan in correlation_plan(), mut lines in redelivered_fact_lines(), batch_bytes in 1..500_usize,
        lateness_ms in prop::sample::select(vec![DELAY_MAX.unsigned_abs(), LATENESS_UNBOUNDED_MS]),
    ) {
        lines.sort_by_key(order_key);
        let input = input(&lines, true);
        let settings = Settings { lateness_ms, ..plan.settings };
        let state = |batch_bytes: usize| {
            let mut detector = Detector::new(plan.0.clone()).unwrap();
            detector.configure(settings).unwrap();
            let mut position = 0;
            for batch in batches(&input, batch_bytes) {
                detector.evaluate(batch, position, None);
                position += batch.iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
            detector.snapshot()
        };
        prop_assert_eq!(state(batch_bytes), state(usize::MAX));
    }

    #[test]
    fn a_restart_changes_no_count(
        plan in correlation_plan(), lines in redelivered_fact_lines(), batch_bytes in 1..500_usize,
    ) {
        let counts = |engine: &dyn Engine| -> Result<_, TestCaseError> { Ok(arrival(engine, &plan, &lines, batch_bytes)?.counts) };
        prop_assert_eq!(counts(&Resumed)?, counts(&Native)?);
    }

    #[test]
    fn a_restart_changes_no_early_notice(
        plan in correlation_plan(), lines in redelivered_fact_lines(), batch_bytes in 1..500_usize,
    ) {
        let opened = |engine: &dyn Engine| -> Result<_, TestCaseError> { Ok(arrival(engine, &plan, &lines, batch_bytes)?.opened) };
        prop_assert_eq!(opened(&Resumed)?, opened(&Native)?);
    }
}

/// What happens while lines arrive in disorder within the lateness.
fn arrival(
    engine: &dyn Engine,
    plan: &Plan,
    lines: &[Line],
    batch_bytes: usize,
) -> Result<Arrival, TestCaseError> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(order_key);
    let bytes = input(&lines, true);
    let settings = Settings { lateness_ms: DELAY_MAX.unsigned_abs(), ..plan.settings };
    let input = Input { history: b"", batches: &batches(&bytes, batch_bytes) };
    let run = engine.observe(plan, settings, &input);
    let run = run.map_err(|error| TestCaseError::fail(format!("{}: {error:#}", engine.name())))?;
    run.arrival.ok_or_else(|| TestCaseError::fail("an engine without a watermark"))
}
