//! Values of the engine as values of the contract, and back.

use crate::bindings::exports::tripwasm::detect::detector as wit;
use tripwasm_engine::finding::{Alert, AlertState, FlatMatch, Reason, Remark};
use tripwasm_engine::{Eviction, Mode, Output, Report, VerdictAction};
use tripwasm_plan::{Action, Correlation, Duplicates, Level, Logic, Rule, RuleIndex, Settings};

pub(crate) fn rule_info(rule: &Rule, group_bytes_max: Option<u64>) -> wit::RuleInfo {
    wit::RuleInfo {
        id: rule.id.clone(),
        name: rule.name.clone(),
        title: rule.title.clone(),
        level: rule.level.map(level),
        tags: rule.tags.clone(),
        author: rule.author.clone(),
        kind: match rule.logic {
            Logic::Detection(_) => wit::RuleKind::Detection,
            Logic::Correlation(_) => wit::RuleKind::Correlation,
        },
        action: match rule.action {
            Action::Tag => wit::Action::Tag,
            Action::Drop => wit::Action::Drop,
        },
        reported: rule.reported,
        group_bytes_max,
    }
}

pub(crate) fn options(settings: Settings) -> wit::Options {
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

pub(crate) fn settings(options: &wit::Options) -> Settings {
    Settings {
        lateness_ms: options.lateness_ms,
        duplicates: match options.duplicates {
            wit::Duplicates::Once => Duplicates::Once,
            wit::Duplicates::Count => Duplicates::Count,
        },
        state_bytes_max: options.state_bytes_max,
        learn_from: options.learn_from,
    }
}

pub(crate) fn mode(mode: wit::Mode) -> Mode {
    match mode {
        wit::Mode::Tag => Mode::Tag,
        wit::Mode::Filter => Mode::Filter,
        wit::Mode::Drop => Mode::Drop,
    }
}

pub(crate) fn report(report: Report, rules: &[Rule]) -> wit::Report {
    let verdict = |verdict: tripwasm_engine::Verdict| wit::Verdict {
        event: verdict.event,
        action: match verdict.action {
            VerdictAction::Tag => wit::VerdictAction::Tag,
            VerdictAction::Drop => wit::VerdictAction::Drop,
        },
    };
    wit::Report {
        verdicts: report.verdicts.into_iter().map(verdict).collect(),
        matches: report.matches.into_iter().map(match_finding).collect(),
        texts: report.texts.into_bytes(),
        alerts: alerts(report.alerts, rules),
        remarks: remarks(&report.remarks),
    }
}

pub(crate) fn output(output: Output, rules: &[Rule]) -> wit::Output {
    wit::Output {
        events: output.events,
        alerts: alerts(output.alerts, rules),
        remarks: remarks(&output.remarks),
        tagged: output.tagged,
        removed: output.removed,
    }
}

/// Without windows there is none; said here, so that the code for them is left out.
pub(crate) fn alerts(alerts: Vec<Alert>, rules: &[Rule]) -> Vec<wit::AlertFinding> {
    if !cfg!(feature = "windows") {
        return Vec::new();
    }
    alerts.into_iter().map(|found| alert(found, rules)).collect()
}

fn alert(alert: Alert, rules: &[Rule]) -> wit::AlertFinding {
    let correlation = correlation(rules, alert.rule);
    let (events, event_ids) =
        alert.events.into_iter().map(|event| (event.event, event.event_id.unwrap_or_default())).unzip();
    wit::AlertFinding {
        state: match alert.state {
            AlertState::Open => wit::AlertState::Open,
            AlertState::Closed => wit::AlertState::Closed,
            AlertState::Withdrawn => wit::AlertState::Withdrawn,
        },
        id: alert.id,
        rule: alert.rule.0,
        group: group(alert.group, correlation),
        window_start: alert.window_start,
        window_end: alert.window_end,
        count: alert.count,
        first: alert.first,
        last: alert.last,
        events,
        event_ids,
        observations: observations(alert.observations, correlation),
        truncated: alert.truncated,
        measured: alert.measured.map(|measured| measured.to_string()),
        uncounted: alert.uncounted,
        opened_by: alert.opened_by,
    }
}

pub(crate) fn eviction(eviction: Eviction, rules: &[Rule]) -> wit::Eviction {
    let group = group(eviction.group, correlation(rules, eviction.rule));
    wit::Eviction { rule: eviction.rule.0, group }
}

fn correlation(rules: &[Rule], index: RuleIndex) -> Option<&Correlation> {
    match &rules.get(index.0 as usize)?.logic {
        Logic::Correlation(correlation) => Some(correlation),
        Logic::Detection(_) => None,
    }
}

fn group(values: Vec<String>, correlation: Option<&Correlation>) -> Vec<wit::GroupMember> {
    let fields = correlation.map(|correlation| correlation.group_by.as_slice()).unwrap_or_default();
    let member = |(field, value): (&String, String)| wit::GroupMember { field: field.clone(), value };
    fields.iter().zip(values).map(member).collect()
}

fn observations(
    values: Vec<tripwasm_engine::finding::Observation>,
    correlation: Option<&Correlation>,
) -> Vec<wit::Observation> {
    let fields = correlation.map(|correlation| correlation.observed.as_slice()).unwrap_or_default();
    let observation =
        |(field, seen): (&tripwasm_plan::Observed, tripwasm_engine::finding::Observation)| wit::Observation {
            field: field.name.clone(),
            values: field.values.then_some(seen.values),
            distinct: field.distinct.then_some(seen.distinct),
        };
    fields.iter().zip(values).map(observation).collect()
}

fn match_finding(found: FlatMatch) -> wit::MatchFinding {
    let FlatMatch { event, time, rule, id_start, id_end } = found;
    wit::MatchFinding { event, time, rule: rule.0, id_start, id_end }
}

pub(crate) fn remarks(remarks: &[Remark]) -> Vec<wit::Remark> {
    remarks.iter().map(|remark| wit::Remark { event: remark.event, reason: reason(remark.reason) }).collect()
}

fn reason(reason: Reason) -> wit::Reason {
    match reason {
        Reason::Empty => wit::Reason::Empty,
        Reason::NotUtf8 => wit::Reason::NotUtf8,
        Reason::Malformed => wit::Reason::Malformed,
        Reason::NotAnObject => wit::Reason::NotAnObject,
        Reason::TooLarge => wit::Reason::TooLarge,
        Reason::TooDeep => wit::Reason::TooDeep,
        Reason::DuplicateKey => wit::Reason::DuplicateKey,
        Reason::TaggedBefore => wit::Reason::TaggedBefore,
    }
}

fn level(level: Level) -> wit::Level {
    match level {
        Level::Informational => wit::Level::Informational,
        Level::Low => wit::Level::Low,
        Level::Medium => wit::Level::Medium,
        Level::High => wit::Level::High,
        Level::Critical => wit::Level::Critical,
    }
}
