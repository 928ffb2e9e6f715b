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
    /// By place in the trie.
    chains: Vec<Chain>,
    /// Number of the event; chains of others count as empty.
    event: u64,
}

/// The values at one place of the trie.
#[derive(Debug, Default, Clone, Copy)]
struct Chain {
    event: u64,
    first: u32,
    last: u32,
}

impl Spans {
    /// The values at a place of the trie, none if the path is absent.
    #[inline]
    pub(crate) fn of(&self, node: NodeId) -> Linked<'_> {
        Linked { all: &self.all, next: self.chain(node).map_or(END, |chain| chain.first) }
    }

    /// Whether the path is there at all, be it null.
    #[inline]
    pub(crate) fn is_present(&self, node: NodeId) -> bool {
        self.chain(node).is_some()
    }

    #[inline]
    fn chain(&self, node: NodeId) -> Option<&Chain> {
        self.chains.get(node as usize).filter(|chain| chain.event == self.event)
    }

    pub(super) fn clear(&mut self, nodes: usize) {
        self.event += 1;
        self.all.clear();
        if self.chains.len() != nodes {
            self.chains.resize(nodes, Chain::default());
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.all.len() as u32
    }

    /// Adds a value, and gives its number.
    #[inline]
    pub(super) fn push(&mut self, node: NodeId, is_element: bool, span: Span) -> u32 {
        let number = self.len();
        self.all.push(Span { node, is_element, ..span });
        self.link(number, node);
        number
    }

    #[inline]
    fn link(&mut self, number: u32, node: NodeId) {
        let Some(chain) = self.chains.get_mut(node as usize) else { return };
        if chain.event != self.event {
            *chain = Chain { event: self.event, first: number, last: number };
            return;
        }
        if let Some(last) = self.all.get_mut(chain.last as usize) {
            last.next = number;
        }
        chain.last = number;
    }

    pub(super) fn complete(&mut self, span: u32, end: usize) {
        if let Some(span) = self.all.get_mut(span as usize) {
            span.end = end as u32;
        }
    }

    /// Takes back the values from the `first` on whose place fits. The others keep their numbers.
    #[cold]
    pub(super) fn forget(&mut self, first: u32, fits: impl Fn(NodeId) -> bool) {
        for span in self.all.iter_mut().skip(first as usize).filter(|span| fits(span.node)) {
            span.node = NO_NODE;
        }
        // All chains anew.
        self.event += 1;
        for number in 0..self.len() {
            let Some(span) = self.all.get_mut(number as usize) else { continue };
            span.next = END;
            let node = span.node;
            self.link(number, node);
        }
    }
}

/// See [`Spans::of`].
#[derive(Debug, Clone)]
pub(crate) struct Linked<'s> {
    all: &'s [Span],
    next: u32,
}

impl<'s> Iterator for Linked<'s> {
    type Item = &'s Span;

    #[inline]
    fn next(&mut self) -> Option<&'s Span> {
        let span = self.all.get(self.next as usize)?;
        self.next = span.next;
        Some(span)
    }
}
