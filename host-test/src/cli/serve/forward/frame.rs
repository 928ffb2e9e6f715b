//! One message of the protocol, with its events.
//!
//! | mode | what stands in the array |
//! |---|---|
//! | Message | tag, time, record, options |
//! | Forward | tag, array of entries, options |
//! | PackedForward, CompressedPackedForward | tag, entries one behind the other as binary data or text, options |
//!
//! An entry is `[time, record]`, or `[[time, metadata], record]` as Fluent Bit has it.

use std::ops::Range;

use bytes::Bytes;

use super::msgpack::{Bad, Cursor, Head, Scan};

/// A chunk's name is echoed: longer ones are nobody's.
const CHUNK_BYTES_MAX: usize = 1024;

/// More options are nobody's.
const OPTIONS_MAX: u32 = 64;

/// Events of one message: each takes memory beside its bytes, of which it has three at least.
pub(super) const EVENTS_MAX: usize = 1 << 18;

/// Why a frame cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFrame {
    #[error("what it sends is no message of the forward protocol: {0}")]
    Bad(#[from] Bad),
    #[error("a message has more than {0} bytes: send smaller chunks, or raise --body-max")]
    TooLarge(usize),
    #[error("a message has {0} members; it needs a tag and events")]
    Members(u32),
    #[error("the option {0} is not to be understood")]
    Option(&'static str),
    #[error("events are compressed by {0}, which is none of gzip, zstd")]
    Compression(String),
    #[error("a message has more than {EVENTS_MAX} events: send smaller chunks")]
    TooMany,
    #[error("event {number} of a message: {bad}")]
    Entry { number: usize, bad: Bad },
}

/// Finds where a message ends whose bytes are still arriving, and refuses it as soon as it must be too large.
pub(super) fn end(scan: &mut Scan, bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, BadFrame> {
    let end = scan.go_on(bytes)?;
    if scan.bytes_min() > bytes_max as u64 { Err(BadFrame::TooLarge(bytes_max)) } else { Ok(end) }
}

/// How events stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// One event, its time and record members of the message.
    Message,
    /// One behind the other.
    Entries,
    /// No events of logs but metrics or traces, which are none of ours.
    Foreign,
}

/// How entries are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// As MessagePack.
    pub(super) tag: Bytes,
    pub(super) carrier: Carrier,
    pub(super) packing: Packing,
    /// Entries one behind the other, or time and record. Of [`Carrier::Foreign`] the member as it came.
    pub(super) events: Bytes,
    /// As MessagePack; none if the sender asks for no acknowledgement.
    pub(super) chunk: Option<Bytes>,
    /// Options that go on: keys and values as they came.
    pub(super) options: Vec<(Bytes, Bytes)>,
}

impl Frame {
    /// Reads a message; none if it is a sign of life, which is no array.
    pub(super) fn read(message: &Bytes) -> Result<Option<Frame>, BadFrame> {
        let mut cursor = Cursor::new(message);
        let Head::Array(members) = cursor.head()? else { return Ok(None) };
        if members < 2 {
            return Err(BadFrame::Members(members));
        }
        let tag = message.slice_ref(cursor.value()?);
        Cursor::new(&tag).bytes()?;
        let begin = cursor.at();
        let member = message.slice_ref(cursor.clone().value()?);
        let (carrier, events) = match cursor.head()? {
            Head::Array(entries) => {
                let begin = cursor.at();
                for _ in 0..entries {
                    cursor.value()?;
                }
                (Carrier::Entries, message.slice(begin..cursor.at()))
            }
            Head::Text(length) | Head::Binary(length) => {
                (Carrier::Entries, message.slice_ref(cursor.take(length)?))
            }
            _ if members < 3 => return Err(BadFrame::Members(members)),
            _ => {
                cursor = Cursor::new(message.get(begin..).unwrap_or_default());
                cursor.value()?;
                cursor.value()?;
                let events = message.slice(begin..begin + cursor.at());
                cursor = Cursor::new(message.get(begin + events.len()..).unwrap_or_default());
                (Carrier::Message, events)
            }
        };
        let has_options = members > if carrier == Carrier::Message { 3 } else { 2 };
        let mut frame =
            Frame { tag, carrier, packing: Packing::Plain, events, chunk: None, options: Vec::new() };
        if has_options {
            frame.read_options(message, cursor)?;
        }
        if frame.carrier == Carrier::Foreign {
            frame.events = member;
        }
        Ok(Some(frame))
    }

    fn read_options(&mut self, message: &Bytes, mut cursor: Cursor<'_>) -> Result<(), BadFrame> {
        let pairs = match cursor.head()? {
            Head::Nil => return Ok(()),
            Head::Map(pairs) if pairs <= OPTIONS_MAX => pairs,
            Head::Map(_) => return Err(BadFrame::Option("map, with so many members,")),
            other => return Err(other.instead_of("options").into()),
        };
        let mut compressed = None;
        for _ in 0..pairs {
            let key = message.slice_ref(cursor.value()?);
            let value = message.slice_ref(cursor.value()?);
            match Cursor::new(&key).bytes().unwrap_or_default() {
                b"chunk" => self.chunk = chunk(value)?,
                // What goes on says itself how many it is.
                b"size" => {}
                b"compressed" if self.carrier != Carrier::Message => compressed = Some((key, value)),
                b"fluent_signal" => {
                    if Cursor::new(&value).head()? != Head::Unsigned(0) {
                        self.carrier = Carrier::Foreign;
                    }
                    self.options.push((key, value));
                }
                _ => self.options.push((key, value)),
            }
        }
        match compressed {
            Some(pair) if self.carrier == Carrier::Foreign => self.options.push(pair),
            Some((_, value)) => self.packing = packing(Cursor::new(&value))?,
            None => {}
        }
        Ok(())
    }
}

fn chunk(value: Bytes) -> Result<Option<Bytes>, BadFrame> {
    match Cursor::new(&value).head()? {
        Head::Nil => Ok(None),
        Head::Text(_) | Head::Binary(_) if value.len() <= CHUNK_BYTES_MAX => Ok(Some(value)),
        _ => Err(BadFrame::Option("chunk")),
    }
}

fn packing(mut value: Cursor<'_>) -> Result<Packing, BadFrame> {
    match value.bytes() {
        Ok(b"gzip") => Ok(Packing::Gzip),
        Ok(b"zstd") => Ok(Packing::Zstd),
        Ok(b"text" | b"") => Ok(Packing::Plain),
        Ok(other) => Err(BadFrame::Compression(String::from_utf8_lossy(other).into_owned())),
        Err(_) => Err(BadFrame::Option("compressed")),
    }
}

/// Where an event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// All of it.
    pub(super) whole: Range<usize>,
    /// Its record.
    pub(super) record: Range<usize>,
}

/// Finds the events.
pub(super) fn entries(carrier: Carrier, events: &[u8]) -> Result<Vec<Entry>, BadFrame> {
    let mut cursor = Cursor::new(events);
    let mut found = Vec::new();
    match carrier {
        Carrier::Foreign => {}
        Carrier::Message => {
            cursor.value()?;
            found.push(Entry { whole: 0..events.len(), record: cursor.at()..events.len() });
        }
        Carrier::Entries => {
            while !cursor.is_at_end() {
                if found.len() == EVENTS_MAX {
                    return Err(BadFrame::TooMany);
                }
                let entry = entry(&mut cursor);
                found.push(entry.map_err(|bad| BadFrame::Entry { number: found.len(), bad })?);
            }
        }
    }
    Ok(found)
}

fn entry(cursor: &mut Cursor<'_>) -> Result<Entry, Bad> {
    let begin = cursor.at();
    match cursor.head()? {
        Head::Array(2) => {}
        other => return Err(other.instead_of("an array of time and record")),
    }
    cursor.value()?;
    let record = cursor.at();
    cursor.value()?;
    Ok(Entry { whole: begin..cursor.at(), record: record..cursor.at() })
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
