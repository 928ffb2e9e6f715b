//! A module exchanged while its windows are open.

use tripwasm::bindings::detector::AlertFinding;
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_rules::{OnError, SourceFile, compile};

const DENIED: &str = "
title: Denied
name: denied
logsource: { product: aws, service: cloudtrail }
detection: { selection: { errorCode: AccessDenied }, condition: selection }
";

const STOPPED: &str = "
---
title: Logging stopped
name: stopped
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: StopLogging }, condition: selection }
";

fn counting(least: u64) -> String {
    format!(
        "
---
title: Many denied
name: many_denied
correlation: {{ type: event_count, rules: [denied], group-by: [user], timespan: 1h, window: tumbling, condition: {{ gte: {least} }} }}
"
    )
}

fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions { cache: CompileCache::Off }).unwrap()
}

fn module(runtime: &Runtime, rules: &str) -> Module {
    let rules = SourceFile { path: "rules.yml".to_owned(), text: rules.to_owned() };
    let compiled = compile(&[rules], &[], None, OnError::Refuse);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    Module::load(runtime, &build(runtime, &plan, Target::Component, Carried::Nothing).unwrap()).unwrap()
}

fn detector(module: &Module) -> Detector {
    Detector::new(module, DetectorOptions::of(module)).unwrap()
}

fn denied(count: usize) -> Vec<u8> {
    let event = |number: usize| {
        format!(
            "{{\"eventTime\":\"2024-01-01T00:00:{number:02}Z\",\"eventID\":\"{number}\",\"errorCode\":\"AccessDenied\",\"user\":\"a\"}}\n"
        )
    };
    (0..count).map(event).collect::<String>().into_bytes()
}

fn counts(alerts: &[AlertFinding]) -> Vec<u64> {
    alerts.iter().map(|alert| alert.count).collect()
}

#[test]
fn windows_of_rules_that_did_not_change_stay_open() {
    let runtime = runtime();
    let (old, new) = (
        module(&runtime, &(DENIED.to_owned() + &counting(5))),
        module(&runtime, &(DENIED.to_owned() + STOPPED + &counting(5))),
    );
    let mut detector = detector(&old);
    detector.evaluate(&denied(3), 0, None).unwrap();
    assert!(detector.swap(&new, DetectorOptions::of(&new)).unwrap().is_empty());
    // Three of these are copies of those before.
    detector.evaluate(&denied(6), 3, None).unwrap();
    let report = detector.evaluate(b"{\"eventName\":\"StopLogging\"}\n", 9, None).unwrap();
    assert_eq!(report.matches.len(), 1, "the new rule matches");
    assert_eq!(counts(&detector.close(i64::MAX).unwrap()), [6]);
    assert_eq!(detector.statistics().events, 10);
}

#[test]
fn what_a_changed_rule_gathered_is_named() {
    let runtime = runtime();
    let (old, new) = (
        module(&runtime, &(DENIED.to_owned() + &counting(5))),
        module(&runtime, &(DENIED.to_owned() + &counting(4))),
    );
    let mut detector = detector(&old);
    detector.evaluate(&denied(3), 0, None).unwrap();
    let lost = detector.swap(&new, DetectorOptions::of(&new)).unwrap();
    assert_eq!(
        lost.iter().map(|lost| (lost.rule.as_str(), lost.groups)).collect::<Vec<_>>(),
        [("many_denied", 1)]
    );
    detector.evaluate(&denied(6), 3, None).unwrap();
    assert_eq!(counts(&detector.close(i64::MAX).unwrap()), [6], "its windows begin anew");
}

#[test]
fn modules_without_windows_take_turns_with_those_that_have_some() {
    let runtime = runtime();
    let (with, without) = (
        module(&runtime, &(DENIED.to_owned() + &counting(5))),
        module(&runtime, STOPPED.trim_start_matches("\n---")),
    );
    let mut detector = detector(&with);
    detector.evaluate(&denied(3), 0, None).unwrap();
    let lost = detector.swap(&without, DetectorOptions::of(&without)).unwrap();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(detector.evaluate(b"{\"eventName\":\"StopLogging\"}\n", 3, None).unwrap().matches.len(), 1);
    assert!(detector.swap(&with, DetectorOptions::of(&with)).unwrap().is_empty());
    detector.evaluate(&denied(6), 4, None).unwrap();
    assert_eq!(counts(&detector.close(i64::MAX).unwrap()), [6]);
}
