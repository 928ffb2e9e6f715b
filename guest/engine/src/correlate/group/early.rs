//! Alerts that pending events open early, looked for as far as the prospect asks for it.

use super::{Entry, Group, Outbox, PENDING_REPLAYED_MAX, alert};
use crate::correlate::machine::Machine;
use crate::correlate::signal::{Phase, Signal, Terms};
use crate::finding::Alert;
use tripwasm_plan::Timestamp;

impl Group {
    /// Tells of the group's first event for a while, whatever comes later.
    pub(super) fn sight(&mut self, terms: Terms<'_>, key: &[u8], at: usize, out: &mut Outbox) {
        self.tail = None;
        let Some(entry) = self.pending.get(at) else { return };
        let slice = std::slice::from_ref(entry);
        let opened = self.opened(terms, key, &mut Machine::new(terms.spec, self.settled.lost()), &[slice]);
        self.announce(opened, entry.event, out);
    }

    /// Looks at the last pending event, which follows all that `tail` has seen.
    pub(super) fn look_on(&mut self, terms: Terms<'_>, key: &[u8], event: u64, out: &mut Outbox) {
        let (Some(mut tail), Some(last)) = (self.tail.take(), self.pending.back()) else { return };
        let opened = self.opened(terms, key, &mut tail, &[std::slice::from_ref(last)]);
        self.tail = Some(tail);
        self.announce(opened, event, out);
    }

    /// Looks at the pending events anew, in order, where that can open an alert and is not too much work.
    pub(super) fn look_again(&mut self, terms: Terms<'_>, key: &[u8], event: u64, out: &mut Outbox) {
        let may_open = self.settled.count() + self.pending.len() >= terms.spec.events_min;
        if !terms.spec.rule.reported || !may_open {
            self.tail = None;
            return;
        }
        self.unseen += 1;
        let is_due = self.unseen as usize * PENDING_REPLAYED_MAX >= self.pending.len() * 16;
        if self.pending.len() > PENDING_REPLAYED_MAX && !is_due {
            return;
        }
        self.unseen = 0;
        let mut tail = self.settled.clone();
        self.pending.make_contiguous();
        let (pending, _) = self.pending.as_slices();
        let slices: Vec<&[Entry]> = pending.chunk_by(|one, other| one.time == other.time).collect();
        let opened = self.opened(terms, key, &mut tail, &slices);
        self.tail = Some(tail);
        self.announce(opened, event, out);
    }

    /// Alerts that open at these events and were not told yet, each with the time at which it does.
    fn opened(
        &self,
        terms: Terms<'_>,
        key: &[u8],
        machine: &mut Machine,
        slices: &[&[Entry]],
    ) -> Vec<(Timestamp, Alert)> {
        let going_on = self.settled.open_start();
        let mut opened = Vec::new();
        for slice in slices {
            machine.step(terms, slice, &mut |signal| match signal {
                Signal::Window(Phase::Opened, view)
                    if going_on != Some(view.start) && !self.notices.has(view.start) =>
                {
                    opened.push((view.at, alert(terms.spec, key, view, Phase::Opened)));
                }
                _ => {}
            });
        }
        opened
    }

    fn announce(&mut self, opened: Vec<(Timestamp, Alert)>, event: u64, out: &mut Outbox) {
        for (at, mut alert) in opened {
            alert.opened_by = Some(event);
            if self.notices.put(at, &alert) {
                out.alerts.push(alert);
            }
        }
    }
}
