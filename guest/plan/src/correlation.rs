//! Correlations: what several matches of one group mean together.

use crate::{Decimal, FieldId, RuleIndex};
use serde::{Deserialize, Serialize};

/// A correlation over the matches of other rules, per group, in event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// The rules it refers to, in the order the rule lists them.
    pub sources: Vec<Source>,
    /// Names of the group-by fields, in the rule's order. Without any there is one group.
    pub group_by: Vec<String>,
    /// What is measured over a window.
    pub measure: Measure,
    /// All have to hold of the measure. Empty where [`Measure::Temporal`] has clauses.
    pub condition: Vec<Comparison>,
    /// How windows are laid over the group's events.
    pub window: Window,
    /// Length of a window; positive.
    pub timespan_ms: u64,
    /// Fields whose values the alert tells.
    pub observed: Vec<Observed>,
    /// For so long from the rule's earliest event on, a first-seen rule learns in silence.
    pub learn_ms: Option<u64>,
    /// After an alert, further alerts of the same group whose condition begins to hold within this time are left out.
    pub suppress_ms: Option<u64>,
    /// 0 over detection rules alone, else one more than the greatest level of the correlations it refers to.
    pub level: u32,
    /// The correlations over this one and over those, depth first, each level in order of (correlation, source).
    pub onward: Vec<Onward>,
}

/// A correlation over a correlation, as an entry of [`Correlation::onward`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onward {
    /// The correlation above.
    pub correlation: RuleIndex,
    /// Which of its sources refers to the one below.
    pub source: u32,
    /// How many of the entries behind this one belong to correlations over it: they are its own `onward`.
    pub above: u32,
}

/// One rule that a correlation refers to, with the rule's own fields behind the correlation's names (aliases).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The rule.
    pub rule: RuleIndex,
    /// What the correlation reads of an event that the rule matches; empty if the rule is a correlation, for its
    /// alerts bring what was read of the event that made them.
    pub reads: Reads,
    /// What the correlations above read of the event, parallel to [`Correlation::onward`]; empty if the rule is a
    /// correlation.
    pub onward: Vec<Reads>,
}

/// The fields that a correlation reads of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    /// Parallel to [`Correlation::group_by`].
    pub group_by: Vec<FieldId>,
    /// Parallel to the fields of [`Correlation::measure`]; empty where it has none.
    pub measured: Vec<FieldId>,
    /// Parallel to [`Correlation::observed`].
    pub observed: Vec<FieldId>,
}

/// What is measured over a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// Sigma `event_count`: the number of events.
    EventCount,
    /// Sigma `value_count`: the number of distinct values, or tuples of values, of these fields.
    ValueCount(Vec<String>),
    /// Sigma `temporal` and `temporal_ordered`: which of the sources matched.
    Temporal {
        /// Whether the order of [`Correlation::sources`] counts.
        order: Order,
        /// A boolean condition as alternatives, any of which has to hold. None: the condition compares the number of
        /// different sources, or the length of the longest sequence of sources in order.
        clauses: Option<Vec<Clause>>,
    },
    /// Sigma `value_sum` of a field. Values that are no numbers are none; without any nothing holds.
    Sum(String),
    /// Sigma `value_avg` of a field.
    Average(String),
    /// Sigma `value_percentile` of a field, by the nearest rank: the least value that so many percent of the values
    /// do not exceed.
    Percentile(String, u8),
    /// Sigma `value_median` of a field: the middle value, or the mean of the two in the middle.
    Median(String),
}

impl Measure {
    /// The fields measured, as the rule names them.
    pub fn fields(&self) -> &[String] {
        match self {
            Measure::EventCount | Measure::Temporal { .. } => &[],
            Measure::ValueCount(fields) => fields,
            Measure::Sum(field)
            | Measure::Average(field)
            | Measure::Percentile(field, _)
            | Measure::Median(field) => core::slice::from_ref(field),
        }
    }

    /// Whether the field measured is read as a number.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Measure::Sum(_) | Measure::Average(_) | Measure::Percentile(..) | Measure::Median(_))
    }
}

/// Whether a temporal correlation minds the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Sigma `temporal`.
    Any,
    /// Sigma `temporal_ordered`. Events of one time are in any order.
    AsListed,
}

/// One alternative of a temporal condition. Sources are meant by their position, ascending, at most
/// [`TEMPORAL_SOURCES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Clause {
    /// These matched in the window, one after the other if the order counts.
    pub seen: Vec<u32>,
    /// None of these matched in the window.
    pub unseen: Vec<u32>,
}

/// Sources that a temporal correlation has at most: the engine keeps one bit for each.
pub const TEMPORAL_SOURCES_MAX: usize = 32;

/// One criterion of a correlation's condition: measure `operator` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The operator.
    pub operator: Operator,
    /// The bound; a whole number where the measure is a count.
    pub value: Decimal,
}

/// Sigma's comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// `<`
    Lt,
    /// `<=`
    Lte,
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `==`
    Eq,
    /// `!=`
    Neq,
}

/// How windows are laid over a group's events. All are half-open in event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// `(t - timespan, t]` at each event; an alert is a maximal run of events at which the condition holds.
    Sliding,
    /// `[k * timespan, (k + 1) * timespan)`, aligned to 1970-01-01T00:00:00Z.
    Tumbling,
    /// `[t0, t0 + timespan)`, begun by the group's first event outside an earlier window.
    Anchored,
    /// Events less than `gap_ms` apart, spanning less than the timespan in all.
    Session {
        /// Silence that ends a session.
        gap_ms: u64,
    },
    /// `event_count` with `eq: 1` in a sliding window, decided event by event: an event is new if its group had
    /// none in the time before it.
    FirstSeen {
        /// How long a group is remembered; `None` is for ever.
        forget_ms: Option<u64>,
    },
}

/// A field whose values an alert tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The field's name as the rule writes it.
    pub name: String,
    /// The alert lists the values.
    pub values: bool,
    /// The alert tells how many distinct values there were.
    pub distinct: bool,
}
