//! Windows over facts, per (correlation, group), in event time.
//!
//! A group holds its events in two parts. Behind the watermark nothing can arrive any more: those events are settled,
//! in order of (time, id), and only they close alerts. What is still pending is kept sorted and decides, on top of the
//! settled part, which alerts open early. So closed alerts cannot depend on the order of arrival.
//!
//! Correlations over correlations stand on higher levels: what settles on one level is fact for those above before the
//! watermark moves there.

mod distinct;
mod event_id;
mod fact;
mod figures;
mod fixed;
mod footprint;
mod gauge;
mod group;
mod key;
mod machine;
mod notice;
mod recent;
mod sequence;
mod signal;
mod sliding;
mod snapshot;
mod spec;
mod statistics;
mod step;
mod store;
mod texts;
mod watermark;
mod weight;

pub use event_id::EventId;
pub use fact::{Carried, Entry, Fact, FactError, Origin, Values};
pub(crate) use snapshot::CorrelatorState;
pub use snapshot::LostState;
pub use statistics::{Eviction, RuleStatistics};
pub use step::Step;
pub(crate) use texts::put_list;
pub use texts::{Lists, Texts};
pub(crate) use watermark::Watermark;

use crate::finding::Alert;
use crate::order::sort_by;
use group::{Arrival, Circumstances, Outbox};
use machine::Lost;
use recent::Recent;
use signal::Terms;
use spec::Spec;
use statistics::Ledger;
use std::rc::Rc;
use store::{SlotId, Store};
use texts::key_of;
use tripwasm_plan::{Logic, Plan, RuleIndex, Settings, Timestamp};

/// The state of all correlations.
#[derive(Debug, Clone)]
pub(crate) struct Correlator {
    /// Parallel to the plan's rules; none for detection rules.
    cells: Vec<Option<Cell>>,
    /// The correlations of each level.
    levels: Vec<Level>,
    pub(crate) ledger: Ledger,
    /// Nothing is due before; maybe there is nothing then, either.
    next_due: Timestamp,
}

/// A correlation and its groups.
#[derive(Debug, Clone)]
struct Cell {
    spec: Rc<Spec>,
    /// Position of its level.
    level: usize,
    store: Store,
    /// Time of its earliest event.
    began: Option<Timestamp>,
    /// What a group that begins now may have held before it was given up.
    given_up: Option<Lost>,
    _linked: Linked,
}

/// Of a type without values where windows are left out: then the compiler knows that there is no correlation, and leaves
/// out all that is done with one.
#[cfg(feature = "windows")]
#[derive(Debug, Clone, Copy)]
struct Linked;
#[cfg(not(feature = "windows"))]
#[derive(Debug, Clone, Copy)]
enum Linked {}

#[cfg(feature = "windows")]
const LINKED: Option<Linked> = Some(Linked);
#[cfg(not(feature = "windows"))]
const LINKED: Option<Linked> = None;

/// Correlations that refer to lower levels only.
#[derive(Debug, Clone, Default)]
struct Level {
    correlations: Vec<usize>,
    /// The watermark up to which everything was settled.
    reached: Option<Timestamp>,
}

/// What a step of correlation gives.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) alerts: Vec<Alert>,
    /// Facts for higher levels.
    pub(crate) facts: Vec<Fact>,
}

impl Correlator {
    pub(crate) fn new(plan: &Plan) -> Correlator {
        let cell = |(index, rule): (usize, &tripwasm_plan::Rule)| match &rule.logic {
            Logic::Correlation(correlation) => {
                let _linked = LINKED?;
                let spec = Rc::new(Spec::new(RuleIndex(index as u32), rule.clone(), correlation.clone()));
                Some(Cell { spec, level: 0, store: Store::default(), began: None, given_up: None, _linked })
            }
            Logic::Detection(_) => None,
        };
        let mut cells: Vec<Option<Cell>> = plan.rules.iter().enumerate().map(cell).collect();
        let mut correlations: Vec<(u32, usize)> = (0..)
            .zip(&cells)
            .filter_map(|(index, cell)| Some((cell.as_ref()?.spec.correlation.level, index)))
            .collect();
        sort_by(&mut correlations, &Ord::cmp);
        let mut levels = Vec::new();
        for of_level in correlations.chunk_by(|one, other| one.0 == other.0) {
            let correlations: Vec<usize> = of_level.iter().map(|(_, index)| *index).collect();
            for &index in &correlations {
                if let Some(Some(cell)) = cells.get_mut(index) {
                    cell.level = levels.len();
                }
            }
            levels.push(Level { correlations, reached: None });
        }
        Correlator { levels, ledger: Ledger::new(cells.len()), cells, next_due: Timestamp::MAX }
    }

    /// Whether what is read of an event can come to matter for a group, which stands there as [`Texts`] do. A first-seen
    /// group needs no more than the time of an event that is not its first one for a while.
    pub(crate) fn wants_values(&self, correlation: RuleIndex, group: &[u8], time: Timestamp) -> bool {
        let Some(Some(cell)) = self.cells.get(correlation.0 as usize) else { return false };
        !cell.spec.is_first_seen() || cell.spec.is_new(cell.store.seen_before(key_of(group), time), time)
    }

    /// Takes in a fact as [`Correlator::enter`] does, and keeps the bound.
    pub(crate) fn feed(
        &mut self,
        correlation: RuleIndex,
        group: &[u8],
        entry: Entry,
        settings: &Settings,
        out: &mut Outcome,
    ) {
        self.enter(correlation, group, entry, settings, out);
        self.keep_bound(settings, out);
    }

    /// Takes in a fact, its group as [`Texts`] are; alerts that it opens go out.
    pub(crate) fn enter(
        &mut self,
        correlation: RuleIndex,
        group: &[u8],
        entry: Entry,
        settings: &Settings,
        out: &mut Outcome,
    ) {
        let index = correlation.0 as usize;
        let Some(Some(cell)) = self.cells.get_mut(index) else { return };
        let reached = self.levels.get(cell.level).and_then(|level| level.reached);
        let time = entry.time;
        if reached.is_some_and(|reached| time < reached) {
            self.ledger.of(index).late += 1;
            return;
        }
        cell.began = Some(cell.began.map_or(time, |began| began.min(time)));
        let Cell { spec, store, began, given_up, .. } = cell;
        let terms = terms(spec, *began, settings);
        let before = store.bytes();
        let slot = store.find_or_add(spec, key_of(group), *given_up);
        let circumstances = Circumstances { duplicates: settings.duplicates, reached };
        let mut outbox = Outbox::default();
        let arrival =
            store.visit(spec, slot, |key, group| group.arrive(terms, key, entry, circumstances, &mut outbox));
        match arrival {
            Some(Arrival::Entered) => store.note_event(slot, time),
            Some(Arrival::Duplicate) => self.ledger.of(index).duplicate += 1,
            Some(Arrival::Refused) | None => self.ledger.of(index).refused += 1,
        }
        self.ledger.bytes = self.ledger.bytes - before + store.bytes();
        self.next_due = self.next_due.min(store.next_due().unwrap_or(Timestamp::MAX));
        out.alerts.append(&mut outbox.alerts);
    }

    /// Closes what ends by the watermark, on every level.
    pub(crate) fn advance(&mut self, watermark: Timestamp, settings: &Settings, out: &mut Outcome) {
        if LINKED.is_none() {
            return;
        }
        let is_due = self.next_due <= watermark;
        for level in 0..self.levels.len() {
            if is_due {
                self.advance_level(level, watermark, settings, out);
                for Fact { correlation, group, entry } in std::mem::take(&mut out.facts) {
                    self.feed(correlation, group.bytes(), entry, settings, out);
                }
            } else if let Some(level) = self.levels.get_mut(level) {
                level.reached = level.reached.max(Some(watermark));
            }
        }
        if is_due {
            let due = self.cells.iter().flatten().filter_map(|cell| cell.store.next_due());
            self.next_due = due.min().unwrap_or(Timestamp::MAX);
        }
    }

    /// Closes what ends by the watermark on one level; facts for higher ones go out.
    pub(crate) fn advance_level(
        &mut self,
        level: usize,
        watermark: Timestamp,
        settings: &Settings,
        out: &mut Outcome,
    ) {
        let Some(level) = self.levels.get_mut(level) else { return };
        for &index in &level.correlations {
            let Some(Some(cell)) = self.cells.get_mut(index) else { continue };
            if cell.store.next_due().is_none_or(|due| due > watermark) {
                continue;
            }
            let before = cell.store.bytes();
            let spec = Rc::clone(&cell.spec);
            let terms = terms(&spec, cell.began, settings);
            let mut outbox = Outbox::default();
            while let Some(slot) = cell.store.pop_due(watermark) {
                // A timer may be too early; then nothing is done, so that a restart, which sets timers anew, changes nothing.
                cell.store.visit(&spec, slot, |key, group| match group.deadline(&spec) {
                    Some(due) if due <= watermark => group.settle(terms, key, watermark, &mut outbox),
                    _ => {}
                });
            }
            self.ledger.bytes = self.ledger.bytes - before + cell.store.bytes();
            self.ledger.of(index).matched += outbox.closed;
            out.alerts.append(&mut outbox.alerts);
            let mut ungrouped = Vec::new();
            for firing in &outbox.firings {
                out.facts.append(&mut firing.facts(&spec.correlation.onward, &mut ungrouped));
            }
            ungrouped.iter().for_each(|above| self.ledger.of(above.0 as usize).ungrouped += 1);
        }
        // In an order that does not depend on where groups lie in memory.
        sort_by(&mut out.facts, &|one, other| {
            (one.correlation, one.entry.order()).cmp(&(other.correlation, other.entry.order()))
        });
        level.reached = level.reached.max(Some(watermark));
    }

    /// Feeds the baseline of a first-seen correlation; nothing else changes, but for groups that have to go.
    pub(crate) fn learn(
        &mut self,
        correlation: RuleIndex,
        group: &[u8],
        time: Timestamp,
        settings: &Settings,
        out: &mut Outcome,
    ) {
        let Some(Some(cell)) = self.cells.get_mut(correlation.0 as usize) else { return };
        let Cell { spec, store, given_up, .. } = cell;
        let before = store.bytes();
        let slot = store.find_or_add(spec, key_of(group), *given_up);
        store.visit(spec, slot, |_, group| group.learn(time));
        store.note_event(slot, time);
        self.next_due = self.next_due.min(store.next_due().unwrap_or(Timestamp::MAX));
        self.ledger.bytes = self.ledger.bytes - before + store.bytes();
        self.keep_bound(settings, out);
    }

    /// Counts per rule, with the number of groups held now.
    pub(crate) fn statistics(&self) -> Vec<RuleStatistics> {
        self.ledger.rules.iter().zip(&self.cells).map(with_groups).collect()
    }

    /// The same of the rules whose counts changed since this was last asked.
    pub(crate) fn take_changed(&mut self) -> Vec<(RuleIndex, RuleStatistics)> {
        let changed = self.ledger.take_changed();
        let counts = |rule: RuleIndex| {
            let at = rule.0 as usize;
            Some((rule, with_groups((self.ledger.rules.get(at)?, self.cells.get(at)?))))
        };
        changed.into_iter().filter_map(counts).collect()
    }

    /// Estimate of the memory that one group of a correlation takes at most behind the watermark.
    pub(crate) fn group_bytes_max(&self, correlation: RuleIndex) -> Option<u64> {
        let cell = self.cells.get(correlation.0 as usize)?.as_ref()?;
        Some(footprint::group_bytes_max(&cell.spec))
    }

    /// The correlation whose groups take the most memory, the first of such, and what the next one takes.
    fn largest(&self) -> Option<(u64, usize, u64)> {
        let (mut largest, mut at, mut second) = (0, None, 0);
        for (index, cell) in self.cells.iter().enumerate() {
            let bytes = cell.as_ref().map_or(0, |cell| cell.store.bytes());
            if bytes > largest {
                (second, largest, at) = (largest, bytes, Some(index));
            } else {
                second = second.max(bytes);
            }
        }
        at.map(|at| (largest, at, second))
    }

    /// Beyond the bound, gives up groups until a sixteenth of it is free again: of the correlation that takes the most, the
    /// least useful. So a flood of keys in one rule costs no other rule a window.
    pub(crate) fn keep_bound(&mut self, settings: &Settings, out: &mut Outcome) {
        if self.ledger.bytes <= settings.state_bytes_max {
            return;
        }
        let target = settings.state_bytes_max - settings.state_bytes_max / 16;
        while self.ledger.bytes > target {
            let Some((largest, index, second)) = self.largest() else { return };
            let excess = self.ledger.bytes - target;
            // Down to the next one, which then shares the burden.
            let share = (largest - second).max(largest / 16).clamp(1, excess);
            let Some(Some(cell)) = self.cells.get_mut(index) else { return };
            for slot in cell.store.least_useful(share) {
                give_up(cell, slot, settings, &mut self.ledger, out);
            }
        }
    }
}

fn terms<'s>(spec: &'s Spec, began: Option<Timestamp>, settings: &Settings) -> Terms<'s> {
    let learn = spec.correlation.learn_ms.map(|ms| Timestamp::try_from(ms).unwrap_or(Timestamp::MAX));
    let from = settings.learn_from.or(began);
    Terms { spec, learns_until: from.zip(learn).map(|(from, learn)| from.saturating_add(learn)) }
}

fn with_groups((statistics, cell): (&RuleStatistics, &Option<Cell>)) -> RuleStatistics {
    RuleStatistics { groups: cell.as_ref().map_or(0, |cell| cell.store.len() as u64), ..*statistics }
}

fn give_up(cell: &mut Cell, slot: SlotId, settings: &Settings, ledger: &mut Ledger, out: &mut Outcome) {
    let spec = Rc::clone(&cell.spec);
    let before = cell.store.bytes();
    let Some((key, mut group, standing)) = cell.store.take(&spec, slot) else { return };
    ledger.bytes = ledger.bytes - before + cell.store.bytes();
    let mut outbox = Outbox::default();
    group.give_up(terms(&spec, cell.began, settings), key.bytes(), &mut outbox);
    ledger.of(spec.index.0 as usize).matched += outbox.closed;
    out.alerts.append(&mut outbox.alerts);
    let (count, last) = (u64::from(standing.events()), standing.latest());
    let before = cell.given_up.unwrap_or(Lost { count, first: Timestamp::MIN, last });
    cell.given_up = Some(Lost { count: before.count.max(count), last: before.last.max(last), ..before });
    ledger.note_eviction(spec.index, key.values());
}
