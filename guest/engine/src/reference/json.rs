//! JSON text to a tree: RFC 8259, except that a lone surrogate escape stands for U+FFFD.

use crate::limits::NESTING_DEPTH_MAX;
use core::fmt::Write as _;
use std::borrow::Cow;

/// A JSON value. Nested at most [`NESTING_DEPTH_MAX`] deep, which bounds every recursion over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as its text.
    Number(String),
    /// A string, decoded.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object's members in order, those of the same key included.
    Object(Vec<(String, Json)>),
}

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no JSON.
    Malformed,
    /// A container is nested too deep, and all before it is JSON.
    TooDeep,
}

impl Json {
    /// The member of an object; of several with this key the last.
    pub(super) fn member(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether it is an array or an object.
    pub(super) fn is_container(&self) -> bool {
        matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// The text that text tests see: a container as compact JSON; null has none.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Json::Null => None,
            Json::Bool(true) => Some("true".into()),
            Json::Bool(false) => Some("false".into()),
            Json::Number(text) | Json::Text(text) => Some(text.into()),
            Json::Array(_) | Json::Object(_) => {
                let mut compact = String::new();
                self.write(&mut compact);
                Some(compact.into())
            }
        }
    }

    /// The text of a scalar; null and containers have none.
    pub(super) fn scalar_text(&self) -> Option<Cow<'_, str>> {
        if self.is_container() { None } else { self.text() }
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::Text(text) => write_string(text, out),
            Json::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Writes a string with no escape but the mandatory ones, the short form where there is one.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => _ = write!(out, "\\u{:04x}", u32::from(character)),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// A container whose end has not come yet.
enum Open {
    Array(Vec<Json>),
    /// With the key of the member that is being read.
    Object(Vec<(String, Json)>, String),
}

/// Reads one JSON text, white space around it allowed.
pub(super) fn parse(text: &str) -> Result<Json, Fault> {
    let mut reader = Reader { text, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    loop {
        reader.skip_space();
        let begins_container = matches!(reader.peek(), Some(b'{' | b'['));
        if begins_container && open.len() == NESTING_DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let mut value = if reader.eat(b'{') {
            reader.skip_space();
            if !reader.eat(b'}') {
                open.push(Open::Object(Vec::new(), reader.key()?));
                continue;
            }
            Json::Object(Vec::new())
        } else if reader.eat(b'[') {
            reader.skip_space();
            if !reader.eat(b']') {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            Json::Array(Vec::new())
        } else {
            reader.scalar()?
        };
        loop {
            reader.skip_space();
            match open.pop() {
                None if reader.peek().is_none() => return Ok(value),
                None => return Err(Fault::Malformed),
                Some(container) => match reader.after_value(container, value)? {
                    After::Closed(closed) => value = closed,
                    After::Open(container) => {
                        open.push(container);
                        break;
                    }
                },
            }
        }
    }
}

/// What a container is once a value has been put in.
enum After {
    Closed(Json),
    Open(Open),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn require(&mut self, byte: u8) -> Result<(), Fault> {
        if self.eat(byte) { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn key(&mut self) -> Result<String, Fault> {
        self.skip_space();
        let key = self.string()?;
        self.skip_space();
        self.require(b':')?;
        Ok(key)
    }

    fn after_value(&mut self, container: Open, value: Json) -> Result<After, Fault> {
        match container {
            Open::Array(mut items) => {
                items.push(value);
                if self.eat(b',') {
                    return Ok(After::Open(Open::Array(items)));
                }
                self.require(b']')?;
                Ok(After::Closed(Json::Array(items)))
            }
            Open::Object(mut members, key) => {
                members.push((key, value));
                if self.eat(b',') {
                    return Ok(After::Open(Open::Object(members, self.key()?)));
                }
                self.require(b'}')?;
                Ok(After::Closed(Json::Object(members)))
            }
        }
    }

    fn scalar(&mut self) -> Result<Json, Fault> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.string().map(Json::Text),
            _ => self.number().map(Json::Number),
        }
    }

    fn number(&mut self) -> Result<String, Fault> {
        let begin = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        self.text.get(begin..self.at).map(str::to_owned).ok_or(Fault::Malformed)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > begin { Ok(()) } else { Err(Fault::Malformed) }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.require(b'"')?;
        let mut decoded = String::new();
        loop {
            let character = self.rest().chars().next().ok_or(Fault::Malformed)?;
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(decoded),
                '\\' => decoded.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(Fault::Malformed),
                _ => decoded.push(character),
            }
        }
    }

    /// The character that an escape stands for; its backslash has been read.
    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.peek().ok_or(Fault::Malformed)?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.code_unit()?;
                self.code_point(unit)
            }
            _ => return Err(Fault::Malformed),
        })
    }

    fn code_unit(&mut self) -> Result<u32, Fault> {
        let digits = self.rest().get(..4).ok_or(Fault::Malformed)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Fault::Malformed);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Fault::Malformed)
    }

    /// The character of a code unit, together with the low surrogate that may follow it.
    fn code_point(&mut self, unit: u32) -> char {
        if let Some(character) = char::from_u32(unit) {
            return character;
        }
        let behind = self.at;
        if (0xd800..0xdc00).contains(&unit)
            && self.eat(b'\\')
            && self.eat(b'u')
            && let Ok(low @ 0xdc00..0xe000) = self.code_unit()
        {
            let point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        self.at = behind;
        char::REPLACEMENT_CHARACTER
    }
}

#[cfg(test)]
mod tests;
