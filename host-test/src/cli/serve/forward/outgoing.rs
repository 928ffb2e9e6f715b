//! What goes on: the events that stay, in the form that the next service takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::frame::{Carrier, Entry, Frame};
use super::json::push_object;
use super::lines::{EVENT_BYTES_MAX, Fate, Lines};
use super::msgpack::{push_array, push_binary, push_map, push_text, push_unsigned};
use super::record;

/// Length of the name of a chunk: 128 bits in base64.
const CHUNK_BYTES: usize = 24;

/// Events that came together, and what became of them.
pub(super) struct Outgoing<'f> {
    pub(super) frame: &'f Frame,
    /// Unpacked.
    pub(super) events: &'f [u8],
    pub(super) entries: &'f [Entry],
    pub(super) lines: &'f Lines,
    pub(super) fates: &'f [Fate],
}

impl Outgoing<'_> {
    /// Events that go on, each with its tag and place.
    fn staying(&self) -> impl Iterator<Item = (usize, &Entry, Option<&Value>)> {
        self.entries.iter().zip(self.fates).enumerate().filter_map(|(number, (entry, fate))| match fate {
            Fate::Removed => None,
            Fate::Untouched => Some((number, entry, None)),
            Fate::Tagged(tag) => Some((number, entry, Some(tag))),
        })
    }

    fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.events.get(range).unwrap_or_default()
    }

    /// A message of the protocol; nothing if no event is left.
    pub(super) fn message(&self) -> Vec<u8> {
        let mut events = Vec::with_capacity(self.events.len() + self.events.len() / 8);
        let mut count = 0;
        for (_, entry, tag) in self.staying() {
            count += 1;
            self.push_entry(entry, tag, &mut events);
        }
        match self.frame.carrier {
            _ if count == 0 => Vec::new(),
            Carrier::Entries => {
                let mut member = Vec::with_capacity(events.len() + 5);
                push_binary(&mut member, &events);
                message(self.frame, 1, &member, Some(count))
            }
            Carrier::Message => message(self.frame, 2, &events, None),
            Carrier::Foreign => Vec::new(),
        }
    }

    fn push_entry(&self, entry: &Entry, tag: Option<&Value>, out: &mut Vec<u8>) {
        let begin = out.len();
        let record = self.bytes(entry.record.clone());
        out.extend_from_slice(self.bytes(entry.whole.start..entry.record.start));
        let written = tag.map(|tag| record::push_tagged(record, &record::tag_key(record)?, tag, out));
        if !matches!(written, Some(Ok(()))) {
            out.truncate(begin);
            out.extend_from_slice(self.bytes(entry.whole.clone()));
        }
    }

    /// Records as NDJSON; nothing if no event is left.
    pub(super) fn ndjson(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.text.len() + self.lines.text.len() / 8);
        for (number, entry, tag) in self.staying() {
            let record = self.bytes(entry.record.clone());
            match self.lines.record(number) {
                Some(line) => out.extend_from_slice(line),
                None => push_record(record, &mut out),
            }
            if let (Some(tag), Ok(key)) = (tag, record::tag_key(record)) {
                push_json_tag(&key, tag, &mut out);
            }
            out.push(b'\n');
        }
        out
    }
}

/// A record that is no object goes on as it came, in the only way that JSON has.
fn push_record(record: &[u8], out: &mut Vec<u8>) {
    if push_object(record, 4 * EVENT_BYTES_MAX, out).is_err() {
        out.extend_from_slice(b"{\"msgpack\":\"");
        out.extend_from_slice(STANDARD.encode(record).as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

/// Puts a member before the last brace.
fn push_json_tag(key: &str, tag: &Value, out: &mut Vec<u8>) {
    let brace = out.pop();
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    // The key is ours and needs no escapes.
    out.extend_from_slice(format!("\"{key}\":{tag}").as_bytes());
    out.extend(brace);
}

/// A message that holds no event of logs, as it came.
pub(super) fn foreign(frame: &Frame) -> Vec<u8> {
    message(frame, 1, &frame.events, None)
}

/// `events` are so many members of the message.
fn message(frame: &Frame, members: u32, events: &[u8], size: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len() + 256);
    push_array(&mut out, members + 2);
    out.extend_from_slice(&frame.tag);
    out.extend_from_slice(events);
    push_map(&mut out, frame.options.len() as u32 + u32::from(size.is_some()) + 1);
    for (key, value) in &frame.options {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    if let Some(size) = size {
        push_text(&mut out, "size");
        push_unsigned(&mut out, size);
    }
    // The same events have the same name, whenever they are sent.
    let digest = Sha256::digest(&out);
    push_text(&mut out, "chunk");
    push_text(&mut out, &STANDARD.encode(digest.get(..16).unwrap_or_default()));
    out
}

/// The name of the chunk that a message is: what it ends in.
pub(super) fn chunk_of(message: &[u8]) -> &[u8] {
    message.last_chunk::<CHUNK_BYTES>().map_or(&[], |chunk| chunk.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::serve::budget::Budget;
    use crate::cli::serve::forward::frame;
    use bytes::Bytes;
    use proptest::prelude::*;
    use rmpv::Value as Packed;
    use serde_json::json;

    fn encoded(value: &Packed) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    fn text(text: &str) -> Packed {
        Packed::from(text)
    }

    fn map(pairs: &[(&str, Packed)]) -> Packed {
        Packed::Map(pairs.iter().map(|(key, value)| (text(key), value.clone())).collect())
    }

    /// What goes on of a message, as a message and as lines.
    fn out(message: &Packed, fates: &[Fate]) -> (Vec<u8>, String) {
        let frame = Frame::read(&Bytes::from(encoded(message))).unwrap().unwrap();
        let entries = frame::entries(frame.carrier, &frame.events).unwrap();
        let lines = Lines::new(&frame.events, &entries, &mut Budget::new(1 << 30).share()).unwrap();
        let outgoing =
            Outgoing { frame: &frame, events: &frame.events, entries: &entries, lines: &lines, fates };
        (outgoing.message(), String::from_utf8(outgoing.ndjson()).unwrap())
    }

    #[test]
    fn a_message_keeps_tag_times_metadata_and_options() {
        let time = Packed::Ext(0, vec![0, 0, 0, 1, 0, 0, 0, 2]);
        let record = map(&[("eventName", text("A"))]);
        let with_metadata = Packed::from(vec![time.clone(), map(&[("m", Packed::from(1))])]);
        let entries: Vec<_> = [Packed::from(7), time, with_metadata]
            .into_iter()
            .map(|time| Packed::from(vec![time, record.clone()]))
            .collect();
        let options = map(&[("size", Packed::from(3)), ("chunk", text("theirs")), ("x", text("y"))]);
        let message = Packed::from(vec![text("tag"), Packed::from(entries.clone()), options]);
        let tag = json!([{ "name": "r" }]);
        let (out, lines) = out(&message, &[Fate::Untouched, Fate::Removed, Fate::Tagged(tag)]);
        let read = rmpv::decode::read_value(&mut &out[..]).unwrap();
        assert_eq!(read[0].as_str(), Some("tag"));
        let events = read[1].as_slice().unwrap();
        let untouched = encoded(&entries[0]);
        assert_eq!(&events[..untouched.len()], &untouched[..]);
        let tagged = rmpv::decode::read_value(&mut &events[untouched.len()..]).unwrap();
        assert_eq!(tagged[0], entries[2][0]);
        assert_eq!(tagged[1]["tripwasm"][0]["name"].as_str(), Some("r"));
        assert_eq!((read[2]["size"].as_u64(), read[2]["x"].as_str()), (Some(2), Some("y")));
        assert_eq!(read[2]["chunk"].as_str().unwrap().as_bytes(), chunk_of(&out));
        assert_eq!(lines, "{\"eventName\":\"A\"}\n{\"eventName\":\"A\",\"tripwasm\":[{\"name\":\"r\"}]}\n");
    }

    #[test]
    fn a_single_event_stays_single_and_its_line_keeps_the_tag_beside_it() {
        let record = map(&[("log", text("{\"eventName\":\"A\"}")), ("tripwasm", text("mine"))]);
        let options = map(&[("metadata", map(&[("m", Packed::from(1))]))]);
        let message = Packed::from(vec![text("tag"), Packed::from(7), record, options]);
        let (bytes, lines) = out(&message, &[Fate::Tagged(json!([]))]);
        let read = rmpv::decode::read_value(&mut &bytes[..]).unwrap();
        assert_eq!((read[1].as_u64(), read[3]["metadata"]["m"].as_u64()), (Some(7), Some(1)));
        assert_eq!(read[2]["tripwasm"].as_str(), Some("mine"));
        assert!(read[2]["tripwasm_1"].is_array());
        assert_eq!(
            lines,
            "{\"log\":\"{\\\"eventName\\\":\\\"A\\\"}\",\"tripwasm\":\"mine\",\"tripwasm_1\":[]}\n"
        );
        assert_eq!(out(&message, &[Fate::Removed]), (Vec::new(), String::new()));
        let (_, lines) =
            out(&Packed::from(vec![text("t"), Packed::from(7), Packed::from(1)]), &[Fate::Untouched]);
        assert_eq!(lines, "{\"msgpack\":\"AQ==\"}\n");
    }

    proptest! {
        #[test]
        fn untouched_records_go_on_as_the_same_bytes(
            records in proptest::collection::vec(proptest::collection::vec(any::<(String, u64)>(), 0..20), 1..20)
        ) {
            let entries: Vec<_> = records.iter().enumerate().map(|(number, record)| {
                let pairs = record.iter().map(|(key, value)| (text(key), Packed::from(*value)));
                Packed::from(vec![Packed::from(number), Packed::Map(pairs.collect())])
            }).collect();
            let stream: Vec<u8> = entries.iter().flat_map(encoded).collect();
            let message = Packed::from(vec![text("t"), Packed::from(stream.clone())]);
            let (out, _) = out(&message, &vec![Fate::Untouched; entries.len()]);
            let read = rmpv::decode::read_value(&mut &out[..]).unwrap();
            prop_assert_eq!(read[1].as_slice().unwrap(), &stream[..]);
        }
    }
}
