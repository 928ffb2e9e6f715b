//! Eight bytes as one number: a lane each, the first one lowest.

/// Bytes of a number.
pub(crate) const WORD_BYTES: usize = 8;

/// The highest bit of each lane.
pub(crate) const HIGH: u64 = each(0x80);

/// The same byte in each lane.
pub(crate) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD_BYTES])
}

/// The highest bits of the lanes, the first lane's lowest.
#[inline(always)]
pub(crate) fn bits(high: u64) -> u64 {
    // Each bit is moved to a place of its own in the highest byte.
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The highest bit of each lane that is 0; carries into no other lane.
#[inline(always)]
pub(crate) fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + each(0x7f)) | word) & HIGH
}

/// As [`zeros`], but right up to the first lane that is 0 alone.
#[inline(always)]
pub(crate) fn first_zero(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & HIGH
}
