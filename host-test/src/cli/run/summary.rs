//! What a run came to, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};
use tripwasm::Module;
use tripwasm::bindings::detector::{AlertState, Counts};

use super::rule_lines;

/// Reasons of lines that were evaluated all the same.
const EVALUATED: [&str; 6] =
    ["duplicate-key", "tagged-before", "digest", "control-message", "other-event", "notification"];

/// What became of closed alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosedAlerts {
    /// They stand in the output or in a file.
    Written,
    /// They were only counted.
    Dropped,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    /// Events that a run before had counted; they are not in `events`.
    pub(super) skipped: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) tagged: u64,
    pub(super) removed: u64,
    /// By reason.
    pub(super) remarks: BTreeMap<&'static str, u64>,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) withdrawn: u64,
    pub(super) traps: u64,
    /// Inputs, or parts of them, that could not be read.
    pub(super) input_problems: u64,
    /// What the module counted in this run.
    pub(super) counts: Option<Counts>,
}

impl Summary {
    pub(super) fn alert(&mut self, state: AlertState) {
        match state {
            AlertState::Open => self.opened += 1,
            AlertState::Closed => self.closed += 1,
            AlertState::Withdrawn => self.withdrawn += 1,
        }
    }

    /// Whether the command failed: rejected events and traps pass through and do not count as that.
    pub(super) fn failed(&self) -> bool {
        self.input_problems > 0
    }

    /// A few aligned lines; zeros that nobody asks for are left out.
    pub(super) fn text(&self, module: &Module, alerts: ClosedAlerts) -> String {
        let mut text = String::new();
        let seconds = self.seconds.max(1e-9);
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<10} {value}");
        };
        line(
            "events",
            format!(
                "{} in {:.2} s ({:.0} events/s, {:.1} MB/s)",
                self.events,
                self.seconds,
                self.events as f64 / seconds,
                self.bytes as f64 / 1e6 / seconds
            ),
        );
        if self.skipped > 0 {
            line("skipped", format!("{} counted by the run before", self.skipped));
        }
        line("tagged", format!("{}{}", self.tagged, removed(self.removed)));
        line("rejected", self.reasons(|reason| !EVALUATED.contains(&reason)));
        if self.remarks.keys().any(|reason| EVALUATED.contains(reason)) {
            line("remarked", self.reasons(|reason| EVALUATED.contains(&reason)));
        }
        let mut counts =
            format!("{} opened, {} closed, {} withdrawn", self.opened, self.closed, self.withdrawn);
        if self.closed > 0 && alerts == ClosedAlerts::Dropped {
            counts += " (--alerts FILE writes them)";
        }
        line("alerts", counts);
        if let Some(counts) = &self.counts {
            let sum = |count: fn(&tripwasm::bindings::detector::RuleCounts) -> u64| -> u64 {
                counts.rules.iter().map(count).sum()
            };
            line(
                "windows",
                format!(
                    "{} late, {} duplicate, {} refused, {} evicted, {} without group; {} future, {} without time",
                    sum(|rule| rule.late),
                    sum(|rule| rule.duplicate),
                    sum(|rule| rule.refused),
                    sum(|rule| rule.evicted),
                    sum(|rule| rule.ungrouped),
                    counts.future_events,
                    counts.without_time
                ),
            );
            for rule in rule_lines::text(module.info(), counts) {
                line("rule", rule);
            }
        }
        if self.traps > 0 {
            line("traps", format!("{} (their batches passed through as they were)", self.traps));
        }
        if self.input_problems > 0 {
            line("inputs", format!("{} could not be read whole, see above", self.input_problems));
        }
        text
    }

    /// What the figures lack because state reached its bound; empty if they lack nothing.
    pub(super) fn warnings(&self, module: &Module) -> Vec<String> {
        self.counts.as_ref().map(|counts| rule_lines::warnings(module.info(), counts)).unwrap_or_default()
    }

    /// The same as JSON.
    pub(super) fn json(&self, module: &Module) -> Result<String, serde_json::Error> {
        let part = |keep: fn(&str) -> bool| -> Map<String, Value> {
            let kept = self.remarks.iter().filter(|(reason, _)| keep(reason));
            kept.map(|(reason, count)| ((*reason).to_owned(), json!(count))).collect()
        };
        let counts = self.counts.as_ref();
        let report = json!({
            "events": self.events,
            "skipped": self.skipped,
            "bytes": self.bytes,
            "seconds": self.seconds,
            "tagged": self.tagged,
            "removed": self.removed,
            "rejected": part(|reason| !EVALUATED.contains(&reason)),
            "remarked": part(|reason| EVALUATED.contains(&reason)),
            "alerts": { "opened": self.opened, "closed": self.closed, "withdrawn": self.withdrawn },
            "future": counts.map(|counts| counts.future_events),
            "without_time": counts.map(|counts| counts.without_time),
            "watermark": counts.and_then(|counts| counts.watermark).and_then(tripwasm::rfc3339),
            "state_bytes": counts.map(|counts| counts.state_bytes),
            "traps": self.traps,
            "input_problems": self.input_problems,
            "rules": counts.map(|counts| rule_lines::json(module.info(), counts)).unwrap_or_default(),
            "evictions": counts.map(|counts| rule_lines::evictions_json(module.info(), counts)).unwrap_or_default(),
        });
        Ok(serde_json::to_string_pretty(&report)? + "\n")
    }

    fn reasons(&self, keep: impl Fn(&str) -> bool) -> String {
        let kept: Vec<_> = self.remarks.iter().filter(|(reason, _)| keep(reason)).collect();
        let sum: u64 = kept.iter().map(|(_, count)| **count).sum();
        let parts: Vec<String> = kept.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        if parts.is_empty() { sum.to_string() } else { format!("{sum} ({})", parts.join(", ")) }
    }
}

fn removed(count: u64) -> String {
    if count > 0 { format!(", {count} left out") } else { String::new() }
}
