//! Which step a value leads to: a bounded table of values seen, each told by all of its bytes.

use super::{NO_STEP, StepId};
use crate::limits::{RECALLED_TEXT_BYTES_MAX, RECALLED_VALUE_BYTES_MAX, RECALLED_VALUES_MAX};
use crate::scan::Kind;
use crate::scan::vector::is_same;

/// Values by the step that looked at them. Forgets all of them when it is full.
#[derive(Debug, Default, Clone)]
pub(in crate::matcher) struct Recall {
    /// As many as a power of two says. Of three values that belong into one, one is forgotten.
    pairs: Vec<[Known; 2]>,
    taken: usize,
    texts: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    head: u64,
    tail: u64,
    /// Its step and size; of no step if the place is free.
    about: u64,
    /// Where its text begins.
    text: u32,
    next: StepId,
}

const FREE: Known = Known { head: 0, tail: 0, about: u64::MAX, text: 0, next: NO_STEP };

/// A scalar of an event as it stands there. Its first and last bytes and its size tell it, up to 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::matcher) struct Seen<'e> {
    head: u64,
    tail: u64,
    /// The length, and the JSON type.
    size: u32,
    text: &'e [u8],
}

impl<'e> Seen<'e> {
    /// None of a container, or of a text too long to be remembered.
    #[inline(always)]
    pub(in crate::matcher) fn of(kind: Kind, text: &'e [u8]) -> Option<Seen<'e>> {
        if text.len() > RECALLED_VALUE_BYTES_MAX || matches!(kind, Kind::Object | Kind::Array) {
            return None;
        }
        let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (0, short(text)),
        };
        Some(Seen { head, tail, size: ((text.len() as u32) << 3) | kind as u32, text })
    }

    /// The step that looks at it, and its size.
    #[inline]
    fn about(&self, step: StepId) -> u64 {
        (u64::from(step) << 32) | u64::from(self.size)
    }

    #[inline]
    fn hash(&self, about: u64) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let ends = self.head.rotate_left(23) ^ self.tail.rotate_left(5);
        ((ends ^ about.rotate_left(11)).wrapping_mul(SPREAD) >> 40) as usize
    }
}

/// All of fewer than 8 bytes.
#[inline]
fn short(text: &[u8]) -> u64 {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(head), Some(tail)) => {
            u64::from(u32::from_le_bytes(*head)) | (u64::from(u32::from_le_bytes(*tail)) << 32)
        }
        _ => text.iter().fold(0, |stamp, &byte| (stamp << 8) | u64::from(byte)),
    }
}

impl Recall {
    /// Where the value led from this step; [`NO_STEP`] if that is not remembered.
    #[inline(always)]
    pub(in crate::matcher) fn get(&self, step: StepId, seen: &Seen<'_>) -> StepId {
        let mask = self.pairs.len().wrapping_sub(1);
        let about = seen.about(step);
        let Some(pair) = self.pairs.get(seen.hash(about) & mask) else { return NO_STEP };
        for known in pair {
            let differs = (known.head ^ seen.head) | (known.tail ^ seen.tail) | (known.about ^ about);
            if differs == 0 && (seen.text.len() <= 16 || self.is_same(known, seen.text)) {
                return known.next;
            }
        }
        NO_STEP
    }

    /// Whether a value with the same ends and size is this text, which is longer than a vector.
    #[inline(never)]
    fn is_same(&self, known: &Known, text: &[u8]) -> bool {
        let start = known.text as usize;
        let known = self.texts.get(start..start + text.len()).unwrap_or_default();
        known.len() == text.len()
            && known.as_chunks().0.iter().zip(text.as_chunks().0).all(|(one, other)| is_same(one, other))
            && known.last_chunk().zip(text.last_chunk()).is_some_and(|(one, other)| is_same(one, other))
    }

    /// Remembers a value that is not remembered yet.
    pub(in crate::matcher) fn put(&mut self, step: StepId, seen: &Seen<'_>, next: StepId) {
        let is_full = self.taken >= RECALLED_VALUES_MAX || self.pairs.is_empty();
        if is_full || self.texts.len() + seen.text.len() > RECALLED_TEXT_BYTES_MAX {
            self.clear();
        }
        let mask = self.pairs.len().wrapping_sub(1);
        let about = seen.about(step);
        let Some([first, second]) = self.pairs.get_mut(seen.hash(about) & mask) else { return };
        *second = *first;
        let Seen { head, tail, text, .. } = *seen;
        *first = Known { head, tail, about, text: self.texts.len() as u32, next };
        self.texts.extend_from_slice(text);
        self.taken += 1;
    }

    /// Forgets all.
    pub(in crate::matcher) fn clear(&mut self) {
        self.pairs.clear();
        self.pairs.resize(RECALLED_VALUES_MAX, [FREE; 2]);
        self.taken = 0;
        self.texts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<Seen<'_>> {
        Seen::of(Kind::Text, text.as_bytes())
    }

    fn texts(length: usize) -> impl Iterator<Item = String> {
        (0..length).map(move |place| (0..length).map(|at| if at == place { 'y' } else { 'x' }).collect())
    }

    #[test]
    fn values_of_one_hash_are_told_apart_by_every_byte() {
        let mut recall = Recall::default();
        for length in 1..80 {
            for (next, text) in (0..).zip(texts(length)) {
                let seen = seen(&text).unwrap();
                assert_eq!(recall.get(1, &seen), NO_STEP, "{text}");
                recall.put(1, &seen, next);
                assert_eq!(recall.get(1, &seen), next, "{text}");
                assert_eq!(recall.get(2, &seen), NO_STEP, "{text}");
            }
        }
    }

    #[test]
    fn the_type_tells_values_apart() {
        let mut recall = Recall::default();
        let number = Seen::of(Kind::Number, b"1").unwrap();
        recall.put(1, &number, 5);
        assert_eq!(recall.get(1, &seen("1").unwrap()), NO_STEP);
        assert_eq!(recall.get(1, &number), 5);
        assert!(Seen::of(Kind::Array, b"[]").is_none());
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut recall = Recall::default();
        let long = "x".repeat(RECALLED_VALUE_BYTES_MAX - 8);
        for number in 0..3 * RECALLED_VALUES_MAX as u32 {
            recall.put(1, &seen(&format!("{number:08}{long}")).unwrap(), number);
            recall.put(2, &seen(&number.to_string()).unwrap(), number);
            assert!(recall.texts.len() <= RECALLED_TEXT_BYTES_MAX && recall.taken <= RECALLED_VALUES_MAX);
        }
        assert!(seen(&"x".repeat(RECALLED_VALUE_BYTES_MAX)).is_some());
        assert!(seen(&"x".repeat(RECALLED_VALUE_BYTES_MAX + 1)).is_none());
    }
}
