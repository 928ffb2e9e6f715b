//! What matching hands to correlation.

use serde::{Deserialize, Serialize};
use tripwasm_plan::{RuleIndex, Timestamp};

/// An event that a rule of a correlation matched, for one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The correlation.
    pub correlation: RuleIndex,
    /// Group-by values as text. Equal (correlation, group) is what has to meet in one place.
    pub group: Vec<String>,
    /// The event.
    pub entry: Entry,
}

/// What a correlation keeps of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The event's time.
    pub time: Timestamp,
    /// Its id, if it has one.
    pub event_id: Option<String>,
    /// Its position in the whole input.
    pub event: u64,
    /// The tuple that `value_count` counts; none if a field of it is absent or null.
    pub counted: Option<Vec<String>>,
    /// Values of the observed fields.
    pub observed: Vec<Vec<String>>,
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

impl Fact {
    pub(crate) fn is_of(&self, correlation: RuleIndex, group: &[String]) -> bool {
        self.correlation == correlation && self.group == group
    }

    /// The shuffle key: equal for facts of one correlation and group, different otherwise.
    pub fn key(&self) -> Vec<u8> {
        postcard::to_allocvec(&(self.correlation, &self.group)).unwrap_or_default()
    }
}

impl Entry {
    /// The order that decides: time, then id; position last, so that the order is total.
    pub(super) fn order(&self) -> (Timestamp, Option<&str>, u64) {
        (self.time, self.event_id.as_deref(), self.event)
    }

    /// Whether the other is a delivery of the same event.
    pub(super) fn is_delivery_of(&self, other: &Entry) -> bool {
        self.event_id.is_some() && self.time == other.time && self.event_id == other.event_id
    }

    /// Estimate of the memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.counted.iter().flatten().chain(self.observed.iter().flatten());
        let text_bytes: usize = texts.map(|text| text.len() + size_of::<String>()).sum();
        (size_of::<Entry>() + self.event_id.as_ref().map_or(0, String::len) + text_bytes) as u64
    }
}
