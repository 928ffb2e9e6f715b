//! The built component in its sandbox.

use super::{Arrival, Engine, Input, Run, closed, opened, with_positions};
use anyhow::{Result, ensure};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use tripwasm::bindings::detector as wit;
use tripwasm::build::{Carried, Target, build};
use tripwasm::finding::event_id;
use tripwasm::{CompileCache, Detector, DetectorOptions, LoadError, Module, Runtime, RuntimeOptions};
use tripwasm_engine::RuleStatistics;
use tripwasm_engine::finding::{Alert, AlertState, EventRef, Match, Observation, Reason, Remark};
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Decimal, Duplicates, Plan, RuleIndex, Settings};

/// What `tripwasm build` makes of the rules, as `tripwasm run` loads it.
#[derive(Debug)]
pub struct Component;

static RUNTIME: LazyLock<Result<Runtime, LoadError>> =
    LazyLock::new(|| Runtime::new(RuntimeOptions { cache: CompileCache::PerUser }));

/// Modules by the bytes of their plans: compiling one takes longer than most tests.
static MODULES: LazyLock<Mutex<HashMap<Vec<u8>, Module>>> = LazyLock::new(Mutex::default);

impl Engine for Component {
    fn name(&self) -> &'static str {
        "component"
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        let module = module(plan)?;
        let mut options = DetectorOptions::of(&module);
        options.options = wit_options(settings);
        let mut detector = Detector::new(&module, options)?;
        if !input.history.is_empty() {
            detector.learn(input.history)?;
        }
        let mut outcome = Outcome { matches: Vec::new(), remarks: Vec::new(), closed: Vec::new() };
        let mut alerts = Vec::new();
        for (batch, first_event) in with_positions(input.batches) {
            let report = detector.evaluate(batch, first_event, None)?;
            outcome.remarks.extend(report.remarks.iter().map(remark));
            outcome.matches.extend(report.matches.iter().map(|found| matched(found, &report)));
            alerts.extend(report.alerts.into_iter().map(alert));
        }
        alerts.extend(detector.close(i64::MAX)?.into_iter().map(alert));
        ensure!(detector.traps() == 0, "the module trapped");
        let counts = detector.statistics().rules.iter().map(counts).collect();
        let arrival = Arrival { opened: opened(&alerts), counts };
        outcome.closed = closed(alerts)?;
        Ok(Run { outcome, arrival: Some(arrival) })
    }
}

/// Settings in the words of the contract.
pub fn wit_options(settings: Settings) -> wit::Options {
    wit::Options {
        lateness_ms: settings.lateness_ms,
        duplicates: match settings.duplicates {
            Duplicates::Once => wit::Duplicates::Once,
            Duplicates::Count => wit::Duplicates::Count,
        },
        state_bytes_max: settings.state_bytes_max,
        learn_from: settings.learn_from,
    }
}

fn module(plan: &Plan) -> Result<Module> {
    let runtime = RUNTIME.as_ref().map_err(|error| anyhow::anyhow!("no runtime: {error}"))?;
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = tripwasm_plan::encode(plan);
    if let Some(module) = modules.get(&bytes) {
        return Ok(module.clone());
    }
    let wasm = build(runtime, plan, Target::Component, Carried::Nothing)?;
    let module = Module::load(runtime, &wasm)?;
    modules.insert(bytes, module.clone());
    Ok(module)
}

fn remark(remark: &wit::Remark) -> Remark {
    let reason = match remark.reason {
        wit::Reason::Empty => Reason::Empty,
        wit::Reason::NotUtf8 => Reason::NotUtf8,
        wit::Reason::Malformed => Reason::Malformed,
        wit::Reason::NotAnObject => Reason::NotAnObject,
        wit::Reason::TooLarge => Reason::TooLarge,
        wit::Reason::TooDeep => Reason::TooDeep,
        wit::Reason::DuplicateKey => Reason::DuplicateKey,
        wit::Reason::TaggedBefore => Reason::TaggedBefore,
    };
    Remark { event: remark.event, reason }
}

fn counts(counts: &wit::RuleCounts) -> RuleStatistics {
    RuleStatistics {
        matched: counts.matched,
        late: counts.late,
        ungrouped: counts.ungrouped,
        duplicate: counts.duplicate,
        refused: counts.refused,
        evicted: counts.evicted,
        groups: counts.groups,
    }
}

fn matched(found: &wit::MatchFinding, report: &wit::Report) -> Match {
    let event_id = event_id(found, report).map(|id| String::from_utf8_lossy(id).into_owned());
    Match { event: found.event, rule: RuleIndex(found.rule), time: found.time, event_id }
}

/// An alert in the engine's words.
pub fn alert(found: wit::AlertFinding) -> Alert {
    let id = |id: String| Some(id).filter(|id| !id.is_empty());
    let events = found.events.into_iter().zip(found.event_ids);
    // What the rule does not ask for is not told; it stands as nothing.
    let observation = |found: wit::Observation| Observation {
        values: found.values.unwrap_or_default(),
        distinct: found.distinct.unwrap_or_default(),
    };
    Alert {
        state: match found.state {
            wit::AlertState::Open => AlertState::Open,
            wit::AlertState::Closed => AlertState::Closed,
            wit::AlertState::Withdrawn => AlertState::Withdrawn,
        },
        id: found.id,
        rule: RuleIndex(found.rule),
        group: found.group.into_iter().map(|member| member.value).collect(),
        window_start: found.window_start,
        window_end: found.window_end,
        count: found.count,
        first: found.first,
        last: found.last,
        events: events.map(|(event, event_id)| EventRef { event, event_id: id(event_id) }).collect(),
        observations: found.observations.into_iter().map(observation).collect(),
        truncated: found.truncated,
        measured: found.measured.and_then(|text| Decimal::parse(&text)),
        uncounted: found.uncounted,
        opened_by: found.opened_by,
    }
}
