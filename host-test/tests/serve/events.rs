//! Events with numbers, and rules for them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One rule tags, one drops, one counts.
pub(crate) const RULES: &str = "
title: Logging stopped
name: stopped
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: StopLogging }, condition: selection }
level: high
---
title: Ping
name: ping
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: Ping }, condition: selection }
tripwasm: { action: drop }
---
title: Denied
name: denied
logsource: { product: aws, service: cloudtrail }
detection: { selection: { errorCode: AccessDenied }, condition: selection }
---
title: Many denied
name: many_denied
correlation: { type: event_count, rules: [denied], group-by: [user], timespan: 10m, window: tumbling, condition: { gte: 5 } }
";

/// What becomes of an event with a number: it is tagged, dropped, or neither.
const NAMES: [&str; 4] = ["GetObject", "StopLogging", "Ping", "ListBuckets"];

/// An event: every fourth is dropped by a rule, every fourth tagged.
pub(crate) fn event(number: u64) -> String {
    let name = NAMES[(number % 4) as usize];
    let minute = number / 40;
    let time = format!("2024-01-01T{:02}:{:02}:{:02}Z", minute / 60 % 24, minute % 60, number % 40);
    let mut event = json!({
        "eventTime": time,
        "eventID": format!("e-{number}"),
        "eventName": name,
        "number": number,
        "user": format!("user{}", number % 7),
    });
    if number.is_multiple_of(3) {
        event["errorCode"] = json!("AccessDenied");
    }
    event.to_string()
}

/// Whether the rules drop an event.
pub(crate) fn is_dropped(number: u64) -> bool {
    number % 4 == 2
}

/// Lines of events.
pub(crate) fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(|number| event(number) + "\n").collect()
}

/// How often each number arrived.
pub(crate) fn arrivals(bodies: &[Vec<u8>]) -> BTreeMap<u64, usize> {
    let mut arrived = BTreeMap::new();
    for body in bodies {
        for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Value = serde_json::from_slice(line).unwrap();
            *arrived.entry(event["number"].as_u64().unwrap()).or_default() += 1;
        }
    }
    arrived
}

/// Fails unless all of these events arrived that no rule drops, none of those that one drops, and none twice.
pub(crate) fn assert_exactly_once(bodies: &[Vec<u8>], numbers: std::ops::Range<u64>) {
    let arrived = arrivals(bodies);
    let wanted: Vec<u64> = numbers.filter(|number| !is_dropped(*number)).collect();
    let missing: Vec<_> = wanted.iter().filter(|number| !arrived.contains_key(number)).collect();
    assert!(missing.is_empty(), "{} of {} events are lost: {missing:?}", missing.len(), wanted.len());
    let doubled: Vec<_> = arrived.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{} events came twice: {doubled:?}", doubled.len());
    assert_eq!(arrived.len(), wanted.len(), "an event came that a rule drops");
}

/// Fails if an event is lost; some may have come twice. Returns how many did.
pub(crate) fn assert_at_least_once(bodies: &[Vec<u8>], numbers: std::ops::Range<u64>) -> usize {
    let arrived = arrivals(bodies);
    let missing: Vec<u64> =
        numbers.filter(|number| !is_dropped(*number) && !arrived.contains_key(number)).collect();
    assert!(missing.is_empty(), "{} events are lost: {missing:?}", missing.len());
    arrived.values().filter(|count| **count > 1).count()
}
