//! A real Fluent Bit, given by the environment variable `FLUENT_BIT`, with the configurations that the project ships.

mod site;

use serde_json::Value;
use site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Tags other events than the rules do.
const OTHER_RULES: &str = "
title: Object read
name: read
detection: { selection: { eventName: GetObject }, condition: selection }
";

fn event(name: &str, number: usize, filler: usize) -> String {
    format!(r#"{{"eventName":"{name}","number":{number},"filler":"{}"}}"#, "x".repeat(filler))
}

/// How many records have a tag of this rule.
fn tagged(out: &[Value], rule: &str) -> usize {
    out.iter().filter(|record| record["tripwasm"][0]["name"] == rule).count()
}

#[test]
fn events_are_tagged_and_none_is_lost() {
    let names = ["GetObject", "StopLogging", "Ping"];
    let filler = |number: usize| if number % 100 == 70 { 200_000 } else { 1_000 };
    let all: Vec<String> = (0..999).map(|number| event(names[number % 3], number, filler(number))).collect();
    let inputs = [
        ("fluent-bit.conf", all.join("\n") + "\n"),
        ("records.conf", format!("{{\"Records\":[{}]}}\n", all.join(","))),
    ];
    for (configuration, input) in inputs {
        let Some(site) = Site::new(configuration, configuration) else { return };
        let out = site.run_over(&input);
        assert_eq!(out.len(), 666, "a third is dropped by a rule, with {configuration}");
        assert_eq!(tagged(&out, "stopped"), 333, "{configuration}");
        let untagged = out.iter().filter(|record| record.get("tripwasm").is_none());
        assert_eq!(untagged.count(), 333, "{configuration}");
        let is_large = |record: &&Value| record["filler"].as_str().is_some_and(|text| text.len() == 200_000);
        assert!(out.iter().filter(is_large).count() > 3, "{configuration}");
    }
}

/// Lines that Fluent Bit's parser gives up arrive as `{"log":"<line>"}`; a line of more than 4 MiB is not evaluated.
#[test]
fn lines_that_are_no_events_and_large_ones_go_on() {
    let Some(site) = Site::new("lines", "fluent-bit.conf") else { return };
    let lines = [
        r#"{"eventName":"StopLogging","number":1,"x":1e400}"#.to_owned(),
        r#"{"eventName":"StopLogging","number":2"#.to_owned(),
        "no JSON at all".to_owned(),
        r#"["StopLogging"]"#.to_owned(),
        r#"{"log":"{\"eventName\":\"StopLogging\"}"}"#.to_owned(),
        event("StopLogging", 3, 1_000_000),
        event("StopLogging", 4, 5_000_000),
        event("StopLogging", 5, 10),
    ];
    let out = site.run_over(&(lines.join("\n") + "\n"));
    let tags = |record: &Value| record["tripwasm"][0]["name"] == "stopped";
    assert_eq!(out.len(), lines.len());
    assert_eq!(
        out.iter().map(tags).collect::<Vec<_>>(),
        [true, false, false, false, true, true, false, true]
    );
    for (record, line) in out.iter().zip(&lines) {
        match record["log"].as_str() {
            Some(log) => assert!(log == line || record == &out[4], "{log}"),
            None => assert!(line.contains(&record["number"].to_string())),
        }
    }
    assert_eq!(out[6]["filler"].as_str().map(str::len), Some(5_000_000));
}

/// What came out of an input of numbered events.
struct Through {
    /// How often each number came.
    counts: BTreeMap<u64, usize>,
    written: u64,
    out: Vec<Value>,
}

impl Through {
    fn lost(&self) -> Vec<u64> {
        (0..self.written).filter(|number| !self.counts.contains_key(number)).collect()
    }

    fn doubled(&self) -> usize {
        self.counts.values().map(|count| count - 1).sum()
    }
}

/// Writes events for some seconds, and does something to Fluent Bit in the middle of it.
fn under_load(site: &Site, disturb: impl FnOnce(&Site, Child) -> Child) -> Through {
    let mut fluent_bit = Some(site.start());
    let mut disturb = Some(disturb);
    let mut written = 0;
    for round in 0..80 {
        let names = ["GetObject", "StopLogging"];
        let events = (written..written + 100).map(|number| event(names[number % 2], number, 1_000) + "\n");
        site.append(&events.collect::<String>());
        written += 100;
        sleep(Duration::from_millis(30));
        if round == 40
            && let (Some(child), Some(disturb)) = (fluent_bit.take(), disturb.take())
        {
            fluent_bit = Some(disturb(site, child));
        }
    }
    let number = |record: &Value| record["number"].as_u64();
    let patience = Instant::now() + Duration::from_secs(30);
    let all = |out: &[Value]| out.iter().filter_map(number).collect::<BTreeSet<_>>().len() == written;
    while !all(&site.output()) && Instant::now() < patience {
        sleep(Duration::from_millis(500));
    }
    // What is to come twice comes now.
    sleep(Duration::from_secs(3));
    site.end(fluent_bit.unwrap());
    let out = site.output();
    let mut counts = BTreeMap::new();
    out.iter().filter_map(number).for_each(|number| *counts.entry(number).or_default() += 1);
    Through { counts, written: written as u64, out }
}

#[test]
fn new_rules_are_loaded_under_load() {
    let Some(site) = Site::new("reload", "fluent-bit.conf") else { return };
    let through = under_load(&site, |site, child| {
        site.install(OTHER_RULES);
        site.signal(&child, "HUP");
        child
    });
    assert_eq!((through.lost(), through.doubled()), (vec![], 0));
    let (before, after) = (tagged(&through.out, "stopped"), tagged(&through.out, "read"));
    assert!(before > 500 && after > 500, "{before} tags by the old rules, {after} by the new ones");
    // Every second event is one for either rule.
    assert!(before + after >= 3_990 && before + after <= 4_010, "{before} and {after}");
}

#[test]
fn a_restart_loses_and_doubles_nothing() {
    let Some(site) = Site::new("restart", "fluent-bit.conf") else { return };
    let through = under_load(&site, |site, child| {
        site.end(child);
        site.start()
    });
    assert_eq!((through.lost(), through.doubled()), (vec![], 0));
    assert_eq!(tagged(&through.out, "stopped"), 4_000);
}

#[test]
fn a_kill_loses_nothing_but_may_double() {
    let Some(site) = Site::new("kill", "fluent-bit.conf") else { return };
    let through = under_load(&site, |site, mut child| {
        child.kill().unwrap();
        child.wait().unwrap();
        site.start()
    });
    assert_eq!(through.lost(), Vec::<u64>::new());
    println!("killed under load: {} of {} events came twice", through.doubled(), through.written);
}
