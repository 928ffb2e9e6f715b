//! Counts that outlive an instance.

use crate::bindings::detector::{ChangedCounts, Counts, RuleCounts};

/// The module's counts over all instances of one detector.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    /// Counted by instances that are gone, beyond their last checkpoint.
    lost: Counts,
    /// Of the running instance, as far as it told.
    current: Counts,
    /// What an instance counts from after a trap.
    checkpoint: Counts,
    /// Instances that a trap ended.
    pub(crate) traps: u64,
}

impl Totals {
    /// Nothing counted yet, of so many rules.
    pub(crate) fn new(rules: usize) -> Self {
        Totals { lost: nothing(rules), current: nothing(rules), checkpoint: nothing(rules), traps: 0 }
    }

    /// The running instance's counts now.
    pub(crate) fn note(&mut self, statistics: Counts) {
        self.current = statistics;
    }

    /// What changed of the running instance's counts.
    pub(crate) fn note_changes(&mut self, changes: &ChangedCounts) {
        self.current.events = changes.events;
        self.current.future_events = changes.future_events;
        self.current.without_time = changes.without_time;
        self.current.state_bytes = changes.state_bytes;
        for change in &changes.rules {
            if let Some(counts) = self.current.rules.get_mut(change.rule as usize) {
                *counts = change.counts;
            }
        }
    }

    /// Memory that the running instance's state takes, as far as it told.
    pub(crate) fn state_bytes(&self) -> u64 {
        self.current.state_bytes
    }

    /// An instance after a trap will begin with the present counts.
    pub(crate) fn checkpoint(&mut self) {
        self.checkpoint = self.current.clone();
    }

    /// The instance is gone, the next begins at the checkpoint.
    pub(crate) fn trapped(&mut self) {
        let beyond = combine(&self.current, &self.checkpoint, u64::saturating_sub);
        self.lost = combine(&self.lost, &beyond, u64::saturating_add);
        self.current = self.checkpoint.clone();
        self.traps += 1;
    }

    /// All counts; what is held now (groups, bytes of state) is that of the running instance.
    pub(crate) fn sum(&self) -> Counts {
        combine(&self.current, &self.lost, u64::saturating_add)
    }
}

/// Counts combined one by one; what is no count is that of `left`.
pub fn combine(left: &Counts, right: &Counts, with: fn(u64, u64) -> u64) -> Counts {
    let rules = left.rules.iter().zip(&right.rules).map(|(left, right)| RuleCounts {
        matched: with(left.matched, right.matched),
        late: with(left.late, right.late),
        ungrouped: with(left.ungrouped, right.ungrouped),
        duplicate: with(left.duplicate, right.duplicate),
        refused: with(left.refused, right.refused),
        evicted: with(left.evicted, right.evicted),
        groups: left.groups,
    });
    Counts {
        events: with(left.events, right.events),
        future_events: with(left.future_events, right.future_events),
        without_time: with(left.without_time, right.without_time),
        rules: rules.collect(),
        watermark: left.watermark,
        state_bytes: left.state_bytes,
        evictions: left.evictions.clone(),
    }
}

fn nothing(rules: usize) -> Counts {
    let rule =
        RuleCounts { matched: 0, late: 0, ungrouped: 0, duplicate: 0, refused: 0, evicted: 0, groups: 0 };
    Counts {
        events: 0,
        future_events: 0,
        without_time: 0,
        rules: vec![rule; rules],
        watermark: None,
        state_bytes: 0,
        evictions: Vec::new(),
    }
}
