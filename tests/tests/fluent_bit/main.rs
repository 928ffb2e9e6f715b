//! The module for Fluent Bit, called as Fluent Bit calls it: in wasmtime without vectors, and in WAMR, which is what
//! Fluent Bit runs it in, with the feature `wamr`.

mod agreement;
mod cost;
mod glance;
mod real;
mod runtime;

use runtime::{Instance, Outcome, SECONDS, Wasmtime, call, filter, filter_at};
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Module, Runtime, RuntimeOptions};
use tripwasm_plan::Plan;
use tripwasm_tests::rules::compile_text;

const RULES: &str = "
title: Logging stopped
name: stopped
level: high
detection: { selection: { eventName: StopLogging }, condition: selection }
---
title: Health check
name: health
tripwasm: { action: drop }
detection: { selection: { eventName: Ping }, condition: selection }
---
title: Denied
name: denied
detection: { selection: { errorCode: AccessDenied }, condition: selection }
---
title: Many denied
name: many
correlation: { type: event_count, rules: [denied], group-by: [user], timespan: 1h, condition: { gte: 3 } }
";

const STOPPED: &str = r#""tripwasm":[{"name":"stopped","level":"high","author":null}]"#;

/// How many events the test of memory sends through, unless it is told.
const EVENTS: u32 = 20_000;

pub(crate) fn module(plan: &Plan) -> Vec<u8> {
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::PerUser }).unwrap();
    build(&runtime, plan, Target::FluentBit, Carried::Nothing).unwrap()
}

/// The module in every runtime there is, by its name.
pub(crate) fn instances(wasm: &[u8]) -> Vec<(&'static str, Box<dyn Instance>)> {
    vec![
        ("wasmtime without vectors", Box::new(Wasmtime::start(wasm).unwrap())),
        #[cfg(feature = "wamr")]
        ("WAMR", Box::new(runtime::Wamr::start(wasm).unwrap())),
    ]
}

fn goes(record: impl Into<Vec<u8>>) -> Outcome {
    Outcome::Goes(record.into())
}

#[test]
fn records_are_tagged_dropped_and_left_alone() {
    let stop = r#"{"eventName":"StopLogging","x":{}}"#;
    let cases = [
        (stop.to_owned(), goes(format!(r#"{{"eventName":"StopLogging","x":{{}},{STOPPED}}}"#))),
        (r#"{"eventName":"Ping"}"#.to_owned(), Outcome::Dropped),
        (r#"{"eventName":"Other"}"#.to_owned(), goes(r#"{"eventName":"Other"}"#)),
        // A line feed between tokens does not end the record, nor does one inside a text make it an event.
        (
            "{\n\"eventName\":\"StopLogging\"\n}\n".to_owned(),
            goes(format!("{{\n\"eventName\":\"StopLogging\"\n,{STOPPED}}}\n")),
        ),
        (
            "{\"eventName\":\"StopLogging\",\"x\":\"\n\"}".to_owned(),
            goes("{\"eventName\":\"StopLogging\",\"x\":\"\n\"}"),
        ),
        // Tagged before.
        (
            format!(r#"{{"eventName":"StopLogging",{STOPPED}}}"#),
            goes(format!(
                r#"{{"eventName":"StopLogging",{STOPPED},{}}}"#,
                STOPPED.replace("tripwasm", "tripwasm_1")
            )),
        ),
        // An escaped 0 is a character as any other.
        (
            r#"{"eventName":"StopLogging","x":"a\u0000b"}"#.to_owned(),
            goes(format!(r#"{{"eventName":"StopLogging","x":"a\u0000b",{STOPPED}}}"#)),
        ),
    ];
    let wasm = module(&compile_text(RULES, None).unwrap());
    for (runtime, mut instance) in instances(&wasm) {
        for (record, expected) in &cases {
            let outcome = filter(&mut *instance, record.as_bytes()).unwrap();
            assert_eq!(&outcome, expected, "{record} in {runtime}");
        }
    }
}

#[test]
fn a_line_that_no_parser_read_is_evaluated_and_tagged_beside_itself() {
    let cases = [
        (r#"{"log":"{\"eventName\":\"StopLogging\"}"}"#, Some("")),
        (r#"{"log":"{\"eventName\":\"StopLogging\"}\n","stream":"stdout"}"#, Some("")),
        (r#"{"log":"{\"eventName\":\"StopLogging\"}","tripwasm":1}"#, Some("_1")),
        (r#"{"log":"{\"eventName\":\"StopLogging\",\"tripwasm\":1}"}"#, Some("")),
        (r#"{"log":"{\"eventName\":\"StopLogging\"}\n{\"eventName\":\"StopLogging\"}"}"#, None),
        (r#"{"log":"{\"eventName\":\"StopLogging\",\"x\":\"\u0000\"}"}"#, None),
        (r#"{"log":"StopLogging"}"#, None),
    ];
    let wasm = module(&compile_text(RULES, None).unwrap());
    for (runtime, mut instance) in instances(&wasm) {
        for (record, key) in cases {
            let tagged = |suffix| {
                let tag = STOPPED.replace("tripwasm", &format!("tripwasm{suffix}"));
                format!("{},{tag}}}", record.strip_suffix('}').unwrap())
            };
            let expected = key.map_or(record.to_owned(), tagged);
            assert_eq!(
                filter(&mut *instance, record.as_bytes()).unwrap(),
                goes(expected),
                "{record} in {runtime}"
            );
        }
        let dropped = filter(&mut *instance, br#"{"log":"{\"eventName\":\"Ping\"}"}"#).unwrap();
        assert_eq!(dropped, Outcome::Dropped, "{runtime}");
    }
}

#[test]
fn an_alert_rides_on_the_event_that_opens_it() {
    let wasm = module(&compile_text(RULES, None).unwrap());
    for (runtime, mut instance) in instances(&wasm) {
        for number in 0..3 {
            let time = format!("2023-11-14T22:1{number}:00Z");
            let record = format!(
                r#"{{"eventID":"{number}","eventTime":"{time}","errorCode":"AccessDenied","user":"u"}}"#
            );
            let Outcome::Goes(text) = filter(&mut *instance, record.as_bytes()).unwrap() else {
                panic!("{record} was dropped in {runtime}")
            };
            let has_alert = String::from_utf8(text).unwrap().contains(r#""name":"many""#);
            assert_eq!(has_alert, number == 2, "event {number} in {runtime}");
        }
    }
}

/// Records that nobody should send. The module lives, and says the same of a good one afterwards.
#[test]
fn hostile_records_come_back_as_they_went() {
    let wasm = module(&compile_text(RULES, None).unwrap());
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let large = |bytes: usize| format!(r#"{{"eventName":"Other","x":"{}"}}"#, "y".repeat(bytes)).into_bytes();
    let good = r#"{"eventName":"StopLogging","userIdentity":{"type":"Root"}}"#;
    let mut hostile: Vec<Vec<u8>> = vec![
        deep(100),
        deep(1_000),
        deep(200_000),
        "{\"a\":".repeat(50_000).into_bytes(),
        large(200_000),
        large(5_000_000),
        b"{\"eventName\":\"StopLogging\xff\"}".to_vec(),
        b"{\"eventName\":\"\xed\xa0\x80\"}".to_vec(),
        br#"{"eventName":"\ud800"}"#.to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b" ".to_vec(),
        b"{}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"}".to_vec(),
        b"{\"log\":\"".to_vec(),
        b"{\"log\":\"{\\".to_vec(),
        b"{\"log\":\"{\\u".to_vec(),
        b"{\"log\":\"{\\ud83d\\ud\"}".to_vec(),
        b"{\"log\":\"{\xff\"}".to_vec(),
        format!("{{\"log\":\"{}\"}}", "{\\\"a\\\":".repeat(20_000)).into_bytes(),
        b"1e400".to_vec(),
    ];
    hostile.extend((1..good.len()).filter_map(|end| good.get(..end)).map(|cut| cut.as_bytes().to_vec()));
    for (runtime, mut instance) in instances(&wasm) {
        for record in &hostile {
            let begin = String::from_utf8_lossy(record.get(..record.len().min(60)).unwrap_or_default());
            let outcome = filter(&mut *instance, record);
            assert_eq!(outcome.unwrap(), goes(record.clone()), "{begin} in {runtime}");
        }
        // As long as the record is, whatever stands in it; what Fluent Bit copies ends at the 0 all the same.
        let outcome = filter(&mut *instance, b"{\"eventName\":\"StopLogging\"\0}").unwrap();
        assert_eq!(outcome, goes("{\"eventName\":\"StopLogging\""), "{runtime}");
        // No room for the record: Fluent Bit calls with its length all the same.
        for (tag, record, bytes) in [(0, 0, 0), (0, 0, 201_547), (0, 0, u32::MAX)] {
            let arguments = [tag, 10, SECONDS, 0, record, bytes];
            assert_eq!(call(&mut *instance, arguments).unwrap(), Outcome::Dropped, "{runtime}");
        }
        assert_eq!(filter(&mut *instance, b"").unwrap(), Outcome::Dropped);
        assert_eq!(instance.call("free", &[0]).unwrap(), None);
        assert_eq!(instance.call("malloc", &[u32::MAX]).unwrap(), Some(0), "{runtime}");
        let large = format!(r#"{{"x":"{}","eventName":"StopLogging"}}"#, "y".repeat(200_000));
        let expected = format!("{},{STOPPED}}}", large.strip_suffix('}').unwrap());
        assert_eq!(filter(&mut *instance, large.as_bytes()).unwrap(), goes(expected), "{runtime}");
    }
}

/// One in four events is tagged, and one in four keeps a window busy. A million of them is what the environment is for.
#[test]
fn memory_is_flat_over_20000_events_or_as_many_as_tripwasm_fluent_bit_events_says() {
    let events = std::env::var("TRIPWASM_FLUENT_BIT_EVENTS").ok();
    let events: u32 = events.map_or(EVENTS, |events| events.parse().unwrap());
    let wasm = module(&compile_text(RULES, None).unwrap());
    for (runtime, mut instance) in instances(&wasm) {
        let mut warm = 0;
        for number in 0..events {
            let name = if number % 4 == 0 { "StopLogging" } else { "GetObject" };
            let error = if number % 4 == 1 { "AccessDenied" } else { "" };
            let (seconds, user) = (SECONDS + number, number % 100);
            let time = jiff::Timestamp::from_second(i64::from(seconds)).unwrap();
            let record = format!(
                r#"{{"eventID":"{number}","eventTime":"{time}","eventName":"{name}","errorCode":"{error}","user":"{user}"}}"#
            );
            let outcome = filter_at(&mut *instance, record.as_bytes(), seconds).unwrap();
            assert_ne!(outcome, Outcome::Dropped, "{record} in {runtime}");
            if number == events / 2 {
                warm = pages(&mut *instance);
            }
        }
        assert_eq!(pages(&mut *instance), warm, "pages of memory after {events} events in {runtime}");
        println!("{events} events in {runtime}: {warm} pages of 64 KiB");
    }
}

fn pages(instance: &mut dyn Instance) -> usize {
    let mut bytes = 0;
    instance.memory(&mut |memory| bytes = memory.len());
    bytes >> 16
}

#[test]
fn here_it_is_told_apart_and_refused() {
    let wasm = module(&compile_text(RULES, None).unwrap());
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::Off }).unwrap();
    let error = Module::load(&runtime, &wasm).err().unwrap().to_string();
    assert!(error.contains("built for Fluent Bit"), "{error}");
    assert_eq!(module(&compile_text(RULES, None).unwrap()), wasm, "equal rules give equal bytes");
}
