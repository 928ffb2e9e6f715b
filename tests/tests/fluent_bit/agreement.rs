//! What the module for Fluent Bit gives back is what the component gives back in mode `drop`, event for event.

use crate::runtime::{Outcome, SECONDS, filter};
use crate::{instances, module};
use std::path::Path;
use tripwasm::bindings::detector::Mode;
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_plan::Plan;
use tripwasm_tests::case::{files, lines, read};
use tripwasm_tests::corpus;
use tripwasm_tests::rules::{compile_pack, compile_text};

/// Holds both against each other over some records.
fn agree(plan: &Plan, records: &[&[u8]], about: &str) {
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::PerUser }).unwrap();
    let wasm = build(&runtime, plan, Target::Component, Carried::Nothing).unwrap();
    let component = Module::load(&runtime, &wasm).unwrap();
    for (name, mut instance) in instances(&module(plan)) {
        let mut detector = Detector::new(&component, DetectorOptions::of(&component)).unwrap();
        for (position, record) in (0..).zip(records) {
            let now = Some(i64::from(SECONDS) * 1000);
            let expected = detector.transform(record, position, now, Mode::Drop).unwrap().events;
            let expected = if expected.is_empty() { Outcome::Dropped } else { Outcome::Goes(expected) };
            let outcome = filter(&mut *instance, record).unwrap();
            assert_eq!(outcome, expected, "record {position} of {about} in {name}");
        }
        assert_eq!(detector.traps(), 0);
    }
}

fn records(input: &[u8]) -> Vec<&[u8]> {
    // What holds a 0 is cut by Fluent Bit itself, and `log` is read as a component does not.
    let is_told =
        |record: &&[u8]| !record.is_empty() && !record.contains(&0) && !record.starts_with(b"{\"log\":");
    input.split(|&byte| byte == b'\n').filter(is_told).collect()
}

/// The topics whose modules are all compiled; compiling takes longer than the tests.
const TOPICS: [&str; 4] = ["lines", "correlations", "chains", "modifiers/re"];

#[test]
fn on_conformance_cases() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    for path in files(&directory).unwrap() {
        let topic = path.strip_prefix(&directory).unwrap().to_string_lossy().into_owned();
        if !TOPICS.iter().any(|begin| topic.starts_with(begin)) {
            continue;
        }
        let file = read(&path).unwrap();
        let events: Vec<u8> = file.cases.iter().flat_map(|case| lines(&case.events).unwrap()).collect();
        if !events.is_empty() {
            agree(&compile_text(&file.rules, file.config.as_deref()).unwrap(), &records(&events), &topic);
        }
    }
}

#[test]
fn on_real_events_with_the_pack() {
    let Some(shared) = corpus::directory() else { return };
    let plan = compile_pack(&corpus::project().join("rules/cloudtrail"), None).unwrap();
    for name in ["derived-handout", "stratus", "invictus"] {
        let events = corpus::events(&shared, name).unwrap().concat();
        agree(&plan, &records(&events), name);
    }
}
