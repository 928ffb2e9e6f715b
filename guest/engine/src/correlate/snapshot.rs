//! The state of all correlations as bytes, correlation by correlation, so that a changed rule loses only its own.

use super::machine::Lost;
use super::spec::Spec;
use super::store::Store;
use super::{Cell, Correlator, RuleStatistics};
use crate::id::hash_of;
use crate::wire::{Reader, Wire, put_varint, wire_struct};
use tripwasm_plan::{Rule, Timestamp};

/// What a snapshot dropped because it was taken under other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostState {
    /// The rule's label in the snapshot.
    pub rule: String,
    /// How many groups it had.
    pub groups: u64,
}

/// Everything but the groups, which stand behind it, section by section.
#[derive(Debug)]
pub(crate) struct CorrelatorState {
    reached: Vec<Option<Timestamp>>,
    sections: Vec<Section>,
}

/// One rule.
#[derive(Debug)]
struct Section {
    fingerprint: u128,
    label: String,
    statistics: RuleStatistics,
    began: Option<Timestamp>,
    given_up: Option<Lost>,
    /// Of the correlations above, for which pending events carry values.
    onward: u64,
    groups: u64,
    bytes: u64,
}

wire_struct!(CorrelatorState { reached, sections });
wire_struct!(Section { fingerprint, label, statistics, began, given_up, onward, groups, bytes });

/// What reading a snapshot came to: nothing is changed yet.
pub(crate) struct Restored {
    reached: Vec<Option<Timestamp>>,
    /// Parallel to the rules; none for one that the snapshot does not know.
    rules: Vec<Option<RestoredRule>>,
    pub(crate) lost: Vec<LostState>,
    /// Whether some rule of the snapshot is here.
    pub(crate) any_known: bool,
}

struct RestoredRule {
    statistics: RuleStatistics,
    began: Option<Timestamp>,
    given_up: Option<Lost>,
    store: Store,
}

impl Correlator {
    /// The state, and the groups' bytes to put behind it. Equal states give equal bytes.
    pub(crate) fn snapshot(&self, rules: &[Rule], fingerprints: &[u128]) -> (CorrelatorState, Vec<u8>) {
        let mut all = Vec::new();
        let mut sections = Vec::new();
        for (((rule, &fingerprint), cell), statistics) in
            rules.iter().zip(fingerprints).zip(&self.cells).zip(&self.ledger.rules)
        {
            let before = all.len();
            if let Some(cell) = cell {
                cell.store.write_sorted(&mut all);
            }
            sections.push(Section {
                fingerprint,
                label: rule.label().to_owned(),
                statistics: *statistics,
                began: cell.as_ref().and_then(|cell| cell.began),
                given_up: cell.as_ref().and_then(|cell| cell.given_up),
                onward: cell.as_ref().map_or(0, |cell| onward_hash(&cell.spec, fingerprints)),
                groups: cell.as_ref().map_or(0, |cell| cell.store.len() as u64),
                bytes: (all.len() - before) as u64,
            });
        }
        (CorrelatorState { reached: self.levels.iter().map(|level| level.reached).collect(), sections }, all)
    }

    /// Reads what [`Correlator::snapshot`] gave; none if the bytes are no groups.
    pub(crate) fn read(
        &self,
        state: CorrelatorState,
        mut bytes: &[u8],
        fingerprints: &[u128],
    ) -> Option<Restored> {
        let mut rules: Vec<Option<RestoredRule>> = self.cells.iter().map(|_| None).collect();
        let mut lost = Vec::new();
        for section in state.sections {
            let (own, rest) = bytes.split_at_checked(usize::try_from(section.bytes).ok()?)?;
            bytes = rest;
            let here = |(index, fingerprint): (usize, &u128)| {
                let is_free = rules.get(index).is_some_and(Option::is_none);
                (*fingerprint == section.fingerprint && is_free).then_some(index)
            };
            let Some(index) = fingerprints.iter().enumerate().find_map(here) else {
                if section.groups > 0 {
                    lost.push(LostState { rule: section.label, groups: section.groups });
                }
                continue;
            };
            let store = match self.cells.get(index)? {
                Some(cell) => read_groups(cell, &section, own, fingerprints)?,
                None => Store::default(),
            };
            let Section { statistics, began, given_up, .. } = section;
            *rules.get_mut(index)? = Some(RestoredRule { statistics, began, given_up, store });
        }
        let any_known = rules.iter().any(Option::is_some);
        bytes.is_empty().then_some(Restored { reached: state.reached, rules, lost, any_known })
    }

    /// Puts what was read in the place of the state.
    pub(crate) fn restore(&mut self, restored: Restored) {
        let Restored { reached, rules, .. } = restored;
        for (at, level) in self.levels.iter_mut().enumerate() {
            level.reached = reached.get(at).or(reached.last()).copied().flatten();
        }
        self.ledger.bytes = 0;
        self.ledger.evictions.clear();
        self.next_due = Timestamp::MAX;
        for ((cell, statistics), rule) in self.cells.iter_mut().zip(&mut self.ledger.rules).zip(rules) {
            let rule = rule.unwrap_or(RestoredRule {
                statistics: RuleStatistics::default(),
                began: None,
                given_up: None,
                store: Store::default(),
            });
            *statistics = rule.statistics;
            if let Some(cell) = cell {
                (cell.store, cell.began, cell.given_up) = (rule.store, rule.began, rule.given_up);
                self.ledger.bytes += cell.store.bytes();
                self.next_due = self.next_due.min(cell.store.next_due().unwrap_or(Timestamp::MAX));
            }
        }
    }
}

fn read_groups(cell: &Cell, section: &Section, bytes: &[u8], fingerprints: &[u128]) -> Option<Store> {
    let mut store = Store::default();
    let mut bytes = Reader::new(bytes);
    let same_above = section.onward == onward_hash(&cell.spec, fingerprints);
    for _ in 0..section.groups {
        let (key, mut group, standing) = Store::read_group(&mut bytes)?;
        if !same_above {
            group.forget_onward();
        }
        store.put(&cell.spec, key, group, standing);
    }
    bytes.is_empty().then_some(store)
}

/// What the correlations above are, and what they read.
fn onward_hash(spec: &Spec, fingerprints: &[u128]) -> u64 {
    let mut bytes = Vec::new();
    for onward in &spec.correlation.onward {
        fingerprints.get(onward.correlation.0 as usize).copied().write(&mut bytes);
        put_varint(&mut bytes, u64::from(onward.source));
        put_varint(&mut bytes, u64::from(onward.above));
    }
    hash_of(&bytes)
}
