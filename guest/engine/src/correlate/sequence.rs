//! Sources that matched one after the other, for `temporal_ordered`.
//!
//! For each beginning of a sequence the latest time at which a complete one starts is enough: a sequence lies inside a
//! window that ends now when it starts inside it. So nothing has to be taken out of a sliding window.

use super::spec::Spec;
use crate::wire::wire_struct;
use tripwasm_plan::{Decimal, Timestamp};

/// Latest starts of sequences.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sequence {
    /// Latest time of each source.
    latest: Vec<Option<Timestamp>>,
    /// With clauses: per clause and position in its `seen`, the latest start of a sequence up to there. Without: per
    /// source and length less one, the latest start of a sequence of that length that ends with the source.
    starts: Vec<Vec<Option<Timestamp>>>,
    /// The time of the last event, and the sources seen at it: these are in any order.
    now: Option<(Timestamp, u32)>,
}

wire_struct!(Sequence { latest, starts, now });

impl Sequence {
    pub(super) fn new(spec: &Spec) -> Sequence {
        let sources = spec.correlation.sources.len();
        let starts = match spec.clauses() {
            Some(clauses) => clauses.iter().map(|clause| vec![None; clause.seen.len()]).collect(),
            None => (1..=sources).map(|length| vec![None; length]).collect(),
        };
        Sequence { latest: vec![None; sources], starts, now: None }
    }

    /// Takes in an event that is not earlier than any before.
    pub(super) fn see(&mut self, spec: &Spec, sources: u32, time: Timestamp) {
        let at_once = match self.now {
            Some((now, before)) if now == time => before | sources,
            _ => sources,
        };
        self.now = Some((time, at_once));
        let matched = |source: u32| at_once.checked_shr(source).unwrap_or(0) & 1 == 1;
        for (place, _) in self.latest.iter_mut().zip(0..).filter(|(_, source)| matched(*source)) {
            *place = Some(time);
        }
        match spec.clauses() {
            Some(clauses) => {
                for (starts, clause) in self.starts.iter_mut().zip(clauses) {
                    extend_clause(starts, &clause.seen, matched, time);
                }
            }
            None => self.extend_lengths(matched, time),
        }
    }

    /// Whether the condition holds over what was seen after `since`.
    pub(super) fn holds(&self, spec: &Spec, since: Timestamp) -> bool {
        let within = |time: &Option<Timestamp>| time.is_some_and(|time| time > since);
        let Some(clauses) = spec.clauses() else {
            let longest = self.starts.iter().filter_map(|starts| starts.iter().rposition(within)).max();
            return spec.meets(Decimal::whole(longest.map_or(0, |length| length as u64 + 1)), 1);
        };
        clauses.iter().zip(&self.starts).any(|(clause, starts)| {
            let unseen = |source: &u32| !self.latest.get(*source as usize).is_some_and(within);
            starts.last().is_none_or(within) && clause.unseen.iter().all(unseen)
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        let times: usize =
            self.latest.len() + self.starts.iter().map(|starts| starts.len() + 2).sum::<usize>();
        times as u64 * 16
    }

    fn extend_lengths(&mut self, matched: impl Fn(u32) -> bool, time: Timestamp) {
        let sources = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        for source in (0..sources).filter(|source| matched(*source)) {
            let (before, from) = self.starts.split_at_mut(source as usize);
            let Some(own) = from.first_mut() else { return };
            for (length, place) in own.iter_mut().enumerate() {
                let start = match length.checked_sub(1) {
                    None => Some(time),
                    Some(shorter) => before.iter().filter_map(|starts| *starts.get(shorter)?).max(),
                };
                *place = (*place).max(start);
            }
        }
    }
}

fn extend_clause(
    starts: &mut [Option<Timestamp>],
    seen: &[u32],
    matched: impl Fn(u32) -> bool,
    time: Timestamp,
) {
    let mut before = Some(time);
    for (place, &source) in starts.iter_mut().zip(seen) {
        if matched(source) {
            *place = (*place).max(before);
        }
        before = *place;
    }
}
