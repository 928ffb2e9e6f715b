//! The bytes of a batch, and where in them strings may end: one pass, 64 bytes at a time, shortly ahead of the reader.
//!
//! `unsafe` because a line whose every byte was seen to be ASCII is text without another look.
#![allow(unsafe_code, reason = "what was seen to be ASCII is text")]

use super::json::is_escape;
use super::spans::Kind;
use super::vector::{BLOCK_BYTES, look};
use core::ops::Range;

/// So many blocks are looked at at once: what was looked at is still in the nearest cache when it is read.
const BLOCKS_AHEAD: usize = 256;

/// A batch and what was seen in it.
#[derive(Debug)]
pub(crate) struct Marks<'b> {
    bytes: &'b [u8],
    memory: MarkMemory,
}

/// What was seen in the blocks of a batch so far; reused from batch to batch.
#[derive(Debug, Default, Clone)]
pub(crate) struct MarkMemory {
    /// For each block, one bit for each byte that a string cannot just hold, see [`look`]. Behind the end all are set.
    specials: Vec<u64>,
    /// Blocks that are not ASCII, ascending.
    foreign: Vec<usize>,
}

impl<'b> Marks<'b> {
    /// `memory` is that of a batch before.
    pub(crate) fn new(bytes: &'b [u8], memory: MarkMemory) -> Marks<'b> {
        let mut memory = memory;
        memory.specials.clear();
        memory.foreign.clear();
        Marks { bytes, memory }
    }

    /// Memory for the next batch.
    pub(crate) fn into_memory(self) -> MarkMemory {
        self.memory
    }

    pub(super) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Where the closing quote stands of a string whose inside begins at `at`, and whether it has escapes. Nothing if it
    /// does not end, or is wrong.
    #[inline(never)]
    pub(super) fn string_end(&mut self, at: usize) -> Option<(usize, Kind)> {
        let end = self.next_special(at);
        match self.bytes.get(end) {
            Some(b'"') => Some((end, Kind::Text)),
            _ => self.unusual_end(end),
        }
    }

    /// As [`Marks::string_end`], of a string that holds other special bytes, too; the first stands at `at`.
    #[cold]
    #[inline(never)]
    fn unusual_end(&mut self, mut at: usize) -> Option<(usize, Kind)> {
        let mut kind = Kind::Text;
        loop {
            match self.bytes.get(at)? {
                b'"' => return Some((at, kind)),
                b'\\' if is_escape(self.bytes, at + 1) => {
                    kind = Kind::EscapedText;
                    at += 2;
                }
                // Whether it is UTF-8 is seen when the whole line is.
                0x80.. => at += 1,
                _ => return None,
            }
            at = self.next_special(at);
        }
    }

    /// The text at a place whose bytes were read; nothing if it is not UTF-8.
    pub(super) fn text(&mut self, place: Range<usize>) -> Option<&'b str> {
        let bytes = self.bytes.get(place.clone())?;
        let last = place.end.saturating_sub(1) / BLOCK_BYTES;
        while self.memory.specials.len() <= last {
            self.look_ahead();
        }
        let first = place.start / BLOCK_BYTES;
        let foreign = &self.memory.foreign;
        let is_ascii = foreign.is_empty()
            || foreign.get(foreign.partition_point(|&block| block < first)).is_none_or(|&next| next > last);
        if !is_ascii {
            return core::str::from_utf8(bytes).ok();
        }
        // SAFETY: each block from the first to the last that the place touches was looked at above or before, and none of
        // them is among the foreign ones; ASCII is UTF-8.
        Some(unsafe { core::str::from_utf8_unchecked(bytes) })
    }

    /// Where the closing quote stands of a string whose inside begins at `at`, if it is a plain one, looked at to its end.
    #[inline(always)]
    pub(super) fn plain_end(&self, at: usize) -> Option<usize> {
        let end = self.seen_special(at)?;
        (self.bytes.get(end) == Some(&b'"')).then_some(end)
    }

    /// The first special byte at or behind a place, as far as was looked.
    #[inline(always)]
    fn seen_special(&self, at: usize) -> Option<usize> {
        let (block, hidden) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
        let specials = self.memory.specials.get(block..)?;
        let &[one, two] = specials.first_chunk()?;
        // The next 64 bytes: of two blocks, unless the place is the first of one.
        let next = (one >> hidden) | ((two << 1) << (BLOCK_BYTES - 1 - hidden));
        if next != 0 {
            return Some(at + next.trailing_zeros() as usize);
        }
        let further = specials.iter().skip(1).position(|&specials| specials != 0)? + block + 1;
        let specials = self.memory.specials.get(further)?;
        Some(further * BLOCK_BYTES + specials.trailing_zeros() as usize)
    }

    /// The first special byte at or behind a place, or the end.
    fn next_special(&mut self, at: usize) -> usize {
        loop {
            if let Some(special) = self.seen_special(at) {
                return special;
            }
            if self.memory.specials.len() * BLOCK_BYTES >= self.bytes.len() {
                return self.bytes.len();
            }
            self.look_ahead();
        }
    }

    /// Looks at the next blocks; there is one.
    #[inline(never)]
    fn look_ahead(&mut self) {
        let MarkMemory { specials, foreign } = &mut self.memory;
        let rest = self.bytes.get(specials.len() * BLOCK_BYTES..).unwrap_or_default();
        let (blocks, behind) = rest.as_chunks::<BLOCK_BYTES>();
        let mut take = |block| {
            let (special, is_ascii) = look(block);
            if !is_ascii {
                foreign.push(specials.len());
            }
            specials.push(special);
        };
        blocks.iter().take(BLOCKS_AHEAD).for_each(&mut take);
        if blocks.len() < BLOCKS_AHEAD {
            // Zeros are control characters: no string goes on behind the end.
            let mut last = [0; BLOCK_BYTES];
            last.iter_mut().zip(behind).for_each(|(to, from)| *to = *from);
            take(&last);
            // Every block has one behind it.
            specials.push(u64::MAX);
        }
    }
}
