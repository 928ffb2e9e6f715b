//! Where in the nesting of an event something stands: stacks of open containers, each told by a number.

use super::trie::{NO_NODE, NodeId};

/// A stack of open containers, by its number among those met so far.
pub(super) type PlaceId = u32;

/// Around the event.
pub(super) const OUTSIDE: PlaceId = 0;

const NONE: PlaceId = PlaceId::MAX;

/// Where a gap begins: the open containers, and whether it is a text that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot(u32);

impl Spot {
    /// Before the event.
    pub(super) const BEGIN: Spot = Spot::new(OUTSIDE, false);
    /// Where nothing begins.
    pub(super) const NOWHERE: Spot = Spot(u32::MAX);

    pub(super) const fn new(place: PlaceId, is_text: bool) -> Spot {
        Spot((place << 1) | is_text as u32)
    }

    pub(super) fn place(self) -> PlaceId {
        self.0 >> 1
    }

    pub(super) fn is_text(self) -> bool {
        self.0 & 1 == 1
    }

    /// Another one for each spot.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// The innermost of some open containers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) outer: PlaceId,
    pub(super) is_object: bool,
    /// Its place in the trie of wanted paths.
    pub(super) node: NodeId,
    pub(super) depth: u32,
    /// The places inside it, as a chain.
    first_inner: PlaceId,
    next: PlaceId,
}

/// The places met so far.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<Place>);

impl Default for Places {
    fn default() -> Places {
        let (outer, first_inner, next) = (NONE, NONE, NONE);
        Places(vec![Place { outer, is_object: false, node: NO_NODE, depth: 0, first_inner, next }])
    }
}

impl Places {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, place: PlaceId) -> Option<Place> {
        self.0.get(place as usize).copied()
    }

    /// The place inside a container that begins in `outer`.
    pub(super) fn inner(&mut self, outer: PlaceId, is_object: bool, node: NodeId) -> Option<PlaceId> {
        let around = self.get(outer)?;
        let mut inner = around.first_inner;
        while let Some(known) = self.get(inner) {
            if known.is_object == is_object && known.node == node {
                return Some(inner);
            }
            inner = known.next;
        }
        let fresh = self.0.len() as PlaceId;
        let (depth, next) = (around.depth + 1, around.first_inner);
        self.0.push(Place { outer, is_object, node, depth, first_inner: NONE, next });
        self.0.get_mut(outer as usize)?.first_inner = fresh;
        Some(fresh)
    }
}
