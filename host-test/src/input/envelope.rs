//! Envelopes: what AWS services wrap around CloudTrail events.

use super::json::{ScanStop, elements, skip_space, value_end, value_end_with};
use super::notice::Notice;
use super::packed::{RECORD_BYTES_MAX, Undecodable, decode, text};
use super::telling::{Envelope, Telling, Within};
use super::{Foreign, InputError};

/// Envelopes inside envelopes: a queue around SNS around EventBridge around an event, each with its array or text, is
/// the deepest known.
const DEPTH_MAX: u32 = 8;

/// Events taken out of envelopes, one a line.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) problems: Vec<InputError>,
    /// Documents that have no events by their kind.
    pub(super) foreign: Vec<Foreign>,
    /// JSON values among the lines.
    pub(super) values: u64,
    /// Where in the input the envelope begins, in bytes.
    pub(super) at: u64,
    /// Bytes that packed records may still unpack to.
    pub(super) unpack_left: u64,
    events: u64,
    notices: u64,
}

/// A place in [`Lines`] that an envelope may be put back to.
struct Mark {
    bytes: usize,
    foreign: usize,
    values: u64,
    events: u64,
    notices: u64,
}

impl Lines {
    /// None yet, in a buffer of any content.
    pub(super) fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Lines {
            bytes: buffer,
            problems: Vec::new(),
            foreign: Vec::new(),
            values: 0,
            at: 0,
            unpack_left: RECORD_BYTES_MAX,
            events: 0,
            notices: 0,
        }
    }

    /// Adds a value as one line. A raw line break in JSON stands between tokens, where a space says the same.
    fn push(&mut self, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        for byte in self.bytes.get_mut(start..).unwrap_or_default() {
            // Without a branch, so that many are done at a time.
            *byte = if matches!(*byte, b'\n' | b'\r') { b' ' } else { *byte };
        }
        self.bytes.push(b'\n');
    }

    /// Adds a JSON value that is no envelope.
    fn push_value(&mut self, value: &[u8], telling: &Telling<'_>) {
        self.values += 1;
        self.events += u64::from(telling.is_event());
        self.push(value);
    }

    fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            foreign: self.foreign.len(),
            values: self.values,
            events: self.events,
            notices: self.notices,
        }
    }

    /// Puts an envelope in the place of what came out of it.
    fn keep_whole(&mut self, mark: &Mark, value: &[u8]) {
        self.bytes.truncate(mark.bytes);
        self.foreign.truncate(mark.foreign);
        if self.notices > mark.notices {
            self.foreign.push(Foreign::Notification);
        }
        self.values = mark.values + 1;
        self.push(value);
    }

    /// Adds a notification. One message stands for those that come together.
    fn push_notice(&mut self, notice: Notice, value: &[u8]) {
        let (count, address) = notice.objects(value);
        self.notices += 1;
        self.foreign.push(Foreign::Notification);
        self.values += 1;
        self.push(value);
        if let Some(InputError::Notification { what, objects, .. }) = self.problems.last_mut()
            && *what == notice.name()
        {
            *objects += count;
            return;
        }
        let (what, at) = (notice.name(), self.at);
        self.problems.push(InputError::Notification { what, at, objects: count, address });
    }

    /// Adds an envelope as it is, because what is packed in it cannot be had.
    fn push_undecodable(&mut self, value: &[u8], field: &'static str, problem: Undecodable) {
        let at = self.at;
        self.problems.push(match problem {
            Undecodable::Damaged(reason) => InputError::Envelope { field, at, reason },
            Undecodable::TooLarge => InputError::RecordTooLarge { field, at },
        });
        self.push(value);
    }
}

/// Whether a whole JSON object wraps events, or is a document of AWS that stands among such objects.
pub(super) fn is_envelope(object: &[u8]) -> bool {
    match Telling::read(object).envelope(Within::Anything) {
        Envelope::None => false,
        // Whoever writes logs has members of these names.
        Envelope::Message(..) => {
            let mut lines = Lines::new(Vec::new());
            unwrap(object, &mut lines);
            lines.events > 0 || lines.notices > 0
        }
        _ => true,
    }
}

/// The JSON value that begins at the first byte: looked through once for its end and for what it is.
pub(super) fn first_value(bytes: &[u8]) -> Result<FirstValue<'_>, ScanStop> {
    let mut telling = Telling::default();
    let end = value_end_with(bytes, 0, |key, value| telling.hear(key, value))?;
    Ok(FirstValue { value: bytes.get(..end).unwrap_or_default(), telling })
}

/// A whole value, and what its members tell.
pub(super) struct FirstValue<'a> {
    value: &'a [u8],
    telling: Telling<'a>,
}

impl FirstValue<'_> {
    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether it may be a notification, so that what it stands in is one, too.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.telling.envelope(Within::Anything), Envelope::Notice(_) | Envelope::Message(..))
    }

    /// Takes the events out of it.
    pub(super) fn unwrap(self, within: Within, lines: &mut Lines) {
        unwrap_told(self.value, &self.telling, within, 0, lines);
    }
}

/// Takes the events out of a whole JSON value.
pub(super) fn unwrap(value: &[u8], lines: &mut Lines) {
    unwrap_at(value, Within::Anything, 0, lines);
}

fn unwrap_at(value: &[u8], within: Within, depth: u32, lines: &mut Lines) {
    unwrap_told(value, &Telling::read(value), within, depth, lines);
}

fn unwrap_told(value: &[u8], telling: &Telling<'_>, within: Within, depth: u32, lines: &mut Lines) {
    if depth >= DEPTH_MAX {
        return lines.push_value(value, telling);
    }
    let inner = match value.first() {
        Some(b'[') => Envelope::Array(Within::Anything, value),
        Some(b'{') => telling.envelope(within),
        _ => Envelope::None,
    };
    match inner {
        Envelope::None => lines.push_value(value, telling),
        Envelope::Foreign(foreign) => {
            lines.foreign.push(foreign);
            lines.push_value(value, telling);
        }
        Envelope::Notice(notice) => lines.push_notice(notice, value),
        Envelope::Array(within, array) => {
            let mark = lines.mark();
            elements(array).for_each(|element| unwrap_at(element, within, depth + 1, lines));
            // A notification of several objects is one document.
            if lines.events == mark.events && lines.notices > mark.notices {
                lines.keep_whole(&mark, value);
            }
        }
        Envelope::Value(inner) => unwrap_at(inner, Within::Anything, depth + 1, lines),
        Envelope::Text(field, string) => match text(string) {
            Ok(text) => documents(text.as_bytes(), depth + 1, lines),
            Err(problem) => lines.push_undecodable(value, field, problem),
        },
        Envelope::Message(field, string) => match text(string) {
            Ok(text) => {
                let mark = lines.mark();
                documents(text.as_bytes(), depth + 1, lines);
                if lines.events == mark.events {
                    lines.keep_whole(&mark, value);
                }
            }
            Err(problem) => lines.push_undecodable(value, field, problem),
        },
        Envelope::Base64(field, string) => match decode(string, &mut lines.unpack_left) {
            Ok(unpacked) => documents(&unpacked.bytes, depth + 1, lines),
            Err(problem) => lines.push_undecodable(value, field, problem),
        },
    }
}

/// Text inside an envelope: any number of JSON values, or something else, whose lines come out as they are.
pub(super) fn documents(bytes: &[u8], depth: u32, lines: &mut Lines) {
    let mut at = skip_space(bytes, 0);
    let mut is_broken = false;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let value = match byte {
            b'{' | b'[' if !is_broken => value_end(rest, 0),
            _ => Err(ScanStop::Malformed(0)),
        };
        let length = match value {
            Ok(length) => {
                unwrap_at(rest.get(..length).unwrap_or_default(), Within::Anything, depth, lines);
                length
            }
            Err(stop) => {
                let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                // What began here goes on beyond its line: looking for values in each of its lines would look at all of
                // the rest each time.
                is_broken |= match stop {
                    ScanStop::Incomplete => true,
                    ScanStop::Malformed(at) => at > line_end,
                };
                lines.push(rest.get(..line_end).unwrap_or_default());
                line_end
            }
        };
        at = skip_space(bytes, at + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_as_their_original_bytes() {
        let cases: &[(&str, &str)] = &[
            (r#"{"eventName":"A", "n":1.0}"#, "{\"eventName\":\"A\", \"n\":1.0}\n"),
            ("[{\"a\":\n1},\r\n{\"b\":\r\n2}]", "{\"a\": 1}\n{\"b\":  2}\n"),
            (r#"{"x":1,"Records":[{"a":1},{"b":2}]}"#, "{\"a\":1}\n{\"b\":2}\n"),
            (r#"{"Records":[]}"#, ""),
            (r#"{"detail-type":"AWS API Call via CloudTrail","detail":{"a":1}}"#, "{\"a\":1}\n"),
            (r#"{"detail-type":"x","detail":{"a":1}}"#, "{\"detail-type\":\"x\",\"detail\":{\"a\":1}}\n"),
            (r#"{"eventName":"A","detail":{"a":1}}"#, "{\"eventName\":\"A\",\"detail\":{\"a\":1}}\n"),
            (r#"{"EventId":"i","CloudTrailEvent":"{\"a\":\"\\u00e9\"}"}"#, "{\"a\":\"\\u00e9\"}\n"),
            (
                r#"{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"{\"a\":1}"},{"id":"2","timestamp":2,"message":"text"}]}"#,
                "{\"a\":1}\ntext\n",
            ),
            (
                r#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}"#,
                "{\"messageType\":\"CONTROL_MESSAGE\",\"logEvents\":[]}\n",
            ),
            (r#"{"records":[{"recordId":"0","data":"eyJhIjoxfQo="}]}"#, "{\"a\":1}\n"),
            (
                r#"{"Records":[{"a":1}],"Records":[{"b":2}]}"#,
                "{\"Records\":[{\"a\":1}],\"Records\":[{\"b\":2}]}\n",
            ),
        ];
        for (input, expected) in cases {
            let mut lines = Lines::new(Vec::new());
            unwrap(input.as_bytes(), &mut lines);
            assert_eq!(String::from_utf8_lossy(&lines.bytes), *expected, "{input}");
            assert!(lines.problems.is_empty(), "{input}: {:?}", lines.problems);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_passed_on_and_named() {
        let cases = [
            r#"{"awslogs":{"data":"%%%"}}"#,
            r#"{"awslogs":{"data":"H4sIAAAA"}}"#,
            r#"{"CloudTrailEvent":"\ud800"}"#,
        ];
        for input in cases {
            let mut lines = Lines::new(Vec::new());
            unwrap(input.as_bytes(), &mut lines);
            assert_eq!(lines.bytes, format!("{input}\n").as_bytes());
            assert_eq!(lines.problems.len(), 1, "{input}");
        }
    }
}
