//! The latest events of a sliding window.

use super::event_id::IdForm;
use super::texts::Lists;
use super::{Entry, EventId, weight};
use crate::wire::{Reader, Wire, put_signed, put_varint};
use std::collections::VecDeque;
use tripwasm_plan::{Decimal, Timestamp};

/// What a sliding window keeps of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recent {
    pub(super) time: Timestamp,
    pub(super) event: u64,
    pub(super) event_id: Option<EventId>,
    pub(super) number: Option<Decimal>,
    pub(super) observed: Lists,
}

/// Events in order of (time, id).
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recents {
    events: VecDeque<Recent>,
    bytes: u64,
}

impl Recent {
    fn of(entry: &Entry, number: Option<Decimal>) -> Recent {
        Recent {
            time: entry.time,
            event: entry.event,
            event_id: entry.event_id.clone(),
            number,
            observed: entry.values.observed.clone(),
        }
    }

    fn bytes(&self) -> u64 {
        let id = self.event_id.as_ref().map_or(0, EventId::heap_bytes);
        weight::RECENT + id + self.observed.weight()
    }
}

impl Recents {
    /// Adds an event and what was counted of it: what was not must not be taken out again.
    pub(super) fn push(&mut self, entry: &Entry, counted: Option<Decimal>) {
        self.push_back(Recent::of(entry, counted));
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

impl Wire for Recents {
    /// Behind a byte that says what the events have: times and positions as differences from the event before.
    fn write(&self, out: &mut Vec<u8>) {
        let ids = IdForm::of(self.events.iter().map(|recent| recent.event_id.as_ref()));
        let has_numbers = self.events.iter().any(|recent| recent.number.is_some());
        let has_values = self.events.iter().any(|recent| !recent.observed.is_empty());
        out.push(u8::from(ids == IdForm::Uuids) | u8::from(has_numbers) << 1 | u8::from(has_values) << 2);
        put_varint(out, self.events.len() as u64);
        let (mut time, mut event): (Timestamp, u64) = (0, 0);
        for recent in &self.events {
            put_signed(out, recent.time.wrapping_sub(time));
            put_signed(out, recent.event.wrapping_sub(event).cast_signed());
            (time, event) = (recent.time, recent.event);
            ids.put(out, &recent.event_id);
            if has_numbers {
                recent.number.write(out);
            }
            if has_values {
                recent.observed.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Recents> {
        let has = from.byte()?;
        let ids = if has & 1 == 0 { IdForm::Any } else { IdForm::Uuids };
        let length = from.length()?;
        // Every event takes two bytes at least: a length that nobody wrote reserves little.
        let events = VecDeque::with_capacity(length.min(from.rest().len() / 2));
        let mut recents = Recents { events, bytes: 0 };
        let (mut time, mut event): (Timestamp, u64) = (0, 0);
        for _ in 0..length {
            time = time.wrapping_add(from.signed()?);
            event = event.wrapping_add_signed(from.signed()?);
            let event_id = ids.read_id(from)?;
            let number = if has & 2 == 0 { None } else { Wire::read(from)? };
            let observed = if has & 4 == 0 { Lists::default() } else { Wire::read(from)? };
            recents.push_back(Recent { time, event, event_id, number, observed });
        }
        Some(recents)
    }
}
