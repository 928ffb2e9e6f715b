//! An event that is let pass at a glance is one that passes when it is read, and time passes with it alike.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tripwasm_engine::{Detector, Fate};
use tripwasm_plan::{Logic, Plan};
use tripwasm_tests::corpus;
use tripwasm_tests::rules::{compile_pack, compile_text, compile_tree};

/// Some hours behind the latest generated time: some of them are ahead of the clock.
const NOW: i64 = 1_700_000_000_000;

/// Judges every event twice: read, and at a glance first. Gives how many were let pass.
fn agree(plan: &Plan, events: &[&[u8]], now: Option<i64>) -> usize {
    let mut reading = Detector::new(plan.clone()).unwrap();
    let mut glancing = reading.clone();
    // Time is for windows alone.
    let has_windows = plan.rules.iter().any(|rule| matches!(rule.logic, Logic::Correlation(_)));
    let mut passed = 0;
    for (position, event) in (0..).zip(events) {
        let expected = reading.judge(event, position, now);
        let fate = if glancing.lets_pass(event, now) {
            passed += 1;
            Fate::Passes
        } else {
            glancing.judge(event, position, now)
        };
        assert_eq!(fate, expected, "event {position}: {}", String::from_utf8_lossy(event));
        let watermarks = [&glancing, &reading].map(|detector| detector.statistics().watermark);
        assert!(!has_windows || watermarks[0] == watermarks[1], "event {position}: {watermarks:?}");
    }
    passed
}

/// As Fluent Bit writes it.
fn written(event: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<Value>(event).unwrap().to_string().into_bytes()
}

#[test]
fn real_events_fare_alike() {
    let Some(shared) = corpus::directory() else { return };
    let pack = compile_pack(&corpus::project().join("rules/cloudtrail"), None).unwrap();
    let (sigma, _) = compile_tree(&shared.join("rules/sigmahq")).unwrap();
    for (name, at_least) in [("invictus", 1), ("derived-handout", 1), ("stratus", 0), ("streamalert", 0)] {
        let events: Vec<Vec<u8>> =
            corpus::events(&shared, name).unwrap().iter().map(|event| written(event)).collect();
        let events: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
        for now in [Some(NOW), Some(4_000_000_000_000), None] {
            agree(&pack, &events, now);
        }
        let passed = agree(&sigma, &events, Some(4_000_000_000_000));
        assert!(passed * 10 >= events.len() * at_least, "{passed} of {} of {name}", events.len());
    }
}

const PATHS: [&str; 9] = [
    "eventName",
    "eventSource",
    "errorCode",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.sessionContext.sessionIssuer.type",
    "requestParameters.bucketName",
    "readOnly",
    "list.identifier",
];

const TEXTS: [&str; 7] = ["Create", "create user", "Denied", "Root", "true", "", "a/b:c"];

fn matcher() -> impl Strategy<Value = String> {
    let modifier = select(&["", "|startswith", "|endswith", "|contains", "|cased", "|re", "|exists"][..]);
    (select(&PATHS[..]), modifier, prop::collection::vec(select(&TEXTS[..]), 1..4)).prop_map(
        |(path, modifier, texts)| match modifier {
            "|exists" => format!("'{path}|exists': true"),
            "" if texts.len() == 1 => format!("'{path}': null"),
            _ => format!("'{path}{modifier}': {}", json!(texts)),
        },
    )
}

fn rule(number: usize) -> impl Strategy<Value = String> {
    let selection = || prop::collection::btree_set(matcher(), 1..3);
    let conditions = ["a", "a and b", "a or b", "a and not b", "1 of *", "all of *", "not a and b"];
    (selection(), selection(), select(conditions.to_vec())).prop_map(move |(a, b, condition)| {
        // A key stands once in a selection.
        let unique = |of: std::collections::BTreeSet<String>| {
            let mut seen = std::collections::BTreeSet::new();
            let fresh = of.into_iter().filter(|one| seen.insert(one.split(": ").next().map(str::to_owned)));
            fresh.collect::<Vec<_>>().join(", ")
        };
        let (a, b) = (unique(a), unique(b));
        format!("title: R{number}\nname: r{number}\ndetection: {{ a: {{ {a} }}, b: {{ {b} }}, condition: {condition} }}\n")
    })
}

fn rules() -> impl Strategy<Value = String> {
    let many = "title: Many\nname: many\ncorrelation: { type: event_count, rules: [r0], group-by: [errorCode], timespan: 1h, condition: { gte: 3 } }\n";
    (rule(0), rule(1), rule(2), any::<bool>()).prop_map(move |(first, second, third, has_windows)| {
        let mut all = vec![first, second, third];
        all.extend(has_windows.then(|| many.to_owned()));
        all.join("---\n")
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => select(&TEXTS[..]).prop_map(|text| json!(text)),
        1 => select(&["Ro\u{17f}t", "a\"b", "back\\slash", "CREATE", "eventName\":\"x", "é"][..]).prop_map(|text| json!(text)),
        1 => select(vec![Value::Null, json!(true), json!(false), json!(7), json!([]), json!({})]),
        1 => prop::collection::vec(select(&TEXTS[..]), 0..3).prop_map(|texts| json!(texts)),
    ]
}

/// Members that rules ask for, at their places or at others, in any order.
fn event() -> impl Strategy<Value = String> {
    let keys = [
        "eventName",
        "eventSource",
        "errorCode",
        "type",
        "arn",
        "bucketName",
        "readOnly",
        "identifier",
        "userIdentity.type",
        "eventTime",
        "x",
    ];
    let members = || prop::collection::vec((select(keys.to_vec()), value()), 0..6);
    let around = ["userIdentity", "sessionContext", "sessionIssuer", "requestParameters", "list", "y"];
    let object = members().prop_recursive_object(around);
    (object, prop::option::weighted(0.9, 0_i64..30)).prop_map(|(mut event, minutes)| {
        if let Some(minutes) = minutes {
            let time = jiff::Timestamp::from_millisecond(NOW + (minutes - 10) * 60_000).unwrap();
            event.insert("eventTime".to_owned(), json!(time.to_string()));
        }
        Value::Object(event).to_string()
    })
}

trait Nested: Strategy<Value = Vec<(&'static str, Value)>> + Sized + 'static {
    /// Objects of these members, with others inside.
    fn prop_recursive_object(self, around: [&'static str; 6]) -> BoxedStrategy<Map<String, Value>> {
        let to_map = |members: Vec<(&str, Value)>| -> Map<String, Value> {
            members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
        };
        let leaf = self.prop_map(to_map);
        leaf.prop_recursive(4, 24, 3, move |inner| {
            let nested = prop::collection::vec((select(around.to_vec()), inner.clone(), any::<bool>()), 1..4);
            (inner, nested, any::<bool>()).prop_map(|(own, nested, own_first)| {
                let nested = nested.into_iter().map(|(key, map, in_list)| {
                    let map = Value::Object(map);
                    (key.to_owned(), if in_list && key == "list" { json!([map]) } else { map })
                });
                let (own, nested): (Map<_, _>, Map<_, _>) = (own, nested.collect());
                if own_first {
                    own.into_iter().chain(nested).collect()
                } else {
                    nested.into_iter().chain(own).collect()
                }
            })
        })
        .boxed()
    }
}

impl<S: Strategy<Value = Vec<(&'static str, Value)>> + 'static> Nested for S {}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_events_fare_alike(rules in rules(), events in prop::collection::vec(event(), 1..60)) {
        if let Ok(plan) = compile_text(&rules, None) {
            let events: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
            agree(&plan, &events, Some(NOW));
        }
    }
}

/// The generated rules have to be let pass by often enough to say something.
#[test]
fn ordinary_events_are_let_pass() {
    let rules = crate::RULES;
    let plan = compile_text(rules, None).unwrap();
    let event = |name: &str, second: u32| {
        format!(
            r#"{{"userIdentity":{{"type":"Root"}},"eventTime":"2023-11-14T22:00:{second:02}Z","eventName":"{name}","x":[{{}}]}}"#
        )
    };
    let mut detector = Detector::new(plan).unwrap();
    for second in 0..60 {
        assert!(detector.lets_pass(event("GetObject", second).as_bytes(), Some(NOW)));
        assert!(detector.lets_pass(event("GetObject", 0).as_bytes(), Some(NOW)));
        assert!(!detector.lets_pass(event("StopLogging", second).as_bytes(), Some(NOW)));
    }
    assert!(!detector.lets_pass(br#"{"eventName":"Get\u004fbject"}"#, Some(NOW)), "escapes take reading");
    assert!(!detector.lets_pass(br#"{"eventName":["GetObject"]}"#, Some(NOW)), "lists take reading");
}
