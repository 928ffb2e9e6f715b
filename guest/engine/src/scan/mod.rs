//! One pass over the bytes of an event: checks that they are JSON and notes where the wanted values stand.
//!
//! There is no tree of the event and no recursion: a stack of open containers, a position in the trie of wanted
//! paths, and a list of spans. All buffers are reused from event to event. What is usual is read fast ([`walk`], over gaps
//! that were [`learned`]), what is not is read again ([`tokens`]); both give the same.

mod date;
mod elements;
mod gap;
mod json;
mod lanes;
mod learned;
mod leaves;
mod lines;
mod marks;
mod places;
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))))]
pub(crate) mod scalar;
mod spans;
mod time;
mod tokens;
mod trie;
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) mod vector;
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
pub(crate) use scalar as vector;
mod walk;

pub(crate) use elements::{element, elements};
pub use json::unescape;
pub(crate) use json::{compact, push_json_string};
pub(crate) use lanes::{WORD_BYTES, bits, each, first_zero, zeros};
pub(crate) use learned::Learned;
pub(crate) use leaves::leaves;
pub(crate) use lines::line_object_end;
pub(crate) use marks::MarkMemory;
pub(crate) use spans::{Kind, Linked, Span, Spans};
pub(crate) use time::{Moment, number_time, text_time};
pub(crate) use trie::{NO_NODE, NodeId, PathTrie, Root};

use crate::finding::Reason;
use crate::limits::EVENT_BYTES_MAX;
use core::ops::Range;
use json::{skip_space, unescaped};
use lines::first_line;
use marks::Marks;
use std::borrow::Cow;
use tokens::Frame;
use walk::{End, Steps};

/// Reads events one after the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scanner {
    stack: Vec<Frame>,
    spans: Spans,
    /// Number of the object in which a trie node was last met, and how many spans there were then.
    met: Vec<(u64, u32)>,
    objects: u64,
    duplicate_key: bool,
    reserved: Vec<String>,
    steps: Steps,
}

/// A batch of events that are read line by line.
#[derive(Debug)]
pub(crate) struct Batch<'b> {
    marks: Marks<'b>,
    at: usize,
}

impl<'b> Batch<'b> {
    /// Takes memory of a batch before, so that it need not be asked for again.
    pub(crate) fn new(events: &'b [u8], memory: MarkMemory) -> Batch<'b> {
        Batch { marks: Marks::new(events, memory), at: 0 }
    }

    /// Memory for the next batch.
    pub(crate) fn into_memory(self) -> MarkMemory {
        self.marks.into_memory()
    }
}

/// A line of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    /// Without its line feed.
    pub(crate) bytes: &'b [u8],
    /// Its line feed, or nothing.
    pub(crate) feed: &'b [u8],
    /// Its event, or why it is none.
    pub(crate) text: Result<&'b str, Reason>,
}

impl Scanner {
    /// Reads the next line of a batch; none behind the last. If the line is an event, [`Scanner::spans`] holds its wanted
    /// values afterwards.
    #[inline]
    pub(crate) fn next_line<'b>(
        &mut self,
        learned: &mut Learned,
        trie: &PathTrie,
        batch: &mut Batch<'b>,
    ) -> Option<Line<'b>> {
        let Batch { marks, at } = batch;
        if let Some(End { line, feed }) = self.walk(learned, trie, marks, *at)
            && line - *at <= EVENT_BYTES_MAX
            && let Some(text) = marks.text(*at..line)
        {
            let bytes = marks.bytes();
            let line = Line { bytes: bytes.get(*at..line)?, feed: bytes.get(line..feed)?, text: Ok(text) };
            *at = feed;
            return Some(line);
        }
        self.next_unusual(trie, batch)
    }

    /// As [`Scanner::next_line`], token by token.
    #[cold]
    #[inline(never)]
    fn next_unusual<'b>(&mut self, trie: &PathTrie, batch: &mut Batch<'b>) -> Option<Line<'b>> {
        let (bytes, feed) = first_line(batch.marks.bytes().get(batch.at..)?)?;
        batch.at += bytes.len() + feed.len();
        let text = Scanner::text(bytes).and_then(|text| self.scan(trie, text).map(|()| text));
        Some(Line { bytes, feed, text })
    }

    /// The text of a line that is worth scanning: not too large, UTF-8, not blank; without a byte order mark.
    fn text(line: &[u8]) -> Result<&str, Reason> {
        if line.len() > EVENT_BYTES_MAX {
            return Err(Reason::TooLarge);
        }
        let text = core::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if skip_space(text.as_bytes(), 0) == text.len() { Err(Reason::Empty) } else { Ok(text) }
    }

    /// Scans one event token by token.
    pub(crate) fn scan(&mut self, trie: &PathTrie, text: &str) -> Result<(), Reason> {
        self.scan_value(trie, text, 0..text.len())?;
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
        self.begin(trie);
        let bytes = text.as_bytes().get(..value.end).ok_or(Reason::Malformed)?;
        let end = self.read_tokens(trie, bytes, value.start, trie.root())?;
        if end != bytes.len() {
            return Err(Reason::Malformed);
        }
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
        self.stack.clear();
        self.spans.clear(trie.len());
        self.met.resize(trie.len(), (0, 0));
        self.duplicate_key = false;
        self.reserved.clear();
    }

    /// The place in the trie of a member of the innermost object. `raw` is what stands between the key's quotes.
    fn key(&mut self, trie: &PathTrie, raw: &[u8], is_escaped: bool) -> NodeId {
        let Some(&Frame { node, .. }) = self.stack.last() else { return NO_NODE };
        let key = if is_escaped { Cow::Owned(unescaped(raw).into_bytes()) } else { Cow::Borrowed(raw) };
        let is_top = self.stack.len() == 1;
        if is_top && is_reserved(&key) {
            self.reserve(raw, is_escaped);
        }
        trie.member(node, is_top, &key)
    }

    /// Notes a top-level key that ours must not meet.
    #[cold]
    fn reserve(&mut self, raw: &[u8], is_escaped: bool) {
        let key = if is_escaped { unescaped(raw) } else { String::from_utf8_lossy(raw).into_owned() };
        self.reserved.push(key);
    }

    /// A wanted key stands in an object.
    #[inline(always)]
    fn meet(&mut self, trie: &PathTrie, node: NodeId, object: u64) {
        let spans = self.spans.len();
        let Some(met) = self.met.get_mut(node as usize) else { return };
        let (before, first) = core::mem::replace(met, (object, spans));
        if before == object {
            self.meet_again(trie, node, first);
        }
    }

    /// The last member wins, as in every common JSON reader.
    #[cold]
    #[inline(never)]
    fn meet_again(&mut self, trie: &PathTrie, node: NodeId, first: u32) {
        self.duplicate_key = true;
        self.spans.forget(first, |other| trie.is_within(other, node));
    }
}

/// Whether a key begins as those do that tags are spliced in under.
fn is_reserved(key: &[u8]) -> bool {
    key.starts_with(b"tripwasm")
}

#[cfg(test)]
mod tests;
