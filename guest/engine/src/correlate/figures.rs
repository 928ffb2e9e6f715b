//! What an alert tells of a window's events.

use super::event_id::IdForm;
use super::texts::Lists;
use super::{Entry, EventId, Recent, weight};
use crate::finding::{EventRef, Observation};
use crate::limits::{ALERT_EVENTS_MAX, ALERT_VALUES_MAX, DISTINCT_VALUES_MAX};
use crate::wire::{Reader, Wire, put_signed, put_text, put_varint, wire_struct};
use tripwasm_plan::{Observed, Timestamp};

/// Figures over events, added in order of (time, id): the first of anything are then the least.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    listed: Listing,
    observed: Observations,
    /// Values that are not counted because there were too many.
    pub(super) unobserved: u64,
}

/// The distinct values of so many observed fields, in order of field and text.
#[derive(Debug, Clone, Default, PartialEq)]
struct Observations {
    fields: u32,
    values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq)]
struct Value {
    field: u32,
    text: Box<str>,
    /// Whether the alert lists it.
    listed: bool,
}

/// The events that an alert lists: position and id.
#[derive(Debug, Clone, Default, PartialEq)]
struct Listing(Vec<(u64, Option<EventId>)>);

impl Figures {
    pub(super) fn of(entry: &Entry) -> Figures {
        let mut figures = Figures::beginning(entry.time, entry.values.observed.len());
        figures.add(entry);
        figures
    }

    /// Figures over events that a sliding window still knows; none without any.
    pub(super) fn over<'r>(mut recent: impl Iterator<Item = &'r Recent>) -> Option<Figures> {
        let first = recent.next()?;
        let mut figures = Figures::beginning(first.time, first.observed.len());
        figures.add_recent(first);
        recent.for_each(|recent| figures.add_recent(recent));
        Some(figures)
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.note(entry.time, entry.event, entry.event_id.as_ref(), &entry.values.observed);
    }

    pub(super) fn events(&self) -> Vec<EventRef> {
        let reference = |(event, id): &(u64, Option<EventId>)| EventRef {
            event: *event,
            event_id: id.as_ref().map(EventId::text),
        };
        self.listed.0.iter().map(reference).collect()
    }

    pub(super) fn observations(&self, observed: &[Observed]) -> Vec<Observation> {
        let observation = |(values, field): (&[Value], &Observed)| {
            let listed = values.iter().filter(|value| field.values && value.listed);
            Observation {
                values: listed.map(|value| value.text.as_ref().to_owned()).collect(),
                distinct: values.len() as u64,
            }
        };
        self.observed.each().zip(observed).map(observation).collect()
    }

    /// Whether an alert over these events cannot list all of them, or all values.
    pub(super) fn is_truncated(&self, observed: &[Observed]) -> bool {
        let cut = |(values, field): (&[Value], &Observed)| field.values && values.len() > ALERT_VALUES_MAX;
        self.count > ALERT_EVENTS_MAX as u64 || self.observed.each().zip(observed).any(cut)
    }

    /// Estimate of the memory it takes beyond itself.
    pub(super) fn bytes(&self) -> u64 {
        let ids: u64 = self.listed.0.iter().filter_map(|(_, id)| Some(id.as_ref()?.heap_bytes())).sum();
        let value = |value: &Value| weight::TEXT + weight::OBSERVED + value.text.len() as u64;
        let values: u64 = self.observed.values.iter().map(value).sum();
        self.listed.0.len() as u64 * weight::LISTED + ids + values
    }

    fn beginning(first: Timestamp, observed: usize) -> Figures {
        let fields = u32::try_from(observed).unwrap_or(u32::MAX);
        Figures { first, observed: Observations { fields, values: Vec::new() }, ..Figures::default() }
    }

    fn add_recent(&mut self, recent: &Recent) {
        self.note(recent.time, recent.event, recent.event_id.as_ref(), &recent.observed);
    }

    fn note(&mut self, time: Timestamp, event: u64, id: Option<&EventId>, observed: &Lists) {
        self.count = self.count.saturating_add(1);
        self.last = time;
        if self.listed.0.len() < ALERT_EVENTS_MAX {
            self.listed.0.push((event, id.cloned()));
        }
        for (field, texts) in (0..self.observed.fields).zip(observed.each()) {
            for text in texts {
                self.unobserved += u64::from(!self.observed.put(field, text));
            }
        }
    }
}

impl Observations {
    /// Adds a value, unless it is there; false if there are too many.
    fn put(&mut self, field: u32, text: &[u8]) -> bool {
        let order = |value: &Value| (value.field, value.text.as_bytes()).cmp(&(field, text));
        let Err(at) = self.values.binary_search_by(order) else { return true };
        let known = self.of(field).len();
        if known >= DISTINCT_VALUES_MAX {
            return false;
        }
        let listed = known < ALERT_VALUES_MAX;
        self.values.insert(at, Value { field, text: String::from_utf8_lossy(text).into(), listed });
        true
    }

    fn of(&self, field: u32) -> &[Value] {
        let first = self.values.partition_point(|value| value.field < field);
        let behind = self.values.partition_point(|value| value.field <= field);
        self.values.get(first..behind).unwrap_or_default()
    }

    /// The values of each field.
    fn each(&self) -> impl Iterator<Item = &[Value]> {
        (0..self.fields).map(|field| self.of(field))
    }
}

impl Wire for Observations {
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.fields));
        for values in self.each() {
            put_varint(out, values.len() as u64);
            for value in values {
                put_text(out, &value.text);
                value.listed.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Observations> {
        let fields = u32::read(from)?;
        let mut values = Vec::new();
        for field in 0..fields {
            for _ in 0..from.length()? {
                values.push(Value { field, text: from.text()?.into(), listed: Wire::read(from)? });
            }
        }
        Some(Observations { fields, values })
    }
}

wire_struct!(Figures { count, first, last, listed, observed, unobserved });

impl Wire for Listing {
    /// Positions as differences from the event before.
    fn write(&self, out: &mut Vec<u8>) {
        let ids = IdForm::of(self.0.iter().map(|(_, id)| id.as_ref()));
        out.push(u8::from(ids == IdForm::Uuids));
        put_varint(out, self.0.len() as u64);
        let mut before: u64 = 0;
        for (event, id) in &self.0 {
            put_signed(out, event.wrapping_sub(before).cast_signed());
            before = *event;
            ids.put(out, id);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Listing> {
        let ids = if from.byte()? == 0 { IdForm::Any } else { IdForm::Uuids };
        let length = from.length()?;
        let mut listed = Vec::with_capacity(length.min(ALERT_EVENTS_MAX));
        let mut event: u64 = 0;
        for _ in 0..length {
            event = event.wrapping_add_signed(from.signed()?);
            listed.push((event, ids.read_id(from)?));
        }
        Some(Listing(listed))
    }
}
