//! Texts in one piece of memory: keys of groups, tuples of values.

use crate::wire::{Reader, Wire, put_varint};

/// Texts, each with its length in front: no key begins another one of as many texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn of_bytes(bytes: &[u8]) -> Key {
        Key(bytes.into())
    }

    /// Takes the place of another key, in its memory.
    pub(super) fn set(&mut self, bytes: &[u8]) {
        self.0.clear();
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn values(&self) -> Vec<String> {
        key_values(&self.0)
    }
}

/// The texts of a key; those up to the place where the bytes are no key.
pub(super) fn key_values(bytes: &[u8]) -> Vec<String> {
    let mut rest = Reader::new(bytes);
    std::iter::from_fn(|| rest.text().map(str::to_owned)).collect()
}

impl Wire for Key {
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Option<Key> {
        let length = from.length()?;
        from.take(length).map(Key::of_bytes)
    }
}
