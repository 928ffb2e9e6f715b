//! One gap between two values, token by token: what is learned of it.

use super::is_reserved;
use super::json::{after_literal, is_number_start, unescaped};
use super::learned::{Effect, Gap, GapId, Learned, Then};
use super::marks::Marks;
use super::places::{OUTSIDE, PlaceId, Spot};
use super::spans::Kind;
use super::trie::{NO_NODE, NodeId, PathTrie};
use crate::limits::{LEARNED_DEPTH_MAX, LEARNED_GAP_BYTES_MAX};
use std::borrow::Cow;

/// The key whose value says what kind of event it is: what else it holds depends on it.
const SUBJECT: &[u8] = b"eventName";

/// Reads the gap at `at`, which begins at the spot `from`, and learns it. Nothing if it is wrong, deep, long, or no more may be learned.
#[cold]
#[inline(never)]
pub(super) fn learn(
    learned: &mut Learned,
    trie: &PathTrie,
    from: Spot,
    marks: &mut Marks<'_>,
    at: usize,
) -> Option<GapId> {
    if !learned.allows_another() {
        return None;
    }
    let bytes = marks.bytes();
    let mut reader = Reader {
        learned,
        trie,
        marks,
        bytes,
        start: at,
        at,
        place: from.place(),
        effects: Vec::new(),
        value: Value::default(),
    };
    let then = reader.read(from)?;
    let Reader { at: end, place, value, effects, .. } = reader;
    let mut gap = Gap::new(from, Spot::new(place, then == Then::Text), then);
    (gap.node, gap.is_member) = (value.node, value.is_member);
    gap.is_subject = value.is_subject && then == Then::Text;
    let text = bytes.get(at..end).filter(|text| text.len() <= LEARNED_GAP_BYTES_MAX)?;
    learned.keep(gap, text, &effects)
}

struct Reader<'r, 'b> {
    learned: &'r mut Learned,
    trie: &'r PathTrie,
    marks: &'r mut Marks<'b>,
    bytes: &'b [u8],
    start: usize,
    at: usize,
    place: PlaceId,
    effects: Vec<Effect>,
    value: Value,
}

/// The value that comes next.
#[derive(Clone, Copy)]
struct Value {
    node: NodeId,
    /// Whether it is that of a wanted key.
    is_member: bool,
    is_subject: bool,
}

impl Default for Value {
    fn default() -> Value {
        Value { node: NO_NODE, is_member: false, is_subject: false }
    }
}

/// What the grammar allows next.
enum Next {
    Value,
    /// The first member or element of a container, or its end.
    FirstOrEnd,
    CommaOrEnd,
}

impl Reader<'_, '_> {
    fn read(&mut self, from: Spot) -> Option<Then> {
        let mut next = if from == Spot::BEGIN {
            self.value = Value { node: self.trie.root(), is_member: false, is_subject: false };
            Next::Value
        } else {
            // The quote that ends a text.
            self.at += usize::from(from.is_text());
            Next::CommaOrEnd
        };
        loop {
            self.skip_space();
            if self.at - self.start > LEARNED_GAP_BYTES_MAX {
                return None;
            }
            next = match next {
                Next::CommaOrEnd if self.place == OUTSIDE => return self.end(),
                Next::CommaOrEnd => match self.bytes.get(self.at)? {
                    b',' => {
                        self.at += 1;
                        self.skip_space();
                        self.member_or_element()?
                    }
                    b'}' | b']' => self.close()?,
                    _ => return None,
                },
                Next::FirstOrEnd => match self.bytes.get(self.at)? {
                    b'}' | b']' => self.close()?,
                    _ => self.member_or_element()?,
                },
                Next::Value => match self.bytes.get(self.at)? {
                    b'"' => {
                        self.at += 1;
                        return Some(Then::Text);
                    }
                    byte if is_number_start(*byte) => return Some(Then::Number),
                    b'{' => self.open(true)?,
                    b'[' => self.open(false)?,
                    _ => self.word()?,
                },
            };
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Behind the event.
    fn end(&mut self) -> Option<Then> {
        self.value = Value::default();
        match self.bytes.get(self.at) {
            Some(b'\n') => {
                self.at += 1;
                Some(Then::Line)
            }
            Some(_) => None,
            None => Some(Then::Nothing),
        }
    }

    /// A byte of the gap, from its first.
    fn offset(&self, at: usize) -> u32 {
        (at - self.start) as u32
    }

    fn open(&mut self, is_object: bool) -> Option<Next> {
        let Value { node, is_member, .. } = self.value;
        if self.learned.places.get(self.place)?.depth >= LEARNED_DEPTH_MAX
            || (self.place == OUTSIDE && !is_object)
        {
            return None;
        }
        // The event itself is no value of its own.
        if node != NO_NODE && self.place != OUTSIDE {
            let start = self.offset(self.at);
            self.effects.push(Effect::Open { node, is_object, is_member, start });
        }
        self.place = self.learned.places.inner(self.place, is_object, node)?;
        self.at += 1;
        Some(Next::FirstOrEnd)
    }

    fn close(&mut self) -> Option<Next> {
        let place = self.learned.places.get(self.place)?;
        let byte = if place.is_object { b'}' } else { b']' };
        if self.bytes.get(self.at) != Some(&byte) {
            return None;
        }
        self.at += 1;
        if place.node != NO_NODE {
            let end = self.offset(self.at);
            self.effects.push(Effect::Close { end });
        }
        self.place = place.outer;
        Some(Next::CommaOrEnd)
    }

    fn member_or_element(&mut self) -> Option<Next> {
        let place = self.learned.places.get(self.place)?;
        if !place.is_object {
            self.value = Value { node: place.node, is_member: false, is_subject: false };
            return Some(Next::Value);
        }
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let (end, kind) = self.marks.string_end(start)?;
        let raw = self.bytes.get(start..end)?;
        let is_escaped = kind == Kind::EscapedText;
        let key = if is_escaped { Cow::Owned(unescaped(raw).into_bytes()) } else { Cow::Borrowed(raw) };
        let is_top = place.depth == 1;
        if is_top && is_reserved(&key) {
            let (start, end) = (self.offset(start), self.offset(end));
            self.effects.push(Effect::Reserved { start, end, is_escaped });
        }
        let node = self.trie.member(place.node, is_top, &key);
        let is_subject = raw == SUBJECT;
        self.value = Value { node, is_member: node != NO_NODE, is_subject };
        self.at = end + 1;
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return None;
        }
        self.at += 1;
        Some(Next::Value)
    }

    /// `true`, `false` or `null`.
    fn word(&mut self) -> Option<Next> {
        let (word, kind): (&[u8], Kind) = match self.bytes.get(self.at)? {
            b't' => (b"true", Kind::True),
            b'f' => (b"false", Kind::False),
            _ => (b"null", Kind::Null),
        };
        let end = after_literal(self.bytes, self.at, word).ok()?;
        let Value { node, is_member, .. } = self.value;
        if node != NO_NODE {
            let (start, end) = (self.offset(self.at), self.offset(end));
            self.effects.push(Effect::Word { node, kind, is_member, start, end });
        }
        self.at = end;
        Some(Next::CommaOrEnd)
    }
}
