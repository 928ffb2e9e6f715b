//! Events token by token: exact about everything, and the one who says what is wrong with a line.

use super::Scanner;
use super::json::{after_literal, after_number, after_string, skip_space};
use super::spans::{Kind, Span};
use super::trie::{NO_NODE, NodeId, PathTrie, Root};
use crate::finding::Reason;
use crate::limits::NESTING_DEPTH_MAX;

/// An open object or array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) node: NodeId,
    /// Number of the object, 0 for an array.
    pub(super) object: u64,
    /// The span to complete when the container closes.
    pub(super) span: Option<u32>,
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

/// The value that is read.
struct Value<'e> {
    trie: &'e PathTrie,
    /// Up to its end.
    bytes: &'e [u8],
    /// How many containers were open before it.
    depth: usize,
}

impl Scanner {
    /// Reads the value that stands from `at` to the end, as that of a place in the trie.
    pub(super) fn tokens(
        &mut self,
        trie: &PathTrie,
        bytes: &[u8],
        at: usize,
        mut node: NodeId,
    ) -> Result<(), Reason> {
        let value = Value { trie, bytes, depth: self.stack.len() };
        let mut at = skip_space(bytes, at);
        let mut next = Next::Value;
        loop {
            let flow = match next {
                Next::Value | Next::ValueOrEnd => self.value(&value, &mut at, node, next)?,
                Next::Key | Next::KeyOrEnd => self.member(&value, &mut at, &mut node, next)?,
                Next::CommaOrEnd => self.comma_or_end(&value, &mut at)?,
            };
            match flow {
                Flow::Done => return Ok(()),
                Flow::Go(then) => next = then,
            }
            if let (Next::Value | Next::ValueOrEnd, Some(top)) = (next, self.stack.last())
                && top.object == 0
            {
                node = top.node;
            }
            at = skip_space(bytes, at);
        }
    }

    fn value(
        &mut self,
        value: &Value<'_>,
        at: &mut usize,
        node: NodeId,
        next: Next,
    ) -> Result<Flow, Reason> {
        let (bytes, start) = (value.bytes, *at);
        let (kind, end) = match bytes.get(start) {
            Some(b'{') => return self.open(value, at, node, Kind::Object),
            Some(b'[') => return self.open(value, at, node, Kind::Array),
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

    fn open(
        &mut self,
        value: &Value<'_>,
        at: &mut usize,
        node: NodeId,
        kind: Kind,
    ) -> Result<Flow, Reason> {
        if self.stack.len() >= NESTING_DEPTH_MAX {
            return Err(Reason::TooDeep);
        }
        let is_event = self.stack.is_empty() && value.trie.begins_at() == Root::Event;
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

    fn comma_or_end(&mut self, value: &Value<'_>, at: &mut usize) -> Result<Flow, Reason> {
        let top = self.stack.get(value.depth..).and_then(<[Frame]>::last);
        let Some(top) = top else {
            return if *at == value.bytes.len() { Ok(Flow::Done) } else { Err(Reason::Malformed) };
        };
        let in_object = top.object != 0;
        let byte = value.bytes.get(*at).copied();
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
        value: &Value<'_>,
        at: &mut usize,
        node: &mut NodeId,
        next: Next,
    ) -> Result<Flow, Reason> {
        let bytes = value.bytes;
        match bytes.get(*at) {
            Some(b'}') if next == Next::KeyOrEnd => {
                *at += 1;
                return self.close(*at);
            }
            Some(b'"') => {}
            _ => return Err(Reason::Malformed),
        }
        let (end, escaped) = after_string(bytes, *at)?;
        let raw = bytes.get(*at + 1..end - 1).ok_or(Reason::Malformed)?;
        *at = skip_space(bytes, end);
        if bytes.get(*at) != Some(&b':') {
            return Err(Reason::Malformed);
        }
        *at += 1;
        *node = self.key(value.trie, raw, escaped);
        Ok(Flow::Go(Next::Value))
    }
}
