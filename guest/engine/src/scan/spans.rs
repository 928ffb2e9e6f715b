//! Where the wanted values of one event stand.

use super::trie::{NO_NODE, NodeId};
use core::ops::Range;

/// JSON types, as far as their text differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string; its span is without the quotes.
    Text,
    /// A string with escapes.
    EscapedText,
    Object,
    Array,
}

/// A value of a wanted path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    node: NodeId,
    next: u32,
    pub(crate) kind: Kind,
    /// Whether it is an element of an array that stands at the same path.
    pub(crate) is_element: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// A value that no place of a trie holds.
    pub(super) fn apart(kind: Kind, start: usize, end: usize) -> Span {
        Span { node: NO_NODE, next: END, kind, is_element: false, start: start as u32, end: end as u32 }
    }

    /// Where its text stands; of a string what is between the quotes.
    pub(crate) fn inside(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where its JSON text stands.
    pub(crate) fn json(&self) -> Range<usize> {
        let quotes = usize::from(matches!(self.kind, Kind::Text | Kind::EscapedText));
        (self.start as usize).saturating_sub(quotes)..self.end as usize + quotes
    }
}

const END: u32 = u32::MAX;

/// The values of one event, chained by path in the order of the text. A container stands before its elements.
#[derive(Debug, Default, Clone)]
pub(crate) struct Spans {
    all: Vec<Span>,
    heads: Vec<u32>,
}

impl Spans {
    /// The values at a place of the trie, none if the path is absent.
    pub(crate) fn of(&self, node: NodeId) -> impl Iterator<Item = &Span> {
        let mut at = self.heads.get(node as usize).copied().unwrap_or(END);
        core::iter::from_fn(move || {
            let span = self.all.get(at as usize)?;
            at = span.next;
            Some(span)
        })
    }

    /// Whether the path is there at all, be it null.
    pub(crate) fn is_present(&self, node: NodeId) -> bool {
        self.heads.get(node as usize).is_some_and(|&head| head != END)
    }

    pub(super) fn clear(&mut self, nodes: usize) {
        for span in &self.all {
            if let Some(head) = self.heads.get_mut(span.node as usize) {
                *head = END;
            }
        }
        self.all.clear();
        self.heads.resize(nodes, END);
    }

    pub(super) fn len(&self) -> u32 {
        self.all.len() as u32
    }

    /// Adds a value, and gives its number.
    pub(super) fn push(&mut self, node: NodeId, is_element: bool, span: Span) -> u32 {
        self.all.push(Span { node, is_element, ..span });
        self.len() - 1
    }

    pub(super) fn complete(&mut self, span: u32, end: usize) {
        if let Some(span) = self.all.get_mut(span as usize) {
            span.end = end as u32;
        }
    }

    /// Ends a string; `is_escaped` says whether what is inside has escapes.
    #[inline(always)]
    pub(super) fn complete_text(
        &mut self,
        span: u32,
        end: usize,
        is_escaped: impl FnOnce(Range<usize>) -> bool,
    ) {
        if let Some(span) = self.all.get_mut(span as usize) {
            span.end = end as u32;
            if is_escaped(span.inside()) {
                span.kind = Kind::EscapedText;
            }
        }
    }

    /// Takes back the values from the `first` on whose place fits. The others keep their numbers.
    pub(super) fn forget(&mut self, first: u32, fits: impl Fn(NodeId) -> bool) {
        for span in self.all.iter_mut().skip(first as usize).filter(|span| fits(span.node)) {
            span.node = NO_NODE;
        }
    }

    pub(super) fn link(&mut self) {
        for at in (0..self.all.len()).rev() {
            if let Some(span) = self.all.get_mut(at)
                && let Some(head) = self.heads.get_mut(span.node as usize)
            {
                span.next = core::mem::replace(head, at as u32);
            }
        }
    }
}
