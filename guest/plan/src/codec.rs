//! The plan's bytes: magic, format, hash, postcard.

use crate::Plan;

/// Version of the plan's bytes. A guest reads exactly its own.
pub const PLAN_FORMAT: u32 = 3;

const MAGIC: &[u8; 4] = b"TWPL";
const HEADER_BYTES: usize = 4 + 4 + 8;

/// Why bytes are no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The bytes do not begin as a plan does.
    NotAPlan,
    /// The bytes are of another format version than [`PLAN_FORMAT`].
    Format(u32),
    /// The hash does not fit the bytes: truncated or changed.
    Damaged,
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            PlanError::NotAPlan => write!(f, "these bytes are no tripwasm plan"),
            PlanError::Format(found) => {
                write!(f, "plan of format {found}, this engine reads {PLAN_FORMAT}: build the rules again")
            }
            PlanError::Damaged => write!(f, "plan is truncated or damaged: build the rules again"),
        }
    }
}

impl core::error::Error for PlanError {}

/// The plan as bytes; equal plans give equal bytes.
pub fn encode(plan: &Plan) -> Vec<u8> {
    let body = postcard::to_allocvec(plan).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&PLAN_FORMAT.to_le_bytes());
    bytes.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Plan, PlanError> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(PlanError::NotAPlan)?;
    let (magic, rest) = header.split_at(4);
    let (format, hash) = rest.split_at(4);
    if magic != MAGIC {
        return Err(PlanError::NotAPlan);
    }
    let format = format.iter().rev().fold(0u32, |sum, &byte| sum << 8 | u32::from(byte));
    if format != PLAN_FORMAT {
        return Err(PlanError::Format(format));
    }
    if xxhash_rust::xxh3::xxh3_64(body).to_le_bytes() != hash {
        return Err(PlanError::Damaged);
    }
    postcard::from_bytes(body).map_err(|_| PlanError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn empty() -> Plan {
        Plan {
            rules: vec![],
            fields: vec![],
            predicates: vec![],
            scopes: vec![],
            time: vec![],
            event_id: vec![],
            settings: Settings::default(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let bytes = encode(&empty());
        assert_eq!(decode(&bytes), Ok(empty()));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "accepted {cut} of {} bytes", bytes.len());
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "accepted a change of byte {at}");
        }
    }
}
