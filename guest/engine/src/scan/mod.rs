//! One pass over the bytes of an event: checks that it is JSON and notes where the wanted values stand.
//!
//! There is no tree of the event and no recursion: a stack of open containers, a position in the trie of wanted
//! paths, and a list of spans. All buffers are reused from event to event.

mod date;
mod elements;
mod json;
mod leaves;
mod lines;
mod spans;
mod time;
mod trie;

pub(crate) use elements::{element, elements};
pub(crate) use json::{compact, push_json_string, unescape};
pub(crate) use leaves::leaves;
pub(crate) use lines::{Lines, line_object_end};
pub(crate) use spans::{Kind, Span, Spans};
pub(crate) use time::{Moment, number_time, text_time};
pub(crate) use trie::{NO_NODE, NodeId, PathTrie, Root};

use crate::finding::Reason;
use crate::limits::{EVENT_BYTES_MAX, NESTING_DEPTH_MAX};
use core::ops::Range;
use json::{after_literal, after_number, after_string, skip_space};

/// Reads events one after the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scanner {
    begins_at: Root,
    stack: Vec<Frame>,
    spans: Spans,
    /// Number of the object in which a trie node was last met, and how many spans there were then.
    met: Vec<(u64, u32)>,
    objects: u64,
    duplicate_key: bool,
    reserved: Vec<String>,
    key: String,
}

/// An open object or array.
#[derive(Debug, Clone, Copy)]
struct Frame {
    node: NodeId,
    /// Number of the object, 0 for an array.
    object: u64,
    /// The span to complete when the container closes.
    span: Option<u32>,
}

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Whether to go on with the next token.
enum Flow {
    Go(Next),
    Done,
}

impl Scanner {
    /// The text of a line that is worth scanning: not too large, UTF-8, not blank; without a byte order mark.
    pub(crate) fn text(line: &[u8]) -> Result<&str, Reason> {
        if line.len() > EVENT_BYTES_MAX {
            return Err(Reason::TooLarge);
        }
        let text = core::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if skip_space(text.as_bytes(), 0) == text.len() { Err(Reason::Empty) } else { Ok(text) }
    }

    /// Scans one event. Afterwards [`Scanner::spans`] holds its wanted values.
    pub(crate) fn scan(&mut self, trie: &PathTrie, text: &str) -> Result<(), Reason> {
        self.scan_from(trie, text, 0)?;
        let is_object = text.as_bytes().get(skip_space(text.as_bytes(), 0)) == Some(&b'{');
        if is_object { Ok(()) } else { Err(Reason::NotAnObject) }
    }

    /// Scans one value in the text of an event. Spans are places in that text.
    pub(crate) fn scan_value(
        &mut self,
        trie: &PathTrie,
        text: &str,
        value: Range<usize>,
    ) -> Result<(), Reason> {
        self.scan_from(trie, text.get(..value.end).ok_or(Reason::Malformed)?, value.start)
    }

    /// Scans the value that stands from `start` to the end.
    fn scan_from(&mut self, trie: &PathTrie, text: &str, start: usize) -> Result<(), Reason> {
        self.begin(trie);
        let bytes = text.as_bytes();
        let mut at = skip_space(bytes, start);
        let mut next = Next::Value;
        let mut node = trie.root();
        loop {
            let flow = match next {
                Next::Value | Next::ValueOrEnd => self.value(bytes, &mut at, node, next)?,
                Next::Key | Next::KeyOrEnd => self.member(trie, text, &mut at, &mut node, next)?,
                Next::CommaOrEnd => self.comma_or_end(bytes, &mut at)?,
            };
            match flow {
                Flow::Done => break,
                Flow::Go(then) => next = then,
            }
            if let (Next::Value | Next::ValueOrEnd, Some(top)) = (next, self.stack.last())
                && top.object == 0
            {
                node = top.node;
            }
            at = skip_space(bytes, at);
        }
        self.spans.link();
        Ok(())
    }

    /// The wanted values of the last event.
    pub(crate) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Whether a wanted key stood twice in one object of the last event.
    pub(crate) fn duplicate_key(&self) -> bool {
        self.duplicate_key
    }

    /// Top-level keys of the last event that begin with `tripwasm`.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        &self.reserved
    }

    fn begin(&mut self, trie: &PathTrie) {
        self.begins_at = trie.begins_at();
        self.stack.clear();
        self.spans.clear(trie.len());
        self.met.resize(trie.len(), (0, 0));
        self.duplicate_key = false;
        self.reserved.clear();
    }

    fn value(&mut self, bytes: &[u8], at: &mut usize, node: NodeId, next: Next) -> Result<Flow, Reason> {
        let start = *at;
        let (kind, end) = match bytes.get(start) {
            Some(b'{') => return self.open(at, node, Kind::Object),
            Some(b'[') => return self.open(at, node, Kind::Array),
            Some(b']') if next == Next::ValueOrEnd => {
                *at = start + 1;
                return self.close(*at);
            }
            Some(b'"') => {
                let (end, escaped) = after_string(bytes, start)?;
                (if escaped { Kind::EscapedText } else { Kind::Text }, end)
            }
            Some(b't') => (Kind::True, after_literal(bytes, start, b"true")?),
            Some(b'f') => (Kind::False, after_literal(bytes, start, b"false")?),
            Some(b'n') => (Kind::Null, after_literal(bytes, start, b"null")?),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, after_number(bytes, start)?),
            _ => return Err(Reason::Malformed),
        };
        if node != NO_NODE {
            let quotes = usize::from(matches!(kind, Kind::Text | Kind::EscapedText));
            let span = Span::apart(kind, start + quotes, end - quotes);
            self.spans.push(node, self.is_in_array(), span);
        }
        *at = end;
        Ok(Flow::Go(Next::CommaOrEnd))
    }

    fn open(&mut self, at: &mut usize, node: NodeId, kind: Kind) -> Result<Flow, Reason> {
        if self.stack.len() >= NESTING_DEPTH_MAX {
            return Err(Reason::TooDeep);
        }
        let is_event = self.stack.is_empty() && self.begins_at == Root::Event;
        let is_element = self.is_in_array();
        let span = (node != NO_NODE && !is_event)
            .then(|| self.spans.push(node, is_element, Span::apart(kind, *at, *at)));
        let is_object = kind == Kind::Object;
        if is_object {
            self.objects += 1;
        }
        let node = if is_event && !is_object { NO_NODE } else { node };
        self.stack.push(Frame { node, object: if is_object { self.objects } else { 0 }, span });
        *at += 1;
        Ok(Flow::Go(if is_object { Next::KeyOrEnd } else { Next::ValueOrEnd }))
    }

    fn is_in_array(&self) -> bool {
        self.stack.last().is_some_and(|top| top.object == 0)
    }

    fn close(&mut self, end: usize) -> Result<Flow, Reason> {
        let frame = self.stack.pop().ok_or(Reason::Malformed)?;
        if let Some(span) = frame.span {
            self.spans.complete(span, end);
        }
        Ok(Flow::Go(Next::CommaOrEnd))
    }

    fn comma_or_end(&mut self, bytes: &[u8], at: &mut usize) -> Result<Flow, Reason> {
        let Some(top) = self.stack.last() else {
            return if *at == bytes.len() { Ok(Flow::Done) } else { Err(Reason::Malformed) };
        };
        let in_object = top.object != 0;
        let byte = bytes.get(*at).copied();
        *at += 1;
        match byte {
            Some(b',') => Ok(Flow::Go(if in_object { Next::Key } else { Next::Value })),
            Some(b'}') if in_object => self.close(*at),
            Some(b']') if !in_object => self.close(*at),
            _ => Err(Reason::Malformed),
        }
    }

    /// Reads a key and its colon; `node` becomes the place of the member's value in the trie.
    fn member(
        &mut self,
        trie: &PathTrie,
        text: &str,
        at: &mut usize,
        node: &mut NodeId,
        next: Next,
    ) -> Result<Flow, Reason> {
        let bytes = text.as_bytes();
        match bytes.get(*at) {
            Some(b'}') if next == Next::KeyOrEnd => {
                *at += 1;
                return self.close(*at);
            }
            Some(b'"') => {}
            _ => return Err(Reason::Malformed),
        }
        let (end, escaped) = after_string(bytes, *at)?;
        let raw = text.get(*at + 1..end - 1).ok_or(Reason::Malformed)?;
        *at = skip_space(bytes, end);
        if bytes.get(*at) != Some(&b':') {
            return Err(Reason::Malformed);
        }
        *at += 1;
        *node = self.key(trie, raw, escaped);
        Ok(Flow::Go(Next::Value))
    }

    fn key(&mut self, trie: &PathTrie, raw: &str, escaped: bool) -> NodeId {
        let Some(top) = self.stack.last().copied() else { return NO_NODE };
        if top.node == NO_NODE {
            return NO_NODE;
        }
        let key = if escaped {
            self.key.clear();
            unescape(raw, &mut self.key);
            self.key.as_str()
        } else {
            raw
        };
        if self.stack.len() == 1 && key.starts_with("tripwasm") {
            self.reserved.push(key.to_owned());
        }
        // A whole path as a key counts at the top alone, not in elements of an array at the top.
        if top.node == trie.root() && self.stack.len() > 1 && key.contains('.') {
            return NO_NODE;
        }
        let child = trie.child(top.node, key);
        if let Some(met) = self.met.get_mut(child as usize) {
            if met.0 == top.object {
                self.duplicate_key = true;
                // The last member wins, as in every common JSON reader.
                self.spans.forget(met.1, |node| trie.is_within(node, child));
            }
            *met = (top.object, self.spans.len());
        }
        child
    }
}

#[cfg(test)]
mod tests;
