//! Values that the first pass over an event does not note: they cost nothing until a rule asks for them.

use crate::scan::{Kind, NodeId, PathTrie, Scanner, Span, Spans, element, leaves};

/// How to find a field's values.
#[derive(Debug, Clone)]
pub(super) enum Sought {
    /// Every scalar of the event but nulls.
    Leaves,
    /// Elements of arrays: from hop to hop, then to a place of the last hop's trie.
    Indexed { hops: Vec<Hop>, end: NodeId },
}

/// An element of an array.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    /// Place of the array, in the trie before.
    pub(super) array: NodeId,
    /// Which element, from the end if negative.
    pub(super) index: i64,
    /// What is wanted inside the element.
    pub(super) trie: PathTrie,
}

/// The values of a sought field in one event.
#[derive(Debug, Default, Clone)]
pub(super) struct Found {
    /// Number of the event in which they were looked for.
    pub(super) event: u64,
    pub(super) spans: Vec<Span>,
}

impl Sought {
    /// Looks for the values. `spans` are those of the first pass, `scanner` is for passes over elements.
    pub(super) fn find(&self, line: &str, spans: &Spans, scanner: &mut Scanner, out: &mut Vec<Span>) {
        out.clear();
        match self {
            Sought::Leaves => leaves(line, out),
            Sought::Indexed { hops, end } => find_indexed(hops, *end, line, spans, scanner, out),
        }
    }
}

fn find_indexed(
    hops: &[Hop],
    end: NodeId,
    line: &str,
    spans: &Spans,
    scanner: &mut Scanner,
    out: &mut Vec<Span>,
) {
    let Some(first) = hops.first() else { return };
    let element_of = |array: &Span, hop: &Hop| {
        let is_array = array.kind == Kind::Array && !array.is_element;
        is_array.then(|| element(line, array.json(), hop.index)).flatten()
    };
    let mut elements: Vec<_> = spans.of(first.array).filter_map(|array| element_of(array, first)).collect();
    let nexts = hops.iter().skip(1).map(Some).chain([None]);
    for (hop, next) in hops.iter().zip(nexts) {
        for element in core::mem::take(&mut elements) {
            if scanner.scan_value(&hop.trie, line, element).is_err() {
                continue;
            }
            match next {
                Some(next) => {
                    let arrays = scanner.spans().of(next.array);
                    elements.extend(arrays.filter_map(|array| element_of(array, next)));
                }
                None => out.extend(scanner.spans().of(end)),
            }
        }
    }
}

/// Name and index of a part of a path such as `name[2]` or `name[-1]`.
pub(super) fn index_of(part: &str) -> Option<(&str, i64)> {
    let (name, index) = part.strip_suffix(']')?.rsplit_once('[')?;
    let index = index.parse().ok()?;
    (!name.is_empty()).then_some((name, index))
}
