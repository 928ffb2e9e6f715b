//! What evaluation gives back.

use crate::wire::{wire_enum, wire_struct};
use tripwasm_plan::{Decimal, RuleIndex, Timestamp};

/// A match as a batch's [`Report`](crate::Report) holds it: flat, its id a place in the report's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlatMatch {
    /// 0-based position of the event in the whole input; blank and rejected lines count.
    pub event: u64,
    /// The event's time, if it has a usable one.
    pub time: Option<Timestamp>,
    /// The rule.
    pub rule: RuleIndex,
    /// Where its id begins.
    pub id_start: u32,
    /// Behind its id; equal to `id_start` if it has none.
    pub id_end: u32,
}

/// A reported rule holds for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// 0-based position of the event in the whole input; blank and rejected lines count.
    pub event: u64,
    /// The rule.
    pub rule: RuleIndex,
    /// The event's time, if it has a usable one.
    pub time: Option<Timestamp>,
    /// The event's id, if it has one.
    pub event_id: Option<String>,
}

/// A correlation holds for a group of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// How far it is.
    pub state: AlertState,
    /// 32 hexadecimal digits, see [`crate::alert_id`].
    pub id: String,
    /// The correlation.
    pub rule: RuleIndex,
    /// Group-by values as text, parallel to the correlation's `group_by`.
    pub group: Vec<String>,
    /// Start of the window; of sliding and first-seen alerts the first event counted.
    pub window_start: Timestamp,
    /// End of the window, exclusive; of sliding and first-seen alerts the last event counted.
    pub window_end: Timestamp,
    /// How many events.
    pub count: u64,
    /// Time of the earliest event counted.
    pub first: Timestamp,
    /// Time of the latest event counted.
    pub last: Timestamp,
    /// The events counted, least by (time, id), at most [`crate::limits::ALERT_EVENTS_MAX`].
    pub events: Vec<EventRef>,
    /// Parallel to the correlation's `observed`.
    pub observations: Vec<Observation>,
    /// Whether `events` or some list of values was cut.
    pub truncated: bool,
    /// The sum, average, median or percentile, of correlations that measure one: of a sliding alert when its condition
    /// began to hold, else over the whole window.
    pub measured: Option<Decimal>,
    /// How many events the figures may lack because state reached a bound; 0 when they are exact.
    pub uncounted: u64,
    /// The event whose arrival opened it; only when `state` is open.
    pub opened_by: Option<u64>,
}

/// An event that an alert counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    /// Its position in the whole input.
    pub event: u64,
    /// Its id, if it has one.
    pub event_id: Option<String>,
}

/// The values of one observed field over an alert's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Those first seen at the events least by (time, id), sorted as text; at most
    /// [`crate::limits::ALERT_VALUES_MAX`]. Empty if the correlation does not list them.
    pub values: Vec<String>,
    /// How many distinct values there were; absent and null are none.
    pub distinct: u64,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// Early notice.
    Open,
    /// Final.
    Closed,
    /// Announced, but not confirmed by the final order of events.
    Withdrawn,
}

wire_struct!(Alert {
    state,
    id,
    rule,
    group,
    window_start,
    window_end,
    count,
    first,
    last,
    events,
    observations,
    truncated,
    measured,
    uncounted,
    opened_by
});
wire_struct!(EventRef { event, event_id });
wire_struct!(Observation { values, distinct });
wire_enum!(AlertState { Open, Closed, Withdrawn });

/// Something about one line that the host should count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// Position of the line in the whole input.
    pub event: u64,
    /// What about it.
    pub reason: Reason,
}

/// Why a line is remarkable. All but the last two mean that it was not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing but white space.
    Empty,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, cut-off JSON included.
    Malformed,
    /// JSON, but no object.
    NotAnObject,
    /// Longer than [`crate::limits::EVENT_BYTES_MAX`].
    TooLarge,
    /// Nested deeper than [`crate::limits::NESTING_DEPTH_MAX`].
    TooDeep,
    /// A key that some rule reads stands twice in one object; the last one was evaluated.
    DuplicateKey,
    /// The event has a member `tripwasm` already.
    TaggedBefore,
}
