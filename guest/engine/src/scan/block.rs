//! 64 bytes at a time: one bit for each byte that JSON is cut at.
//!
//! `unsafe` because vectors are loaded by address (always the 64 bytes of one array reference), and because what was seen
//! to be ASCII is text without another look.
#![allow(unsafe_code, reason = "vector loads take an address")]

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 64;

/// Whether blocks are classified by vectors here; without them reading byte by byte is faster.
pub(super) const HAS_VECTORS: bool =
    cfg!(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")));

/// Where the bytes of each class stand, strings not yet told apart. The lowest bit is the first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// The bytes that belong to the line.
    pub(super) valid: u64,
    pub(super) quote: u64,
    pub(super) backslash: u64,
    /// `{` and `[`.
    pub(super) open: u64,
    /// `}` and `]`.
    pub(super) close: u64,
    pub(super) comma: u64,
    pub(super) colon: u64,
    /// Looked for only in spaced text.
    pub(super) space: u64,
    /// Whether a byte is below 0x20 or above 0x7f.
    pub(super) has_unusual: bool,
}

/// The blocks of a line of at least [`BLOCK_BYTES`].
#[derive(Debug)]
pub(super) struct Blocks<'l> {
    line: &'l [u8],
    last: &'l [u8; BLOCK_BYTES],
    /// Where the next block begins; what is before it has been classed.
    at: usize,
    has_unusual: bool,
    has_backslash: bool,
}

impl<'l> Blocks<'l> {
    /// Nothing if the line is too short.
    pub(super) fn of(line: &'l [u8]) -> Option<Blocks<'l>> {
        Some(Blocks { line, last: line.last_chunk()?, at: 0, has_unusual: false, has_backslash: false })
    }

    #[inline(always)]
    pub(super) fn next<const SPACED: bool>(&mut self) -> Option<Block> {
        let rest = self.line.get(self.at..)?;
        let block = match rest.first_chunk() {
            Some(bytes) => Block::of::<SPACED>(bytes),
            None if rest.is_empty() => return None,
            None => Block::end_of::<SPACED>(self.last, rest.len()),
        };
        self.has_unusual |= block.has_unusual;
        self.has_backslash |= block.backslash != 0;
        self.at += BLOCK_BYTES;
        Some(block)
    }

    /// Where the next block begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The whole line.
    pub(super) fn line(&self) -> &'l [u8] {
        self.line
    }

    /// Whether there is a backslash so far.
    pub(super) fn has_backslash(&self) -> bool {
        self.has_backslash
    }

    /// Whether there is a byte below 0x20 or above 0x7f so far.
    pub(super) fn has_unusual(&self) -> bool {
        self.has_unusual
    }

    /// The whole line as text, if all of it has been classed and it is UTF-8.
    pub(super) fn text(&self) -> Option<&'l str> {
        if self.at < self.line.len() {
            return None;
        }
        if self.has_unusual {
            return core::str::from_utf8(self.line).ok();
        }
        // SAFETY: `at` only moves in `next`, which has seen each byte before it; none was above 0x7f.
        Some(unsafe { core::str::from_utf8_unchecked(self.line) })
    }
}

impl Block {
    #[inline(always)]
    fn of<const SPACED: bool>(bytes: &[u8; BLOCK_BYTES]) -> Block {
        use lanes::{bits, equal, less, or};
        let vectors = lanes::load(bytes);
        // The two brackets of a kind differ from the two braces in one bit.
        let braces = vectors.map(|lane| or(lane, lanes::splat(0x20)));
        let backslash = vectors.map(|lane| equal(lane, b'\\'));
        let open = braces.map(|lane| equal(lane, b'{'));
        let comma = vectors.map(|lane| equal(lane, b','));
        // Masks of several classes cost what masks of one do; the classes come back by intersection.
        let [o0, o1, o2, o3] = open;
        let [c0, c1, c2, c3] = comma;
        let first = bits([or(o0, c0), or(o1, c1), or(o2, c2), or(o3, c3)]);
        let [e0, e1, e2, e3] = braces.map(|lane| equal(lane, b'}'));
        let bracket = bits([or(o0, e0), or(o1, e1), or(o2, e2), or(o3, e3)]);
        Block {
            valid: u64::MAX,
            quote: bits(vectors.map(|lane| equal(lane, b'"'))),
            backslash: if any(backslash) { bits(backslash) } else { 0 },
            open: first & bracket,
            close: bracket & !first,
            comma: first & !bracket,
            colon: bits(vectors.map(|lane| equal(lane, b':'))),
            space: if SPACED { bits(vectors.map(|lane| equal(lane, b' '))) } else { 0 },
            has_unusual: any(vectors.map(|lane| less(lane, 0x20))),
        }
    }

    /// The end of a line, as a block that begins there. `last` are the line's last bytes, of which so many are the end.
    #[inline(never)]
    fn end_of<const SPACED: bool>(last: &[u8; BLOCK_BYTES], bytes: usize) -> Block {
        let before = (BLOCK_BYTES - bytes) as u32;
        let block = Block::of::<SPACED>(last);
        Block {
            valid: block.valid >> before,
            quote: block.quote >> before,
            backslash: block.backslash >> before,
            open: block.open >> before,
            close: block.close >> before,
            comma: block.comma >> before,
            colon: block.colon >> before,
            space: block.space >> before,
            has_unusual: block.has_unusual,
        }
    }
}

#[inline(always)]
fn any([first, second, third, fourth]: [lanes::Lane; 4]) -> bool {
    lanes::any(lanes::or(lanes::or(first, second), lanes::or(third, fourth)))
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_splat, v128, v128_any_true, v128_load, v128_or,
    };

    pub(super) type Lane = v128;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 64]) -> [Lane; 4] {
        let at = bytes.as_ptr();
        // SAFETY: each address and the 16 bytes behind it lie inside `bytes`; the load needs no alignment.
        [0, 16, 32, 48].map(|offset| unsafe { v128_load(at.add(offset).cast()) })
    }

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lane {
        u8x16_splat(byte)
    }

    #[inline(always)]
    pub(super) fn equal(lane: Lane, byte: u8) -> Lane {
        i8x16_eq(lane, u8x16_splat(byte))
    }

    /// As signed numbers.
    #[inline(always)]
    pub(super) fn less(lane: Lane, byte: i8) -> Lane {
        i8x16_lt(lane, i8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn or(one: Lane, other: Lane) -> Lane {
        v128_or(one, other)
    }

    #[inline(always)]
    pub(super) fn any(lane: Lane) -> bool {
        v128_any_true(lane)
    }

    #[inline(always)]
    pub(super) fn bits([first, second, third, fourth]: [Lane; 4]) -> u64 {
        let low = u64::from(i8x16_bitmask(first)) | (u64::from(i8x16_bitmask(second)) << 16);
        let high = u64::from(i8x16_bitmask(third)) | (u64::from(i8x16_bitmask(fourth)) << 16);
        low | (high << 32)
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };

    pub(super) type Lane = __m128i;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 64]) -> [Lane; 4] {
        let at = bytes.as_ptr();
        // SAFETY: each address and the 16 bytes behind it lie inside `bytes`; the load needs no alignment.
        [0, 16, 32, 48].map(|offset| unsafe { _mm_loadu_si128(at.add(offset).cast()) })
    }

    #[inline(always)]
    pub(super) fn splat(byte: u8) -> Lane {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set1_epi8(byte.cast_signed()) }
    }

    #[inline(always)]
    pub(super) fn equal(lane: Lane, byte: u8) -> Lane {
        // SAFETY: as above.
        unsafe { _mm_cmpeq_epi8(lane, _mm_set1_epi8(byte.cast_signed())) }
    }

    /// As signed numbers.
    #[inline(always)]
    pub(super) fn less(lane: Lane, byte: i8) -> Lane {
        // SAFETY: as above.
        unsafe { _mm_cmplt_epi8(lane, _mm_set1_epi8(byte)) }
    }

    #[inline(always)]
    pub(super) fn or(one: Lane, other: Lane) -> Lane {
        // SAFETY: as above.
        unsafe { _mm_or_si128(one, other) }
    }

    #[inline(always)]
    pub(super) fn any(lane: Lane) -> bool {
        mask(lane) != 0
    }

    #[inline(always)]
    pub(super) fn bits([first, second, third, fourth]: [Lane; 4]) -> u64 {
        let low = mask(first) | (mask(second) << 16);
        let high = mask(third) | (mask(fourth) << 16);
        low | (high << 32)
    }

    #[inline(always)]
    fn mask(lane: Lane) -> u64 {
        // SAFETY: as above.
        u64::from(unsafe { _mm_movemask_epi8(lane) }.cast_unsigned())
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
mod lanes {
    pub(super) type Lane = [u8; 16];

    pub(super) fn load(bytes: &[u8; 64]) -> [Lane; 4] {
        let mut lanes = [[0; 16]; 4];
        lanes.as_flattened_mut().copy_from_slice(bytes);
        lanes
    }

    pub(super) fn splat(byte: u8) -> Lane {
        [byte; 16]
    }

    pub(super) fn equal(lane: Lane, byte: u8) -> Lane {
        lane.map(|one| if one == byte { 0xff } else { 0 })
    }

    /// As signed numbers.
    pub(super) fn less(lane: Lane, byte: i8) -> Lane {
        lane.map(|one| if one.cast_signed() < byte { 0xff } else { 0 })
    }

    pub(super) fn or(one: Lane, other: Lane) -> Lane {
        core::array::from_fn(|at| one.get(at).copied().unwrap_or(0) | other.get(at).copied().unwrap_or(0))
    }

    pub(super) fn any(lane: Lane) -> bool {
        lane.iter().any(|&byte| byte != 0)
    }

    pub(super) fn bits(lanes: [Lane; 4]) -> u64 {
        lanes.as_flattened().iter().rev().fold(0, |bits, byte| (bits << 1) | u64::from(byte >> 7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_classed_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..BLOCK_BYTES {
                let mut bytes = [b'x'; BLOCK_BYTES];
                bytes[place] = byte;
                let bit = |class: &[u8]| u64::from(class.contains(&byte)) << place;
                let expected = Block {
                    valid: u64::MAX,
                    quote: bit(b"\""),
                    backslash: bit(b"\\"),
                    open: bit(b"{["),
                    close: bit(b"}]"),
                    comma: bit(b","),
                    colon: bit(b":"),
                    space: bit(b" "),
                    has_unusual: !(0x20..0x80).contains(&byte),
                };
                assert_eq!(Block::of::<true>(&bytes), expected, "{byte:#x} at {place}");
                assert_eq!(Block::of::<false>(&bytes), Block { space: 0, ..expected });
            }
        }
    }

    #[test]
    fn a_line_is_classed_to_its_end() {
        for length in BLOCK_BYTES..300 {
            let line: Vec<u8> = (0..length).map(|at| b"{}[]:,\"\\ x"[at * 7 % 10]).collect();
            let mut blocks = Blocks::of(&line).unwrap();
            let mut at = 0;
            while let Some(block) = blocks.next::<true>() {
                for place in 0..BLOCK_BYTES {
                    let byte = line.get(at + place).copied();
                    let is = |bits: u64| bits >> place & 1 == 1;
                    assert_eq!(is(block.valid), byte.is_some());
                    assert_eq!(is(block.comma), byte == Some(b','), "{at} {place}");
                    assert_eq!(is(block.space), byte == Some(b' '), "{at} {place}");
                }
                assert_eq!(blocks.text().is_some(), at + BLOCK_BYTES >= length);
                at += BLOCK_BYTES;
            }
            assert_eq!(blocks.text().map(str::as_bytes), Some(&line[..]));
        }
        let mut short = [b'x'; 70];
        short[69] = 0xff;
        let mut blocks = Blocks::of(&short).unwrap();
        while blocks.next::<false>().is_some() {}
        assert_eq!(blocks.text(), None, "not UTF-8");
        assert!(Blocks::of(&short[..63]).is_none());
    }
}
