//! Envelopes: what AWS services wrap around CloudTrail events.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::InputError;
use super::json::{ScanStop, elements, skip_space, value_end, value_end_with};

/// Envelopes inside envelopes: Kinesis around CloudWatch Logs around EventBridge around an event is the deepest known.
const DEPTH_MAX: u32 = 8;

/// Most bytes that one compressed record may unfold to. Services send a few MB; a gzip bomb ends here.
const RECORD_BYTES_MAX: u64 = 1 << 30;

/// Events taken out of envelopes, one a line.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) problems: Vec<InputError>,
    /// How many more bytes compressed records may unfold to.
    pub(super) unfolding: u64,
}

impl Lines {
    /// No lines yet, to be written into a buffer that may hold anything.
    pub(super) fn into(mut bytes: Vec<u8>, unfolding: u64) -> Self {
        bytes.clear();
        Lines { bytes, problems: Vec::new(), unfolding }
    }

    /// Adds a value as one line. A raw line break in JSON stands between tokens, where a space says the same.
    pub(super) fn push(&mut self, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        for byte in self.bytes.get_mut(start..).unwrap_or_default() {
            // Without a branch, so that many are done at a time.
            *byte = if matches!(*byte, b'\n' | b'\r') { b' ' } else { *byte };
        }
        self.bytes.push(b'\n');
    }
}

/// What a JSON object is.
enum Envelope<'a> {
    /// An event, or nothing we know.
    None,
    /// Each element is an event or an envelope: CloudTrail's files, LookupEvents, Kinesis and Firehose records,
    /// CloudWatch Logs batches.
    Array(&'a [u8]),
    /// A value that is an event or an envelope: EventBridge.
    Value(&'a [u8]),
    /// A string that holds JSON text.
    Text(&'static str, &'a [u8]),
    /// A string that holds base64 of JSON text, perhaps gzip.
    Base64(&'static str, &'a [u8]),
}

/// Whether a whole JSON object wraps events.
pub(super) fn is_envelope(object: &[u8]) -> bool {
    !matches!(Telling::read(object).envelope(), Envelope::None)
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

    /// Takes the events out of it.
    pub(super) fn unwrap(self, lines: &mut Lines) {
        unwrap_told(self.value, self.telling, 0, lines);
    }
}

/// Takes the events out of a whole JSON value.
pub(super) fn unwrap(value: &[u8], lines: &mut Lines) {
    unwrap_at(value, 0, lines);
}

fn unwrap_at(value: &[u8], depth: u32, lines: &mut Lines) {
    unwrap_told(value, Telling::read(value), depth, lines);
}

fn unwrap_told(value: &[u8], telling: Telling<'_>, depth: u32, lines: &mut Lines) {
    if depth >= DEPTH_MAX {
        return lines.push(value);
    }
    let inner = match value.first() {
        Some(b'[') => Envelope::Array(value),
        Some(b'{') => telling.envelope(),
        _ => Envelope::None,
    };
    match inner {
        Envelope::None => lines.push(value),
        Envelope::Array(array) => elements(array).for_each(|element| unwrap_at(element, depth + 1, lines)),
        Envelope::Value(inner) => unwrap_at(inner, depth + 1, lines),
        Envelope::Text(field, string) => match text(field, string) {
            Ok(text) => documents(text.as_bytes(), depth + 1, lines),
            Err(problem) => undecodable(value, problem, lines),
        },
        Envelope::Base64(field, string) => match decode(field, string, &mut lines.unfolding) {
            Ok(bytes) => documents(&bytes, depth + 1, lines),
            Err(problem) => undecodable(value, problem, lines),
        },
    }
}

fn undecodable(value: &[u8], problem: InputError, lines: &mut Lines) {
    lines.problems.push(problem);
    lines.push(value);
}

/// Text inside an envelope: any number of JSON values, or something else, whose lines come out as they are.
fn documents(bytes: &[u8], depth: u32, lines: &mut Lines) {
    let mut at = skip_space(bytes, 0);
    // Behind a value that does not end, values are looked for within a line: a look over all the rest from each line would
    // take hours for a MB of brackets.
    let mut within_lines = false;
    let mut line_end = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        if at >= line_end {
            line_end = at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        }
        let line = bytes.get(at..line_end).unwrap_or_default();
        let bracket = matches!(rest.first(), Some(b'{' | b'['));
        let end = if bracket { value_end(if within_lines { line } else { rest }, 0).ok() } else { None };
        at = match end.and_then(|end| rest.get(..end)) {
            Some(value) => {
                unwrap_at(value, depth, lines);
                at + value.len()
            }
            None => {
                within_lines |= bracket;
                lines.push(line);
                line_end
            }
        };
        at = skip_space(bytes, at);
    }
}

/// The members that tell envelopes apart. One that stands twice tells nothing: the object is passed on whole.
#[derive(Default)]
struct Telling<'a> {
    array: Option<&'a [u8]>,
    detail: Option<&'a [u8]>,
    detail_type: bool,
    event_name: bool,
    log_events: Option<&'a [u8]>,
    message: Option<&'a [u8]>,
    timestamp: bool,
    lookup: Option<&'a [u8]>,
    nested: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    record_id: bool,
    control: bool,
    twice: bool,
}

impl<'a> Telling<'a> {
    /// Of a whole value; one that is no object tells nothing.
    fn read(value: &'a [u8]) -> Self {
        let mut telling = Telling::default();
        if value.first() == Some(&b'{') {
            // Where it is malformed, what came before tells.
            let _ = value_end_with(value, 0, |key, value| telling.hear(key, value));
        }
        telling
    }

    fn hear(&mut self, key: &[u8], value: &'a [u8]) {
        let slot = match (key, value.first()) {
            (b"Records" | b"records" | b"Events", Some(b'[')) => &mut self.array,
            (b"logEvents", Some(b'[')) => &mut self.log_events,
            (b"detail", Some(b'{')) => &mut self.detail,
            (b"message", Some(b'"')) => &mut self.message,
            (b"CloudTrailEvent", Some(b'"')) => &mut self.lookup,
            (b"kinesis" | b"awslogs", Some(b'{')) => &mut self.nested,
            (b"data", Some(b'"')) => &mut self.data,
            (b"detail-type", _) => return self.detail_type = true,
            (b"eventName", _) => return self.event_name = true,
            (b"timestamp", _) => return self.timestamp = true,
            (b"recordId", _) => return self.record_id = true,
            (b"messageType", _) => return self.control = value == br#""CONTROL_MESSAGE""#,
            _ => return,
        };
        self.twice |= slot.replace(value).is_some();
    }

    fn envelope(self) -> Envelope<'a> {
        match self {
            Telling { twice: true, .. } | Telling { control: true, .. } => Envelope::None,
            // A Kinesis record has an `eventName` too.
            Telling { nested: Some(nested), .. } => match Telling::read(nested).data {
                Some(data) => Envelope::Base64("data", data),
                None => Envelope::None,
            },
            Telling { event_name: true, .. } => Envelope::None,
            Telling { array: Some(array), .. } => Envelope::Array(array),
            Telling { log_events: Some(array), .. } => Envelope::Array(array),
            Telling { detail: Some(detail), detail_type: true, .. } => Envelope::Value(detail),
            Telling { lookup: Some(text), .. } => Envelope::Text("CloudTrailEvent", text),
            Telling { message: Some(text), timestamp: true, .. } => Envelope::Text("message", text),
            Telling { data: Some(data), record_id: true, .. } => Envelope::Base64("data", data),
            _ => Envelope::None,
        }
    }
}

fn text(field: &'static str, string: &[u8]) -> Result<String, InputError> {
    serde_json::from_slice(string)
        .map_err(|error| InputError::Envelope { field, reason: format!("no text ({error})") })
}

fn decode(field: &'static str, string: &[u8], unfolding: &mut u64) -> Result<Vec<u8>, InputError> {
    let problem = |reason| InputError::Envelope { field, reason };
    let bytes = STANDARD
        .decode(text(field, string)?.as_bytes())
        .map_err(|error| problem(format!("no base64 ({error})")))?;
    match unzip(Cow::Owned(bytes), unfolding) {
        Ok(bytes) => Ok(bytes.into_owned()),
        Err(error) => Err(problem(format!("corrupt gzip ({error})"))),
    }
}

fn unzip<'a>(bytes: Cow<'a, [u8]>, unfolding: &mut u64) -> std::io::Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(&super::form::GZIP_MAGIC) {
        return Ok(bytes);
    }
    let most = RECORD_BYTES_MAX.min(*unfolding);
    let mut unfolded = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(&*bytes);
    let length = reader.take(most.saturating_add(1)).read_to_end(&mut unfolded)? as u64;
    if length > most {
        return Err(std::io::Error::other(format!("unfolds to more than {most} bytes")));
    }
    *unfolding -= length;
    Ok(Cow::Owned(unfolded))
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
            (r#"{"detail-type":"x","detail":{"a":1}}"#, "{\"a\":1}\n"),
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
            let mut lines = Lines::into(Vec::new(), u64::MAX);
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
            let mut lines = Lines::into(Vec::new(), u64::MAX);
            unwrap(input.as_bytes(), &mut lines);
            assert_eq!(lines.bytes, format!("{input}\n").as_bytes());
            assert_eq!(lines.problems.len(), 1, "{input}");
        }
    }

    #[test]
    fn brackets_that_never_close_cost_no_more_than_their_length() {
        let data = |text: &str| format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, STANDARD.encode(text));
        let mut lines = Lines::into(Vec::new(), u64::MAX);
        let open = "[\n".repeat(500_000);
        unwrap(data(&open).as_bytes(), &mut lines);
        assert!(lines.bytes == open.as_bytes());
        // Whole values behind one that does not end come out all the same.
        let mut lines = Lines::into(Vec::new(), u64::MAX);
        unwrap(data("{\"a\":\n{\"b\":1}{\"c\":2}\n").as_bytes(), &mut lines);
        assert_eq!(lines.bytes, b"{\"a\":\n{\"b\":1}\n{\"c\":2}\n");
    }

    #[test]
    fn what_records_unfold_to_is_bounded_together() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&b"{}\n".repeat(1000)).unwrap();
        let record = format!(r#"{{"kinesis":{{"data":"{}"}}}}"#, STANDARD.encode(packed.finish().unwrap()));
        let mut lines = Lines::into(Vec::new(), 7000);
        unwrap(format!(r#"{{"Records":[{record},{record},{record}]}}"#).as_bytes(), &mut lines);
        assert_eq!(lines.bytes, [b"{}\n".repeat(2000), format!("{record}\n").into_bytes()].concat());
        assert_eq!(lines.problems.len(), 1);
    }
}
