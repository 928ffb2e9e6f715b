//! Which step a value leads to: a bounded table of values seen, each told by all of its bytes.

use super::{NO_STEP, StepId};
use crate::limits::{RECALLED_TEXT_BYTES_MAX, RECALLED_VALUE_BYTES_MAX, RECALLED_VALUES_MAX};
use crate::scan::{Kind, Span};

/// Places that are looked at for one value.
const PROBES: usize = 8;

/// Values by the step that looked at them. Forgets all of them when it is full.
#[derive(Debug, Default, Clone)]
pub(super) struct Recall {
    /// As many as a power of two says; at most half of them are taken.
    slots: Vec<Slot>,
    taken: usize,
    texts: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    head: u64,
    tail: u64,
    size: u32,
    step: StepId,
    /// Where its text begins.
    text: u32,
    /// None if the slot is free.
    next: StepId,
}

/// A scalar of an event as it stands there. Its first and last bytes and its size tell it, up to 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'e> {
    head: u64,
    tail: u64,
    /// The length, and the JSON type.
    size: u32,
    text: &'e [u8],
}

impl<'e> Seen<'e> {
    /// None of a container, or of a text too long to be remembered.
    #[inline]
    pub(super) fn of(span: &Span, line: &'e str) -> Option<Seen<'e>> {
        let text = line.as_bytes().get(span.inside())?;
        if text.len() > RECALLED_VALUE_BYTES_MAX || matches!(span.kind, Kind::Object | Kind::Array) {
            return None;
        }
        let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (0, short(text)),
        };
        Some(Seen { head, tail, size: ((text.len() as u32) << 3) | span.kind as u32, text })
    }

    #[inline]
    fn hash(&self, step: StepId) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let middle = match self.text.get(self.text.len() / 2..).and_then(<[u8]>::first_chunk) {
            Some(middle) if self.text.len() > 16 => u64::from_le_bytes(*middle),
            _ => 0,
        };
        let Seen { head, tail, size, .. } = self;
        let ends = head.rotate_left(23) ^ tail.wrapping_mul(SPREAD) ^ middle.rotate_left(41);
        let mixed = (ends ^ (u64::from(step) << 32) ^ u64::from(*size)).wrapping_mul(SPREAD);
        (mixed >> 40) as usize
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
    #[inline]
    pub(super) fn get(&self, step: StepId, seen: &Seen<'_>) -> StepId {
        let mask = self.slots.len().wrapping_sub(1);
        let hash = seen.hash(step);
        for probe in 0..PROBES {
            match self.slots.get(hash.wrapping_add(probe) & mask) {
                Some(slot) if slot.next != NO_STEP => {
                    let ends = (slot.head ^ seen.head) | (slot.tail ^ seen.tail);
                    let others = (slot.size ^ seen.size) | (slot.step ^ step);
                    if ends | u64::from(others) == 0 && self.is_same(slot, seen.text) {
                        return slot.next;
                    }
                }
                _ => break,
            }
        }
        NO_STEP
    }

    /// Whether the text of a slot with the same stamp is this one.
    #[inline]
    fn is_same(&self, slot: &Slot, text: &[u8]) -> bool {
        if text.len() <= 16 {
            return true;
        }
        let start = slot.text as usize;
        let known = self.texts.get(start..start + text.len()).unwrap_or_default();
        // The last bytes are in the stamp.
        let (known, seen) = (known.as_chunks::<8>().0, text.as_chunks::<8>().0);
        let differ =
            |(known, seen): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*known) ^ u64::from_le_bytes(*seen);
        known.len() == seen.len() && known.iter().zip(seen).map(differ).fold(0, |all, one| all | one) == 0
    }

    /// Remembers a value that is not remembered yet.
    pub(super) fn put(&mut self, step: StepId, seen: &Seen<'_>, next: StepId) {
        let is_full = self.taken * 2 >= self.slots.len();
        if is_full || self.texts.len() + seen.text.len() > RECALLED_TEXT_BYTES_MAX {
            self.clear();
        }
        let mask = self.slots.len().wrapping_sub(1);
        let hash = seen.hash(step);
        let places = (0..PROBES).map(|probe| hash.wrapping_add(probe) & mask);
        let is_free = |at: &usize| self.slots.get(*at).is_some_and(|slot| slot.next == NO_STEP);
        // Among too many alike, the first one goes.
        let at = places.clone().find(is_free).unwrap_or(hash & mask);
        let text = self.texts.len() as u32;
        let Some(slot) = self.slots.get_mut(at) else { return };
        self.taken += usize::from(slot.next == NO_STEP);
        let Seen { head, tail, size, .. } = *seen;
        *slot = Slot { head, tail, size, step, text, next };
        self.texts.extend_from_slice(seen.text);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        let free = Slot { head: 0, tail: 0, size: 0, step: NO_STEP, text: 0, next: NO_STEP };
        self.slots.clear();
        self.slots.resize(RECALLED_VALUES_MAX * 2, free);
        self.taken = 0;
        self.texts.clear();
    }
}
