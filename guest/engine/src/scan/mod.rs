//! One pass over the bytes of an event: checks that they are JSON and notes where the wanted values stand.
//!
//! There is no tree of the event and no recursion: a stack of open containers, a position in the trie of wanted
//! paths, and a list of spans. All buffers are reused from event to event. What is usual is read in blocks ([`sweep`]),
//! what is not token by token ([`tokens`]); both give the same.

mod block;
mod date;
mod elements;
mod grammar;
mod json;
mod leaves;
mod lines;
mod spans;
mod sweep;
mod time;
mod tokens;
mod trie;

pub(crate) use elements::{element, elements};
pub(crate) use json::{compact, push_json_string, unescape};
pub(crate) use leaves::leaves;
pub(crate) use lines::{Lines, line_object_end};
pub(crate) use spans::{Kind, Span, Spans};
pub(crate) use time::{Moment, number_time, text_time};
pub(crate) use trie::{NO_NODE, NodeId, PathTrie, Root};

use crate::finding::Reason;
use crate::limits::EVENT_BYTES_MAX;
use core::ops::Range;
use json::skip_space;
use tokens::Frame;
use trie::Stamp;

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
    key: String,
}

impl Scanner {
    /// Reads one event and gives its text. Afterwards [`Scanner::spans`] holds its wanted values.
    pub(crate) fn read<'l>(&mut self, trie: &PathTrie, line: &'l [u8]) -> Result<&'l str, Reason> {
        if block::HAS_VECTORS && line.len() <= EVENT_BYTES_MAX {
            // An event that another program wrote with spaces is still written regularly.
            let swept = self.sweep::<false>(trie, line).or_else(|| self.sweep::<true>(trie, line));
            if let Some(text) = swept {
                return Ok(text);
            }
        }
        let text = Scanner::text(line)?;
        self.scan(trie, text)?;
        Ok(text)
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
        self.tokens(trie, bytes, value.start, trie.root())?;
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
        self.stack.clear();
        self.spans.clear(trie.len());
        self.met.resize(trie.len(), (0, 0));
        self.duplicate_key = false;
        self.reserved.clear();
    }

    /// The place in the trie of a member of the innermost object. `raw` is what stands between the key's quotes.
    fn key(&mut self, trie: &PathTrie, raw: &[u8], is_escaped: bool) -> NodeId {
        let Some(&Frame { node, object, .. }) = self.stack.last() else { return NO_NODE };
        if node == NO_NODE {
            return NO_NODE;
        }
        self.key.clear();
        if is_escaped {
            // The line is UTF-8, and its strings are cut at quotes.
            unescape(core::str::from_utf8(raw).unwrap_or_default(), &mut self.key);
        }
        let key = if is_escaped { self.key.as_bytes() } else { raw };
        let stamp = Stamp::of(key);
        let is_top = self.stack.len() == 1;
        if is_top && stamp.is_reserved() {
            self.reserved.push(String::from_utf8_lossy(key).into_owned());
        }
        // A whole path as a key counts at the top alone, not in elements of an array at the top.
        if node == trie.root() && !is_top && key.contains(&b'.') {
            return NO_NODE;
        }
        let child = trie.object(node).child(key, stamp);
        if child != NO_NODE {
            self.meet(trie, child, object);
        }
        child
    }

    /// A wanted key stands in an object.
    #[inline(always)]
    fn meet(&mut self, trie: &PathTrie, node: NodeId, object: u64) {
        let Some(met) = self.met.get_mut(node as usize) else { return };
        if met.0 == object {
            self.duplicate_key = true;
            // The last member wins, as in every common JSON reader.
            self.spans.forget(met.1, |other| trie.is_within(other, node));
        }
        *met = (object, self.spans.len());
    }
}

#[cfg(test)]
mod tests;
