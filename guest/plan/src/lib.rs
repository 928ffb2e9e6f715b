//! Compiled detection rules as plain data: what `tripwasm-rules` lowers Sigma to and what the engine runs.
//!
//! A plan holds no YAML, no names to resolve and no library objects. Every reference is an index that the
//! lowering has checked; [`decode`] refuses bytes that were not written by [`encode`] of the same format.
//!
//! Invariant: equal rules give equal bytes, so nothing here is a hash map.

mod codec;
mod correlation;
mod decimal;
mod field;
mod fingerprint;
mod fold;
mod predicate;

pub use codec::{PLAN_FORMAT, PlanError, decode, encode};
pub use correlation::{
    Clause, Comparison, Correlation, Measure, Observed, Onward, Operator, Order, Reads, Source,
    TEMPORAL_SOURCES_MAX, Window,
};
pub use decimal::Decimal;
pub use field::{Calculation, Case, Field, FieldId, FieldSource, Literal, Operand, Part, TimePart};
pub use fingerprint::fingerprints;
pub use fold::fold_char;
pub use predicate::{
    CaseRule, Cidr, Condition, Pattern, Piece, Predicate, PredicateId, Quantifier, Reference, Scope, Test,
    Types,
};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
pub type Timestamp = i64;

/// Position of a rule in [`Plan::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleIndex(pub u32);

/// A rule set, ready to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Detection rules and correlations, in the order of the files and of the documents inside them.
    pub rules: Vec<Rule>,
    /// Every field that some rule reads. A calculated field stands after the fields it reads.
    pub fields: Vec<Field>,
    /// Every distinct test of a field; conditions refer to them, so that rules share the work.
    pub predicates: Vec<Predicate>,
    /// Conditions over members of arrays, which [`Test::Members`] refers to.
    pub scopes: Vec<Scope>,
    /// Where an event's time stands: the first of these with a usable time counts.
    pub time: Vec<FieldId>,
    /// Where an event's unique id stands: the first of these that is a non-empty text counts.
    pub event_id: Vec<FieldId>,
    /// Defaults that `configure` can change at run time.
    pub settings: Settings,
}

/// One Sigma document: a detection rule or a correlation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Sigma `id`, a UUID.
    pub id: Option<String>,
    /// Sigma `name`, unique in the plan.
    pub name: Option<String>,
    /// Sigma `title`.
    pub title: String,
    /// Sigma `level`.
    pub level: Option<Level>,
    /// Sigma `tags`, such as `attack.t1580`.
    pub tags: Vec<String>,
    /// Sigma `author`: the Detection Rule License asks that every match can name it.
    pub author: Option<String>,
    /// What happens to a matched event where the pipeline may drop.
    pub action: Action,
    /// Whether a match or an alert of this rule is a finding of its own; false for what only correlations that do not
    /// say `generate: true` refer to.
    pub reported: bool,
    /// What the rule looks for.
    pub logic: Logic,
}

impl Rule {
    /// The name an alert or a tag carries: `name`, else `id`, else `title`.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.id.as_deref()).unwrap_or(&self.title)
    }
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Logic {
    /// A boolean condition over one event.
    Detection(Condition),
    /// Something about several matches of other rules.
    Correlation(Correlation),
}

/// Sigma's severity levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// `informational`
    Informational,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl Level {
    /// Sigma's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }
}

/// What a pipeline in mode `drop` does with an event that a rule matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Keep and tag it.
    Tag,
    /// Leave it out.
    Drop,
}

/// Run-time settings with the values that hold unless `configure` changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How far behind the greatest event time an event may arrive and still enter windows.
    pub lateness_ms: u64,
    /// Whether an event delivered again (same id and time) enters windows again.
    pub duplicates: Duplicates,
    /// Bound on the memory that correlation state may take; beyond it the least useful groups are given up and counted.
    pub state_bytes_max: u64,
    /// When learning began ([`Correlation::learn_ms`]); none is the rule's earliest event. Instances that each see a part of
    /// the events have to be told.
    pub learn_from: Option<Timestamp>,
}

/// What a second delivery of one event does to windows; it is always matched, tagged and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Duplicates {
    /// It enters no window.
    Once,
    /// It counts again.
    Count,
}

impl Default for Settings {
    /// 20 minutes of lateness (CloudTrail delivers within about 5, without guarantee), duplicates once, 256 MiB.
    fn default() -> Self {
        Settings {
            lateness_ms: 20 * 60 * 1000,
            duplicates: Duplicates::Once,
            state_bytes_max: 256 << 20,
            learn_from: None,
        }
    }
}
