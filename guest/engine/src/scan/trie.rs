//! The wanted paths as a trie of keys.

/// Place in the trie.
pub(crate) type NodeId = u32;

/// The place of everything that no path wants.
pub(crate) const NO_NODE: NodeId = NodeId::MAX;

/// Where paths begin.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// At the event. It is no value itself, and if it is an array, its elements are none.
    #[default]
    Event,
    /// At a value inside the event, which is one itself.
    Value,
}

/// Wanted paths. A path `a.b` has two places: the member `b` of `a`, and the top-level member `a.b`.
#[derive(Debug, Clone)]
pub(crate) struct PathTrie {
    begins_at: Root,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
struct Node {
    parent: NodeId,
    children: Keys,
}

/// Places by the keys of an object: a table with open addressing, at most half full.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// As many as a power of two says.
    slots: Vec<Slot>,
    count: usize,
}

#[derive(Debug, Clone)]
struct Slot {
    stamp: Stamp,
    key: Box<str>,
    /// None if the slot is free.
    child: NodeId,
}

/// What tells keys of up to 16 bytes apart: their length, and their first and last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp {
    length: u32,
    head: u64,
    tail: u64,
}

impl PathTrie {
    pub(crate) fn new(begins_at: Root) -> PathTrie {
        PathTrie { begins_at, nodes: vec![Node { parent: NO_NODE, children: Keys::default() }] }
    }

    pub(super) fn begins_at(&self) -> Root {
        self.begins_at
    }

    pub(crate) fn root(&self) -> NodeId {
        0
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The place that a walk along the dotted path reaches.
    pub(crate) fn insert_walk(&mut self, path: &str) -> NodeId {
        path.split('.').fold(0, |node, key| self.insert(node, key))
    }

    /// The place of the top-level member whose key is the whole path.
    pub(crate) fn insert_literal(&mut self, path: &str) -> NodeId {
        self.insert(0, path)
    }

    /// The wanted keys of an object at a place.
    #[inline(always)]
    pub(super) fn object(&self, node: NodeId) -> &Keys {
        self.nodes.get(node as usize).map_or(&NO_KEYS, |node| &node.children)
    }

    /// The place of a member of an object at `node`, by its key; `is_top` says whether the object is the event.
    pub(super) fn member(&self, node: NodeId, is_top: bool, key: &[u8]) -> NodeId {
        // A whole path as a key counts at the top alone, not in elements of an array at the top.
        if node == self.root() && !is_top && key.contains(&b'.') {
            return NO_NODE;
        }
        self.object(node).child(key, Stamp::of(key))
    }

    /// Whether `node` is `ancestor` or below it.
    pub(super) fn is_within(&self, mut node: NodeId, ancestor: NodeId) -> bool {
        while node != ancestor {
            let Some(place) = self.nodes.get(node as usize) else { return false };
            node = place.parent;
        }
        true
    }

    /// The place of a member of what is at `parent`.
    pub(crate) fn insert(&mut self, parent: NodeId, key: &str) -> NodeId {
        let fresh = self.nodes.len() as NodeId;
        let Some(place) = self.nodes.get_mut(parent as usize) else { return NO_NODE };
        match place.children.child(key.as_bytes(), Stamp::of(key.as_bytes())) {
            NO_NODE => {
                place.children.insert(key, fresh);
                self.nodes.push(Node { parent, children: Keys::default() });
                fresh
            }
            known => known,
        }
    }
}

/// Of a place where nothing is wanted.
static NO_KEYS: Keys = Keys { slots: Vec::new(), count: 0 };

impl Keys {
    /// The place of a member, by its key and the key's stamp.
    #[inline(always)]
    pub(super) fn child(&self, key: &[u8], stamp: Stamp) -> NodeId {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = stamp.hash();
        while let Some(slot) = self.slots.get(at & mask) {
            let is_it = slot.stamp == stamp && (key.len() <= 16 || has_same_middle(slot.key.as_bytes(), key));
            if slot.child == NO_NODE || is_it {
                return slot.child;
            }
            at += 1;
        }
        NO_NODE
    }

    fn insert(&mut self, key: &str, child: NodeId) {
        self.count += 1;
        if self.count * 2 > self.slots.len() {
            let free = Slot { stamp: Stamp::default(), key: "".into(), child: NO_NODE };
            let more = vec![free; (self.count * 2).next_power_of_two()];
            for slot in core::mem::replace(&mut self.slots, more) {
                if slot.child != NO_NODE {
                    self.place(slot);
                }
            }
        }
        self.place(Slot { stamp: Stamp::of(key.as_bytes()), key: key.into(), child });
    }

    fn place(&mut self, slot: Slot) {
        let mut at = slot.stamp.hash();
        let mask = self.slots.len().wrapping_sub(1);
        while self.slots.get(at & mask).is_some_and(|other| other.child != NO_NODE) {
            at += 1;
        }
        if let Some(free) = self.slots.get_mut(at & mask) {
            *free = slot;
        }
    }
}

/// Whether two keys of one length and stamp are the same: their first and last 8 bytes are.
#[inline(never)]
fn has_same_middle(one: &[u8], other: &[u8]) -> bool {
    let words = |key| <[u8]>::as_chunks::<8>(key).0;
    words(one)
        .iter()
        .zip(words(other))
        .all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
}

impl Stamp {
    #[inline(always)]
    pub(super) fn of(key: &[u8]) -> Stamp {
        let length = key.len() as u32;
        let (head, tail) = match (key.first_chunk(), key.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (0, Stamp::short(key)),
        };
        Stamp { length, head, tail }
    }

    /// Of fewer than 8 bytes.
    #[inline(always)]
    fn short(key: &[u8]) -> u64 {
        match (key.first_chunk(), key.last_chunk()) {
            (Some(head), Some(tail)) => {
                u64::from(u32::from_le_bytes(*head)) | (u64::from(u32::from_le_bytes(*tail)) << 32)
            }
            _ => key.iter().fold(0, |stamp, &byte| (stamp << 8) | u64::from(byte)),
        }
    }

    #[inline(always)]
    fn hash(self) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        ((self.tail ^ u64::from(self.length)).wrapping_mul(SPREAD) >> 40) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(trie: &PathTrie, node: NodeId, key: &str) -> NodeId {
        trie.object(node).child(key.as_bytes(), Stamp::of(key.as_bytes()))
    }

    #[test]
    fn keys_are_told_apart_by_every_byte() {
        let mut keys: Vec<String> = vec![String::new(), "\0".into(), "\0\0".into(), "a.b".into()];
        for length in 1..40 {
            for place in 0..length {
                let mut key = vec![b'x'; length];
                key[place] = b'y';
                keys.push(String::from_utf8(key).unwrap());
            }
        }
        let mut trie = PathTrie::new(Root::Event);
        let nodes: Vec<NodeId> = keys.iter().map(|key| trie.insert_literal(key)).collect();
        assert_eq!(trie.len(), keys.len() + 1);
        for (key, node) in keys.iter().zip(nodes) {
            assert_eq!(child(&trie, 0, key), node);
            assert_eq!(trie.insert_literal(key), node);
            assert_eq!(child(&trie, node, key), NO_NODE);
            assert_eq!(child(&trie, 0, &format!("{key}z")), NO_NODE);
        }
    }
}
