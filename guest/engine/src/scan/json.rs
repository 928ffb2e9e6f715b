//! Tokens of JSON (RFC 8259). Lone surrogate escapes are let through, since senders write them; they read as U+FFFD.

use crate::finding::Reason;

#[inline(never)]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the string that begins at `start`, behind its closing quote, and whether it holds escapes.
pub(super) fn after_string(bytes: &[u8], start: usize) -> Result<(usize, bool), Reason> {
    let mut at = start + 1;
    let mut escaped = false;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = after_escape(bytes, at)?;
            }
            Some(0x20..) => at += 1,
            _ => return Err(Reason::Malformed),
        }
    }
}

fn after_escape(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    match bytes.get(at + 1) {
        _ if !is_escape(bytes, at + 1) => Err(Reason::Malformed),
        Some(b'u') => Ok(at + 6),
        _ => Ok(at + 2),
    }
}

/// Whether what stands at `at`, behind a backslash, is an escape of JSON's.
pub(super) fn is_escape(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => true,
        Some(b'u') => {
            bytes.get(at + 1..at + 5).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        }
        _ => false,
    }
}

pub(super) fn after_literal(bytes: &[u8], start: usize, literal: &[u8]) -> Result<usize, Reason> {
    let end = start + literal.len();
    if bytes.get(start..end) == Some(literal) { Ok(end) } else { Err(Reason::Malformed) }
}

pub(super) fn after_number(bytes: &[u8], start: usize) -> Result<usize, Reason> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => after_digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = after_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = after_digits(bytes, at)?;
    }
    Ok(at)
}

/// Behind at least one digit.
fn after_digits(bytes: &[u8], start: usize) -> Result<usize, Reason> {
    let mut at = start;
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    if at == start { Err(Reason::Malformed) } else { Ok(at) }
}

/// Whether a number can begin with this byte.
pub(super) fn is_number_start(byte: u8) -> bool {
    matches!(byte, b'-' | b'0'..=b'9')
}

/// The text that a string's inside stands for; nothing if it is not UTF-8.
pub(super) fn unescaped(raw: &[u8]) -> String {
    let mut text = String::new();
    unescape(core::str::from_utf8(raw).unwrap_or_default(), &mut text);
    text
}

/// Appends the text that a string's inside stands for. The inside is valid JSON.
pub fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('u') => {
                rest = unescape_unicode(chars.as_str(), out);
                continue;
            }
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Reads the digits of `\u`, and a second escape if the two are a surrogate pair.
fn unescape_unicode<'t>(text: &'t str, out: &mut String) -> &'t str {
    let (unit, rest) = hex_unit(text);
    if let 0xd800..0xdc00 = unit
        && let Some(second) = rest.strip_prefix("\\u")
        && let (low @ 0xdc00..0xe000, rest) = hex_unit(second)
    {
        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return rest;
    }
    out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

fn hex_unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(0xfffd), rest)
}

/// Compact JSON text of a container: no space between tokens, only the escapes that JSON demands.
pub(crate) fn compact(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'"' => after_string(bytes, at).map_or(bytes.len(), |(end, _)| end),
            _ => at + 1,
        };
        match byte {
            b'"' => write_string(raw.get(at + 1..end - 1).unwrap_or_default(), &mut out),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => out.push(char::from(byte)),
        }
        at = end;
    }
    out
}

fn write_string(inside: &str, out: &mut String) {
    let mut text = String::new();
    unescape(inside, &mut text);
    push_json_string(&text, out);
}

/// Appends a text as a JSON string with the escapes that JSON demands.
pub(crate) fn push_json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                out.push_str("\\u00");
                for nibble in [u32::from(c) >> 4, u32::from(c) & 15] {
                    out.push(char::from_digit(nibble, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
