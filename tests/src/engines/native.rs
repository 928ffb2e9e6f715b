//! The engine as the guest runs it, outside the sandbox.

use super::{Arrival, Engine, Input, Run, closed, opened, with_positions};
use anyhow::{Result, ensure};
use tripwasm_engine::Detector;
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Plan, Settings, Timestamp};

/// The engine, from the first batch to the last.
#[derive(Debug)]
pub struct Native;

/// [`Native`], moved through a snapshot to a new instance behind every batch.
#[derive(Debug)]
pub struct Resumed;

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        observe(new_detector(plan, settings)?, input, Ok)
    }
}

impl Engine for Resumed {
    fn name(&self) -> &'static str {
        "resumed"
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        observe(new_detector(plan, settings)?, input, |detector| {
            let state = detector.snapshot();
            let mut next = new_detector(plan, settings)?;
            let lost = next
                .restore(&state)
                .map_err(|error| anyhow::anyhow!("a snapshot of its own is refused: {error:?}"))?;
            ensure!(lost.is_empty(), "state is lost under the same rules: {lost:?}");
            ensure!(next.snapshot() == state, "a restored snapshot is another one");
            Ok(next)
        })
    }
}

/// A detector with these settings, before its first event.
pub(super) fn new_detector(plan: &Plan, settings: Settings) -> Result<Detector> {
    let mut detector = Detector::new(plan.clone())?;
    detector
        .configure(settings)
        .map_err(|error| anyhow::anyhow!("a new detector is not configurable: {error:?}"))?;
    Ok(detector)
}

fn observe(
    mut detector: Detector,
    input: &Input<'_>,
    between: impl Fn(Detector) -> Result<Detector>,
) -> Result<Run> {
    let mut outcome = Outcome { matches: Vec::new(), remarks: Vec::new(), closed: Vec::new() };
    let mut alerts = Vec::new();
    if !input.history.is_empty() {
        detector.learn(input.history);
    }
    for (batch, first_event) in with_positions(input.batches) {
        let report = detector.evaluate(batch, first_event, None);
        outcome.matches.extend(report.matches_with_ids());
        outcome.remarks.extend(report.remarks);
        alerts.extend(report.alerts);
        detector = between(detector)?;
    }
    alerts.extend(detector.close(Timestamp::MAX));
    let arrival = Arrival { opened: opened(&alerts), counts: detector.statistics().rules };
    outcome.closed = closed(alerts)?;
    Ok(Run { outcome, arrival: Some(arrival) })
}
