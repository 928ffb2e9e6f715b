//! The windows of one group, as a machine that takes its events in order of (time, id).

use super::fixed::Fixed;
use super::signal::{Phase, Quiet, Signal, Sink, Terms, View};
use super::sliding::Sliding;
use super::spec::Spec;
use super::{Entry, fact::Firing, figures::Figures};
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use tripwasm_plan::{Timestamp, Window};

/// The window state of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    windows: Windows,
    quiet: Quiet,
    /// Events that were refused.
    refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Windows {
    Fixed(Fixed),
    Sliding(Box<Sliding>),
    /// When the group was last seen.
    FirstSeen(Option<Timestamp>),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Refused {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Machine {
    pub(super) fn new(spec: &Spec) -> Machine {
        let windows = match spec.correlation.window {
            Window::Sliding => Windows::Sliding(Box::new(Sliding::new(spec))),
            Window::Tumbling | Window::Anchored | Window::Session { .. } => Windows::Fixed(Fixed::default()),
            Window::FirstSeen { .. } => Windows::FirstSeen(None),
        };
        Machine { windows, quiet: Quiet::default(), refused: None }
    }

    /// Takes events of one time. Settled ones come all at once, pending ones as they arrive.
    pub(super) fn step(&mut self, terms: Terms<'_>, slice: &[Rc<Entry>], sink: &mut Sink<'_>) {
        let refused = self.refused;
        let sink = &mut |signal: Signal<'_>| sink(with_refused(signal, refused));
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
        let refused = self.refused;
        let sink = &mut |signal: Signal<'_>| sink(with_refused(signal, refused));
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
            self.refused = None;
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
        [windows, self.quiet.0].into_iter().flatten().min()
    }

    /// Start of the window whose alert is announced and goes on.
    pub(super) fn open_start(&self) -> Option<Timestamp> {
        match &self.windows {
            Windows::Fixed(fixed) => fixed.open_start(),
            Windows::Sliding(sliding) => sliding.open_start(),
            Windows::FirstSeen(_) => None,
        }
    }

    /// Notes that the group was seen at this time, whatever is known of it.
    pub(super) fn learn(&mut self, time: Timestamp) {
        if let Windows::FirstSeen(last) = &mut self.windows {
            *last = (*last).max(Some(time));
        }
    }

    /// Notes an event that was refused.
    pub(super) fn refuse(&mut self, time: Timestamp) {
        let before = self.refused.unwrap_or(Refused { count: 0, first: time, last: time });
        self.refused = Some(Refused {
            count: before.count + 1,
            first: before.first.min(time),
            last: before.last.max(time),
        });
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
            Windows::Sliding(sliding) => size_of::<Sliding>() as u64 + sliding.bytes(),
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

/// Adds to what a window's figures lack the events that were refused meanwhile.
fn with_refused(signal: Signal<'_>, refused: Option<Refused>) -> Signal<'_> {
    match (signal, refused) {
        (Signal::Window(phase, view), Some(refused))
            if refused.first <= view.end && refused.last >= view.start =>
        {
            Signal::Window(phase, View { uncounted: view.uncounted.saturating_add(refused.count), ..view })
        }
        (signal, _) => signal,
    }
}

/// A first-seen group was seen.
fn sight(
    last: &mut Option<Timestamp>,
    terms: Terms<'_>,
    slice: &[Rc<Entry>],
    quiet: &mut Quiet,
    sink: &mut Sink<'_>,
) {
    let Some(entry) = slice.iter().min_by_key(|entry| entry.event) else { return };
    let time = entry.time;
    let is_new = match *last {
        None => true,
        Some(last) => terms.spec.forget().is_some_and(|forget| time.saturating_sub(last) >= forget),
    };
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
