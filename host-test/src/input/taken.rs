//! How far an input was read, and how to tell that it is the same one again.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::source::Rereading;

/// So many first lines tell a stream, which can be read only once: enough that two streams do not begin alike by
/// chance, few enough that a live one is told soon.
const HEAD_LINES: usize = 16;

/// How far an input was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Lines taken: events, and blank and rejected lines.
    pub lines: u64,
    /// Hash of their bytes.
    hash: u64,
    /// Of a stream, the hash at the end of each of its first lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    head: Vec<u64>,
}

impl Taken {
    /// Whether both may be of one input, as far as their first lines are known.
    fn begins_like(&self, other: &Taken) -> bool {
        self.head.iter().zip(&other.head).all(|(left, right)| left == right)
    }

    /// Whether the first lines of `other` are all known to be the same.
    fn head_is_known(&self, other: &Taken) -> bool {
        self.head.len() >= other.head.len()
    }
}

/// What the lines taken so far tell of an input that is expected to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognition {
    /// It may be another one yet.
    Open,
    /// It is the same one, or one that begins like it.
    Begun,
    /// All that was taken of it has been read again.
    Known,
    /// It is another one.
    Other,
}

/// Follows an input as it is read.
pub(super) struct Tracker {
    hasher: Xxh3,
    taken: Taken,
    head_lines: usize,
}

impl Tracker {
    pub(super) fn new(rereading: Rereading) -> Self {
        let head_lines = if rereading == Rereading::Never { HEAD_LINES } else { 0 };
        Tracker { hasher: Xxh3::new(), taken: Taken::default(), head_lines }
    }

    /// So many bytes and lines more; the last line may go on.
    pub(super) fn take(&mut self, bytes: &[u8], lines: u64) {
        let mut rest = bytes;
        while self.taken.head.len() < self.head_lines
            && let Some(at) = memchr::memchr(b'\n', rest)
        {
            let (line, after) = rest.split_at(at + 1);
            self.hasher.update(line);
            self.taken.head.push(self.hasher.digest());
            rest = after;
        }
        self.hasher.update(rest);
        self.taken.lines += lines;
        self.taken.hash = self.hasher.digest();
    }

    /// How far it is.
    pub(super) fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Whether what was taken is what `before` stands for.
    pub(super) fn recognise(&self, before: &Taken) -> Recognition {
        if !self.taken.begins_like(before) {
            return Recognition::Other;
        }
        match self.taken.lines < before.lines {
            true if self.head_lines > 0 && self.taken.head_is_known(before) => Recognition::Begun,
            true => Recognition::Open,
            false if self.taken.lines == before.lines && self.taken.hash == before.hash => Recognition::Known,
            false => Recognition::Other,
        }
    }
}
