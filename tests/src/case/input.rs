//! The events of a case as bytes.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The bytes of an input. An element of `events` is an event as a map, or a map with one of these keys only:
/// - `raw: text`, a line as it stands;
/// - `bytes: text`, a line whose characters U+0000 to U+00FF stand for bytes;
/// - `nested: n`, an event of nesting depth `n`; `padded: n`, an event of `n` bytes;
/// - `repeat: n` and `event: map`, copies in which `#` in strings is the copy's number, `000` at first; with `every: ms`
///   a number as `time` grows by so much from copy to copy.
pub fn lines(events: &[Value]) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    for event in events {
        for line in line(event)? {
            input.extend_from_slice(&line);
            input.push(b'\n');
        }
    }
    Ok(input)
}

fn line(event: &Value) -> Result<Vec<Vec<u8>>> {
    let Value::Object(members) = event else { bail!("event {event} is no map") };
    let keys: Vec<&str> = members.keys().map(String::as_str).collect();
    let size = |value: &Value| {
        value
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .with_context(|| format!("{value} is no size"))
    };
    Ok(match (keys.as_slice(), members.values().next()) {
        (["raw"], Some(Value::String(text))) => vec![text.clone().into_bytes()],
        (["bytes"], Some(Value::String(text))) => {
            let bytes: Result<Vec<u8>, _> = text.chars().map(|byte| u8::try_from(u32::from(byte))).collect();
            vec![bytes.with_context(|| format!("{text:?} has a character that is no byte"))?]
        }
        (["nested"], Some(depth)) => {
            let arrays = size(depth)?.saturating_sub(1);
            vec![format!(r#"{{"a":{}{}}}"#, "[".repeat(arrays), "]".repeat(arrays)).into_bytes()]
        }
        (["padded"], Some(bytes)) => {
            let padding = size(bytes)?.saturating_sub(r#"{"pad":""}"#.len());
            vec![format!(r#"{{"pad":"{}"}}"#, "x".repeat(padding)).into_bytes()]
        }
        (["repeat", "event"] | ["repeat", "every", "event"], Some(copies)) => {
            let every = members.get("every").and_then(Value::as_i64).unwrap_or_default();
            (0_i64..).take(size(copies)?).map(|copy| self::copy(&members["event"], copy, every)).collect()
        }
        _ => vec![serde_json::to_vec(event)?],
    })
}

fn copy(event: &Value, number: i64, every: i64) -> Vec<u8> {
    let mut event = event.clone();
    if let Some(time) = event["time"].as_i64() {
        event["time"] = Value::from(time + number * every);
    }
    event.to_string().replace('#', &format!("{number:03}")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_an_event_becomes_lines() {
        let cases = [
            (json!({"b": 1, "a": [null]}), "{\"b\":1,\"a\":[null]}\n"),
            (json!({"raw": " {"}), " {\n"),
            (json!({"raw": 1, "a": 2}), "{\"raw\":1,\"a\":2}\n"),
            (json!({"nested": 3}), "{\"a\":[[]]}\n"),
            (json!({"padded": 12}), "{\"pad\":\"xx\"}\n"),
            (json!({"repeat": 2, "event": {"a": "n#"}}), "{\"a\":\"n000\"}\n{\"a\":\"n001\"}\n"),
            (
                json!({"repeat": 2, "every": 5, "event": {"time": 1, "a": "#"}}),
                "{\"time\":1,\"a\":\"000\"}\n{\"time\":6,\"a\":\"001\"}\n",
            ),
        ];
        for (event, expected) in cases {
            let input = lines(std::slice::from_ref(&event)).unwrap();
            assert_eq!(String::from_utf8_lossy(&input), expected, "{event}");
        }
        assert_eq!(lines(&[json!({"bytes": "\u{ff}"})]).unwrap(), b"\xff\n");
        assert!(lines(&[json!(1)]).is_err());
    }
}
