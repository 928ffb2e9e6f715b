//! Event ids, kept small: CloudTrail's are UUIDs, of which a correlation may hold millions.

use crate::id::{eight_digits, four_bytes};
use crate::wire::{Reader, Wire, put_text};

/// An event's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventId {
    /// A UUID in lower case with hyphens, as its bytes.
    Uuid([u8; 16]),
    /// Anything else.
    Text(Box<str>),
}

/// How the ids of a list are written: UUIDs alone need nothing that tells them from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdForm {
    Uuids,
    Any,
}

/// Where the hyphens of a UUID's text stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Where the digits of four bytes stand: four, and four more.
const HALVES: [[usize; 2]; 4] = [[0, 4], [9, 14], [19, 24], [28, 32]];
const UUID_CHARACTERS: usize = 36;

impl EventId {
    /// The id of this text; [`core::fmt::Display`] gives the very same text back.
    pub fn new(text: &str) -> EventId {
        uuid(text).map_or_else(|| EventId::Text(text.into()), EventId::Uuid)
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        match self {
            EventId::Text(text) => text.as_ref().to_owned(),
            EventId::Uuid(bytes) => String::from_utf8(uuid_text(bytes).to_vec()).unwrap_or_default(),
        }
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
            EventId::Uuid(bytes) => f.write_str(core::str::from_utf8(&uuid_text(bytes)).unwrap_or_default()),
        }
    }
}

impl Wire for EventId {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            EventId::Uuid(bytes) => {
                out.push(0);
                out.extend_from_slice(bytes);
            }
            EventId::Text(text) => {
                out.push(1);
                put_text(out, text);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<EventId> {
        match from.byte()? {
            0 => read_uuid(from).map(EventId::Uuid),
            1 => from.text().map(EventId::new),
            _ => None,
        }
    }
}

impl IdForm {
    pub(super) fn of<'i>(mut ids: impl Iterator<Item = Option<&'i EventId>>) -> IdForm {
        match ids.all(|id| matches!(id, Some(EventId::Uuid(_)))) {
            true => IdForm::Uuids,
            false => IdForm::Any,
        }
    }

    pub(super) fn put(self, out: &mut Vec<u8>, id: &Option<EventId>) {
        match (self, id) {
            (IdForm::Uuids, Some(EventId::Uuid(bytes))) => out.extend_from_slice(bytes),
            _ => id.write(out),
        }
    }

    pub(super) fn read_id(self, from: &mut Reader<'_>) -> Option<Option<EventId>> {
        match self {
            IdForm::Uuids => Some(Some(EventId::Uuid(read_uuid(from)?))),
            IdForm::Any => Wire::read(from),
        }
    }
}

fn read_uuid(from: &mut Reader<'_>) -> Option<[u8; 16]> {
    from.take(16)?.try_into().ok()
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID_CHARACTERS] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|&at| text.get(at) != Some(&b'-')) {
        return None;
    }
    let mut bytes = [0; 16];
    for (four, [one, other]) in bytes.chunks_exact_mut(4).zip(HALVES) {
        let mut eight = [0; 8];
        let (left, right) = eight.split_at_mut(4);
        left.copy_from_slice(text.get(one..one + 4)?);
        right.copy_from_slice(text.get(other..other + 4)?);
        four.copy_from_slice(&four_bytes(eight)?);
    }
    Some(bytes)
}

/// Hexadecimal digits and hyphens.
fn uuid_text(bytes: &[u8; 16]) -> [u8; UUID_CHARACTERS] {
    let mut text = [b'-'; UUID_CHARACTERS];
    for (four, halves) in bytes.chunks_exact(4).zip(HALVES) {
        let eight = eight_digits(four);
        for (half, at) in eight.chunks_exact(4).zip(halves) {
            if let Some(place) = text.get_mut(at..at + 4) {
                place.copy_from_slice(half);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{EventId, IdForm, Reader};

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
    fn ids_come_back_from_bytes() {
        let others = ["", "fifteen letters", "sixteen letters!", "ÿ"];
        let some = |text: &&str| Some(EventId::new(text));
        let lists = [
            (IdForm::Uuids, UUIDS.iter().map(some).collect::<Vec<_>>()),
            (IdForm::Any, UUIDS.iter().chain(&others).map(some).chain([None]).collect()),
        ];
        for (form, ids) in lists {
            assert_eq!(IdForm::of(ids.iter().map(Option::as_ref)), form);
            let mut bytes = Vec::new();
            ids.iter().for_each(|id| form.put(&mut bytes, id));
            let mut reader = Reader::new(&bytes);
            let read: Vec<_> = ids.iter().map(|_| form.read_id(&mut reader).unwrap()).collect();
            assert_eq!(read, ids);
            assert!(reader.is_empty());
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
