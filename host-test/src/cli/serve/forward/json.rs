//! Records as JSON: what the module reads.
//!
//! | MessagePack | JSON |
//! |---|---|
//! | integers, floats, nil, true, false, arrays, maps | the same; a float that JSON lacks is null |
//! | text, binary data | text; bytes that are no UTF-8 are replaced |
//! | a key that is an integer | its digits as text |
//! | EventTime, other extensions | seconds as a number; base64 |

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::msgpack::{Bad, Cursor, Head};

/// Deeper values are not written: the module would not read them.
const DEPTH_MAX: usize = 1024;

/// Type of the extension that times are.
const EVENT_TIME: i8 = 0;

/// Why a record is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoJson {
    #[error(transparent)]
    Bad(#[from] Bad),
    #[error("it is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("it is longer than {0} bytes as JSON")]
    TooLong(usize),
    #[error("a key is {0}")]
    Key(&'static str),
}

/// An array or a map that is being written.
struct Open {
    is_map: bool,
    /// Values still to come; in a map, pairs.
    left: u32,
    is_first: bool,
}

/// Appends a map as a JSON object of at most so many bytes. On an error, `out` is as it was.
pub(super) fn push_object(record: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), NoJson> {
    let begin = out.len();
    let written = push_map(record, begin.saturating_add(bytes_max), bytes_max, out);
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

fn push_map(record: &[u8], end_max: usize, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), NoJson> {
    let mut cursor = Cursor::new(record);
    let mut stack = vec![Open { is_map: true, left: cursor.map()?, is_first: true }];
    out.push(b'{');
    while let Some(open) = stack.last_mut() {
        if out.len() > end_max {
            return Err(NoJson::TooLong(bytes_max));
        }
        if open.left == 0 {
            out.push(if open.is_map { b'}' } else { b']' });
            stack.pop();
            continue;
        }
        open.left -= 1;
        if !std::mem::replace(&mut open.is_first, false) {
            out.push(b',');
        }
        if open.is_map {
            push_key(&mut cursor, out)?;
        }
        let (is_map, left) = match cursor.head()? {
            Head::Array(left) => (false, left),
            Head::Map(left) => (true, left),
            scalar => {
                push_scalar(scalar, &mut cursor, out)?;
                continue;
            }
        };
        if stack.len() == DEPTH_MAX {
            return Err(NoJson::TooDeep);
        }
        out.push(if is_map { b'{' } else { b'[' });
        stack.push(Open { is_map, left, is_first: true });
    }
    if out.len() > end_max { Err(NoJson::TooLong(bytes_max)) } else { Ok(()) }
}

fn push_key(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), NoJson> {
    match cursor.head()? {
        Head::Text(length) | Head::Binary(length) => push_string(cursor.take(length)?, out),
        Head::Unsigned(value) => push_display(format_args!("\"{value}\""), out),
        Head::Signed(value) => push_display(format_args!("\"{value}\""), out),
        other => return Err(NoJson::Key(other.name())),
    }
    out.push(b':');
    Ok(())
}

fn push_scalar(head: Head, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Bad> {
    match head {
        Head::Nil | Head::Array(_) | Head::Map(_) => out.extend_from_slice(b"null"),
        Head::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Head::Unsigned(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Head::Signed(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Head::Float32(value) => push_float(value.into(), out),
        Head::Float64(value) => push_float(value, out),
        Head::Text(length) | Head::Binary(length) => push_string(cursor.take(length)?, out),
        Head::Extension(kind, length) => push_extension(kind, cursor.take(length)?, out),
    }
    Ok(())
}

/// The shortest digits that tell it from other floats; null if it is no number, which JSON lacks.
fn push_float(value: f64, out: &mut Vec<u8>) {
    let begin = out.len();
    if serde_json::to_writer(&mut *out, &value).is_err() {
        out.truncate(begin);
        out.extend_from_slice(b"null");
    }
}

fn push_string(bytes: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(bytes);
    // Writing text to memory does not fail.
    let _ = serde_json::to_writer(out, text.as_ref());
}

fn push_extension(kind: i8, bytes: &[u8], out: &mut Vec<u8>) {
    if let (EVENT_TIME, Some((seconds, nanoseconds))) = (kind, event_time(bytes)) {
        return push_display(format_args!("{seconds}.{nanoseconds:09}"), out);
    }
    push_display(format_args!("\"{}\"", STANDARD.encode(bytes)), out);
}

fn event_time(bytes: &[u8]) -> Option<(u32, u32)> {
    let (seconds, nanoseconds) = bytes.split_first_chunk()?;
    let nanoseconds = u32::from_be_bytes(nanoseconds.try_into().ok()?);
    // More would not fit behind the point.
    (nanoseconds < 1_000_000_000).then_some((u32::from_be_bytes(*seconds), nanoseconds))
}

fn push_display(what: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value;

    const MAX: usize = 1 << 20;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    fn object(record: &[u8]) -> Result<String, NoJson> {
        let mut out = b"before".to_vec();
        push_object(record, MAX, &mut out)?;
        Ok(String::from_utf8(out).unwrap().split_off("before".len()))
    }

    /// The same by another way: a library's values, and a tree of JSON.
    fn independently(value: &Value) -> serde_json::Value {
        match value {
            Value::Nil => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) if value.is_u64() => value.as_u64().into(),
            Value::Integer(value) => value.as_i64().into(),
            Value::F32(value) => f64::from(*value).into(),
            Value::F64(value) => (*value).into(),
            Value::String(value) => value.as_str().unwrap_or_default().into(),
            Value::Binary(value) => String::from_utf8_lossy(value).into_owned().into(),
            Value::Array(values) => values.iter().map(independently).collect(),
            Value::Map(pairs) => {
                let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                pairs.iter().map(|(key, value)| (text(key), independently(value))).collect()
            }
            Value::Ext(_, bytes) => STANDARD.encode(bytes).into(),
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Ext(5, bytes)),
        ];
        scalar.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from), maps(inner),]
        })
    }

    fn maps(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        let key = prop_oneof!["[a-z\"\\\\\n]{0,8}".prop_map(Value::from), any::<i64>().prop_map(Value::from)];
        proptest::collection::vec((key, inner), 0..20).prop_map(Value::from)
    }

    proptest! {
        #[test]
        fn a_record_is_what_another_reader_sees(record in maps(values())) {
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            // Both by text: that reader is off by the last digit of some floats.
            let expected = read(&independently(&record).to_string());
            prop_assert_eq!(read(&object(&encoded(&record)).unwrap()), expected);
        }

        #[test]
        fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(json) = object(&bytes) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
                prop_assert!(!json.contains('\n'));
            }
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let record = Value::from(vec![
            (Value::from("u"), Value::from(u64::MAX)),
            (Value::from("i"), Value::from(i64::MIN)),
            (Value::from("f"), Value::from(1.0)),
            (Value::from("nan"), Value::from(f64::NAN)),
            (Value::from("t"), Value::Ext(0, vec![0, 0, 0, 1, 0, 0, 0, 2])),
            (Value::from("no time"), Value::Ext(0, vec![255; 8])),
            (Value::from(7), Value::from("seven")),
        ]);
        let expected = r#"{"u":18446744073709551615,"i":-9223372036854775808,"f":1.0,"nan":null,"t":1.000000002,"no time":"//////////8=","7":"seven"}"#;
        assert_eq!(object(&encoded(&record)).unwrap(), expected);
    }

    #[test]
    fn depth_and_length_have_an_end() {
        let nested = |depth: usize| {
            let mut record = vec![0x81, 0xa1, b'a'];
            record.extend(vec![0x91; depth - 1]);
            record.push(0xc0);
            record
        };
        assert!(object(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(object(&nested(DEPTH_MAX + 1)), Err(NoJson::TooDeep));
        assert_eq!(object(&nested(1 << 20)), Err(NoJson::TooDeep));
        let long = encoded(&Value::from(vec![(Value::from("a"), Value::from("x".repeat(MAX)))]));
        assert_eq!(object(&long), Err(NoJson::TooLong(MAX)));
        assert_eq!(object(&[0xdf, 255, 255, 255, 255]), Err(NoJson::Bad(Bad::Cut)));
        assert_eq!(object(&[0x81, 0xa1, b'a', 0xdd, 255, 255, 255, 255]), Err(NoJson::Bad(Bad::Cut)));
        assert_eq!(object(&[0x81, 0xc0, 0xc0]), Err(NoJson::Key("nil")));
        assert!(matches!(object(&[0x90]), Err(NoJson::Bad(Bad::Unexpected { .. }))));
    }
}
