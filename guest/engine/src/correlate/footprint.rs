//! How much memory a group can take, from the rule alone.

use super::spec::Spec;
use super::store::SLOT_BYTES;
use crate::limits::{ALERT_EVENTS_MAX, DISTINCT_VALUES_MAX, SPREAD_VALUES_MAX};
use tripwasm_plan::{Measure, Window};

/// What a value of a field is taken to be: an ARN is longer, a region shorter.
const VALUE_BYTES: u64 = 33;
/// An event packed: a UUID, and time and position less those of the one before.
const EVENT_BYTES: u64 = 16 + 1 + 4 + 3;
/// Times, counts, tags.
const FIXED_BYTES: u64 = 40;

/// Estimate of the memory that one group takes at most behind the watermark, with event ids of 36 characters and
/// values of 32.
pub(super) fn group_bytes_max(spec: &Spec) -> u64 {
    let correlation = &spec.correlation;
    let key = correlation.group_by.len() as u64 * VALUE_BYTES;
    let own = SLOT_BYTES + FIXED_BYTES + key;
    let observed = correlation.observed.len() as u64;
    let listed = ALERT_EVENTS_MAX as u64 * EVENT_BYTES + observed * DISTINCT_VALUES_MAX as u64 * VALUE_BYTES;
    match correlation.window {
        Window::FirstSeen { .. } => own,
        Window::Sliding => {
            let recent = spec.recent_max as u64;
            own + listed
                + recent.saturating_mul(EVENT_BYTES + observed * VALUE_BYTES + number(spec))
                + gauge(spec)
        }
        Window::Tumbling | Window::Anchored | Window::Session { .. } => own + listed + gauge(spec),
    }
}

/// Of one event.
fn number(spec: &Spec) -> u64 {
    if spec.correlation.measure.is_numeric() { 10 } else { 1 }
}

fn gauge(spec: &Spec) -> u64 {
    let sources = spec.correlation.sources.len() as u64;
    match &spec.correlation.measure {
        Measure::EventCount | Measure::Sum(_) | Measure::Average(_) => 24,
        Measure::ValueCount(fields) => spec.count_max.saturating_mul(fields.len() as u64 * VALUE_BYTES + 7),
        Measure::Percentile(..) | Measure::Median(_) => SPREAD_VALUES_MAX as u64 * 12,
        Measure::Temporal { clauses: None, .. } => (sources + sources * sources / 2) * 8,
        Measure::Temporal { clauses: Some(clauses), .. } => {
            (sources + clauses.iter().map(|clause| clause.seen.len() as u64).sum::<u64>()) * 8
        }
    }
}
