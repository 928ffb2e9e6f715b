//! The identity of an alert, and hashes.

use tripwasm_plan::{Rule, Timestamp};

/// The id of an alert: 32 hexadecimal digits, a hash of the rule (its `id`, else its label), the group's values and
/// the start of the window. The same on every platform, for every batch size and order of arrival.
pub fn alert_id(rule: &Rule, group: &[String], window_start: Timestamp) -> String {
    let mut bytes = Vec::new();
    let name = rule.id.as_deref().unwrap_or_else(|| rule.label());
    for text in core::iter::once(name).chain(group.iter().map(String::as_str)) {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&window_start.to_le_bytes());
    let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
    let digits = hash.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// A hash of 64 bits, the same on every platform.
#[inline(never)]
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
