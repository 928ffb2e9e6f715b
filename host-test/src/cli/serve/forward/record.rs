//! Records: what of one is evaluated, and how the tag gets into it.

use serde_json::Value;

use super::msgpack::{Bad, Cursor, Head, push_array, push_map, push_text, push_unsigned};

/// Members whose text is the event, when a shipper sent the line it read.
const LINE_KEYS: [&[u8]; 2] = [b"log", b"message"];

/// Members that only an event has: a record with one of them is the event, whatever text stands beside it.
const EVENT_KEYS: [&[u8]; 3] = [b"eventName", b"eventVersion", b"class_uid"];

/// What a record's tag is called; with a number behind it where the record has such a member already.
const TAG_KEY: &str = "tripwasm";

/// The text in a record that is the event; none if the record is the event.
pub(super) fn line(record: &[u8]) -> Result<Option<&[u8]>, Bad> {
    let mut cursor = Cursor::new(record);
    let mut line = None;
    for _ in 0..cursor.map()? {
        let key = text(cursor.value()?);
        let value = cursor.value()?;
        match key {
            Some(key) if EVENT_KEYS.contains(&key) => return Ok(None),
            Some(key) if line.is_none() && LINE_KEYS.contains(&key) => {
                line = text(value).filter(|text| text.trim_ascii_start().starts_with(b"{"));
            }
            _ => {}
        }
    }
    Ok(line)
}

/// The inside of a text; none if the value is none.
fn text(value: &[u8]) -> Option<&[u8]> {
    Cursor::new(value).bytes().ok()
}

/// The key that a tag gets in this record.
pub(super) fn tag_key(record: &[u8]) -> Result<String, Bad> {
    let mut cursor = Cursor::new(record);
    let mut taken = Vec::new();
    for _ in 0..cursor.map()? {
        taken.extend(text(cursor.value()?).filter(|key| key.starts_with(TAG_KEY.as_bytes())));
        cursor.value()?;
    }
    let is_free = |key: &String| !taken.contains(&key.as_bytes());
    let names = std::iter::once(TAG_KEY.to_owned()).chain((1..).map(|number| format!("{TAG_KEY}_{number}")));
    Ok(names.into_iter().find(is_free).unwrap_or_default())
}

/// Appends a record with one member more behind its others, which stay byte for byte.
pub(super) fn push_tagged(record: &[u8], key: &str, tag: &Value, out: &mut Vec<u8>) -> Result<(), Bad> {
    let mut cursor = Cursor::new(record);
    let members = match cursor.head()? {
        Head::Map(members) if members < u32::MAX => members,
        other => return Err(other.instead_of("a map")),
    };
    push_map(out, members + 1);
    out.extend_from_slice(record.get(cursor.at()..).unwrap_or_default());
    push_text(out, key);
    push_value(tag, out);
    Ok(())
}

/// Tags are the module's, three levels deep.
fn push_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(false) => out.push(0xc2),
        Value::Bool(true) => out.push(0xc3),
        Value::Number(number) => match number.as_u64() {
            Some(number) => push_unsigned(out, number),
            None => push_text(out, &number.to_string()),
        },
        Value::String(text) => push_text(out, text),
        Value::Array(values) => {
            push_array(out, values.len() as u32);
            values.iter().for_each(|value| push_value(value, out));
        }
        Value::Object(members) => {
            push_map(out, members.len() as u32);
            for (key, value) in members {
                push_text(out, key);
                push_value(value, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(members: &[(&str, rmpv::Value)]) -> Vec<u8> {
        let pairs = members.iter().map(|(key, value)| (rmpv::Value::from(*key), value.clone()));
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &rmpv::Value::Map(pairs.collect())).unwrap();
        bytes
    }

    #[test]
    fn the_event_is_the_record_or_a_line_in_it() {
        let event = r#" {"eventName":"GetObject"}"#;
        let text = |text: &str| rmpv::Value::from(text);
        for (members, expected) in [
            (vec![("log", text(event))], Some(event)),
            (vec![("stream", text("stdout")), ("message", text(event))], Some(event)),
            (vec![("log", rmpv::Value::from(event.as_bytes()))], Some(event)),
            (vec![("log", text("plain")), ("message", text(event))], Some(event)),
            (vec![("log", text("plain"))], None),
            (vec![("log", rmpv::Value::from(7))], None),
            // Who writes a message into an event must not hide the event by it.
            (vec![("message", text("{}")), ("eventName", text("GetObject"))], None),
            (vec![("class_uid", rmpv::Value::from(6003)), ("message", text("{}"))], None),
            (vec![], None),
        ] {
            let record = record(&members);
            assert_eq!(line(&record).unwrap(), expected.map(str::as_bytes), "{members:?}");
        }
        assert!(line(&[0x90]).is_err() && line(&[0x81, 0xa1, b'a']).is_err());
    }

    #[test]
    fn a_tag_is_one_member_more_and_nothing_else_changes() {
        let tag = json!([{ "name": "r", "level": "high", "author": null, "alert": "00" }]);
        for count in [0, 1, 14, 15, 16, 65_534, 65_535] {
            let names: Vec<_> = (0..count).map(|number| format!("k{number}")).collect();
            let members: Vec<_> = names.iter().map(|name| (name.as_str(), rmpv::Value::from(1.5))).collect();
            let record = record(&members);
            let mut tagged = Vec::new();
            push_tagged(&record, "tripwasm", &tag, &mut tagged).unwrap();
            let read = rmpv::decode::read_value(&mut &tagged[..]).unwrap();
            assert_eq!(read.as_map().unwrap().len(), count + 1);
            assert_eq!(read["tripwasm"][0]["level"].as_str(), Some("high"));
            assert!(read["tripwasm"][0]["author"].is_nil());
            let head = if count < 16 { 1 } else { 3 };
            let members = &record[head..];
            assert!(
                tagged.windows(members.len().max(1)).take(6).any(|window| window == members) || count == 0
            );
        }
    }

    #[test]
    fn a_member_of_that_name_stays() {
        let nil = rmpv::Value::Nil;
        for (members, key) in [
            (vec![], "tripwasm"),
            (vec![("trip", nil.clone())], "tripwasm"),
            (vec![("tripwasm", nil.clone())], "tripwasm_1"),
            (vec![("tripwasm_1", nil.clone()), ("tripwasm", nil.clone())], "tripwasm_2"),
            (vec![("tripwasm_1", nil)], "tripwasm"),
        ] {
            assert_eq!(tag_key(&record(&members)).unwrap(), key);
        }
    }
}
