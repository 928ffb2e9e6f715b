//! What an alert tells of a window's events.

use super::event_id::PackedId;
use super::fact::texts_bytes;
use super::{Entry, EventId, Recent, delta, weight};
use crate::finding::{EventRef, Observation};
use crate::limits::{ALERT_EVENTS_MAX, ALERT_VALUES_MAX, DISTINCT_VALUES_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use tripwasm_plan::{Observed, Timestamp};

/// Figures over events, added in order of (time, id): the first of anything are then the least.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    listed: Listing,
    /// Per observed field its distinct values, and whether the alert lists them.
    observed: Vec<BTreeMap<String, bool>>,
    /// Values that are not counted because there were too many.
    pub(super) unobserved: u64,
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
            event_id: id.as_ref().map(EventId::to_string),
        };
        self.listed.0.iter().map(reference).collect()
    }

    pub(super) fn observations(&self, observed: &[Observed]) -> Vec<Observation> {
        let observation = |(values, field): (&BTreeMap<String, bool>, &Observed)| {
            let listed = values.iter().filter(|(_, listed)| field.values && **listed);
            Observation {
                values: listed.map(|(value, _)| value.clone()).collect(),
                distinct: values.len() as u64,
            }
        };
        self.observed.iter().zip(observed).map(observation).collect()
    }

    /// Whether an alert over these events cannot list all of them, or all values.
    pub(super) fn is_truncated(&self, observed: &[Observed]) -> bool {
        let cut = |(values, field): (&BTreeMap<String, bool>, &Observed)| {
            field.values && values.len() > ALERT_VALUES_MAX
        };
        self.count > ALERT_EVENTS_MAX as u64 || self.observed.iter().zip(observed).any(cut)
    }

    /// Estimate of the memory it takes beyond itself.
    pub(super) fn bytes(&self) -> u64 {
        let ids: u64 = self.listed.0.iter().filter_map(|(_, id)| Some(id.as_ref()?.heap_bytes())).sum();
        let values = self.observed.iter().map(|values| texts_bytes(values.keys()) + values.len() as u64 * 16);
        self.listed.0.len() as u64 * weight::LISTED + ids + values.sum::<u64>()
    }

    fn beginning(first: Timestamp, observed: usize) -> Figures {
        Figures { first, observed: vec![BTreeMap::new(); observed], ..Figures::default() }
    }

    fn add_recent(&mut self, recent: &Recent) {
        self.note(recent.time, recent.event, recent.event_id.as_ref(), &recent.observed);
    }

    fn note(&mut self, time: Timestamp, event: u64, id: Option<&EventId>, observed: &[Vec<String>]) {
        self.count = self.count.saturating_add(1);
        self.last = time;
        if self.listed.0.len() < ALERT_EVENTS_MAX {
            self.listed.0.push((event, id.cloned()));
        }
        for (values, new) in self.observed.iter_mut().zip(observed) {
            for value in new.iter().filter(|value| !values.contains_key(*value)).collect::<Vec<_>>() {
                if values.len() >= DISTINCT_VALUES_MAX {
                    self.unobserved += 1;
                } else {
                    let listed = values.len() < ALERT_VALUES_MAX;
                    values.insert(value.clone(), listed);
                }
            }
        }
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before: u64 = 0;
        serializer.collect_seq(self.0.iter().map(|(event, id)| {
            let after = event.wrapping_sub(before).cast_signed();
            before = *event;
            (after, PackedId(id.as_ref()))
        }))
    }
}

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event: u64 = 0;
        delta::collect(deserializer, |listed: &mut Vec<_>, (after, id): (i64, PackedId<_>)| {
            event = event.wrapping_add_signed(after);
            listed.push((event, id.0));
        })
        .map(Listing)
    }
}
