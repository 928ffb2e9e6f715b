//! Messages of the protocol, written and read by a library of its own.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rmpv::Value;

use crate::events::event;

/// How events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Message,
    Forward,
    Packed,
    Compressed,
}

/// Bytes of a value.
pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// A map with text for keys.
pub(crate) fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect())
}

/// An event's record.
pub(crate) fn record(number: u64) -> Value {
    let event: serde_json::Value = serde_json::from_str(&event(number)).unwrap();
    packed(&event)
}

fn packed(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Number(number) => number.as_u64().map_or(Value::Nil, Value::from),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Object(members) => Value::Map(
            members.iter().map(|(key, value)| (Value::from(key.as_str()), packed(value))).collect(),
        ),
        _ => Value::Nil,
    }
}

/// Time and record: a time of each kind, one after the other, a few with metadata.
pub(crate) fn entry(number: u64) -> Value {
    let precise = Value::Ext(0, [1_700_000_000u32.to_be_bytes(), (number as u32).to_be_bytes()].concat());
    let time = match number % 3 {
        0 => Value::from(1_700_000_000 + number),
        1 => precise,
        _ => Value::from(vec![precise, map(&[("source", Value::from("test"))])]),
    };
    Value::from(vec![time, record(number)])
}

/// A message with these events, which asks for an acknowledgement.
pub(crate) fn message(mode: Mode, numbers: &[u64], chunk: Option<&str>) -> Vec<u8> {
    let entries: Vec<Value> = numbers.iter().map(|number| entry(*number)).collect();
    let stream: Vec<u8> = entries.iter().flat_map(encoded).collect();
    let mut options = Vec::new();
    options.extend(chunk.map(|chunk| ("chunk", Value::from(chunk))));
    let mut members = vec![Value::from("cloud.trail")];
    match mode {
        Mode::Message => members.extend([Value::from(1_700_000_000), record(numbers[0])]),
        Mode::Forward => members.push(Value::from(entries)),
        Mode::Packed => members.push(Value::from(stream)),
        Mode::Compressed => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&stream).unwrap();
            members.push(Value::from(gzip.finish().unwrap()));
            options.push(("compressed", Value::from("gzip")));
        }
    }
    members.push(map(&options));
    encoded(&Value::from(members))
}

/// An event that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) tag: String,
    pub(crate) time: Value,
    pub(crate) record: Value,
}

/// The events of a message.
pub(crate) fn events(message: &Value) -> Vec<Arrived> {
    let tag = message[0].as_str().unwrap().to_owned();
    let of = |entry: &Value| Arrived { tag: tag.clone(), time: entry[0].clone(), record: entry[1].clone() };
    match &message[1] {
        Value::Array(entries) => entries.iter().map(of).collect(),
        Value::Binary(stream) => {
            let mut rest = &stream[..];
            std::iter::from_fn(|| (!rest.is_empty()).then(|| read(&mut rest).unwrap()))
                .map(|entry| of(&entry))
                .collect()
        }
        time => vec![Arrived { tag, time: time.clone(), record: message[2].clone() }],
    }
}

/// The next value.
pub(crate) fn read(from: &mut impl Read) -> Result<Value, rmpv::decode::Error> {
    rmpv::decode::read_value(from)
}
