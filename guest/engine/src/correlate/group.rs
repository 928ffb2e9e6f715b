//! One group of one correlation: what is settled, what is pending, and the alerts announced.

use super::Entry;
use super::machine::{Machine, Phase, Signal, Spec};
use crate::alert_id;
use crate::finding::{Alert, AlertState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;
use tripwasm_plan::{Duplicates, Timestamp};

/// Up to so many pending events, an event out of order is looked at at once; beyond, every so many such events, so
/// that a flood in disorder costs no square of its length. Closed alerts do not depend on it.
const PENDING_REPLAYED_MAX: usize = 1024;

/// Fixed cost of a group in the memory estimate.
const GROUP_BYTES: u64 = 256;

/// State of one group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Windows over events that are behind the watermark.
    settled: Machine,
    /// Events that others may still precede, in order.
    pending: Vec<Rc<Entry>>,
    /// `settled` after all of `pending`; none when it has to be made anew.
    #[serde(skip)]
    tail: Option<Machine>,
    /// Events that arrived out of order since `tail` was made.
    #[serde(skip)]
    unseen: usize,
    /// Alerts announced and not closed yet, with the time of the event at which their window spoke.
    opened: BTreeMap<String, (Timestamp, Alert)>,
    /// Time of the earliest event whose announced window is not confirmed yet.
    unconfirmed: Option<Timestamp>,
    pending_bytes: u64,
    /// When the correlator looks after this group.
    #[serde(skip)]
    pub(super) timer: Option<Timestamp>,
    key_bytes: u64,
}

/// What became of an event.
pub(super) enum Arrival {
    Entered,
    Duplicate,
}

impl Group {
    pub(super) fn new(spec: &Spec, key: &[String]) -> Group {
        Group {
            settled: Machine::new(spec),
            pending: Vec::new(),
            tail: None,
            unseen: 0,
            opened: BTreeMap::new(),
            unconfirmed: None,
            pending_bytes: 0,
            timer: None,
            key_bytes: key.iter().map(|text| text.len() as u64).sum(),
        }
    }

    /// Takes in an event that is not behind the watermark.
    pub(super) fn arrive(
        &mut self,
        spec: &Spec,
        key: &[String],
        entry: Rc<Entry>,
        duplicates: Duplicates,
        alerts: &mut Vec<Alert>,
    ) -> Arrival {
        let at = self.pending.partition_point(|other| other.order() < entry.order());
        if duplicates == Duplicates::Once && self.is_known(at, &entry) {
            return Arrival::Duplicate;
        }
        self.pending_bytes += entry.bytes();
        let event = entry.event;
        let in_order = at == self.pending.len();
        self.pending.insert(at, Rc::clone(&entry));
        let mut signals = Vec::new();
        let mut sink = |signal: &Signal<'_>| {
            if signal.phase == Phase::Opened {
                signals.push((signal.at, alert(spec, key, signal, AlertState::Open)));
            }
        };
        let is_only = self.pending.len() == 1;
        match &mut self.tail {
            Some(tail) if in_order => tail.step(spec, &[entry], &mut sink),
            None if is_only => {
                let mut tail = self.settled.clone();
                tail.step(spec, &[entry], &mut sink);
                self.tail = Some(tail);
            }
            _ => {
                self.unseen += 1;
                if self.pending.len() <= PENDING_REPLAYED_MAX
                    || self.unseen * PENDING_REPLAYED_MAX >= self.pending.len() * 16
                {
                    self.unseen = 0;
                    let mut tail = self.settled.clone();
                    for slice in self.pending.chunk_by(|one, other| one.time == other.time) {
                        tail.step(spec, slice, &mut sink);
                    }
                    self.tail = Some(tail);
                }
            }
        }
        for (at, mut alert) in signals {
            if !self.opened.contains_key(&alert.id) {
                alert.opened_by = Some(event);
                self.opened.insert(alert.id.clone(), (at, alert.clone()));
                self.unconfirmed = Some(self.unconfirmed.map_or(at, |other| other.min(at)));
                alerts.push(alert);
            }
        }
        Arrival::Entered
    }

    /// Settles what is behind the watermark; alerts that close go to `alerts`.
    pub(super) fn settle(
        &mut self,
        spec: &Spec,
        key: &[String],
        watermark: Timestamp,
        alerts: &mut Vec<Alert>,
    ) {
        let count = self.pending.partition_point(|entry| entry.time < watermark);
        let opened = &mut self.opened;
        let mut sink = |signal: &Signal<'_>| {
            if signal.phase == Phase::Closed {
                let alert = alert(spec, key, signal, AlertState::Closed);
                opened.remove(&alert.id);
                alerts.push(alert);
            }
        };
        let behind: Vec<Rc<Entry>> = self.pending.drain(..count).collect();
        for slice in behind.chunk_by(|one, other| one.time == other.time) {
            self.settled.step(spec, slice, &mut sink);
        }
        self.pending_bytes -= behind.iter().map(|entry| entry.bytes()).sum::<u64>();
        self.settled.advance(spec, watermark, &mut sink);
        if self.pending.is_empty() {
            self.tail = None;
            self.unseen = 0;
        }
        self.withdraw(spec, key, watermark, alerts);
    }

    /// When there is something to do, at the latest.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        let pending = self.pending.first().map(|entry| entry.time.saturating_add(spec.patience()));
        let unconfirmed = self.unconfirmed.map(|at| at.saturating_add(1));
        [pending, unconfirmed, self.settled.deadline(spec)].into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.opened.is_empty() && self.settled.is_idle()
    }

    /// Estimate of the memory it takes.
    pub(super) fn weight(&self) -> u64 {
        let tail = self.tail.as_ref().map_or(0, Machine::bytes);
        GROUP_BYTES + self.key_bytes + self.pending_bytes + self.settled.bytes() + tail
    }

    fn is_known(&self, at: usize, entry: &Entry) -> bool {
        let (before, after) = self.pending.split_at(at.min(self.pending.len()));
        let is_same = |other: Option<&Rc<Entry>>| other.is_some_and(|other| entry.is_delivery_of(other));
        is_same(before.last()) || is_same(after.first())
    }

    /// Takes back alerts whose window the settled order does not know.
    fn withdraw(&mut self, spec: &Spec, key: &[String], watermark: Timestamp, alerts: &mut Vec<Alert>) {
        self.unconfirmed = None;
        if self.opened.is_empty() {
            return;
        }
        let going_on = self.settled.open_start().map(|start| alert_id(&spec.rule, key, start));
        self.opened.retain(|id, (at, alert)| {
            let stays = *at >= watermark || going_on.as_ref() == Some(id);
            if !stays {
                alerts.push(Alert { state: AlertState::Withdrawn, opened_by: None, ..alert.clone() });
            }
            stays
        });
        self.unconfirmed = self.opened.values().map(|(at, _)| *at).filter(|at| *at >= watermark).min();
    }
}

fn alert(spec: &Spec, key: &[String], signal: &Signal<'_>, state: AlertState) -> Alert {
    let observed = &spec.correlation.observed;
    Alert {
        state,
        id: alert_id(&spec.rule, key, signal.start),
        rule: spec.index,
        group: key.to_vec(),
        window_start: signal.start,
        window_end: signal.end,
        count: signal.aggregate.count,
        first: signal.aggregate.first,
        last: signal.aggregate.last,
        events: signal.aggregate.events(),
        observations: signal.aggregate.observations(observed),
        measured: None,
        uncounted: 0,
        truncated: signal.aggregate.is_truncated(observed),
        opened_by: None,
    }
}
