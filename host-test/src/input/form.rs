//! Which form an input has, told by its first bytes.

use super::envelope::is_envelope;
use super::head::{Head, head};
use super::json::{ScanStop, is_space, skip_space, value_end};
use super::reader::LINE_BYTES_MAX;

/// How gzip begins.
pub(super) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// So many lines that are no JSON object are looked at before an input counts as plain lines.
const LINES_TRIED_MAX: usize = 16;

/// What an input is a sequence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// NDJSON, or text we do not know: lines that pass through.
    Lines,
    /// JSON values that wrap events, or that run over several lines or share one.
    Documents,
}

/// What the bytes read so far tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Form(Form),
    /// The first value has not ended yet.
    NeedsMore,
}

/// Tells the form; `ended` when there is nothing after `bytes`.
pub(super) fn tell_form(bytes: &[u8], ended: bool) -> Told {
    let mut line = 0;
    for _ in 0..LINES_TRIED_MAX {
        let start = skip_space(bytes, line);
        if start >= bytes.len() {
            break;
        }
        match tell_value(bytes, start, ended) {
            Some(told) => return told,
            None => match memchr::memchr(b'\n', bytes.get(start..).unwrap_or_default()) {
                Some(length) => line = start + length + 1,
                None => break,
            },
        }
    }
    let blank = bytes.iter().all(|&byte| is_space(byte));
    if !ended && blank && bytes.len() < LINE_BYTES_MAX { Told::NeedsMore } else { Told::Form(Form::Lines) }
}

/// What the value at `start` tells; `None` when it tells nothing and the next line may.
fn tell_value(bytes: &[u8], start: usize, ended: bool) -> Option<Told> {
    let documents = Some(Told::Form(Form::Documents));
    let array = bytes.get(start) == Some(&b'[');
    if array {
        match bytes.get(skip_space(bytes, start + 1)) {
            Some(b'{') => return documents,
            Some(b']') => {}
            None if !ended => return Some(Told::NeedsMore),
            _ => return None,
        }
    } else if bytes.get(start) != Some(&b'{') {
        return None;
    }
    if let Head::Is(..) = head(bytes.get(start..).unwrap_or_default()) {
        return documents;
    }
    match value_end(bytes, start) {
        Ok(end) => {
            let value = bytes.get(start..end).unwrap_or_default();
            let after =
                bytes.get(end..).unwrap_or_default().iter().find(|&&byte| !is_space(byte) || byte == b'\n');
            let shares_line = matches!(after, Some(b'{' | b'['));
            if shares_line || memchr::memchr(b'\n', value).is_some() || (!array && is_envelope(value)) {
                return documents;
            }
            if array { None } else { Some(Told::Form(Form::Lines)) }
        }
        Err(ScanStop::Malformed(_)) => None,
        Err(ScanStop::Incomplete) if ended || bytes.len() - start >= LINE_BYTES_MAX => None,
        Err(ScanStop::Incomplete) => Some(Told::NeedsMore),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let lines = Told::Form(Form::Lines);
        let documents = Told::Form(Form::Documents);
        let cases: &[(&str, bool, Told)] = &[
            ("", true, lines),
            (" \n", false, Told::NeedsMore),
            ("{\"eventName\":\"A\"}\n{\"b", false, lines),
            ("{\"eventName\":\"A\"}{\"eventName\":\"B\"}\n", true, documents),
            ("{\"eventName\":\n\"A\"}", true, documents),
            ("{\"Records\" : [ {\"a\"", false, documents),
            ("{\"Records\":[]}", true, documents),
            ("{\"Rec", false, Told::NeedsMore),
            ("{\"detail-type\":\"x\",\"detail\":{}}\n", true, documents),
            ("{\"timestamp\":1,\"message\":\"{\\\"a\\\":1}\"}\n", true, lines),
            ("{\"timestamp\":1,\"message\":\"{\\\"eventName\\\":1}\"}\n", true, documents),
            ("[{\"a\":1}]", true, documents),
            ("[1,2]\n{\"a\":1}\n", true, lines),
            ("[]\n{\"a\":1}\n", true, lines),
            ("not json\n{\"detail-type\":\"x\",\"detail\":{}}\n", true, documents),
            ("{\"a\":\"cut\n{\"eventName\":\"A\"}\n", false, lines),
            ("{\"a\":", true, lines),
            ("plain text", true, lines),
        ];
        for (text, ended, expected) in cases {
            assert_eq!(tell_form(text.as_bytes(), *ended), *expected, "{text:?}");
        }
    }
}
