//! The part of JSON's grammar that neighbours decide, 64 bytes at a time.
//!
//! Between strings, JSON is a sequence of values and separators, and what may stand at a place depends on the token
//! before it. That is arithmetic on bits: a token's bit, moved one place on, says what has to begin there. What depends
//! on the container, and what stands inside scalars and escapes, is left to the caller.

use super::block::{Block, Blocks};
use super::json::is_escape;

/// Blocks that are read in a row: enough for most events, few enough to stay in the processor's first cache.
pub(super) const BLOCKS_AT_ONCE: usize = 32;

/// What the blocks so far leave to the next one; each is one bit, or a mask of ones and zeros.
#[derive(Debug, Clone)]
pub(super) struct Grammar {
    /// A backslash at the end escapes the next byte.
    escape: u64,
    /// All ones inside a string.
    in_string: u64,
    /// A value has to begin, or an empty container to end.
    value: u64,
    /// A scalar may go on.
    scalar: u64,
    /// Behind an opening bracket.
    opened: u64,
    /// Behind an opening bracket or a comma.
    first: u64,
    /// Inside a string that began there.
    first_string: u64,
    /// Behind such a string.
    key: u64,
}

/// What stands where in a block, outside strings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens {
    pub(super) open: u64,
    pub(super) close: u64,
    pub(super) colon: u64,
    /// Where a scalar begins that is no string: anything but brackets, separators, quotes.
    pub(super) scalar: u64,
    /// Opening quotes behind a bracket or a comma, keys among them.
    pub(super) first: u64,
    /// Their closing quotes.
    pub(super) first_end: u64,
    /// Closing quotes of all strings.
    pub(super) string_end: u64,
    /// What only an array may hold: a first value that no colon follows. A colon is what only an object may hold.
    pub(super) array_only: u64,
}

impl Grammar {
    /// At the start of a line, where a value has to begin.
    pub(super) fn new() -> Grammar {
        Grammar {
            escape: 0,
            in_string: 0,
            value: 1,
            scalar: 0,
            opened: 0,
            first: 0,
            first_string: 0,
            key: 0,
        }
    }

    /// Reads on, and says how many blocks were read; nothing if two neighbours do not fit, or an escape is none.
    #[inline(never)]
    pub(super) fn read<const SPACED: bool>(
        &mut self,
        blocks: &mut Blocks<'_>,
        out: &mut [Tokens; BLOCKS_AT_ONCE],
    ) -> Option<usize> {
        let mut carried = self.clone();
        let mut misfits = 0;
        let mut count = 0;
        for tokens in out {
            let at = blocks.at();
            let Some(mut block) = blocks.next::<SPACED>() else { break };
            if block.backslash | carried.escape != 0 {
                let escaped = carried.escaped(block.backslash) & block.valid;
                block.quote &= !escaped;
                check_escapes(blocks.line(), at, escaped)?;
            }
            *tokens = carried.step::<SPACED>(&block, &mut misfits);
            count += 1;
        }
        *self = carried;
        (misfits == 0).then_some(count)
    }

    /// The bytes that a backslash escapes.
    fn escaped(&mut self, backslash: u64) -> u64 {
        // A run of backslashes escapes what is behind it if its length is odd: carries of runs that begin at odd places.
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        let starters = backslash & !self.escape;
        let codes = ((starters << 1) | ODD).wrapping_sub(starters) ^ ODD;
        let escaped = codes ^ (backslash | self.escape);
        self.escape = (codes & backslash) >> 63;
        escaped
    }

    /// Reads a block whose quotes are no escaped ones.
    #[inline(always)]
    fn step<const SPACED: bool>(&mut self, block: &Block, misfits: &mut u64) -> Tokens {
        let in_string = odd_before(block.quote) ^ self.in_string;
        self.in_string = (in_string.cast_signed() >> 63).cast_unsigned();
        let string_end = block.quote & !in_string;
        let outside = !(in_string | block.quote) & block.valid;
        let (open, close) = (block.open & outside, block.close & outside);
        let (comma, colon) = (block.comma & outside, block.colon & outside);
        let space = if SPACED { block.space & outside } else { 0 };

        let in_scalar = outside & !(open | close | comma | colon | space);
        let scalar = in_scalar & !((in_scalar << 1) | self.scalar);
        self.scalar = in_scalar >> 63;

        let string = block.quote & in_string;
        let begins = string | open | scalar;
        let has_to_begin = behind::<SPACED>(open | comma | colon, space, &mut self.value) & block.valid;
        let opened = behind::<SPACED>(open, space, &mut self.opened);
        let misplaced = (begins ^ has_to_begin) & !(close & opened);

        let is_first = behind::<SPACED>(open | comma, space, &mut self.first);
        let first = string & is_first;
        let first_end = self.ends_of(first, in_string) & string_end;
        let is_behind_first = behind::<SPACED>(first_end, space, &mut self.key) & block.valid;
        let keyless = colon & !is_behind_first;
        *misfits |= misplaced | keyless;

        let array_only = (is_behind_first & !colon) | ((scalar | open) & is_first);
        Tokens { open, close, colon, scalar, first, first_end, string_end, array_only }
    }

    /// Behind the last byte of each string that begins at one of `starts`: a carry runs through the string.
    #[inline(always)]
    fn ends_of(&mut self, starts: u64, in_string: u64) -> u64 {
        let (sum, begun_here) = starts.overflowing_add(in_string);
        let (sum, begun_before) = sum.overflowing_add(self.first_string);
        self.first_string = u64::from(begun_here | begun_before);
        sum
    }
}

/// Whether what stands behind backslashes is what may.
#[cold]
fn check_escapes(line: &[u8], at: usize, mut escaped: u64) -> Option<()> {
    while escaped != 0 {
        let place = at + escaped.trailing_zeros() as usize;
        escaped &= escaped - 1;
        if !is_escape(line, place) {
            return None;
        }
    }
    Some(())
}

/// For each place, whether the number of bits up to it is odd.
#[inline(always)]
fn odd_before(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// The places behind those marked; where there are spaces, behind them.
#[inline(always)]
fn behind<const SPACED: bool>(marked: u64, space: u64, carry: &mut u64) -> u64 {
    let next = (marked << 1) | *carry;
    *carry = marked >> 63;
    if !SPACED {
        return next;
    }
    let (through, goes_on) = (next & space).overflowing_add(space);
    *carry |= u64::from(goes_on);
    (next | through) & !space
}
