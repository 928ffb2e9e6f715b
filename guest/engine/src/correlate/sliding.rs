//! Sliding windows: `(t - timespan, t]` at each event.
//!
//! An alert is a run of times at which the condition holds and whose windows touch; runs that begin with the same event
//! are one. Behind a run only so many events are kept as decide whether it goes on.

use super::fact::Firing;
use super::figures::Figures;
use super::gauge::{Gauge, Taken};
use super::recent::Recents;
use super::signal::{Phase, Quiet, Signal, Sink, View};
use super::spec::Spec;
use super::{Entry, weight};
use crate::wire::{wire_enum, wire_struct};
use tripwasm_plan::{Decimal, Measure, Timestamp};

/// The sliding window of one group.
#[derive(Debug, Clone)]
pub(super) struct Sliding {
    /// Latest events of the window.
    recent: Recents,
    gauge: Gauge,
    run: Option<Box<Run>>,
    /// Events that went before they left the window: how many, and the time of the last.
    dropped: Option<(u64, Timestamp)>,
}

/// An alert that may go on.
#[derive(Debug, Clone)]
struct Run {
    figures: Figures,
    measured: Option<Decimal>,
    stage: Stage,
    /// The alert is left out.
    suppressed: bool,
    /// Events that should have been counted but were gone.
    dropped: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The condition held at the last event.
    Holding,
    /// It did not, but the run's first event is still in the window: if it holds again, the run goes on.
    Paused,
}

wire_struct!(Sliding { recent, gauge, run, dropped });
wire_struct!(Run { figures, measured, stage, suppressed, dropped });
wire_enum!(Stage { Holding, Paused });

impl Sliding {
    pub(super) fn new(spec: &Spec) -> Sliding {
        Sliding { recent: Recents::default(), gauge: Gauge::new(spec), run: None, dropped: None }
    }

    /// Takes events of one time. Settled ones come all at once, pending ones as they arrive.
    pub(super) fn step(&mut self, spec: &Spec, slice: &[Entry], quiet: &mut Quiet, sink: &mut Sink<'_>) {
        let Some(last) = slice.last() else { return };
        let since = last.time.saturating_sub(spec.timespan);
        self.expire(since);
        self.end_run(since, sink);
        for entry in slice {
            let taken = self.gauge.add(spec, entry);
            let counted = taken == Taken::Yes && self.gauge.takes_numbers();
            self.recent.push(entry, entry.values.number.filter(|_| counted));
            if taken == Taken::No {
                self.drop_one(entry.time);
            }
        }
        if self.gauge.holds(spec, since) {
            self.hold(spec, slice, quiet, sink);
        } else if let Some(run) = &mut self.run {
            run.stage = Stage::Paused;
            // What grows never holds again while its first event stays.
            if spec.growing {
                self.close_run(sink);
            }
        }
        self.trim(spec);
    }

    /// Closes what ends by the watermark, and drops what no later event needs.
    pub(super) fn advance(&mut self, spec: &Spec, watermark: Timestamp, sink: &mut Sink<'_>) {
        let since = watermark.saturating_sub(spec.timespan);
        self.expire(since);
        self.end_run(since, sink);
        if self.recent.last_time().is_none_or(|last| last <= since) {
            self.recent.clear();
            self.gauge = Gauge::new(spec);
        }
    }

    /// The watermark at which `advance` has something to do.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        let paused = self.run.as_ref().filter(|run| run.stage == Stage::Paused).map(|run| run.figures.first);
        let holding = self.run.as_ref().map(|run| run.figures.last);
        let due = paused.or(self.recent.last_time().max(holding))?;
        Some(due.saturating_add(spec.timespan))
    }

    /// Start of the alert that is announced and goes on.
    pub(super) fn open_start(&self) -> Option<Timestamp> {
        self.run.as_ref().filter(|run| !run.suppressed).map(|run| run.figures.first)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.recent.len() == 0 && self.run.is_none()
    }

    pub(super) fn count(&self) -> usize {
        self.recent.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        let run = |run: &Run| weight::WINDOWS + run.figures.bytes();
        self.recent.bytes() + self.gauge.bytes() + self.run.as_ref().map_or(0, |own| run(own))
    }

    fn expire(&mut self, since: Timestamp) {
        while let Some(gone) = self.recent.pop_until(since) {
            self.gauge.remove(gone.number);
        }
        self.gauge.expire(since);
        self.dropped = self.dropped.filter(|(_, last)| *last > since);
    }

    /// Closes a run that no event after `since` can continue.
    fn end_run(&mut self, since: Timestamp, sink: &mut Sink<'_>) {
        let over = self.run.as_ref().is_some_and(|run| match run.stage {
            Stage::Holding => run.figures.last <= since,
            Stage::Paused => {
                run.figures.first <= since || self.recent.first_time() != Some(run.figures.first)
            }
        });
        if over {
            self.close_run(sink);
        }
    }

    fn hold(&mut self, spec: &Spec, slice: &[Entry], quiet: &mut Quiet, sink: &mut Sink<'_>) {
        match &mut self.run {
            Some(run) if run.stage == Stage::Holding => slice.iter().for_each(|entry| run.figures.add(entry)),
            Some(run) => {
                if let Some(figures) = Figures::over(self.recent.iter()) {
                    run.figures = figures;
                }
                run.stage = Stage::Holding;
            }
            None => self.begin(spec, slice, quiet, sink),
        }
    }

    fn begin(&mut self, spec: &Spec, slice: &[Entry], quiet: &mut Quiet, sink: &mut Sink<'_>) {
        let (Some(figures), Some(last)) = (Figures::over(self.recent.iter()), slice.last()) else { return };
        let run = self.run.insert(Box::new(Run {
            figures,
            measured: self.gauge.measured(spec),
            stage: Stage::Holding,
            suppressed: !quiet.admit(spec, last.time),
            dropped: self.dropped.map_or(0, |(count, _)| count),
        }));
        if !run.suppressed {
            sink(Signal::Window(Phase::Opened, run.view(last.time)));
            if spec.is_referred_to() {
                sink(Signal::Fired(Firing::of(last)));
            }
        }
    }

    fn close_run(&mut self, sink: &mut Sink<'_>) {
        if let Some(run) = self.run.take()
            && !run.suppressed
        {
            sink(Signal::Window(Phase::Closed, run.view(run.figures.last)));
        }
    }

    /// Keeps no more events than decide, or than the bound allows.
    fn trim(&mut self, spec: &Spec) {
        while self.recent.len() > spec.recent_max
            && let Some(gone) = self.recent.pop_first()
        {
            self.gauge.remove(gone.number);
            // Earlier events than decide a count are in no alert that is to come.
            if spec.correlation.measure != Measure::EventCount {
                self.drop_one(gone.time);
            }
        }
    }

    fn drop_one(&mut self, time: Timestamp) {
        let count = self.dropped.map_or(0, |(count, _)| count);
        self.dropped = Some((count + 1, time));
    }
}

impl Run {
    fn view(&self, at: Timestamp) -> View<'_> {
        View {
            start: self.figures.first,
            end: self.figures.last,
            figures: &self.figures,
            measured: self.measured,
            uncounted: self.dropped + self.figures.unobserved,
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::{Origin, Values};
    use crate::limits::SPREAD_VALUES_MAX;
    use tripwasm_plan::{Action, Comparison, Correlation, Logic, Operator, Rule, RuleIndex, Window};

    fn median_over(timespan_ms: u64) -> Spec {
        let correlation = Correlation {
            sources: vec![],
            group_by: vec![],
            measure: Measure::Median("n".into()),
            condition: vec![Comparison { operator: Operator::Gte, value: Decimal::ZERO }],
            window: Window::Sliding,
            timespan_ms,
            observed: vec![],
            learn_ms: None,
            suppress_ms: None,
            level: 0,
            onward: vec![],
        };
        let rule = Rule {
            id: None,
            name: None,
            title: "median".into(),
            level: None,
            tags: vec![],
            author: None,
            action: Action::Tag,
            reported: true,
            logic: Logic::Correlation(correlation.clone()),
        };
        Spec::new(RuleIndex(0), rule, correlation)
    }

    fn entry(time: Timestamp, number: u64) -> Entry {
        let values = Values { number: Some(Decimal::whole(number)), ..Values::default() };
        Entry {
            time,
            event_id: None,
            event: number,
            sources: 1,
            origin: Origin::Event,
            values,
            onward: vec![],
        }
    }

    #[test]
    fn a_number_that_was_not_counted_is_not_taken_out_again() {
        let spec = median_over(10);
        let mut sliding = Sliding::new(&spec);
        let mut step = |slice: &[Entry]| {
            sliding.step(&spec, slice, &mut Quiet::default(), &mut |_| {});
            sliding.gauge.measured(&spec)
        };
        let too_many = SPREAD_VALUES_MAX as u64 + 100;
        step(&(0..too_many).map(|number| entry(0, number)).collect::<Vec<_>>());
        // The same number as one that found no room, but later.
        step(&[entry(5, too_many - 1)]);
        assert_eq!(step(&[entry(12, 1)]), Some(Decimal::whole(too_many).divided_by(2)));
    }
}
