//! A pure step of one group, whose state a cluster's engine keeps.

use super::group::{Circumstances, Group, Outbox};
use super::key::Key;
use super::{Correlator, Fact, FactError, terms};
use crate::finding::Alert;
use crate::sealed;
use crate::wire::wire_struct;
use tripwasm_plan::{RuleIndex, Settings, Timestamp};

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What to give to the next step; empty when there is nothing to keep.
    pub state: Vec<u8>,
    /// Alerts that opened, closed or were withdrawn.
    pub alerts: Vec<Alert>,
    /// Facts for correlations over this one.
    pub facts: Vec<Fact>,
    /// The watermark at which to step again.
    pub next_timer: Option<Timestamp>,
}

/// What a step keeps.
struct Kept {
    correlation: RuleIndex,
    key: Key,
    /// The watermark.
    reached: Option<Timestamp>,
    /// Time of the earliest event.
    began: Option<Timestamp>,
    group: Group,
}

wire_struct!(Kept { correlation, key, reached, began, group });

impl Correlator {
    /// Feeds facts of one (correlation, group) to the state of an earlier step, empty at first, then closes what ends by
    /// the watermark. Facts behind the watermark of that earlier step are late and dropped.
    pub(crate) fn step(
        &self,
        rules_hash: u64,
        state: &[u8],
        facts: Vec<Fact>,
        watermark: Timestamp,
        settings: &Settings,
    ) -> Result<Step, FactError> {
        let kept: Option<Kept> = match state {
            [] => None,
            bytes => Some(sealed::open(rules_hash, bytes).map_err(|_| FactError::ForeignState)?),
        };
        let (correlation, key) = match (&kept, facts.first()) {
            (Some(kept), _) => (kept.correlation, kept.key.clone()),
            (None, Some(first)) => (first.correlation, Key::of_bytes(first.group.key())),
            (None, None) => {
                return Ok(Step {
                    state: Vec::new(),
                    alerts: Vec::new(),
                    facts: Vec::new(),
                    next_timer: None,
                });
            }
        };
        if facts.iter().any(|fact| fact.correlation != correlation || fact.group.key() != key.bytes()) {
            return Err(FactError::ForeignFact);
        }
        let cell = self.cells.get(correlation.0 as usize).and_then(Option::as_ref);
        let spec = &*cell.ok_or(FactError::ForeignFact)?.spec;
        let (before, mut began, mut group) = match kept {
            Some(kept) => (kept.reached, kept.began, kept.group),
            None => (None, None, Group::new(spec, None)),
        };
        let mut out = Outbox::default();
        for fact in facts.into_iter().filter(|fact| before.is_none_or(|before| fact.entry.time >= before)) {
            let time = fact.entry.time;
            began = Some(began.map_or(time, |began| began.min(time)));
            let terms = terms(spec, began, settings);
            let circumstances = Circumstances { duplicates: settings.duplicates, reached: before };
            group.arrive(terms, key.bytes(), fact.entry, circumstances, &mut out);
        }
        let reached = before.map_or(watermark, |before| before.max(watermark));
        group.settle(terms(spec, began, settings), key.bytes(), reached, &mut out);
        let next_timer = group.deadline(spec);
        let state = match group.is_empty() {
            true => Vec::new(),
            false => {
                sealed::seal(rules_hash, &Kept { correlation, key, reached: Some(reached), began, group })
            }
        };
        let above = &spec.correlation.onward;
        let facts = out.firings.iter().flat_map(|firing| firing.facts(above, &mut Vec::new())).collect();
        Ok(Step { state, alerts: out.alerts, facts, next_timer })
    }
}
