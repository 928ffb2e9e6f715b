//! Events as the lines that the module takes, and back: which event a line that comes out belongs to.
//!
//! Between the module's two sides lines are tagged or left out, nothing else, and what stands behind an event's last brace
//! stays. So each line ends in white space that tells its number: where lines are left out, the others are still known,
//! even if two events are the same.

use std::ops::Range;

use serde_json::Value;
use tripwasm::input::Batch;

use super::frame::Entry;
use super::json::push_object;
use super::record;
use crate::cli::run::BATCH_BYTES;
use crate::cli::serve::budget::{Exhausted, Share};

/// Memory is asked for in steps of this size.
const STEP_BYTES: usize = 64 << 10;

/// What stands in the place of a record that is not to be written as JSON: it is counted, and goes on as it came.
const NOT_JSON: &[u8] = b"null";

/// Longest event as JSON. The module rejects longer ones than 4 MiB by itself, and says so.
pub(super) const EVENT_BYTES_MAX: usize = 8 << 20;

/// What is evaluated of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evaluated {
    /// The record.
    Record,
    /// A line of text in the record.
    Line,
    /// Nothing: it is no event.
    Nothing,
}

/// Events as lines.
#[derive(Debug)]
pub(super) struct Lines {
    /// NDJSON, each line with its mark.
    pub(super) text: Vec<u8>,
    lines: Vec<Line>,
    /// White space that numbers take.
    mark_bytes: usize,
}

#[derive(Debug)]
struct Line {
    /// Without mark and line feed.
    place: Range<usize>,
    evaluated: Evaluated,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    Untouched,
    Removed,
    /// Findings, as the module's tag has them.
    Tagged(Value),
}

/// The module gave back lines that it was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the module gave back a line that it was not given")]
pub(super) struct Strange;

impl Lines {
    /// Of these entries of `events`. What the lines take beyond the bytes of the events is taken of the share.
    pub(super) fn new(events: &[u8], entries: &[Entry], share: &mut Share) -> Result<Lines, Exhausted> {
        let mark_bytes = entries.len().next_power_of_two().trailing_zeros() as usize;
        let mut lines = Lines {
            text: Vec::with_capacity(events.len() + events.len() / 4),
            lines: Vec::with_capacity(entries.len()),
            mark_bytes,
        };
        share.grow(entries.len() * size_of::<(Entry, Line, Fate)>())?;
        let mut counted = events.len();
        for (number, entry) in entries.iter().enumerate() {
            let begin = lines.text.len();
            let evaluated = push_event(events.get(entry.record.clone()).unwrap_or_default(), &mut lines.text);
            lines.lines.push(Line { place: begin..lines.text.len(), evaluated });
            push_mark(number, mark_bytes, &mut lines.text);
            lines.text.push(b'\n');
            if lines.text.len() > counted {
                let more = (lines.text.len() - counted).max(STEP_BYTES);
                share.grow(more)?;
                counted += more;
            }
        }
        Ok(lines)
    }

    /// Pieces of what the module takes at a time.
    pub(super) fn batches(&self) -> Vec<Batch> {
        let mut batches = Vec::new();
        let (mut begin, mut count) = (0, 0);
        for line in &self.lines {
            let end = line.place.end + self.mark_bytes + 1;
            count += 1;
            if end - begin >= BATCH_BYTES || end == self.text.len() {
                let bytes = self.text.get(begin..end).unwrap_or_default().to_vec();
                batches.push(Batch { bytes, lines: count, ..Batch::default() });
                (begin, count) = (end, 0);
            }
        }
        batches
    }

    /// What became of each event, told by the lines that came out.
    pub(super) fn fates(&self, out: &[u8]) -> Result<Vec<Fate>, Strange> {
        let mut fates = vec![Fate::Removed; self.lines.len()];
        for line in out.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").ok_or(Strange)?;
            let (line, mark) = line.split_at(line.len().checked_sub(self.mark_bytes).ok_or(Strange)?);
            let number = number(mark);
            let fate = fates.get_mut(number).ok_or(Strange)?;
            *fate = match self.tag(number, line)? {
                None => Fate::Untouched,
                Some(tag) => Fate::Tagged(tag),
            };
        }
        Ok(fates)
    }

    /// The tag that was spliced into a line; none if it is as it was.
    fn tag(&self, number: usize, line: &[u8]) -> Result<Option<Value>, Strange> {
        let given = self.line(number);
        if line == given {
            return Ok(None);
        }
        let brace = given.iter().rposition(|&byte| byte == b'}').ok_or(Strange)?;
        let (before, behind) = given.split_at(brace);
        let spliced = line.strip_prefix(before).and_then(|line| line.strip_suffix(behind)).ok_or(Strange)?;
        let member = [b"{", spliced.strip_prefix(b",").unwrap_or(spliced), b"}"].concat();
        let member: serde_json::Map<String, Value> = serde_json::from_slice(&member).map_err(|_| Strange)?;
        member.into_iter().next().map(|(_, tag)| Some(tag)).ok_or(Strange)
    }

    fn line(&self, number: usize) -> &[u8] {
        self.lines.get(number).and_then(|line| self.text.get(line.place.clone())).unwrap_or_default()
    }

    /// The record of an event as JSON, if that is what was evaluated.
    pub(super) fn record(&self, number: usize) -> Option<&[u8]> {
        let evaluated = self.lines.get(number).map(|line| line.evaluated);
        (evaluated == Some(Evaluated::Record)).then(|| self.line(number))
    }
}

/// Appends what is evaluated of a record, on one line.
fn push_event(record: &[u8], text: &mut Vec<u8>) -> Evaluated {
    match record::line(record) {
        Ok(Some(line)) => {
            // Between tokens both are space, and in a string neither may stand.
            text.extend(line.iter().map(|&byte| if byte == b'\n' { b'\r' } else { byte }));
            return Evaluated::Line;
        }
        Ok(None) if push_object(record, EVENT_BYTES_MAX, text).is_ok() => return Evaluated::Record,
        Ok(None) | Err(_) => {}
    }
    text.extend_from_slice(NOT_JSON);
    Evaluated::Nothing
}

/// Appends a number as white space: a tab is a one.
fn push_mark(number: usize, mark_bytes: usize, text: &mut Vec<u8>) {
    text.extend((0..mark_bytes).map(|bit| if number >> bit & 1 == 1 { b'\t' } else { b' ' }));
}

fn number(mark: &[u8]) -> usize {
    mark.iter().enumerate().fold(0, |number, (bit, &byte)| number | usize::from(byte == b'\t') << bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::serve::budget::Budget;
    use serde_json::json;

    /// Entries with these members each, and where they stand.
    fn entries(records: &[rmpv::Value]) -> (Vec<u8>, Vec<Entry>) {
        let mut bytes = Vec::new();
        let entries = records.iter().map(|record| {
            let begin = bytes.len();
            bytes.extend([0x92, 7]);
            rmpv::encode::write_value(&mut bytes, record).unwrap();
            Entry { whole: begin..bytes.len(), record: begin + 2..bytes.len() }
        });
        let entries = entries.collect();
        (bytes, entries)
    }

    fn event(name: &str) -> rmpv::Value {
        rmpv::Value::from(vec![(rmpv::Value::from("eventName"), rmpv::Value::from(name))])
    }

    fn logged(text: &str) -> rmpv::Value {
        rmpv::Value::from(vec![(rmpv::Value::from("log"), rmpv::Value::from(text))])
    }

    fn lines_of(events: &[u8], entries: &[Entry]) -> Lines {
        Lines::new(events, entries, &mut Budget::new(1 << 30).share()).unwrap()
    }

    #[test]
    fn lines_that_grow_beyond_their_events_need_memory() {
        let (events, entries) = entries(&[logged(&"\u{1}".repeat(100_000)), event("A")]);
        let grown = |budget| Lines::new(&events, &entries, &mut Budget::new(budget).share()).map(drop);
        assert_eq!(grown(300 << 10), Err(Exhausted));
        assert_eq!(grown(600 << 10), Ok(()));
    }

    #[test]
    fn each_event_is_a_line_and_batches_end_at_lines() {
        let records = [event("A"), logged("{\"a\":\n1}\n"), rmpv::Value::from(1), event("B")];
        let (events, entries) = entries(&records);
        let lines = lines_of(&events, &entries);
        let text = String::from_utf8(lines.text.clone()).unwrap();
        assert_eq!(text, "{\"eventName\":\"A\"}  \n{\"a\":\r1}\r\t \nnull \t\n{\"eventName\":\"B\"}\t\t\n");
        assert_eq!(lines.record(0), Some(&b"{\"eventName\":\"A\"}"[..]));
        assert_eq!((lines.record(1), lines.record(2)), (None, None));
        let many: Vec<_> = (0..20_000).map(|number| event(&format!("e{number}"))).collect();
        let (events, entries) = self::entries(&many);
        let lines = lines_of(&events, &entries);
        let batches = lines.batches();
        assert!(batches.len() > 1);
        assert_eq!(batches.iter().map(|batch| batch.lines).sum::<u64>(), 20_000);
        assert_eq!(batches.iter().flat_map(|batch| batch.bytes.clone()).collect::<Vec<_>>(), lines.text);
        assert!(batches.iter().all(|batch| batch.bytes.ends_with(b"\n")));
    }

    #[test]
    fn what_is_left_out_is_known_even_among_equal_events() {
        let records = vec![event("A"); 5];
        let (events, entries) = entries(&records);
        let lines = lines_of(&events, &entries);
        let all: Vec<_> = lines.text.split_inclusive(|&byte| byte == b'\n').collect();
        let tagged = |line: &[u8]| {
            let line = std::str::from_utf8(line).unwrap();
            line.replace('}', ",\"tripwasm\":[{\"name\":\"r\"}]}").into_bytes()
        };
        let out = [tagged(all[1]), all[3].to_vec(), tagged(all[4])].concat();
        let tag = || Fate::Tagged(json!([{ "name": "r" }]));
        let fates = lines.fates(&out).unwrap();
        assert_eq!(fates, [Fate::Removed, tag(), Fate::Removed, Fate::Untouched, tag()]);
        assert_eq!(lines.fates(b"").unwrap(), vec![Fate::Removed; 5]);
    }

    #[test]
    fn an_empty_record_can_be_tagged_and_strange_lines_are_refused() {
        let (events, entries) = entries(&[rmpv::Value::Map(Vec::new())]);
        let lines = lines_of(&events, &entries);
        assert_eq!(lines.text, b"{}\n");
        assert_eq!(lines.fates(b"{\"tripwasm\":[]}\n").unwrap(), [Fate::Tagged(json!([]))]);
        for out in [&b"{}"[..], b"[]\n", b"{\"tripwasm\":}\n", b"{}\n{\"a\":1]\n"] {
            assert_eq!(lines.fates(out), Err(Strange), "{out:?}");
        }
    }
}
