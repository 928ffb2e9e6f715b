//! Bytes that only the engine of the same format reads again: state, snapshots, facts.

use crate::id::hash_of;
use crate::wire::{Reader, Wire};

const MAGIC: &[u8; 4] = b"TWST";
const FORMAT: u32 = 3;
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

/// The value as bytes; equal values give equal bytes. Only who knows `secret` reads them again: for facts and steps it is the
/// hash of the rules.
pub(crate) fn seal(secret: u64, value: &impl Wire) -> Vec<u8> {
    let mut body = Vec::new();
    value.write(&mut body);
    seal_bytes(secret, &[&body])
}

/// Reads what [`seal`] wrote.
pub(crate) fn open<T: Wire>(secret: u64, bytes: &[u8]) -> Result<T, StateError> {
    let mut body = Reader::new(open_bytes(secret, bytes)?);
    let value = T::read(&mut body).ok_or(StateError::Damaged)?;
    if body.is_empty() { Ok(value) } else { Err(StateError::Damaged) }
}

/// Parts of a body, one behind the other, behind a header.
pub(crate) fn seal_bytes(secret: u64, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&secret.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    if let Some((header, body)) = bytes.split_at_mut_checked(HEADER_BYTES)
        && let Some(checksum) = header.last_chunk_mut()
    {
        *checksum = hash_of(body).to_le_bytes();
    }
    bytes
}

/// The body that [`seal_bytes`] wrote.
pub(crate) fn open_bytes(secret: u64, bytes: &[u8]) -> Result<&[u8], StateError> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(StateError::Damaged)?;
    let (magic, header) = header.split_at(4);
    let (format, header) = header.split_at(4);
    let (known, checksum) = header.split_at(8);
    if magic != MAGIC {
        return Err(StateError::Damaged);
    }
    if format != FORMAT.to_le_bytes() {
        return Err(StateError::OtherVersion);
    }
    if checksum != hash_of(body).to_le_bytes() {
        return Err(StateError::Damaged);
    }
    if known != secret.to_le_bytes() { Err(StateError::OtherRules) } else { Ok(body) }
}
