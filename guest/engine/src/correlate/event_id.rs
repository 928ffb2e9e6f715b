//! Event ids, kept small: CloudTrail's are UUIDs, of which a correlation may hold millions.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventId {
    /// A UUID in lower case with hyphens, as its bytes.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

/// An optional id as bytes: none is no bytes, a UUID its sixteen, and a text stands behind a byte that no text begins
/// with. A UUID that begins with that byte is written as a text.
#[derive(Debug, Clone)]
pub(super) struct PackedId<I>(pub(super) I);

const BEFORE_TEXT: u8 = 0xff;

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

impl Serialize for PackedId<Option<&EventId>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self.0 {
            None => return serializer.serialize_bytes(&[]),
            Some(EventId::Uuid(bytes)) if bytes.first() != Some(&BEFORE_TEXT) => {
                return serializer.serialize_bytes(bytes);
            }
            Some(id) => id.to_string(),
        };
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.push(BEFORE_TEXT);
        bytes.extend_from_slice(text.as_bytes());
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for PackedId<Option<EventId>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PackedIdVisitor)
    }
}

struct PackedIdVisitor;

impl Visitor<'_> for PackedIdVisitor {
    type Value = PackedId<Option<EventId>>;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a packed event id")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        match bytes.split_first() {
            None => Ok(PackedId(None)),
            Some((&BEFORE_TEXT, text)) => {
                let text = core::str::from_utf8(text).map_err(E::custom)?;
                Ok(PackedId(Some(EventId::new(text))))
            }
            Some(_) => {
                let uuid = bytes.try_into().map_err(E::custom)?;
                Ok(PackedId(Some(EventId::Uuid(uuid))))
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
    use super::{EventId, PackedId};

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
    fn packed_ids_come_back() {
        let others = ["", "fifteen letters", "sixteen letters!", "ÿ"];
        let ids = UUIDS.iter().chain(&others).map(|text| Some(EventId::new(text)));
        for id in ids.chain([None]) {
            let packed = postcard::to_allocvec(&PackedId(id.as_ref())).unwrap();
            assert_eq!(postcard::from_bytes::<PackedId<Option<EventId>>>(&packed).unwrap().0, id);
        }
        assert!(postcard::from_bytes::<PackedId<Option<EventId>>>(&[3, 1, 2, 3]).is_err());
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
