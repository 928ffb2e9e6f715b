//! Where the wanted values of one event stand.

use super::trie::{NO_NODE, NodeId};

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
    pub(crate) start: u32,
    pub(crate) end: u32,
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
    pub(crate) fn of(&self, node: NodeId) -> impl Iterator<Item = (u32, &Span)> {
        let mut at = self.heads.get(node as usize).copied().unwrap_or(END);
        core::iter::from_fn(move || {
            let span = self.all.get(at as usize)?;
            Some((core::mem::replace(&mut at, span.next), span))
        })
    }

    /// Whether the path is there at all, be it null.
    pub(crate) fn is_present(&self, node: NodeId) -> bool {
        self.heads.get(node as usize).is_some_and(|&head| head != END)
    }

    /// The value with this number.
    pub(crate) fn get(&self, index: u32) -> Option<&Span> {
        self.all.get(index as usize)
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

    pub(super) fn push(&mut self, node: NodeId, kind: Kind, start: usize, end: usize) -> u32 {
        self.all.push(Span { node, next: END, kind, start: start as u32, end: end as u32 });
        self.len() - 1
    }

    pub(super) fn complete(&mut self, span: u32, end: usize) {
        if let Some(span) = self.all.get_mut(span as usize) {
            span.end = end as u32;
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
