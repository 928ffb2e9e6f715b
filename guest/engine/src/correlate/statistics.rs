//! What is counted per rule.

use crate::limits::EVICTIONS_TOLD_MAX;
use crate::wire::wire_struct;
use std::collections::VecDeque;
use tripwasm_plan::RuleIndex;

/// Counts of one rule since the detector began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleStatistics {
    /// Events that the rule matched; alerts closed, if it is a correlation.
    pub matched: u64,
    /// Events that arrived behind the watermark and entered no window.
    pub late: u64,
    /// Events without a usable time, or with a group-by field absent or null.
    pub ungrouped: u64,
    /// Duplicates that entered no window.
    pub duplicate: u64,
    /// Events refused because too many of their group were pending.
    pub refused: u64,
    /// Groups given up because state reached its bound.
    pub evicted: u64,
    /// Groups held now.
    pub groups: u64,
}

wire_struct!(RuleStatistics { matched, late, ungrouped, duplicate, refused, evicted, groups });

/// A group that was given up because state reached its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eviction {
    /// The correlation.
    pub rule: RuleIndex,
    /// Group-by values as text.
    pub group: Vec<String>,
}

/// The counts of all rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Parallel to the plan's rules.
    pub(crate) rules: Vec<RuleStatistics>,
    /// Groups given up last, oldest first.
    pub(crate) evictions: VecDeque<Eviction>,
    /// Estimate of the memory that groups take.
    pub(crate) bytes: u64,
    /// Rules whose counts were touched since they were last told, each once, and the same rule by rule.
    changed: Vec<RuleIndex>,
    is_changed: Vec<bool>,
    /// Counts of a rule that is not there.
    nobody: RuleStatistics,
}

impl Ledger {
    pub(super) fn new(rules: usize) -> Ledger {
        let (counts, is_changed) = (vec![RuleStatistics::default(); rules], vec![false; rules]);
        Ledger { rules: counts, is_changed, ..Ledger::default() }
    }

    pub(crate) fn of(&mut self, rule: usize) -> &mut RuleStatistics {
        if let Some(is_changed) = self.is_changed.get_mut(rule)
            && !core::mem::replace(is_changed, true)
        {
            self.changed.push(RuleIndex(rule as u32));
        }
        self.rules.get_mut(rule).unwrap_or(&mut self.nobody)
    }

    /// The rules whose counts were touched since this was last asked.
    pub(super) fn take_changed(&mut self) -> Vec<RuleIndex> {
        for rule in &self.changed {
            if let Some(is_changed) = self.is_changed.get_mut(rule.0 as usize) {
                *is_changed = false;
            }
        }
        core::mem::take(&mut self.changed)
    }

    pub(super) fn note_eviction(&mut self, rule: RuleIndex, group: Vec<String>) {
        self.of(rule.0 as usize).evicted += 1;
        if self.evictions.len() >= EVICTIONS_TOLD_MAX {
            self.evictions.pop_front();
        }
        self.evictions.push_back(Eviction { rule, group });
    }
}
