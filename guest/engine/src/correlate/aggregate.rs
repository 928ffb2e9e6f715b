//! What a window's events add up to.

use super::Entry;
use crate::finding::{EventRef, Observation};
use crate::limits::{ALERT_EVENTS_MAX, ALERT_VALUES_MAX};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Comparison, Observed, Operator, Timestamp};

/// Events of one window, added in order of (time, id): the first of anything are then the least.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Aggregate {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    events: Vec<EventRef>,
    /// Distinct tuples that `value_count` counts.
    counted: BTreeSet<Vec<String>>,
    /// Per observed field its distinct values, and whether the alert lists them.
    observed: Vec<BTreeMap<String, bool>>,
    bytes: u64,
}

impl Aggregate {
    pub(super) fn of(entry: &Entry) -> Aggregate {
        let mut aggregate = Aggregate { first: entry.time, ..Aggregate::default() };
        aggregate.observed.resize(entry.observed.len(), BTreeMap::new());
        aggregate.add(entry);
        aggregate
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.count += 1;
        self.last = entry.time;
        if self.events.len() < ALERT_EVENTS_MAX {
            self.bytes += (size_of::<EventRef>() + entry.event_id.as_ref().map_or(0, String::len)) as u64;
            self.events.push(EventRef { event: entry.event, event_id: entry.event_id.clone() });
        }
        if let Some(tuple) = &entry.counted
            && !self.counted.contains(tuple)
        {
            self.bytes += tuple.iter().map(|text| text.len() as u64 + 48).sum::<u64>();
            self.counted.insert(tuple.clone());
        }
        for (values, new) in self.observed.iter_mut().zip(&entry.observed) {
            for value in new {
                if !values.contains_key(value) {
                    self.bytes += value.len() as u64 + 48;
                    let listed = values.len() < ALERT_VALUES_MAX;
                    values.insert(value.clone(), listed);
                }
            }
        }
    }

    pub(super) fn distinct(&self) -> u64 {
        self.counted.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn events(&self) -> Vec<EventRef> {
        self.events.clone()
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
}

/// Whether the measure meets every criterion.
pub(super) fn meets(measure: u64, condition: &[Comparison]) -> bool {
    let measure = tripwasm_plan::Decimal::whole(measure);
    condition.iter().all(|criterion| match criterion.operator {
        Operator::Lt => measure < criterion.value,
        Operator::Lte => measure <= criterion.value,
        Operator::Gt => measure > criterion.value,
        Operator::Gte => measure >= criterion.value,
        Operator::Eq => measure == criterion.value,
        Operator::Neq => measure != criterion.value,
    })
}

/// Whether more events cannot make a met condition unmet: only then may a fixed window open before it closes.
pub(super) fn is_monotone(condition: &[Comparison]) -> bool {
    condition.iter().all(|criterion| matches!(criterion.operator, Operator::Gt | Operator::Gte))
}
