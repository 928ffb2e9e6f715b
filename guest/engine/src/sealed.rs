//! Bytes that only the same rules and the same engine read again: state, snapshots, facts.

use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: &[u8; 4] = b"TWST";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 4 + 4 + 8 + 8;

/// Why sealed bytes were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// Not sealed bytes, cut off, or damaged.
    Damaged,
    /// Written by an engine of another format.
    OtherVersion,
    /// Written under other rules.
    OtherRules,
}

impl core::fmt::Display for StateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            StateError::Damaged => "state is damaged, cut off, or no tripwasm state",
            StateError::OtherVersion => "state was written by another version of tripwasm",
            StateError::OtherRules => "state was written under other rules",
        })
    }
}

impl core::error::Error for StateError {}

/// The value as bytes; equal values give equal bytes.
pub(crate) fn seal(rules_hash: u64, value: &impl Serialize) -> Vec<u8> {
    let body = postcard::to_allocvec(value).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&rules_hash.to_le_bytes());
    bytes.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads what [`seal`] wrote.
pub(crate) fn open<T: DeserializeOwned>(rules_hash: u64, bytes: &[u8]) -> Result<T, StateError> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(StateError::Damaged)?;
    let (magic, header) = header.split_at(4);
    let (format, header) = header.split_at(4);
    let (rules, checksum) = header.split_at(8);
    if magic != MAGIC {
        return Err(StateError::Damaged);
    }
    if format != FORMAT.to_le_bytes() {
        return Err(StateError::OtherVersion);
    }
    if checksum != xxhash_rust::xxh3::xxh3_64(body).to_le_bytes() {
        return Err(StateError::Damaged);
    }
    if rules != rules_hash.to_le_bytes() {
        return Err(StateError::OtherRules);
    }
    let (value, rest) = postcard::take_from_bytes(body).map_err(|_| StateError::Damaged)?;
    if rest.is_empty() { Ok(value) } else { Err(StateError::Damaged) }
}
