//! Counts, distinct values and first-seen over facts, per (correlation, group), in event time.
//!
//! A group holds its events in two parts. Behind the watermark nothing can arrive any more: those events are settled,
//! in order of (time, id), and only they close alerts. What is still pending is kept sorted and decides, on top of the
//! settled part, which alerts open early. So closed alerts cannot depend on the order of arrival.

mod aggregate;
mod fact;
mod group;
mod machine;
mod step;
mod watermark;

pub use fact::{Entry, Fact, FactError};
pub use step::Step;
pub(crate) use watermark::Watermark;

use crate::finding::{Alert, AlertState};
use group::Arrival;
pub(crate) use group::Group;
use machine::Spec;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tripwasm_plan::{Logic, Plan, RuleIndex, Settings, Timestamp};

/// Counts of one rule since the detector began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatistics {
    /// Events that the rule matched; alerts closed, if it is a correlation.
    pub matched: u64,
    /// Events that arrived behind the watermark and entered no window.
    pub late: u64,
    /// Events without a usable time, or with a group-by field absent or null.
    pub ungrouped: u64,
    /// Duplicates that entered no window.
    pub duplicate: u64,
    /// Events refused because state reached its bound.
    pub refused: u64,
    /// Groups given up because state reached its bound.
    pub evicted: u64,
    /// Groups held now.
    pub groups: u64,
}

type Key = Rc<[String]>;

/// Per rule, its groups by key.
pub(crate) type Groups = Vec<BTreeMap<Key, Group>>;

/// The state of all correlations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Correlator {
    /// Parallel to the plan's rules; none for detection rules.
    specs: Vec<Option<Rc<Spec>>>,
    /// Parallel to `specs`.
    groups: Groups,
    /// When which group has something to do, at the latest.
    timers: BTreeSet<(Timestamp, u32, Key)>,
    pub(crate) statistics: Vec<RuleStatistics>,
    /// Estimate of the memory that groups take.
    bytes: u64,
}

impl Correlator {
    pub(crate) fn new(plan: &Plan) -> Correlator {
        let specs = plan.rules.iter().enumerate().map(|(index, rule)| match &rule.logic {
            Logic::Correlation(correlation) => {
                Some(Rc::new(Spec::new(RuleIndex(index as u32), rule.clone(), correlation.clone())))
            }
            Logic::Detection(_) => None,
        });
        Correlator {
            specs: specs.collect(),
            groups: vec![BTreeMap::new(); plan.rules.len()],
            timers: BTreeSet::new(),
            statistics: vec![RuleStatistics::default(); plan.rules.len()],
            bytes: 0,
        }
    }

    /// Takes in a fact that is not late; alerts that it opens, and those that close meanwhile, go to `alerts`.
    pub(crate) fn feed(
        &mut self,
        fact: Fact,
        watermark: Option<Timestamp>,
        settings: &Settings,
        alerts: &mut Vec<Alert>,
    ) {
        let index = fact.correlation.0 as usize;
        let Some(Some(spec)) = self.specs.get(index).map(|spec| spec.as_ref().map(Rc::clone)) else { return };
        let (Some(groups), Some(statistics)) = (self.groups.get_mut(index), self.statistics.get_mut(index))
        else {
            return;
        };
        if watermark.is_some_and(|watermark| fact.entry.time < watermark) {
            statistics.late += 1;
            return;
        }
        if self.bytes + fact.entry.bytes() > settings.state_bytes_max {
            statistics.refused += 1;
            return;
        }
        let key: Key = fact.group.into();
        self.bytes -= groups.get(&key).map_or(0, Group::weight);
        let group = groups.entry(Rc::clone(&key)).or_insert_with(|| Group::new(&spec, &key));
        if let Some(watermark) = watermark {
            let before = alerts.len();
            group.settle(&spec, &key, watermark, alerts);
            statistics.matched += count_closed(alerts, before);
        }
        match group.arrive(&spec, &key, Rc::new(fact.entry), settings.duplicates, alerts) {
            Arrival::Entered => {}
            Arrival::Duplicate => statistics.duplicate += 1,
        }
        self.bytes += group.weight();
        self.set_timer(index, &key);
    }

    /// Closes what ends by the watermark.
    pub(crate) fn advance(&mut self, watermark: Timestamp, alerts: &mut Vec<Alert>) {
        while let Some((due, _, _)) = self.timers.first()
            && *due <= watermark
        {
            let Some((_, index, key)) = self.timers.pop_first() else { return };
            let index = index as usize;
            let Some(Some(spec)) = self.specs.get(index).map(|spec| spec.as_ref().map(Rc::clone)) else {
                return;
            };
            let Some(groups) = self.groups.get_mut(index) else { return };
            let Some(group) = groups.get_mut(&key) else { continue };
            self.bytes -= group.weight();
            group.timer = None;
            let before = alerts.len();
            group.settle(&spec, &key, watermark, alerts);
            if let Some(statistics) = self.statistics.get_mut(index) {
                statistics.matched += count_closed(alerts, before);
            }
            if group.is_empty() {
                groups.remove(&key);
            } else {
                self.bytes += group.weight();
                self.set_timer(index, &key);
            }
        }
    }

    /// The groups of every rule, for a snapshot.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Puts the groups and counts of a snapshot in the place of its own.
    pub(crate) fn restore(&mut self, groups: Groups, statistics: Vec<RuleStatistics>) {
        self.timers.clear();
        self.bytes = groups.iter().flat_map(BTreeMap::values).map(Group::weight).sum();
        self.statistics = statistics;
        self.groups = groups;
        let keys = |(index, groups): (usize, &BTreeMap<Key, Group>)| {
            groups.keys().map(|key| (index, Rc::clone(key))).collect::<Vec<_>>()
        };
        for (index, key) in self.groups.iter().enumerate().flat_map(keys).collect::<Vec<_>>() {
            self.set_timer(index, &key);
        }
    }

    /// Estimate of the memory that state takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts per rule, with the number of groups held now.
    pub(crate) fn statistics(&self) -> Vec<RuleStatistics> {
        let with_groups = |(statistics, groups): (&RuleStatistics, &BTreeMap<Key, Group>)| RuleStatistics {
            groups: groups.len() as u64,
            ..*statistics
        };
        self.statistics.iter().zip(&self.groups).map(with_groups).collect()
    }

    fn set_timer(&mut self, index: usize, key: &Key) {
        let Some(group) = self.groups.get_mut(index).and_then(|groups| groups.get_mut(key)) else { return };
        let Some(Some(spec)) = self.specs.get(index) else { return };
        let due = group.deadline(spec);
        if due == group.timer {
            return;
        }
        if let Some(old) = group.timer {
            self.timers.remove(&(old, index as u32, Rc::clone(key)));
        }
        group.timer = due;
        if let Some(due) = due {
            self.timers.insert((due, index as u32, Rc::clone(key)));
        }
    }
}

/// How many alerts from number `before` on are final.
fn count_closed(alerts: &[Alert], before: usize) -> u64 {
    alerts.iter().skip(before).filter(|alert| alert.state == AlertState::Closed).count() as u64
}
