//! The windows of one group, as a machine that takes its events in order of (time, id).

use super::fixed::Fixed;
use super::signal::{Phase, Quiet, Signal, Sink, Terms, View};
use super::sliding::Sliding;
use super::spec::Spec;
use super::{Entry, fact::Firing, figures::Figures, weight};
use crate::wire::{Reader, Wire, wire_struct};
use tripwasm_plan::{Timestamp, Window};

/// The window state of one group.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    windows: Windows,
    quiet: Quiet,
    /// Events that entered no window.
    lost: Option<Lost>,
}

#[derive(Debug, Clone)]
enum Windows {
    Fixed(Fixed),
    Sliding(Box<Sliding>),
    /// When the group was last seen.
    FirstSeen(Option<Timestamp>),
}

/// Events that are not known any more: how many at most, and between which times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Lost {
    /// Both together.
    pub(super) fn or(self, other: Lost) -> Lost {
        let count = self.count.saturating_add(other.count);
        Lost { count, first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

wire_struct!(Machine { windows, quiet, lost });
wire_struct!(Lost { count, first, last });

impl Wire for Windows {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Windows::Fixed(fixed) => {
                out.push(0);
                fixed.write(out);
            }
            Windows::Sliding(sliding) => {
                out.push(1);
                sliding.write(out);
            }
            Windows::FirstSeen(last) => {
                out.push(2);
                last.write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Windows> {
        match from.byte()? {
            0 => Wire::read(from).map(Windows::Fixed),
            1 => Wire::read(from).map(Windows::Sliding),
            2 => Wire::read(from).map(Windows::FirstSeen),
            _ => None,
        }
    }
}

impl Machine {
    pub(super) fn new(spec: &Spec, lost: Option<Lost>) -> Machine {
        let windows = match spec.correlation.window {
            Window::Sliding => Windows::Sliding(Box::new(Sliding::new(spec))),
            Window::Tumbling | Window::Anchored | Window::Session { .. } => Windows::Fixed(Fixed::default()),
            Window::FirstSeen { .. } => Windows::FirstSeen(None),
        };
        Machine { windows, quiet: Quiet::default(), lost }
    }

    /// Takes events of one time. Settled ones come all at once, pending ones as they arrive.
    pub(super) fn step(&mut self, terms: Terms<'_>, slice: &[Entry], sink: &mut Sink<'_>) {
        let (lost, reach) = (self.lost, reach(terms.spec));
        let sink = &mut |signal: Signal<'_>| sink(with_lost(signal, lost, reach));
        match &mut self.windows {
            Windows::Fixed(fixed) => {
                slice.iter().for_each(|entry| fixed.step(terms.spec, entry, &mut self.quiet, sink));
            }
            Windows::Sliding(sliding) => sliding.step(terms.spec, slice, &mut self.quiet, sink),
            Windows::FirstSeen(last) => sight(last, terms, slice, &mut self.quiet, sink),
        }
    }

    /// Closes what ends by the watermark, and drops what no later event needs.
    pub(super) fn advance(&mut self, spec: &Spec, watermark: Timestamp, sink: &mut Sink<'_>) {
        if self.deadline(spec).is_none_or(|due| due > watermark) {
            return;
        }
        let (lost, reach) = (self.lost, reach(spec));
        let sink = &mut |signal: Signal<'_>| sink(with_lost(signal, lost, reach));
        match &mut self.windows {
            Windows::Fixed(fixed) => {
                if fixed.deadline(spec).is_some_and(|end| end <= watermark) {
                    fixed.close(spec, &mut self.quiet, sink);
                }
            }
            Windows::Sliding(sliding) => sliding.advance(spec, watermark, sink),
            Windows::FirstSeen(last) => {
                let forgotten = last.zip(spec.forget()).map(|(last, forget)| last.saturating_add(forget));
                if forgotten.is_some_and(|time| time <= watermark) {
                    *last = None;
                }
            }
        }
        self.quiet.0 = self.quiet.0.filter(|until| *until > watermark);
        if self.has_no_window() {
            self.lost = None;
        }
    }

    /// The watermark at which `advance` has something to do.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        let windows = match &self.windows {
            Windows::Fixed(fixed) => fixed.deadline(spec),
            Windows::Sliding(sliding) => sliding.deadline(spec),
            Windows::FirstSeen(last) => {
                last.zip(spec.forget()).map(|(last, forget)| last.saturating_add(forget))
            }
        };
        sooner(windows, self.quiet.0)
    }

    /// Start of the window whose alert is announced and goes on.
    pub(super) fn open_start(&self) -> Option<Timestamp> {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.open_start(),
            Windows::Sliding(sliding) => sliding.open_start(),
            Windows::FirstSeen(_) => None,
        }
    }

    /// Start of the one window that is open, announced or not.
    pub(super) fn window_start(&self) -> Option<Timestamp> {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.start(),
            Windows::Sliding(_) | Windows::FirstSeen(_) => None,
        }
    }

    /// When a first-seen group was last seen.
    pub(super) fn last_seen(&self) -> Option<Timestamp> {
        match self.windows {
            Windows::FirstSeen(last) => last,
            Windows::Fixed(_) | Windows::Sliding(_) => None,
        }
    }

    /// Notes that the group was seen at this time, whatever is known of it.
    pub(super) fn learn(&mut self, time: Timestamp) {
        if let Windows::FirstSeen(last) = &mut self.windows {
            *last = (*last).max(Some(time));
        }
    }

    /// Events that entered no window.
    pub(super) fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// Notes events that entered no window.
    pub(super) fn lose(&mut self, lost: Lost) {
        self.lost = Some(self.lost.map_or(lost, |before| before.or(lost)));
    }

    /// How many events the condition may count on.
    pub(super) fn count(&self) -> usize {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.count(),
            Windows::Sliding(sliding) => sliding.count(),
            Windows::FirstSeen(last) => usize::from(last.is_some()),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.quiet.0.is_none() && self.has_no_window()
    }

    /// Estimate of the memory it takes beyond itself.
    pub(super) fn bytes(&self) -> u64 {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.bytes(),
            Windows::Sliding(sliding) => weight::WINDOWS + sliding.bytes(),
            Windows::FirstSeen(_) => 0,
        }
    }

    fn has_no_window(&self) -> bool {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.start().is_none(),
            Windows::Sliding(sliding) => sliding.is_idle(),
            Windows::FirstSeen(last) => last.is_none(),
        }
    }
}

/// The earlier of both, as far as there are any.
pub(super) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

/// How far before a window events count: those of a first-seen group until they are forgotten.
fn reach(spec: &Spec) -> Timestamp {
    match spec.correlation.window {
        Window::FirstSeen { .. } => spec.forget().unwrap_or(Timestamp::MAX),
        _ => 0,
    }
}

/// Adds to what a window's figures lack the events that were lost meanwhile.
fn with_lost(signal: Signal<'_>, lost: Option<Lost>, reach: Timestamp) -> Signal<'_> {
    match (signal, lost) {
        (Signal::Window(phase, view), Some(lost))
            if lost.first <= view.end && lost.last.saturating_add(reach) >= view.start =>
        {
            Signal::Window(phase, View { uncounted: view.uncounted.saturating_add(lost.count), ..view })
        }
        (signal, _) => signal,
    }
}

/// A first-seen group was seen.
fn sight(
    last: &mut Option<Timestamp>,
    terms: Terms<'_>,
    slice: &[Entry],
    quiet: &mut Quiet,
    sink: &mut Sink<'_>,
) {
    let Some(entry) = slice.iter().min_by_key(|entry| entry.event) else { return };
    let time = entry.time;
    let is_new = terms.spec.is_new(*last, time);
    *last = (*last).max(Some(time));
    let learning = terms.learns_until.is_some_and(|until| time < until);
    if !is_new || learning || !quiet.admit(terms.spec, time) {
        return;
    }
    let figures = Figures::of(entry);
    let view = View { start: time, end: time, figures: &figures, measured: None, uncounted: 0, at: time };
    sink(Signal::Window(Phase::Opened, view));
    if terms.spec.is_referred_to() {
        sink(Signal::Fired(Firing::of(entry)));
    }
    sink(Signal::Window(Phase::Closed, view));
}
