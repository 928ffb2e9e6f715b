//! The latest events of a sliding window.

use super::event_id::PackedId;
use super::fact::texts_bytes;
use super::gauge::Taken;
use super::{Entry, EventId, delta, weight};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use tripwasm_plan::{Decimal, Timestamp};

/// What a sliding window keeps of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recent {
    pub(super) time: Timestamp,
    pub(super) event: u64,
    pub(super) event_id: Option<EventId>,
    pub(super) number: Option<Decimal>,
    pub(super) observed: Vec<Vec<String>>,
}

/// Events in order of (time, id).
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recents {
    events: VecDeque<Recent>,
    bytes: u64,
}

impl Recent {
    fn of(entry: &Entry, taken: Taken) -> Recent {
        Recent {
            time: entry.time,
            event: entry.event,
            event_id: entry.event_id.clone(),
            // What was not counted must not be taken out again.
            number: entry.values.number.filter(|_| taken == Taken::Yes),
            observed: entry.values.observed.clone(),
        }
    }

    fn bytes(&self) -> u64 {
        let id = self.event_id.as_ref().map_or(0, EventId::heap_bytes);
        weight::RECENT + id + texts_bytes(self.observed.iter().flatten())
    }
}

impl Recents {
    pub(super) fn push(&mut self, entry: &Entry, taken: Taken) {
        self.push_back(Recent::of(entry, taken));
    }

    /// The first event, if it is not later than `until`.
    pub(super) fn pop_until(&mut self, until: Timestamp) -> Option<Recent> {
        let popped = self.events.pop_front_if(|recent| recent.time <= until)?;
        self.bytes -= popped.bytes();
        Some(popped)
    }

    pub(super) fn pop_first(&mut self) -> Option<Recent> {
        let popped = self.events.pop_front()?;
        self.bytes -= popped.bytes();
        Some(popped)
    }

    pub(super) fn clear(&mut self) {
        *self = Recents::default();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Recent> {
        self.events.iter()
    }

    pub(super) fn first_time(&self) -> Option<Timestamp> {
        self.events.front().map(|recent| recent.time)
    }

    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.events.back().map(|recent| recent.time)
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn push_back(&mut self, recent: Recent) {
        self.bytes += recent.bytes();
        self.events.push_back(recent);
    }
}

impl Serialize for Recents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut time, mut event): (Timestamp, u64) = (0, 0);
        serializer.collect_seq(self.events.iter().map(|recent| {
            let after = recent.time.wrapping_sub(time);
            let behind = recent.event.wrapping_sub(event).cast_signed();
            (time, event) = (recent.time, recent.event);
            (after, behind, PackedId(recent.event_id.as_ref()), recent.number, &recent.observed)
        }))
    }
}

impl<'de> Deserialize<'de> for Recents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Element = (Timestamp, i64, PackedId<Option<EventId>>, Option<Decimal>, Vec<Vec<String>>);
        let (mut time, mut event): (Timestamp, u64) = (0, 0);
        delta::collect(
            deserializer,
            |recents: &mut Recents, (after, behind, id, number, observed): Element| {
                time = time.wrapping_add(after);
                event = event.wrapping_add_signed(behind);
                recents.push_back(Recent { time, event, event_id: id.0, number, observed });
            },
        )
    }
}
