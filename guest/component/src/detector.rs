//! The exported interface `detector`.

use crate::bindings::exports::tripwasm::detect::detector::{
    AlertFinding, ChangedCounts, ConfigError, Counts, Guest, Lesson, Limits, LostState, Mode, ModuleInfo,
    Options, Output, Report, RuleChange, RuleCounts, RuleInfo, StateError, Timestamp,
};
use crate::{Component, convert};
use tripwasm_engine::{Detector, limits};
use tripwasm_plan::{Rule, RuleIndex, Settings};

impl Guest for Component {
    fn describe() -> ModuleInfo {
        tripwasm_instance::with(
            |detector| ModuleInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rules: (0..)
                    .zip(detector.rules())
                    .map(|(index, rule)| rule_info(detector, index, rule))
                    .collect(),
                levels: detector.levels(),
                fields: detector.field_paths().into_iter().map(str::to_owned).collect(),
                limits: bounds(),
                options: convert::options(detector.settings()),
            },
            || ModuleInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rules: Vec::new(),
                levels: 0,
                fields: Vec::new(),
                limits: bounds(),
                options: convert::options(Settings::default()),
            },
        )
    }

    fn configure(options: Options) -> Result<(), ConfigError> {
        let settings = convert::settings(&options);
        tripwasm_instance::with(
            |detector| detector.configure(settings).map_err(|_| ConfigError::AlreadyRunning),
            || Ok(()),
        )
    }

    fn evaluate(events: Vec<u8>, first_event: u64, now: Option<Timestamp>) -> Report {
        tripwasm_instance::with(
            |detector| {
                let report = detector.evaluate(&events, first_event, now);
                convert::report(report, detector.rules())
            },
            || Report {
                verdicts: Vec::new(),
                matches: Vec::new(),
                texts: Vec::new(),
                alerts: Vec::new(),
                remarks: Vec::new(),
            },
        )
    }

    fn transform(events: Vec<u8>, first_event: u64, now: Option<Timestamp>, mode: Mode) -> Output {
        tripwasm_instance::with(
            |detector| {
                let output = detector.transform(&events, first_event, now, convert::mode(mode));
                convert::output(output, detector.rules())
            },
            || Output {
                events: events.clone(),
                alerts: Vec::new(),
                remarks: Vec::new(),
                tagged: 0,
                removed: 0,
            },
        )
    }

    fn close(watermark: Timestamp) -> Vec<AlertFinding> {
        tripwasm_instance::with(
            |detector| {
                let alerts = detector.close(watermark);
                convert::alerts(alerts, detector.rules())
            },
            Vec::new,
        )
    }

    fn statistics() -> Counts {
        tripwasm_instance::with(
            |detector| {
                let statistics = detector.statistics();
                Counts {
                    events: statistics.events,
                    future_events: statistics.future,
                    without_time: statistics.without_time,
                    rules: statistics.rules.iter().map(rule_counts).collect(),
                    watermark: statistics.watermark,
                    state_bytes: statistics.state_bytes,
                    evictions: statistics
                        .evictions
                        .into_iter()
                        .map(|eviction| convert::eviction(eviction, detector.rules()))
                        .collect(),
                }
            },
            || Counts {
                events: 0,
                future_events: 0,
                without_time: 0,
                rules: Vec::new(),
                watermark: None,
                state_bytes: 0,
                evictions: Vec::new(),
            },
        )
    }

    fn changes() -> ChangedCounts {
        let change =
            |(rule, counts): &(RuleIndex, _)| RuleChange { rule: rule.0, counts: rule_counts(counts) };
        tripwasm_instance::with(
            |detector| {
                let changes = detector.changes();
                ChangedCounts {
                    events: changes.events,
                    future_events: changes.future,
                    without_time: changes.without_time,
                    state_bytes: changes.state_bytes,
                    rules: changes.rules.iter().map(change).collect(),
                }
            },
            || ChangedCounts {
                events: 0,
                future_events: 0,
                without_time: 0,
                state_bytes: 0,
                rules: Vec::new(),
            },
        )
    }

    fn snapshot() -> Vec<u8> {
        tripwasm_instance::with(|detector| detector.snapshot(), Vec::new)
    }

    fn restore(state: Vec<u8>) -> Result<Vec<LostState>, StateError> {
        let error = |error| match error {
            tripwasm_engine::StateError::OtherVersion => StateError::OtherVersion,
            tripwasm_engine::StateError::OtherRules => StateError::OtherRules,
            _ => StateError::Damaged,
        };
        let lost = |lost: tripwasm_engine::LostState| LostState { rule: lost.rule, groups: lost.groups };
        tripwasm_instance::with(
            |detector| {
                let all = detector.restore(&state).map_err(error)?;
                Ok(all.into_iter().map(lost).collect())
            },
            || Err(StateError::OtherRules),
        )
    }

    fn learn(events: Vec<u8>) -> Lesson {
        tripwasm_instance::with(
            |detector| {
                let lesson = detector.learn(&events);
                Lesson { learned: lesson.learned, remarks: convert::remarks(&lesson.remarks) }
            },
            || Lesson { learned: 0, remarks: Vec::new() },
        )
    }
}

fn rule_info(detector: &Detector, index: u32, rule: &Rule) -> RuleInfo {
    convert::rule_info(rule, detector.group_bytes_max(RuleIndex(index)))
}

fn bounds() -> Limits {
    Limits {
        event_bytes_max: limits::EVENT_BYTES_MAX as u64,
        nesting_depth_max: limits::NESTING_DEPTH_MAX as u32,
        alert_events_max: limits::ALERT_EVENTS_MAX as u32,
        jump_events_min: limits::JUMP_EVENTS_MIN as u32,
    }
}

fn rule_counts(rule: &tripwasm_engine::RuleStatistics) -> RuleCounts {
    RuleCounts {
        matched: rule.matched,
        late: rule.late,
        ungrouped: rule.ungrouped,
        duplicate: rule.duplicate,
        refused: rule.refused,
        evicted: rule.evicted,
        groups: rule.groups,
    }
}
