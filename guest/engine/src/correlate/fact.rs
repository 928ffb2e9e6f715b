//! What matching hands to correlation.

use super::texts::{Lists, Texts};
use super::{EventId, weight};
use crate::wire::{Wire, wire_enum, wire_struct};
use tripwasm_plan::{Decimal, Onward, RuleIndex, Timestamp};

/// An event that enters one group of a correlation: one that a rule matched, or an alert of a correlation below.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The correlation.
    pub correlation: RuleIndex,
    /// Group-by values as text. Equal (correlation, group) is what has to meet in one place.
    pub group: Texts,
    /// The event.
    pub entry: Entry,
}

/// What a correlation keeps of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The event's time; of an alert, when its condition began to hold.
    pub time: Timestamp,
    /// Its id, if it has one.
    pub event_id: Option<EventId>,
    /// Its position in the whole input.
    pub event: u64,
    /// Which of the correlation's sources matched, one bit each; none for those beyond the 32nd.
    pub sources: u32,
    /// What it is.
    pub origin: Origin,
    /// What the correlation reads of it.
    pub values: Values,
    /// What the correlations above read of it, parallel to [`tripwasm_plan::Correlation::onward`]; none where it
    /// joins no group.
    pub onward: Vec<Option<Carried>>,
}

/// What enters a correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An event, which may be delivered again.
    Event,
    /// An alert of a correlation below, which has removed duplicates already.
    Alert,
}

/// What a correlation measures and tells of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values {
    /// The tuple that `value_count` counts; none if a field of it is absent or null.
    pub tuple: Option<Texts>,
    /// The number that `value_sum` and the like add; none if the field is no number.
    pub number: Option<Decimal>,
    /// Values of each observed field.
    pub observed: Lists,
}

/// What an event brings to a correlation above.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// Its group there.
    pub group: Texts,
    /// What is read of it there.
    pub values: Values,
}

/// Why bytes are no fact or state of these rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactError {
    /// A fact that other rules wrote, or of another key than its neighbours.
    ForeignFact,
    /// State that `step` did not write for this key.
    ForeignState,
}

impl core::fmt::Display for FactError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            FactError::ForeignFact => "a fact was not written by these rules, or belongs to another group",
            FactError::ForeignState => "state was not written by a step of these rules for this group",
        })
    }
}

impl core::error::Error for FactError {}

wire_struct!(Fact { correlation, group, entry });
wire_struct!(Entry { time, event_id, event, sources, origin, values, onward });
wire_enum!(Origin { Event, Alert });
wire_struct!(Values { tuple, number, observed });
wire_struct!(Carried { group, values });
wire_struct!(Firing { time, event, event_id, onward });

impl Fact {
    /// The shuffle key: equal for facts of one correlation and group, different otherwise.
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        self.correlation.write(&mut key);
        self.group.write(&mut key);
        key
    }
}

impl Entry {
    /// The order that decides: time, then id, then what is read of the event, so that among events without id, too, the
    /// order of arrival does not count; position last, so that the order is total.
    pub(super) fn order(&self) -> impl Ord {
        (self.time, self.event_id.as_ref(), &self.values, &self.onward, self.event)
    }

    /// Whether the other has the same time, and the same id or as well none.
    pub(super) fn is_like(&self, other: &Entry) -> bool {
        self.time == other.time && self.event_id == other.event_id
    }

    /// Takes in what another source, or another alert, says of the same event; false if that changes nothing. Values are
    /// those of the first source, in the rule's order, and the least of them, so that the order of arrival does not count.
    pub(crate) fn unite(&mut self, other: Entry) -> bool {
        let rank = |entry: &Entry| entry.sources.trailing_zeros();
        let is_first =
            (rank(&other), &other.values, &other.onward) < (rank(self), &self.values, &self.onward);
        let changes = is_first || other.sources & !self.sources != 0;
        if is_first {
            (self.values, self.onward) = (other.values, other.onward);
        }
        self.sources |= other.sources;
        if other.origin == Origin::Event {
            self.origin = Origin::Event;
        }
        changes
    }

    /// Estimate of the memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        let carried: u64 = self.onward.iter().map(|carried| carried.as_ref().map_or(0, Carried::bytes)).sum();
        let id = self.event_id.as_ref().map_or(0, EventId::heap_bytes);
        weight::ENTRY + id + self.values.bytes() + carried
    }
}

impl Values {
    fn bytes(&self) -> u64 {
        self.tuple.as_ref().map_or(0, Texts::weight) + self.observed.weight()
    }
}

impl Carried {
    fn bytes(&self) -> u64 {
        weight::CARRIED + self.group.weight() + self.values.bytes()
    }
}

/// When and by which event an alert's condition began to hold, and what the correlations above read of that event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Firing {
    pub(super) time: Timestamp,
    pub(super) event: u64,
    pub(super) event_id: Option<EventId>,
    pub(super) onward: Vec<Option<Carried>>,
}

impl Firing {
    /// By this event, at its own time.
    pub(super) fn of(entry: &Entry) -> Firing {
        Firing {
            time: entry.time,
            event: entry.event,
            event_id: entry.event_id.clone(),
            onward: entry.onward.clone(),
        }
    }

    /// The facts for the correlations above; for each that the event does not join, its index goes to `ungrouped`.
    pub(super) fn facts(&self, above: &[Onward], ungrouped: &mut Vec<RuleIndex>) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut at = 0;
        while let (Some(onward), Some(carried)) = (above.get(at), self.onward.get(at)) {
            let behind = at + 1 + onward.above as usize;
            match carried {
                None => ungrouped.push(onward.correlation),
                Some(carried) => facts.push(Fact {
                    correlation: onward.correlation,
                    group: carried.group.clone(),
                    entry: Entry {
                        time: self.time,
                        event_id: self.event_id.clone(),
                        event: self.event,
                        sources: 1u32.checked_shl(onward.source).unwrap_or(0),
                        origin: Origin::Alert,
                        values: carried.values.clone(),
                        onward: self.onward.get(at + 1..behind).unwrap_or_default().to_vec(),
                    },
                }),
            }
            at = behind;
        }
        facts
    }
}
