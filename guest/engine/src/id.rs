//! The identity of an alert.

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
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes))
}
