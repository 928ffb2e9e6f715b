//! What [`super::vector`] tells, for processors without vectors: eight bytes at a time, as one number.
//!
//! Every test sets the highest bit of a byte's lane and carries into no other lane.

use super::lanes::{HIGH, WORD_BYTES, bits, each, zeros};

/// Bytes of a block that is compared as a whole.
pub(crate) const VECTOR_BYTES: usize = 16;

/// Bytes that are looked at together.
pub(super) const BLOCK_BYTES: usize = 64;

/// One bit for each byte that a string cannot just hold: quotes, backslashes, control characters, and what is not ASCII; the
/// lowest bit is the first byte. And whether all is ASCII.
#[inline(always)]
pub(super) fn look(block: &[u8; BLOCK_BYTES]) -> (u64, bool) {
    let (words, _) = block.as_chunks();
    let (mut specials, mut all) = (0, 0);
    for word in words.iter().rev() {
        let word = u64::from_le_bytes(*word);
        all |= word;
        specials = (specials << WORD_BYTES) | bits(special(word));
    }
    (specials, all & HIGH == 0)
}

/// The highest bit of each lane that a string cannot just hold.
#[inline(always)]
fn special(word: u64) -> u64 {
    // With one bit flipped the quote stands behind the control characters, and space does not.
    let flipped = word ^ each(b'"' ^ b' ');
    let low = flipped & !HIGH;
    let is_high = low + each(0x80 - 0x21);
    let is_no_backslash = (low ^ each(b'\\' ^ b'"' ^ b' ')) + each(0x7f);
    (!(is_high & is_no_backslash) | word) & HIGH
}

/// Whether the bytes at the places of `places`, which are the first ones of the block, are the same in both.
#[inline(always)]
pub(super) fn is_same_at(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES], places: u16) -> bool {
    let [first, second] = differences(one, other);
    let bits = places.count_ones() * 8;
    ((first & lowest(bits)) | (second & lowest(bits.saturating_sub(64)))) == 0
}

/// One bit for each place that holds `first`, and `last` in the other bytes.
#[inline(always)]
pub(crate) fn pairs(heads: &[u8; VECTOR_BYTES], tails: &[u8; VECTOR_BYTES], first: u8, last: u8) -> u32 {
    let words = |block: &[u8; VECTOR_BYTES]| {
        let block = u128::from_le_bytes(*block);
        [block as u64, (block >> 64) as u64]
    };
    let both = |head: u64, tail: u64| bits(zeros(head ^ each(first)) & zeros(tail ^ each(last))) as u32;
    let ([head, heads], [tail, tails]) = (words(heads), words(tails));
    both(head, tail) | both(heads, tails) << WORD_BYTES
}

/// As many of the lowest bits as that, or all.
#[inline(always)]
fn lowest(bits: u32) -> u64 {
    1_u64.checked_shl(bits).map_or(u64::MAX, |above| above - 1)
}

/// Whether both are the same.
#[inline(always)]
pub(crate) fn is_same(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES]) -> bool {
    let [first, second] = differences(one, other);
    (first | second) == 0
}

#[inline(always)]
fn differences(one: &[u8; VECTOR_BYTES], other: &[u8; VECTOR_BYTES]) -> [u64; 2] {
    let [one, other] = [one, other].map(|block| u128::from_le_bytes(*block));
    let different = one ^ other;
    [different as u64, (different >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_at_every_place() {
        for place in 0..VECTOR_BYTES {
            for (first, last) in [(b'a', b'b'), (0, 0xff), (0x80, 1)] {
                let (mut heads, mut tails) = ([b'x'; VECTOR_BYTES], [b'y'; VECTOR_BYTES]);
                (heads[place], tails[place]) = (first, last);
                assert_eq!(pairs(&heads, &tails, first, last), 1 << place);
                assert_eq!(pairs(&heads, &tails, first, b'c'), 0);
            }
        }
    }

    #[test]
    fn every_byte_is_told_at_every_place() {
        for around in [b'x', 0xff, 0, b'"', b'!', b'#'] {
            for byte in 0..=u8::MAX {
                for place in 0..BLOCK_BYTES {
                    let mut bytes = [around; BLOCK_BYTES];
                    bytes[place] = byte;
                    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..);
                    let expected =
                        bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(is_special(byte)));
                    assert_eq!(look(&bytes), (expected, bytes.is_ascii()), "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn blocks_are_compared_as_far_as_asked() {
        let one: [u8; VECTOR_BYTES] = core::array::from_fn(|at| at as u8);
        for length in 0..=VECTOR_BYTES {
            let places = ((1_u32 << length) - 1) as u16;
            assert!(is_same_at(&one, &one, places));
            for place in 0..VECTOR_BYTES {
                let mut other = one;
                other[place] ^= 0x80;
                assert_eq!(is_same_at(&one, &other, places), place >= length, "{place} of {length}");
                assert!(!is_same(&one, &other));
            }
        }
    }
}
