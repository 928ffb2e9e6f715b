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
    bytes.extend(hash.to_be_bytes().iter().flat_map(|byte| [hexadecimal(byte >> 4), hexadecimal(byte & 0xf)]));
    String::from_utf8(bytes).unwrap_or_default()
}

/// The character of a hexadecimal digit.
pub(crate) fn hexadecimal(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + (digit - 10) }
}

/// A hash of 64 bits, the same on every platform.
#[inline(never)]
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
