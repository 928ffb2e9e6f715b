//! Tests that stand in a rule, ready to run: events as JSON lines, and what has to come of them.

mod coverage;
mod events;
mod expectation;
mod read;

pub use coverage::{Missing, Uncovered, coverage};
pub(crate) use events::EventPaths;
pub(crate) use read::{CaseContext, read};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tripwasm_plan::{RuleIndex, Timestamp};

/// One test of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// The rule's file.
    pub file: String,
    /// 1-based line of the test's name.
    pub line: u32,
    /// The rule's label: `name`, else `id`, else `title`.
    pub rule: String,
    /// The rule in the plan.
    pub rule_index: RuleIndex,
    /// The test's name, unique in its document.
    pub name: String,
    /// The events in order, each one line of compact JSON; repeated events are written out.
    pub events: Vec<String>,
    /// What has to come of them.
    pub expect: Expectation,
}

/// What a test expects; a part that is absent is not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expectation {
    /// Which events match: this rule, or, for a correlation, any of the detection rules under it, however many
    /// correlations stand between.
    pub matches: Option<ExpectedMatches>,
    /// The closed alerts of this correlation, all of them, in order of window start.
    pub alerts: Option<Vec<ExpectedAlert>>,
    /// At least one closed alert of this correlation, whatever it says.
    pub fires: bool,
}

/// Which events of a test match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedMatches {
    /// Every event.
    All,
    /// No event.
    None,
    /// The events at these 0-based positions, ascending, and no others.
    Positions(Vec<u64>),
    /// So many events, whichever they are.
    Count(u64),
}

/// What one closed alert has to say; a part that is absent is not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExpectedAlert {
    /// The alert's count.
    pub count: Option<u64>,
    /// Values of these group-by fields, as text.
    pub group: BTreeMap<String, String>,
    /// Time of the first event counted.
    pub first: Option<Timestamp>,
    /// Time of the last event counted.
    pub last: Option<Timestamp>,
    /// The window's start.
    pub window_start: Option<Timestamp>,
    /// The window's end.
    pub window_end: Option<Timestamp>,
    /// All values of these fields, as text, sorted.
    pub values: BTreeMap<String, Vec<String>>,
    /// Numbers of distinct values of these fields.
    pub distinct: BTreeMap<String, u64>,
    /// The sum, average, median or percentile measured: a decimal number as [`tripwasm_plan::Decimal`] writes it, to be
    /// compared as a number.
    pub measured: Option<String>,
    /// Whether the figures are exact: that no event was refused for want of memory.
    pub exact: Option<bool>,
}
