//! What the windows of a group say.

use super::fact::Firing;
use super::figures::Figures;
use super::spec::Spec;
use crate::wire::{Reader, Wire};
use tripwasm_plan::{Decimal, Timestamp};

/// Something about a window, or about what is above it.
#[derive(Debug)]
pub(super) enum Signal<'m> {
    /// A window speaks.
    Window(Phase, View<'m>),
    /// An alert's condition began to hold, and will not be unsaid: correlations above hear of it.
    Fired(Firing),
}

/// How far a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The condition holds as far as the events go.
    Opened,
    /// The condition held, and the window is over.
    Closed,
    /// The condition held for a while, but does not at the window's end.
    Withdrawn,
}

/// A window as an alert shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'m> {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) figures: &'m Figures,
    pub(super) measured: Option<Decimal>,
    /// Events and values that the figures lack.
    pub(super) uncounted: u64,
    /// Time of the event that made the window speak.
    pub(super) at: Timestamp,
}

pub(super) type Sink<'s> = dyn FnMut(Signal<'_>) + 's;

/// A correlation, and until when its first-seen alerts are silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'s> {
    pub(super) spec: &'s Spec,
    pub(super) learns_until: Option<Timestamp>,
}

/// `suppress`: until when further alerts of a group are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Quiet(pub(super) Option<Timestamp>);

impl Wire for Quiet {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Quiet> {
        Wire::read(from).map(Quiet)
    }
}

impl Quiet {
    /// Whether an alert that fired at `time` is not left out; if so, the next ones are for a while.
    pub(super) fn admit(&mut self, spec: &Spec, time: Timestamp) -> bool {
        let admitted = self.0.is_none_or(|until| time >= until);
        if admitted {
            self.0 = spec.suppress.map(|suppress| time.saturating_add(suppress));
        }
        admitted
    }
}
