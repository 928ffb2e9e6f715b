//! Correlations: what several matches of one group mean together.

use crate::{FieldId, RuleIndex};
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
    /// All have to hold of the measure.
    pub condition: Vec<Comparison>,
    /// How windows are laid over the group's events.
    pub window: Window,
    /// Length of a window; positive.
    pub timespan_ms: u64,
    /// Fields whose values the alert tells.
    pub observed: Vec<Observed>,
}

/// One rule that a correlation refers to, with its own fields behind the correlation's names (aliases).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The rule.
    pub rule: RuleIndex,
    /// Parallel to [`Correlation::group_by`].
    pub group_by: Vec<FieldId>,
    /// Parallel to the fields of [`Measure::ValueCount`]; empty otherwise.
    pub counted: Vec<FieldId>,
    /// Parallel to [`Correlation::observed`].
    pub observed: Vec<FieldId>,
}

/// What is measured over a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Measure {
    /// Sigma `event_count`: the number of events.
    EventCount,
    /// Sigma `value_count`: the number of distinct values, or tuples of values, of these fields.
    ValueCount(Vec<String>),
}

/// One criterion of a correlation's condition: measure `operator` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The operator.
    pub operator: Operator,
    /// The bound.
    pub value: u64,
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
