//! Sixteen bytes at a time: where strings may end, and what is the same.
//!
//! `unsafe` because vectors are loaded by address, always the 16 bytes of one array reference.
#![allow(unsafe_code, reason = "vector loads take an address")]

/// Bytes of a vector.
pub(crate) const VECTOR_BYTES: usize = 16;

/// Bytes that are looked at together.
pub(super) const BLOCK_BYTES: usize = 64;

/// One bit for each byte that a string cannot just hold: quotes, backslashes, control characters, and what is not ASCII; the
/// lowest bit is the first byte. And whether all is ASCII.
#[inline(always)]
pub(super) fn look(block: &[u8; BLOCK_BYTES]) -> (u64, bool) {
    use lane::{bits, load, or};
    let (lanes, _) = block.as_chunks::<VECTOR_BYTES>();
    let &[one, two, three, four] = lanes else { return (u64::MAX, false) };
    let [one, two, three, four] = [load(&one), load(&two), load(&three), load(&four)];
    let special = |lane| u64::from(bits(special(lane)));
    let specials = special(one) | special(two) << 16 | special(three) << 32 | special(four) << 48;
    (specials, bits(or(or(one, two), or(three, four))) == 0)
}

/// Ones in bytes that a string cannot just hold.
#[inline(always)]
fn special(lane: lane::Lane) -> lane::Lane {
    use lane::{equal, flip, less, or};
    // With one bit flipped the quote stands behind the control characters, and space does not. As a signed number, what is
    // not ASCII is less than both.
    or(less(flip(lane, b'"' ^ b' '), 0x21), equal(lane, b'\\'))
}

/// Whether the bytes at the places of `places` are the same in both.
#[inline(always)]
pub(super) fn is_same_at(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES], places: u16) -> bool {
    same(one, other) & u32::from(places) == u32::from(places)
}

/// One bit for each place that holds `first`, and `last` in the other bytes.
#[inline(always)]
pub(crate) fn pairs(heads: &[u8; VECTOR_BYTES], tails: &[u8; VECTOR_BYTES], first: u8, last: u8) -> u32 {
    use lane::{and, bits, equal, load};
    bits(and(equal(load(heads), first), equal(load(tails), last)))
}

/// Whether both are the same.
#[inline(always)]
pub(crate) fn is_same(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES]) -> bool {
    same(one, other) == u32::from(u16::MAX)
}

/// One bit for each byte that is the same in both.
#[inline(always)]
fn same(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES]) -> u32 {
    use lane::{alike, bits, load};
    bits(alike(load(one), load(other)))
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lane {
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_splat, v128, v128_and, v128_load, v128_or,
        v128_xor,
    };

    pub(super) type Lane = v128;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> v128 {
        // SAFETY: the 16 bytes at the address are those of `bytes`; the load needs no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn equal(lane: v128, byte: u8) -> v128 {
        alike(lane, u8x16_splat(byte))
    }

    #[inline(always)]
    pub(super) fn alike(one: v128, other: v128) -> v128 {
        i8x16_eq(one, other)
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

    #[inline(always)]
    pub(super) fn and(one: v128, other: v128) -> v128 {
        v128_and(one, other)
    }

    #[inline(always)]
    pub(super) fn flip(lane: v128, ones: u8) -> v128 {
        v128_xor(lane, u8x16_splat(ones))
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
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8,
        _mm_or_si128, _mm_set1_epi8, _mm_xor_si128,
    };

    pub(super) type Lane = __m128i;

    #[inline(always)]
    pub(super) fn load(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: the 16 bytes at the address are those of `bytes`; the load needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    pub(super) fn equal(lane: __m128i, byte: u8) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        alike(lane, unsafe { _mm_set1_epi8(byte.cast_signed()) })
    }

    #[inline(always)]
    pub(super) fn alike(one: __m128i, other: __m128i) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_cmpeq_epi8(one, other) }
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

    #[inline(always)]
    pub(super) fn and(one: __m128i, other: __m128i) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_and_si128(one, other) }
    }

    #[inline(always)]
    pub(super) fn flip(lane: __m128i, ones: u8) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_xor_si128(lane, _mm_set1_epi8(ones.cast_signed())) }
    }

    /// The highest bit of each byte.
    #[inline(always)]
    pub(super) fn bits(lane: __m128i) -> u32 {
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(lane) }.cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_at_every_place() {
        for place in 0..VECTOR_BYTES {
            let (mut heads, mut tails) = ([b'x'; VECTOR_BYTES], [b'y'; VECTOR_BYTES]);
            (heads[place], tails[place]) = (b'a', b'b');
            assert_eq!(pairs(&heads, &tails, b'a', b'b'), 1 << place);
            assert_eq!(pairs(&heads, &tails, b'a', b'c'), 0);
            assert_eq!(same(&heads, &[b'x'; VECTOR_BYTES]), 0xffff & !(1 << place));
            assert!(is_same(&heads, &heads) && !is_same(&heads, &tails));
        }
    }

    #[test]
    fn every_byte_is_told_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..BLOCK_BYTES {
                let mut bytes = [b'x'; BLOCK_BYTES];
                bytes[place] = byte;
                let is_special = matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..);
                assert_eq!(
                    look(&bytes),
                    (u64::from(is_special) << place, byte.is_ascii()),
                    "{byte:#x} at {place}"
                );
            }
        }
    }
}
