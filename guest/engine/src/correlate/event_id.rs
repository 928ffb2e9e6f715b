//! Event ids, kept small: CloudTrail's are UUIDs, of which a correlation may hold millions.

use serde::{Deserialize, Serialize};

/// An event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventId {
    /// A UUID in lower case with hyphens, as its bytes.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

/// Where the hyphens of a UUID's text stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_CHARACTERS: usize = 36;

impl EventId {
    /// The id of this text; [`core::fmt::Display`] gives the very same text back.
    pub fn new(text: &str) -> EventId {
        uuid(text).map_or_else(|| EventId::Text(text.into()), EventId::Uuid)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> u64 {
        match self {
            EventId::Uuid(_) => 0,
            EventId::Text(text) => text.len() as u64,
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &EventId) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventId {
    /// The order of their texts.
    fn cmp(&self, other: &EventId) -> core::cmp::Ordering {
        match (self, other) {
            // Hexadecimal digits in lower case are in the order of their values, and hyphens stand at the same places.
            (EventId::Uuid(one), EventId::Uuid(other)) => one.cmp(other),
            (EventId::Text(one), EventId::Text(other)) => one.cmp(other),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl core::fmt::Display for EventId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            EventId::Text(text) => f.write_str(text),
            EventId::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{hyphen}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != UUID_CHARACTERS {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = 0;
    for (at, byte) in text.bytes().enumerate() {
        if HYPHENS.contains(&at) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        let place = bytes.get_mut(digits / 2)?;
        *place = *place << 4 | digit;
        digits += 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::EventId;

    const UUIDS: [&str; 2] = ["0a1b2c3d-0011-2233-4455-66778899aabb", "ffffffff-ffff-ffff-ffff-ffffffffffff"];

    #[test]
    fn the_text_comes_back() {
        let others =
            ["", "e-1", "0A1b2c3d-0011-2233-4455-66778899aabb", "0a1b2c3d+0011-2233-4455-66778899aabb"];
        for text in UUIDS.iter().chain(&others) {
            let id = EventId::new(text);
            assert_eq!(id.to_string(), *text);
            assert_eq!(matches!(id, EventId::Uuid(_)), UUIDS.contains(text), "{text}");
        }
    }

    #[test]
    fn ids_are_in_the_order_of_their_texts() {
        let mut texts = ["b", "0a1b2c3d", UUIDS[1], UUIDS[0], "0A1b2c3d-0011-2233-4455-66778899aabb", ""];
        let mut ids = texts.map(EventId::new);
        ids.sort();
        texts.sort_unstable();
        assert_eq!(ids.map(|id| id.to_string()), texts);
    }
}
