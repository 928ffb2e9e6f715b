//! A correlation, ready to run.

use crate::limits::WINDOW_EVENTS_MAX;
use tripwasm_plan::{
    Clause, Comparison, Correlation, Decimal, Measure, Operator, Rule, RuleIndex, Timestamp, Window,
};

/// A correlation and what follows from it.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) index: RuleIndex,
    pub(super) rule: Rule,
    pub(super) correlation: Correlation,
    pub(super) timespan: Timestamp,
    pub(super) suppress: Option<Timestamp>,
    /// More events cannot unmake the condition: what holds early holds at the end.
    pub(super) growing: bool,
    /// In a fixed window, what holds early is told early, though it may not hold at the end.
    pub(super) opens_early: bool,
    /// The condition needs at least so many events.
    pub(super) events_min: usize,
    /// So many of a sliding window's latest events decide all that is to come.
    pub(super) recent_max: usize,
    /// A count beyond this answers as this one does.
    pub(super) count_max: u64,
}

impl Spec {
    pub(super) fn new(index: RuleIndex, rule: Rule, correlation: Correlation) -> Spec {
        let upward = |operator| matches!(operator, Operator::Gt | Operator::Gte);
        let only_upward = correlation.condition.iter().all(|criterion| upward(criterion.operator));
        let growing = match &correlation.measure {
            Measure::EventCount | Measure::ValueCount(_) | Measure::Temporal { clauses: None, .. } => {
                only_upward
            }
            Measure::Temporal { clauses: Some(clauses), .. } => {
                clauses.iter().all(|clause| clause.unseen.is_empty())
            }
            Measure::Sum(_) | Measure::Average(_) | Measure::Percentile(..) | Measure::Median(_) => false,
        };
        let opens_early = growing || (correlation.measure.is_numeric() && only_upward);
        let count_max = correlation.condition.iter().map(saturation).max().unwrap_or(0);
        let count = usize::try_from(count_max).unwrap_or(usize::MAX);
        let least = usize::try_from(least_count(&correlation.condition)).unwrap_or(usize::MAX).max(1);
        let (events_min, recent_max) = match correlation.measure {
            Measure::EventCount => (least, count.max(1)),
            Measure::ValueCount(_) => (least, WINDOW_EVENTS_MAX),
            _ => (1, WINDOW_EVENTS_MAX),
        };
        // A window longer than this is for ever, and sums of times stay in range.
        let longest = |ms: u64| Timestamp::try_from(ms).unwrap_or(Timestamp::MAX);
        Spec {
            index,
            rule,
            timespan: longest(correlation.timespan_ms),
            suppress: correlation.suppress_ms.map(longest),
            correlation,
            growing,
            opens_early,
            events_min,
            recent_max,
            count_max,
        }
    }

    /// Whether correlations refer to this one.
    pub(super) fn is_referred_to(&self) -> bool {
        !self.correlation.onward.is_empty()
    }

    /// Length of the silence that ends a session.
    pub(super) fn gap(&self) -> Option<Timestamp> {
        match self.correlation.window {
            Window::Session { gap_ms } => Some(Timestamp::try_from(gap_ms).unwrap_or(Timestamp::MAX)),
            _ => None,
        }
    }

    pub(super) fn is_first_seen(&self) -> bool {
        matches!(self.correlation.window, Window::FirstSeen { .. })
    }

    /// How long a first-seen group is remembered; none is for ever.
    pub(super) fn forget(&self) -> Option<Timestamp> {
        match self.correlation.window {
            Window::FirstSeen { forget_ms } => forget_ms.and_then(|ms| Timestamp::try_from(ms).ok()),
            _ => None,
        }
    }

    /// Start of the tumbling window that a time lies in.
    pub(super) fn tumbling_start(&self, time: Timestamp) -> Timestamp {
        time.saturating_sub(time.rem_euclid(self.timespan.max(1)))
    }

    /// Whether a first-seen group is new at this time, last seen at that.
    pub(super) fn is_new(&self, last: Option<Timestamp>, time: Timestamp) -> bool {
        last.is_none_or(|last| self.forget().is_some_and(|forget| time.saturating_sub(last) >= forget))
    }

    /// The alternatives of a temporal condition, if it is boolean.
    pub(super) fn clauses(&self) -> Option<&[Clause]> {
        match &self.correlation.measure {
            Measure::Temporal { clauses, .. } => clauses.as_deref(),
            _ => None,
        }
    }

    /// Whether the value, which is `scale` times the one measured, meets every criterion.
    pub(super) fn meets(&self, value: Decimal, scale: u64) -> bool {
        self.correlation.condition.iter().all(|criterion| {
            let ordering = value.cmp(&criterion.value.times(scale));
            match criterion.operator {
                Operator::Lt => ordering.is_lt(),
                Operator::Lte => ordering.is_le(),
                Operator::Gt => ordering.is_gt(),
                Operator::Gte => ordering.is_ge(),
                Operator::Eq => ordering.is_eq(),
                Operator::Neq => ordering.is_ne(),
            }
        })
    }
}

/// A count beyond this meets or misses the criterion as this one does.
fn saturation(criterion: &Comparison) -> u64 {
    let bound = criterion.value.as_count();
    match criterion.operator {
        Operator::Gte | Operator::Lt => bound,
        Operator::Gt | Operator::Lte | Operator::Eq | Operator::Neq => bound.saturating_add(1),
    }
}

/// No smaller count meets all.
fn least_count(condition: &[Comparison]) -> u64 {
    let least = |criterion: &Comparison| match criterion.operator {
        Operator::Gte | Operator::Eq => criterion.value.as_count(),
        Operator::Gt => criterion.value.as_count().saturating_add(1),
        Operator::Lt | Operator::Lte | Operator::Neq => 0,
    };
    condition.iter().map(least).max().unwrap_or(0)
}
