//! The engines that have to agree, behind one trait.

mod component;
mod native;
mod sharded;

pub use component::{Component, alert, wit_options};
pub use native::{Native, Resumed};
pub use sharded::{Sharded, Stepped};

use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_engine::RuleStatistics;
use tripwasm_engine::finding::{Alert, AlertState};
use tripwasm_engine::reference::{self, Outcome};
use tripwasm_plan::{Logic, Plan, Rule, RuleIndex, Settings, Timestamp};

/// Longer than any two event times lie apart: no event is late, nothing closes before the end.
pub const LATENESS_UNBOUNDED_MS: u64 = 1 << 50;

/// Something that evaluates rules over a whole input, and closes every window at its end.
pub trait Engine: Sync {
    /// What it is called in failures.
    fn name(&self) -> &'static str;

    /// Whether it has a watermark of its own: may call events late, opens alerts early, learns from history.
    fn has_watermark(&self) -> bool {
        true
    }

    /// Whether one instance sees every event, and so knows by itself when learning began.
    fn sees_every_event(&self) -> bool {
        true
    }

    /// What happens to an input. Fails if the engine breaks a promise of its own, such as closing an alert twice.
    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run>;

    /// The outcome of an input that arrives in these batches.
    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome> {
        Ok(self.observe(plan, settings, &Input { history: b"", batches })?.outcome)
    }
}

/// What an engine is given.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Events that baselines learn from before all others.
    pub history: &'a [u8],
    /// The events.
    pub batches: &'a [&'a [u8]],
}

/// What came of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What does not depend on the arrival of events.
    pub outcome: Outcome,
    /// What does; none from engines without a watermark.
    pub arrival: Option<Arrival>,
}

/// What happened while events arrived.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrival {
    /// The events that opened alerts.
    pub opened: BTreeMap<RuleIndex, BTreeSet<u64>>,
    /// Parallel to the plan's rules.
    pub counts: Vec<RuleStatistics>,
}

/// The slow, obvious evaluator; it knows neither batches nor lateness.
#[derive(Debug)]
pub struct Reference;

impl Engine for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn has_watermark(&self) -> bool {
        false
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        let plan = Plan { settings, ..plan.clone() };
        let outcome = reference::evaluate(&plan, &input.batches.concat(), 0, settings.duplicates);
        Ok(Run { outcome, arrival: None })
    }
}

/// Cuts an input behind lines, into batches of at least one line and of no more than `bytes_max` bytes
/// otherwise.
pub fn batches(input: &[u8], bytes_max: usize) -> Vec<&[u8]> {
    let mut batches = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        if end > begin && end + line.len() - begin > bytes_max {
            batches.push(&input[begin..end]);
            begin = end;
        }
        end += line.len();
    }
    batches.push(&input[begin..end]);
    batches
}

/// Each batch with the position of its first line.
pub fn with_positions<'b>(batches: &[&'b [u8]]) -> Vec<(&'b [u8], u64)> {
    let mut position = 0;
    let mut placed = Vec::with_capacity(batches.len());
    for &batch in batches {
        placed.push((batch, position));
        let lines = batch.split_inclusive(|&byte| byte == b'\n').count();
        position += u64::try_from(lines).unwrap_or(u64::MAX);
    }
    placed
}

/// The closed alerts among all that an engine told, in order of (rule, group, start of the window). Fails
/// unless every alert that opened is closed or withdrawn, and every alert closes once.
pub fn closed(alerts: Vec<Alert>) -> Result<Vec<Alert>> {
    let mut open = BTreeSet::new();
    let mut over = BTreeSet::new();
    for alert in &alerts {
        match alert.state {
            AlertState::Open => ensure!(open.insert(&alert.id), "alert opened twice: {alert:?}"),
            AlertState::Closed => {
                open.remove(&alert.id);
                ensure!(over.insert(&alert.id), "alert closed twice: {alert:?}");
            }
            AlertState::Withdrawn => ensure!(open.remove(&alert.id), "alert withdrawn unopened: {alert:?}"),
        }
    }
    ensure!(open.is_empty(), "alerts neither closed nor withdrawn: {open:?}");
    let mut closed: Vec<Alert> =
        alerts.into_iter().filter(|alert| alert.state == AlertState::Closed).collect();
    closed.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(closed)
}

/// Whether an instance that sees a part of the events knows when learning began.
pub fn is_told_when_learning_began(plan: &Plan, settings: Settings) -> bool {
    let learns = |rule: &Rule| match &rule.logic {
        Logic::Correlation(correlation) => correlation.learn_ms.is_some(),
        Logic::Detection(_) => false,
    };
    settings.learn_from.is_some() || !plan.rules.iter().any(learns)
}

/// The events that opened alerts, by correlation.
pub(crate) fn opened(alerts: &[Alert]) -> BTreeMap<RuleIndex, BTreeSet<u64>> {
    let mut opened: BTreeMap<RuleIndex, BTreeSet<u64>> = BTreeMap::new();
    for alert in alerts {
        if let Some(event) = alert.opened_by {
            opened.entry(alert.rule).or_default().insert(event);
        }
    }
    opened
}

fn order(alert: &Alert) -> (u32, &[String], Timestamp) {
    (alert.rule.0, &alert.group, alert.window_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_cut_behind_lines() {
        let cut = |input: &'static str, bytes_max| -> Vec<(&str, u64)> {
            let batches = batches(input.as_bytes(), bytes_max);
            let placed = with_positions(&batches).into_iter();
            placed.map(|(batch, position)| (str::from_utf8(batch).unwrap(), position)).collect()
        };
        assert_eq!(cut("", 1), [("", 0)]);
        assert_eq!(cut("a\nbb\n\nc", 1), [("a\n", 0), ("bb\n", 1), ("\n", 2), ("c", 3)]);
        assert_eq!(cut("a\nbb\n\nc", 6), [("a\nbb\n\n", 0), ("c", 3)]);
        assert_eq!(cut("a\nbb\n", 99), [("a\nbb\n", 0)]);
    }
}
