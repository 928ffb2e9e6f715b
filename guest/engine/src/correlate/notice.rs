//! Early notice: whether an event that arrived can open an alert, answered without a look at the other events where the
//! rule allows, and what was told already.

use super::Entry;
use super::machine::Machine;
use super::signal::Terms;
use crate::finding::{Alert, AlertState};
use crate::wire::{Reader, Wire};
use std::collections::VecDeque;
use tripwasm_plan::{Timestamp, Window};

/// Alerts told of but not confirmed yet, by start of their window.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices(Vec<Notice>);

/// An alert told of.
#[derive(Debug, Clone)]
struct Notice {
    /// Time of the event at which its window spoke.
    at: Timestamp,
    start: Timestamp,
    /// The alert as it travels: most are confirmed and never read again.
    alert: Box<[u8]>,
}

/// Memory to write a notice in; most are shorter.
const NOTICE_BYTES: usize = 512;

/// What an event that arrived means for alerts that open early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect {
    /// None opens.
    Nothing,
    /// It is the first of its group for a while, as far as is known.
    Sighting,
    /// One may: the pending events have to be looked at, together.
    Unknown,
}

impl Notices {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Time of the event at which the first of them spoke.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.0.iter().map(|notice| notice.at).min()
    }

    pub(super) fn has(&self, start: Timestamp) -> bool {
        self.place(start).is_ok()
    }

    /// Keeps an alert, unless one of its window was told before.
    pub(super) fn put(&mut self, at: Timestamp, alert: &Alert) -> bool {
        let start = alert.window_start;
        let Err(place) = self.place(start) else { return false };
        let mut bytes = Vec::with_capacity(NOTICE_BYTES);
        alert.write(&mut bytes);
        self.0.insert(place, Notice { at, start, alert: bytes.as_slice().into() });
        true
    }

    /// The alert of this window is told for good; whether it was told before.
    pub(super) fn confirm(&mut self, start: Timestamp) -> bool {
        self.place(start).map(|place| drop(self.0.remove(place))).is_ok()
    }

    /// Takes back what spoke before the watermark and is not what goes on, which is told for good.
    pub(super) fn withdraw(
        &mut self,
        watermark: Timestamp,
        goes_on: Option<Timestamp>,
        out: &mut Vec<Alert>,
    ) {
        self.0.retain(|notice| {
            let (stays, is_confirmed) = (notice.at >= watermark, goes_on == Some(notice.start));
            if !stays
                && !is_confirmed
                && let Some(alert) = Alert::read(&mut Reader::new(&notice.alert))
            {
                out.push(Alert { state: AlertState::Withdrawn, opened_by: None, ..alert });
            }
            stays && !is_confirmed
        });
    }

    /// Where the alert of this window stands or belongs.
    fn place(&self, start: Timestamp) -> Result<usize, usize> {
        self.0.binary_search_by_key(&start, |notice| notice.start)
    }
}

impl Wire for Notices {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Notices> {
        Wire::read(from).map(Notices)
    }
}

impl Wire for Notice {
    fn write(&self, out: &mut Vec<u8>) {
        self.at.write(out);
        out.extend_from_slice(&self.alert);
    }

    fn read(from: &mut Reader<'_>) -> Option<Notice> {
        let (at, alert): (Timestamp, Alert) = Wire::read(from)?;
        let mut bytes = Vec::new();
        alert.write(&mut bytes);
        Some(Notice { at, start: alert.window_start, alert: bytes.into() })
    }
}

/// What the pending event at `at`, which just arrived, means.
pub(super) fn prospect(
    terms: Terms<'_>,
    settled: &Machine,
    pending: &VecDeque<Entry>,
    notices: &Notices,
    at: usize,
) -> Prospect {
    let spec = terms.spec;
    let Some(entry) = pending.get(at) else { return Prospect::Nothing };
    if !spec.rule.reported || settled.count().saturating_add(pending.len()) < spec.events_min {
        return Prospect::Nothing;
    }
    // What is left out depends on the alerts before.
    if spec.suppress.is_some() {
        return Prospect::Unknown;
    }
    let is_told = |start| notices.has(start) || settled.open_start() == Some(start);
    match spec.correlation.window {
        Window::FirstSeen { .. } => sighting(terms, settled, pending, at, entry.time),
        Window::Tumbling if spec.growing => {
            let start = spec.tumbling_start(entry.time);
            let end = start.saturating_add(spec.timespan);
            let before = |time| pending.partition_point(|other| other.time < time);
            let counted = if settled.window_start() == Some(start) { settled.count() } else { 0 };
            let is_short = counted.saturating_add(before(end) - before(start)) < spec.events_min;
            if is_short || is_told(start) { Prospect::Nothing } else { Prospect::Unknown }
        }
        Window::Anchored if spec.growing => {
            let first = pending.front().map_or(entry.time, |first| first.time);
            let start = settled.window_start().unwrap_or(first);
            let last = pending.back().map_or(entry.time, |last| last.time);
            // While all lies in one window, there is nothing else to tell.
            let is_one = last < start.saturating_add(spec.timespan);
            if is_one && is_told(start) { Prospect::Nothing } else { Prospect::Unknown }
        }
        _ => Prospect::Unknown,
    }
}

/// Whether a first-seen group is seen anew: no event lies so shortly before. What comes later does not matter.
fn sighting(
    terms: Terms<'_>,
    settled: &Machine,
    pending: &VecDeque<Entry>,
    at: usize,
    time: Timestamp,
) -> Prospect {
    let time_of = |at: usize| pending.get(at).map(|entry| entry.time);
    let before = at.checked_sub(1).and_then(time_of);
    let is_alone = before != Some(time) && time_of(at + 1) != Some(time);
    let learns = terms.learns_until.is_some_and(|until| time < until);
    if is_alone && !learns && terms.spec.is_new(settled.last_seen().max(before), time) {
        Prospect::Sighting
    } else {
        Prospect::Nothing
    }
}
