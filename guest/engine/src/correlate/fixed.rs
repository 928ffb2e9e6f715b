//! Tumbling, anchored and session windows: one after the other.

use super::fact::Firing;
use super::figures::Figures;
use super::gauge::{Gauge, Taken};
use super::signal::{Phase, Quiet, Signal, Sink, View};
use super::spec::Spec;
use super::{Entry, weight};
use crate::wire::{Reader, Wire, wire_enum, wire_struct};
use tripwasm_plan::{Timestamp, Window};

/// The window that is open, if any.
#[derive(Debug, Clone, Default)]
pub(super) struct Fixed(Option<Box<Block>>);

/// A window with fixed or growing end.
#[derive(Debug, Clone)]
struct Block {
    start: Timestamp,
    figures: Figures,
    gauge: Gauge,
    stage: Stage,
    /// What an alert decided at the end hands on: of the last event.
    closing: Option<Firing>,
    /// Events that could not be measured.
    unmeasured: u64,
}

/// What was said of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Silent,
    Opened,
    /// Its alert is left out.
    Suppressed,
}

wire_struct!(Block { start, figures, gauge, stage, closing, unmeasured });
wire_enum!(Stage { Silent, Opened, Suppressed });

impl Wire for Fixed {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Fixed> {
        Wire::read(from).map(Fixed)
    }
}

impl Fixed {
    pub(super) fn step(&mut self, spec: &Spec, entry: &Entry, quiet: &mut Quiet, sink: &mut Sink<'_>) {
        if self.0.as_ref().is_some_and(|block| entry.time >= block.end(spec)) {
            self.close(spec, quiet, sink);
        }
        match &mut self.0 {
            Some(block) => block.figures.add(entry),
            None => self.0 = Some(Box::new(Block::beginning(spec, entry))),
        }
        let Some(block) = &mut self.0 else { return };
        if block.gauge.add(spec, entry) == Taken::No {
            block.unmeasured += 1;
        }
        if !spec.growing && spec.is_referred_to() {
            block.closing = Some(Firing::of(entry));
        }
        if block.stage == Stage::Silent && spec.opens_early && block.gauge.holds(spec, Timestamp::MIN) {
            block.open(spec, entry, quiet, sink);
        }
    }

    /// Ends the window, whose end lies behind.
    pub(super) fn close(&mut self, spec: &Spec, quiet: &mut Quiet, sink: &mut Sink<'_>) {
        let Some(block) = self.0.take() else { return };
        let end = block.end(spec);
        let closes = match (spec.growing, block.stage) {
            (true, stage) => stage == Stage::Opened,
            (false, _) => block.gauge.holds(spec, Timestamp::MIN) && quiet.admit(spec, end),
        };
        if closes {
            if let Some(closing) = block.closing.clone() {
                sink(Signal::Fired(Firing { time: end, ..closing }));
            }
            sink(Signal::Window(Phase::Closed, block.view(spec, block.figures.last)));
        } else if block.stage == Stage::Opened {
            sink(Signal::Window(Phase::Withdrawn, block.view(spec, block.figures.last)));
        }
    }

    /// When the window ends.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        self.0.as_ref().map(|block| block.end(spec))
    }

    /// Start of the window whose alert is announced and goes on.
    pub(super) fn open_start(&self) -> Option<Timestamp> {
        self.0.as_ref().filter(|block| block.stage == Stage::Opened).map(|block| block.start)
    }

    /// Start of the window, announced or not.
    pub(super) fn start(&self) -> Option<Timestamp> {
        self.0.as_ref().map(|block| block.start)
    }

    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |block| usize::try_from(block.figures.count).unwrap_or(usize::MAX))
    }

    pub(super) fn bytes(&self) -> u64 {
        let bytes = |block: &Block| weight::WINDOWS + block.figures.bytes() + block.gauge.bytes();
        self.0.as_ref().map_or(0, |block| bytes(block))
    }
}

impl Block {
    fn beginning(spec: &Spec, entry: &Entry) -> Block {
        let start = match spec.correlation.window {
            Window::Tumbling => spec.tumbling_start(entry.time),
            _ => entry.time,
        };
        Block {
            start,
            figures: Figures::of(entry),
            gauge: Gauge::new(spec),
            stage: Stage::Silent,
            closing: None,
            unmeasured: 0,
        }
    }

    fn open(&mut self, spec: &Spec, entry: &Entry, quiet: &mut Quiet, sink: &mut Sink<'_>) {
        let admitted = match spec.growing {
            true => quiet.admit(spec, entry.time),
            // Decided at the end; whether the alert will be left out is known if the silence lasts until then.
            false => quiet.0.is_none_or(|until| until <= self.end(spec)),
        };
        match (admitted, spec.growing) {
            (true, _) => self.stage = Stage::Opened,
            (false, true) => self.stage = Stage::Suppressed,
            (false, false) => return,
        }
        if self.stage == Stage::Opened {
            sink(Signal::Window(Phase::Opened, self.view(spec, entry.time)));
            if spec.growing && spec.is_referred_to() {
                sink(Signal::Fired(Firing::of(entry)));
            }
        }
    }

    fn view(&self, spec: &Spec, at: Timestamp) -> View<'_> {
        View {
            start: self.start,
            end: self.end(spec),
            figures: &self.figures,
            measured: self.gauge.measured(spec),
            uncounted: self.unmeasured + self.figures.unobserved,
            at,
        }
    }

    fn end(&self, spec: &Spec) -> Timestamp {
        let longest = self.start.saturating_add(spec.timespan);
        match spec.gap() {
            Some(gap) => longest.min(self.figures.last.saturating_add(gap)),
            None => longest,
        }
    }
}
