//! One group of one correlation: what is settled, what is pending, and the alerts announced.

mod early;

use super::fact::Firing;
use super::key::key_values;
use super::machine::{Lost, Machine, sooner};
use super::notice::{self, Notices, Prospect};
use super::signal::{Phase, Signal, Terms, View};
use super::spec::Spec;
use super::{Entry, Origin, weight};
use crate::alert_id;
use crate::finding::{Alert, AlertState};
use crate::limits::{PENDING_EVENTS_MAX, SILENT_WAIT_MS};
use crate::wire::{Reader, Wire, put_varint};
use std::collections::VecDeque;
use tripwasm_plan::{Duplicates, Timestamp, Window};

/// Up to so many pending events, an event out of order is looked at at once; beyond, every so many such events, so
/// that a flood in disorder costs no square of its length. Closed alerts do not depend on it.
const PENDING_REPLAYED_MAX: usize = 1024;

/// State of one group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Windows over events that are behind the watermark.
    settled: Machine,
    /// Events that others may still precede, in order.
    pending: VecDeque<Entry>,
    /// `settled` after all of `pending`; none when it has to be made anew. It is kept over a restart, so that early
    /// notices are the same.
    tail: Option<Machine>,
    /// Events that arrived out of order since `tail` was made.
    unseen: u32,
    notices: Notices,
    pending_bytes: u64,
    settled_bytes: u64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Entered,
    Duplicate,
    /// Too many events are pending.
    Refused,
}

/// Under what an event arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) duplicates: Duplicates,
    /// The watermark.
    pub(super) reached: Option<Timestamp>,
}

/// What a group has to say.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) alerts: Vec<Alert>,
    pub(super) firings: Vec<Firing>,
    /// How many alerts closed, told or not.
    pub(super) closed: u64,
}

impl Wire for Group {
    fn write(&self, out: &mut Vec<u8>) {
        self.settled.write(out);
        put_varint(out, self.pending.len() as u64);
        self.pending.iter().for_each(|entry| entry.write(out));
        self.tail.write(out);
        self.unseen.write(out);
        self.notices.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Group> {
        let mut group = Group::settled(Wire::read(from)?);
        for _ in 0..from.length()? {
            group.pending.push_back(Wire::read(from)?);
        }
        group.pending_bytes = group.pending.iter().map(|entry| entry.bytes()).sum();
        (group.tail, group.unseen, group.notices) = (Wire::read(from)?, Wire::read(from)?, Wire::read(from)?);
        Some(group)
    }
}

impl Group {
    /// What [`Wire::write`] puts behind the windows of a group that only waits.
    pub(super) fn write_nothing_pending(out: &mut Vec<u8>) {
        let [no_events, no_tail, none_unseen, none_announced] = [0; 4];
        out.extend_from_slice(&[no_events, no_tail, none_unseen, none_announced]);
    }

    /// A group without events, but for those that are not known any more.
    pub(super) fn new(spec: &Spec, lost: Option<Lost>) -> Group {
        Group::settled(Machine::new(spec, lost))
    }

    /// A group without pending events.
    pub(super) fn settled(machine: Machine) -> Group {
        Group {
            settled_bytes: machine.bytes(),
            settled: machine,
            pending: VecDeque::new(),
            tail: None,
            unseen: 0,
            notices: Notices::default(),
            pending_bytes: 0,
        }
    }

    /// Takes the place of a group without pending events, in its memory.
    pub(super) fn begin_again(&mut self, machine: Machine) {
        let pending = std::mem::take(&mut self.pending);
        *self = Group { pending, ..Group::settled(machine) };
        self.pending.clear();
    }

    /// How many pending events it has memory for.
    pub(super) fn pending_room(&self) -> usize {
        self.pending.capacity()
    }

    /// The windows, if that is all there is to keep.
    pub(super) fn as_settled(&self) -> Option<&Machine> {
        (self.pending.is_empty() && self.notices.is_empty()).then_some(&self.settled)
    }

    /// Takes in an event that is not behind the watermark.
    pub(super) fn arrive(
        &mut self,
        terms: Terms<'_>,
        key: &[u8],
        entry: Entry,
        circumstances: Circumstances,
        out: &mut Outbox,
    ) -> Arrival {
        let Circumstances { duplicates, reached } = circumstances;
        let event = entry.event;
        if let Some(reached) = reached {
            self.settle_silent(terms.spec, reached);
        }
        let is_last = self.pending.back().is_none_or(|last| last.order() < entry.order());
        let at = match is_last {
            true => self.pending.len(),
            false => self.pending.partition_point(|other| other.order() < entry.order()),
        };
        if let Some(same) = self.same_event(terms.spec, at, &entry) {
            return self.unite(terms, key, same, entry, out);
        }
        if duplicates == Duplicates::Once && self.is_known(at, &entry) {
            return Arrival::Duplicate;
        }
        if self.pending.len() >= PENDING_EVENTS_MAX {
            self.settled.lose(Lost { count: 1, first: entry.time, last: entry.time });
            return Arrival::Refused;
        }
        self.pending_bytes += entry.bytes();
        // What does not grow may hold for half of a time's events and not for all: then these are looked at anew, together.
        let follows = terms.spec.growing || self.pending.back().is_none_or(|last| last.time < entry.time);
        let in_order = at == self.pending.len() && follows;
        if self.pending.capacity() == 0 {
            // Most groups wait for one event only.
            self.pending.reserve_exact(1);
        }
        match at == self.pending.len() {
            true => self.pending.push_back(entry),
            false => self.pending.insert(at, entry),
        }
        match notice::prospect(terms, &self.settled, &self.pending, &self.notices, at) {
            Prospect::Nothing => self.tail = None,
            Prospect::Sighting => self.sight(terms, key, at, out),
            Prospect::Unknown if in_order && self.tail.is_some() => self.look_on(terms, key, event, out),
            Prospect::Unknown => self.look_again(terms, key, event, out),
        }
        Arrival::Entered
    }

    /// Settles what is behind the watermark; what it comes to goes out.
    pub(super) fn settle(&mut self, terms: Terms<'_>, key: &[u8], watermark: Timestamp, out: &mut Outbox) {
        self.settle_silent(terms.spec, watermark);
        let count = self.pending.partition_point(|entry| entry.time < watermark);
        let notices = &mut self.notices;
        let mut sink = |signal: Signal<'_>| match signal {
            Signal::Fired(firing) => out.firings.push(firing),
            Signal::Window(phase, view) => {
                out.closed += u64::from(phase == Phase::Closed);
                let is_told = match phase {
                    Phase::Opened => notices.has(view.start),
                    Phase::Closed | Phase::Withdrawn => {
                        notices.confirm(view.start);
                        false
                    }
                };
                if !is_told && terms.spec.rule.reported {
                    out.alerts.push(alert(terms.spec, key, view, phase));
                }
            }
        };
        let behind = self.pending.make_contiguous().get(..count).unwrap_or_default();
        for slice in behind.chunk_by(|one, other| one.time == other.time) {
            self.settled.step(terms, slice, &mut sink);
        }
        self.pending_bytes -= behind.iter().map(Entry::bytes).sum::<u64>();
        self.pending.drain(..count);
        self.settled.advance(terms.spec, watermark, &mut sink);
        self.settled_bytes = self.settled.bytes();
        if self.pending.is_empty() {
            self.tail = None;
            self.unseen = 0;
        }
        self.notices.withdraw(watermark, self.settled.open_start(), &mut out.alerts);
    }

    /// Settles events of a first-seen group that say nothing, for the group was seen before them.
    fn settle_silent(&mut self, spec: &Spec, watermark: Timestamp) {
        if !spec.is_first_seen() {
            return;
        }
        while let Some(first) = self.pending.front()
            && first.time < watermark
            && !spec.is_new(self.settled.last_seen(), first.time)
        {
            self.settled.learn(first.time);
            self.pending_bytes -= first.bytes();
            self.pending.pop_front();
        }
        if self.pending.is_empty() {
            self.tail = None;
            self.unseen = 0;
        }
    }

    /// Ends everything at once, because the group has to go: alerts that were announced close as they are, and say that
    /// they may lack events.
    pub(super) fn give_up(&mut self, terms: Terms<'_>, key: &[u8], out: &mut Outbox) {
        if !self.is_open() {
            return;
        }
        let latest = self.pending.back().map(|entry| entry.time);
        if let Some(time) = latest.max(self.settled.open_start()) {
            self.settled.lose(Lost { count: 1, first: time, last: time });
        }
        self.settle(terms, key, Timestamp::MAX, out);
    }

    /// Notes that the group was seen at this time, whatever is known of it.
    pub(super) fn learn(&mut self, time: Timestamp) {
        self.settled.learn(time);
        self.tail = None;
    }

    /// When a first-seen group was last seen before this time, as far as is known.
    pub(super) fn seen_before(&self, time: Timestamp) -> Option<Timestamp> {
        let is_last = self.pending.back().is_some_and(|last| last.time < time);
        let behind = match is_last {
            true => self.pending.len(),
            false => self.pending.partition_point(|entry| entry.time < time),
        };
        let before = behind.checked_sub(1).and_then(|at| self.pending.get(at));
        self.settled.last_seen().max(before.map(|entry| entry.time))
    }

    /// When there is something to do, at the latest.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        let (first, last) = match (self.pending.front(), self.pending.back()) {
            (Some(first), Some(last)) if self.is_silent(spec, first.time, last.time) => {
                (Some(first.time.saturating_add(SILENT_WAIT_MS)), None)
            }
            // Behind the last one the group can be packed.
            (first, last) => {
                let last = last.map(|entry| entry.time.saturating_add(1));
                (first.map(|entry| first_due(spec, entry.time)), last)
            }
        };
        let announced = self.notices.earliest().map(|at| at.saturating_add(1));
        sooner(sooner(first, last), sooner(announced, self.settled.deadline(spec)))
    }

    /// Whether a first-seen group, which is busy, is new at no pending event, the first and last of which have these times.
    fn is_silent(&self, spec: &Spec, first: Timestamp, last: Timestamp) -> bool {
        let seen = self.settled.last_seen();
        let is_busy = spec.is_first_seen() && self.pending.len() > 1;
        is_busy && seen.is_some() && !spec.is_new(seen, first) && !spec.is_new(seen, last)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.notices.is_empty() && self.settled.is_idle()
    }

    /// Whether an alert is announced and goes on.
    pub(super) fn is_open(&self) -> bool {
        !self.notices.is_empty() || self.settled.open_start().is_some()
    }

    /// Estimate of the memory it takes; a second machine may stand beside the settled one.
    pub(super) fn weight(&self) -> u64 {
        weight::GROUP + self.pending_bytes + 2 * self.settled_bytes
    }

    /// Drops what was carried for correlations above, because they are others now.
    pub(super) fn forget_onward(&mut self) {
        for entry in &mut self.pending {
            entry.onward.clear();
        }
        self.pending_bytes = self.pending.iter().map(|entry| entry.bytes()).sum();
    }

    /// Whether the event was delivered before; `at` is its place.
    fn is_known(&self, at: usize, entry: &Entry) -> bool {
        let is_delivery = |other: &Entry| other.origin == Origin::Event;
        entry.origin == Origin::Event
            && entry.event_id.is_some()
            && self.like(at, entry).any(|(_, other)| is_delivery(other))
    }

    /// Where the same event stands already, through another source or because it was fed twice.
    fn same_event(&self, spec: &Spec, at: usize, entry: &Entry) -> Option<usize> {
        // What one event brings to a correlation over detections alone comes united. Of a first-seen group values may be
        // missing.
        if spec.correlation.level == 0 && !spec.is_first_seen() {
            return self.pending.get(at).filter(|other| *other == entry).map(|_| at);
        }
        self.like(at, entry).find(|(_, other)| other.event == entry.event).map(|(at, _)| at)
    }

    /// The pending events of the same time and id around a place, with theirs.
    fn like<'g>(&'g self, at: usize, entry: &'g Entry) -> impl Iterator<Item = (usize, &'g Entry)> {
        let before = (0..at).rev().zip(self.pending.range(..at).rev());
        let after = (at..).zip(self.pending.range(at..));
        let is_like = |(_, other): &(usize, &Entry)| entry.is_like(other);
        before.take_while(is_like).chain(after.take_while(is_like))
    }

    /// Adds to a pending event what another source says of it.
    fn unite(&mut self, terms: Terms<'_>, key: &[u8], at: usize, other: Entry, out: &mut Outbox) -> Arrival {
        let event = other.event;
        let Some(mut same) = self.pending.remove(at) else { return Arrival::Duplicate };
        self.pending_bytes -= same.bytes();
        let changes = same.unite(other);
        self.pending_bytes += same.bytes();
        let at = self.pending.partition_point(|other| other.order() < same.order());
        self.pending.insert(at, same);
        if !changes {
            return Arrival::Duplicate;
        }
        self.tail = None;
        self.look_again(terms, key, event, out);
        Arrival::Entered
    }
}

/// The earliest time at which something can end that begins with this event.
fn first_due(spec: &Spec, time: Timestamp) -> Timestamp {
    let patience = match spec.correlation.window {
        // A sighting is decided right behind the event, and correlations above wait for it.
        Window::FirstSeen { .. } => 1,
        _ if spec.is_referred_to() => 1,
        Window::Tumbling => spec.timespan - time.rem_euclid(spec.timespan.max(1)),
        Window::Session { .. } => spec.timespan.min(spec.gap().unwrap_or(Timestamp::MAX)),
        Window::Sliding | Window::Anchored => spec.timespan,
    };
    time.saturating_add(patience)
}

fn alert(spec: &Spec, key: &[u8], view: View<'_>, phase: Phase) -> Alert {
    let observed = &spec.correlation.observed;
    let group = key_values(key);
    Alert {
        state: match phase {
            Phase::Opened => AlertState::Open,
            Phase::Closed => AlertState::Closed,
            Phase::Withdrawn => AlertState::Withdrawn,
        },
        id: alert_id(&spec.rule, &group, view.start),
        rule: spec.index,
        group,
        window_start: view.start,
        window_end: view.end,
        count: view.figures.count,
        first: view.figures.first,
        last: view.figures.last,
        events: view.figures.events(),
        observations: view.figures.observations(observed),
        truncated: view.figures.is_truncated(observed),
        measured: view.measured,
        uncounted: view.uncounted,
        opened_by: None,
    }
}
