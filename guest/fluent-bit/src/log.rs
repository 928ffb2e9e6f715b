//! Records that hold a line of text under `log`: what Fluent Bit makes of a line that no parser read.

use std::borrow::Cow;

/// How such a record begins; Fluent Bit writes no space.
const BEGIN: &[u8] = b"{\"log\":\"";

/// A record with a line in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogRecord<'r> {
    /// The text of the line.
    pub(crate) line: Cow<'r, str>,
    /// The record behind that text.
    rest: &'r [u8],
}

impl<'r> LogRecord<'r> {
    /// Reads a record; none if it is no such record, or if its line does not begin as an event does.
    pub(crate) fn read(record: &'r [u8]) -> Option<LogRecord<'r>> {
        let behind = record.strip_prefix(BEGIN)?;
        let end = string_end(behind)?;
        let (inside, rest) = behind.split_at_checked(end)?;
        // A 0 behind the line would end the record early when it is given back.
        if rest.contains(&0) || !rest.ends_with(b"}") {
            return None;
        }
        let inside = core::str::from_utf8(inside).ok()?;
        let line = if inside.contains('\\') {
            let mut line = String::with_capacity(inside.len());
            tripwasm_engine::unescape(inside, &mut line);
            Cow::Owned(line)
        } else {
            Cow::Borrowed(inside)
        };
        line.trim_ascii_start().starts_with('{').then_some(LogRecord { line, rest })
    }

    /// Whether the record may have this key beside `log`. A key is looked for anywhere behind the line, as text: to see one
    /// that is none costs a different name, nothing else.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        let quoted =
            |part: &[u8]| part.strip_prefix(b"\"").is_some_and(|part| part.starts_with(key.as_bytes()));
        (0..self.rest.len()).any(|at| self.rest.get(at..).is_some_and(quoted))
    }
}

/// Where the string ends whose inside begins the bytes.
fn string_end(inside: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += inside.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match inside.get(at) {
            Some(b'"') => return Some(at),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &str) -> Option<String> {
        LogRecord::read(record.as_bytes()).map(|read| read.line.into_owned())
    }

    #[test]
    fn the_line_is_taken_out_of_its_record() {
        let cases = [
            (r#"{"log":"{\"a\":\"b\\\"c\"}"}"#, Some(r#"{"a":"b\"c"}"#)),
            (r#"{"log":"{}","stream":"stdout"}"#, Some("{}")),
            (r#"{"log":" {\"a\":1}\n"}"#, Some(" {\"a\":1}\n")),
            (r#"{"log":"plain text"}"#, None),
            (r#"{"log":"{}"#, None),
            (r#"{"log":"{}\"#, None),
            (r#"{"log":""}"#, None),
            (r#"{"log":7}"#, None),
            (r#"{"a":"{}"}"#, None),
            ("{\"log\":\"{}\",\0\"a\":1}", None),
        ];
        for (record, expected) in cases {
            assert_eq!(line(record).as_deref(), expected, "{record}");
        }
    }

    #[test]
    fn keys_beside_the_line_are_seen() {
        let record = br#"{"log":"{\"tripwasm\":1}","x":{"tripwasm_1":2}}"#;
        let record = LogRecord::read(record).unwrap();
        assert!(!record.may_have("trip\""));
        assert!(record.may_have("tripwasm_1"));
        assert!(!record.may_have("tripwasm_2"));
    }
}
