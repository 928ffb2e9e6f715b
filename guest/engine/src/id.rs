//! The identity of an alert, and hashes.

use tripwasm_plan::{Rule, Timestamp};

/// The id of an alert: 32 hexadecimal digits, a hash of the rule (its `id`, else its label), the group's values and
/// the start of the window. The same on every platform, for every batch size and order of arrival.
pub fn alert_id(rule: &Rule, group: &[String], window_start: Timestamp) -> String {
    let name = rule.id.as_deref().unwrap_or_else(|| rule.label());
    let texts = || core::iter::once(name).chain(group.iter().map(String::as_str));
    let mut bytes = Vec::with_capacity(texts().map(|text| text.len() + 8).sum::<usize>() + 8);
    for text in texts() {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&window_start.to_le_bytes());
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    bytes.clear();
    for four in hash.to_be_bytes().chunks_exact(4) {
        bytes.extend_from_slice(&eight_digits(four));
    }
    String::from_utf8(bytes).unwrap_or_default()
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// How much further than a digit a letter lies.
const LETTER: u64 = (b'a' - b'0' - 10) as u64;

/// Four bytes as hexadecimal digits in lower case.
pub(crate) fn eight_digits(four: &[u8]) -> [u8; 8] {
    let number = four.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let fours = (number | number << 16) & 0x0000_ffff_0000_ffff;
    let pairs = (fours | fours << 8) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | pairs << 4) & (ONES * 0xf);
    digits(values).to_be_bytes()
}

/// What eight hexadecimal digits in lower case stand for; none if they are no such digits.
pub(crate) fn four_bytes(eight: [u8; 8]) -> Option<[u8; 4]> {
    let text = u64::from_be_bytes(eight);
    let letters = text >> 6 & ONES;
    // No byte carries into the next: each value is at most 15 + 9.
    let values = (text & (ONES * 0xf)) + letters * 9;
    if values & (ONES * 0xf0) != 0 || digits(values) != text {
        return None;
    }
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some(((fours | fours >> 16) as u32).to_be_bytes())
}

/// The digits of eight values, a byte each, none beyond 15.
fn digits(values: u64) -> u64 {
    let letters = (values + ONES * 6) >> 4 & ONES;
    values + ONES * u64::from(b'0') + letters * LETTER
}

/// A hash of 64 bits, the same on every platform.
#[inline(never)]
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::{eight_digits, four_bytes};

    #[test]
    fn digits_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            let four = [byte, 0x09, !byte, 0xaf];
            let text = format!("{byte:02x}09{:02x}af", !byte);
            assert_eq!(&eight_digits(&four), text.as_bytes());
            assert_eq!(four_bytes(eight_digits(&four)), Some(four));
            for at in 0..8 {
                let mut eight = *b"09af1234";
                eight[at] = byte;
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(four_bytes(eight).is_some(), is_digit, "{byte} at {at}");
            }
        }
    }
}
