//! What is counted, under the names that Prometheus shows.
//!
//! | name | labels | what it counts |
//! |---|---|---|
//! | `tripwasm_events_in_total` | - | lines that came in, blank and rejected ones included |
//! | `tripwasm_events_out_total` | - | events given on |
//! | `tripwasm_events_removed_total` | - | events that the mode or a rule with `action: drop` left out: in = out + removed |
//! | `tripwasm_events_tagged_total` | - | events that something was found in |
//! | `tripwasm_events_rejected_total` | `reason` | lines that were not evaluated, or with a remark; they pass |
//! | `tripwasm_matches_total` | `rule` | events a rule matched; alerts closed, of a correlation |
//! | `tripwasm_late_total`, `_duplicates_total`, `_refused_total`, `_evictions_total`, `_ungrouped_total` | `rule` | what windows did not take |
//! | `tripwasm_future_events_total`, `tripwasm_events_without_time_total` | - | events whose time is not usable |
//! | `tripwasm_alerts_total` | `state` | alerts opened, closed, withdrawn |
//! | `tripwasm_traps_total`, `tripwasm_input_problems_total` | - | batches that passed unevaluated; bodies that could not be read whole |
//! | `tripwasm_state_bytes`, `tripwasm_watermark_seconds` | - | memory of open windows; how far event time is |
//! | `tripwasm_module_info` | `sha256`, `rules` | 1 for the module that runs |
//! | `tripwasm_reloads_total` | `outcome` | modules exchanged, or refused |
//! | `tripwasm_state_saved_timestamp_seconds` | - | when state was saved last |
//! | `tripwasm_journal_errors_total` | - | batches that a kill would take from the windows, until state is saved |

use std::time::{Duration, Instant};

use metrics::{Gauge, counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tripwasm::bindings::detector::{AlertFinding, Counts, RuleCounts};
use tripwasm::finding::{label, state_text};
use tripwasm::{Detector, Module};

use super::evaluator::Evaluated;

/// How often the module is asked for its counts.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often histograms are looked after.
const UPKEEP: Duration = Duration::from_secs(5);

type OfRule = fn(&RuleCounts) -> u64;

/// Which count of a rule goes by which name.
const OF_RULES: [(&str, OfRule); 6] = [
    ("tripwasm_matches_total", |counts| counts.matched),
    ("tripwasm_late_total", |counts| counts.late),
    ("tripwasm_ungrouped_total", |counts| counts.ungrouped),
    ("tripwasm_duplicates_total", |counts| counts.duplicate),
    ("tripwasm_refused_total", |counts| counts.refused),
    ("tripwasm_evictions_total", |counts| counts.evicted),
];

/// Counts of one instance, and how much of them is told already.
pub(super) struct Counted {
    rules: Vec<String>,
    told: Counts,
    info: Gauge,
    last: Instant,
}

impl Counted {
    /// Of a module that begins to run. What the detector counted until now, under a saved state or another module, was
    /// told then.
    pub(super) fn new(module: &Module, detector: &mut Detector) -> Self {
        let rules = module.info().rules.len().to_string();
        let info = gauge!("tripwasm_module_info", "sha256" => module.sha256().to_owned(), "rules" => rules);
        info.set(1.0);
        let rules = module.info().rules.iter().map(|rule| label(rule).to_owned()).collect();
        Counted { rules, told: detector.statistics(), info, last: Instant::now() }
    }

    /// Events were evaluated.
    pub(super) fn job(&self, evaluated: &Evaluated) {
        let Evaluated { events_in, tagged, removed, .. } = *evaluated;
        counter!("tripwasm_events_in_total").increment(events_in);
        counter!("tripwasm_events_out_total").increment(events_in.saturating_sub(removed));
        counter!("tripwasm_events_removed_total").increment(removed);
        counter!("tripwasm_events_tagged_total").increment(tagged);
    }

    /// Lines came with a remark.
    pub(super) fn rejected(&self, reason: &'static str, lines: u64) {
        counter!("tripwasm_events_rejected_total", "reason" => reason).increment(lines);
    }

    /// A body could not be read whole.
    pub(super) fn input_problem(&self) {
        counter!("tripwasm_input_problems_total").increment(1);
    }

    /// A batch passed unevaluated.
    pub(super) fn trap(&self) {
        counter!("tripwasm_traps_total").increment(1);
    }

    /// An alert opened, closed or was withdrawn.
    pub(super) fn alert(&self, alert: &AlertFinding) {
        counter!("tripwasm_alerts_total", "state" => state_text(alert.state)).increment(1);
    }

    /// State is on the disk.
    pub(super) fn saved(&self) {
        gauge!("tripwasm_state_saved_timestamp_seconds").set(crate::cli::run::now_ms() as f64 / 1e3);
    }

    /// Another module runs in the place of this one.
    pub(super) fn exchanged(&mut self, module: &Module, detector: &mut Detector) {
        self.info.set(0.0);
        counter!("tripwasm_reloads_total", "outcome" => "exchanged").increment(1);
        *self = Counted::new(module, detector);
    }

    /// Asks the module for its counts, if that was not done a moment ago.
    pub(super) fn now_and_then(&mut self, detector: &mut Detector) {
        if self.last.elapsed() >= INTERVAL {
            self.all(detector);
        }
    }

    /// Asks the module for its counts.
    pub(super) fn all(&mut self, detector: &mut Detector) {
        self.last = Instant::now();
        let counts = detector.statistics();
        let told = &self.told;
        for ((rule, now), before) in self.rules.iter().zip(&counts.rules).zip(&told.rules) {
            for (name, of) in OF_RULES {
                let more = of(now).saturating_sub(of(before));
                if more > 0 {
                    counter!(name, "rule" => rule.clone()).increment(more);
                }
            }
        }
        let more = |of: fn(&Counts) -> u64| of(&counts).saturating_sub(of(told));
        counter!("tripwasm_future_events_total").increment(more(|counts| counts.future_events));
        counter!("tripwasm_events_without_time_total").increment(more(|counts| counts.without_time));
        gauge!("tripwasm_state_bytes").set(counts.state_bytes as f64);
        if let Some(watermark) = counts.watermark {
            gauge!("tripwasm_watermark_seconds").set(watermark as f64 / 1e3);
        }
        self.told = counts;
    }
}

/// Takes up what histograms were told, for ever: they keep each value until then, and nobody may ever ask for them.
pub(super) async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// A module could not be taken.
pub(super) fn reload_refused() {
    counter!("tripwasm_reloads_total", "outcome" => "refused").increment(1);
}
