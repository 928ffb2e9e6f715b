//! The engines that have to agree, behind one trait.

mod component;

pub use component::Component;

use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_engine::finding::{Alert, AlertState, Finding};
use tripwasm_engine::reference::{self, Outcome};
use tripwasm_engine::{Detector, Fact};
use tripwasm_plan::{Plan, Settings, Timestamp};

/// Longer than any two event times lie apart: no event is late, nothing closes before the end.
pub const LATENESS_UNBOUNDED_MS: u64 = 1 << 50;

/// Something that evaluates rules over a whole input, and closes every window at its end.
pub trait Engine: Sync {
    /// What it is called in failures.
    fn name(&self) -> &'static str;

    /// The outcome of an input that arrives in these batches. Fails if the engine breaks a promise of its
    /// own, such as closing an alert twice.
    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome>;
}

/// The slow, obvious evaluator; it knows neither batches nor lateness.
#[derive(Debug)]
pub struct Reference;

/// The engine as the guest runs it, outside the sandbox.
#[derive(Debug)]
pub struct Native;

/// [`Native`], moved through a snapshot to a new instance behind every batch.
#[derive(Debug)]
pub struct Resumed;

/// The halves of the engine with a shuffle between them: every group's state is bytes kept outside.
#[derive(Debug)]
pub struct Sharded;

impl Engine for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome> {
        Ok(reference::evaluate(plan, &batches.concat(), 0, settings.duplicates))
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome> {
        let mut detector = new_detector(plan, settings)?;
        evaluate(&mut detector, batches, |_| Ok(()))
    }
}

impl Engine for Resumed {
    fn name(&self) -> &'static str {
        "resumed"
    }

    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome> {
        let mut detector = new_detector(plan, settings)?;
        evaluate(&mut detector, batches, |detector| {
            let state = detector.snapshot();
            let mut next = new_detector(plan, settings)?;
            next.restore(&state)
                .map_err(|error| anyhow::anyhow!("a snapshot of its own is refused: {error:?}"))?;
            ensure!(next.snapshot() == state, "a restored snapshot is another one");
            *detector = next;
            Ok(())
        })
    }
}

impl Engine for Sharded {
    fn name(&self) -> &'static str {
        "sharded"
    }

    fn run(&self, plan: &Plan, settings: Settings, batches: &[&[u8]]) -> Result<Outcome> {
        let mut outcome = Native.run(plan, settings, batches)?;
        let mut matching = new_detector(plan, settings)?;
        let reducer = new_detector(plan, settings)?;
        let mut states: BTreeMap<(u32, Vec<String>), Vec<u8>> = BTreeMap::new();
        let mut alerts = Vec::new();
        let mut step = |key: &(u32, Vec<String>), facts: Vec<Fact>, watermark: Timestamp| -> Result<()> {
            let state = states.entry(key.clone()).or_default();
            let step = reducer.step(state, facts, watermark)?;
            *state = step.state;
            alerts.extend(step.alerts);
            Ok(())
        };
        let mut keys = BTreeSet::new();
        for (batch, first_event) in with_positions(batches) {
            for fact in matching.facts(batch, first_event) {
                let fact = reducer.read_fact(&matching.write_fact(&fact))?;
                let key = (fact.correlation.0, fact.group.clone());
                keys.insert(key.clone());
                step(&key, vec![fact], Timestamp::MIN)?;
            }
        }
        for key in &keys {
            step(key, Vec::new(), Timestamp::MAX)?;
        }
        outcome.closed = closed(alerts)?;
        Ok(outcome)
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

fn order(alert: &Alert) -> (u32, &[String], Timestamp) {
    (alert.rule.0, &alert.group, alert.window_start)
}

fn new_detector(plan: &Plan, settings: Settings) -> Result<Detector> {
    let mut detector = Detector::new(plan.clone())?;
    detector
        .configure(settings)
        .map_err(|error| anyhow::anyhow!("a new detector is not configurable: {error:?}"))?;
    Ok(detector)
}

fn evaluate(
    detector: &mut Detector,
    batches: &[&[u8]],
    mut between: impl FnMut(&mut Detector) -> Result<()>,
) -> Result<Outcome> {
    let mut outcome = Outcome { matches: Vec::new(), remarks: Vec::new(), closed: Vec::new() };
    let mut alerts = Vec::new();
    for (batch, first_event) in with_positions(batches) {
        let report = detector.evaluate(batch, first_event, None);
        outcome.remarks.extend(report.remarks);
        for finding in report.findings {
            match finding {
                Finding::Match(found) => outcome.matches.push(found),
                Finding::Alert(alert) => alerts.push(alert),
            }
        }
        between(detector)?;
    }
    alerts.extend(detector.close(Timestamp::MAX));
    outcome.closed = closed(alerts)?;
    Ok(outcome)
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
