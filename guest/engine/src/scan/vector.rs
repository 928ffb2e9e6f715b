//! Sixteen bytes at a time: where strings may end, and whether a line is ASCII.
//!
//! `unsafe` because vectors are loaded by address (always the 16 bytes of one array reference), and because what was seen
//! to be ASCII is text without another look.
#![allow(unsafe_code, reason = "vector loads take an address")]

/// Bytes of a vector.
pub(super) const VECTOR_BYTES: usize = 16;

/// One bit for each byte that a string cannot just hold: quotes, backslashes, control characters, and what is not ASCII.
/// The lowest bit is the first byte.
#[inline(always)]
pub(super) fn special(bytes: &[u8; VECTOR_BYTES]) -> u32 {
    use lane::{bits, equal, less, load, or};
    let lane = load(bytes);
    // As a signed number, what is not ASCII is less than any control character.
    bits(or(or(equal(lane, b'"'), equal(lane, b'\\')), less(lane, 0x20)))
}

/// The text of a line.
pub(super) fn text(line: &[u8]) -> Option<&str> {
    if !is_ascii(line) {
        return core::str::from_utf8(line).ok();
    }
    // SAFETY: ASCII is UTF-8.
    Some(unsafe { core::str::from_utf8_unchecked(line) })
}

/// Whether every byte is below 0x80. The standard library's own reads four bytes at a time in a guest.
fn is_ascii(line: &[u8]) -> bool {
    use lane::{bits, load, or};
    let (blocks, rest) = line.as_chunks::<VECTOR_BYTES>();
    let (fours, few) = blocks.as_chunks::<4>();
    let four = |[one, two, three, four]: &[[u8; VECTOR_BYTES]; 4]| {
        bits(or(or(load(one), load(two)), or(load(three), load(four))))
    };
    let is_low = fours.iter().fold(0, |high, blocks| high | four(blocks)) == 0;
    is_low && few.iter().all(|block| bits(load(block)) == 0) && rest.is_ascii()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lane {
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_splat, v128, v128_load, v128_or,
    };

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> v128 {
        // SAFETY: the 16 bytes at the address are those of `bytes`; the load needs no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn equal(lane: v128, byte: u8) -> v128 {
        i8x16_eq(lane, u8x16_splat(byte))
    }

    /// As signed numbers.
    #[inline(always)]
    pub(super) fn less(lane: v128, byte: i8) -> v128 {
        i8x16_lt(lane, i8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn or(one: v128, other: v128) -> v128 {
        v128_or(one, other)
    }

    /// The highest bit of each byte.
    #[inline(always)]
    pub(super) fn bits(lane: v128) -> u32 {
        u32::from(i8x16_bitmask(lane))
    }
}

#[cfg(target_arch = "x86_64")]
mod lane {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: the 16 bytes at the address are those of `bytes`; the load needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn equal(lane: __m128i, byte: u8) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_cmpeq_epi8(lane, _mm_set1_epi8(byte.cast_signed())) }
    }

    /// As signed numbers.
    #[inline(always)]
    pub(super) fn less(lane: __m128i, byte: i8) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_cmplt_epi8(lane, _mm_set1_epi8(byte)) }
    }

    #[inline(always)]
    pub(super) fn or(one: __m128i, other: __m128i) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_or_si128(one, other) }
    }

    /// The highest bit of each byte.
    #[inline(always)]
    pub(super) fn bits(lane: __m128i) -> u32 {
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(lane) }.cast_unsigned()
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
mod lane {
    pub(super) fn load(bytes: &[u8; 16]) -> [u8; 16] {
        *bytes
    }

    pub(super) fn equal(lane: [u8; 16], byte: u8) -> [u8; 16] {
        lane.map(|one| if one == byte { 0xff } else { 0 })
    }

    /// As signed numbers.
    pub(super) fn less(lane: [u8; 16], byte: i8) -> [u8; 16] {
        lane.map(|one| if one.cast_signed() < byte { 0xff } else { 0 })
    }

    pub(super) fn or(one: [u8; 16], other: [u8; 16]) -> [u8; 16] {
        (u128::from_ne_bytes(one) | u128::from_ne_bytes(other)).to_ne_bytes()
    }

    /// The highest bit of each byte.
    pub(super) fn bits(lane: [u8; 16]) -> u32 {
        lane.iter().rev().fold(0, |bits, byte| (bits << 1) | u32::from(byte >> 7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..VECTOR_BYTES {
                let mut bytes = [b'x'; VECTOR_BYTES];
                bytes[place] = byte;
                let is_special = matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..);
                assert_eq!(special(&bytes), u32::from(is_special) << place, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn a_line_is_ascii_if_all_of_it_is() {
        for length in 0..200 {
            let mut line = vec![b'x'; length];
            assert_eq!(text(&line).map(str::len), Some(length));
            for place in 0..length {
                line[place] = 0x80;
                assert_eq!(text(&line), None, "{place} of {length}");
                line[place] = b'x';
            }
        }
        assert_eq!(text("é".as_bytes()), Some("é"));
    }
}
