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

#[derive(Debug, Clone, Default)]
struct Node {
    parent: NodeId,
    /// Sorted by key.
    children: Vec<(Box<str>, NodeId)>,
}

impl PathTrie {
    pub(crate) fn new(begins_at: Root) -> PathTrie {
        PathTrie { begins_at, nodes: vec![Node { parent: NO_NODE, children: Vec::new() }] }
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

    pub(crate) fn child(&self, node: NodeId, key: &str) -> NodeId {
        let Some(node) = self.nodes.get(node as usize) else { return NO_NODE };
        match node.children.binary_search_by(|(have, _)| (**have).cmp(key)) {
            Ok(at) => node.children.get(at).map_or(NO_NODE, |(_, child)| *child),
            Err(_) => NO_NODE,
        }
    }

    /// Whether `node` is `ancestor` or below it.
    pub(crate) fn is_within(&self, mut node: NodeId, ancestor: NodeId) -> bool {
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
        match place.children.binary_search_by(|(have, _)| (**have).cmp(key)) {
            Ok(at) => place.children.get(at).map_or(NO_NODE, |(_, child)| *child),
            Err(at) => {
                place.children.insert(at, (key.into(), fresh));
                self.nodes.push(Node { parent, children: Vec::new() });
                fresh
            }
        }
    }
}
