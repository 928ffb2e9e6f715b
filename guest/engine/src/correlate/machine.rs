//! Windows over the events of one group, as a machine that takes them in order of (time, id).

use super::Entry;
use super::aggregate::{Aggregate, is_monotone, meets};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tripwasm_plan::{Correlation, Measure, Rule, RuleIndex, Timestamp, Window};

/// A correlation, ready to run.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) index: RuleIndex,
    pub(super) rule: Rule,
    pub(super) correlation: Correlation,
    timespan: Timestamp,
    monotone: bool,
}

/// What a machine says of a window.
pub(super) struct Signal<'m> {
    pub(super) phase: Phase,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) aggregate: &'m Aggregate,
    /// Time of the event that made the window speak.
    pub(super) at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The condition holds as far as the events go.
    Opened,
    /// The condition held, and the window is over.
    Closed,
}

pub(super) type Sink<'s> = dyn FnMut(&Signal<'_>) + 's;

/// The window state of one group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Machine {
    /// Tumbling, anchored and session windows: one after the other.
    Blocks(Option<Block>),
    /// Sliding windows.
    Sliding {
        /// Events of the last timespan.
        recent: VecDeque<Rc<Entry>>,
        /// How often each counted tuple stands in `recent`.
        tuples: BTreeMap<Vec<String>, u64>,
        /// The alert that goes on.
        run: Option<Aggregate>,
        bytes: u64,
    },
    /// When the group was last seen.
    FirstSeen(Option<Timestamp>),
}

/// A window with fixed or growing end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Block {
    start: Timestamp,
    aggregate: Aggregate,
    opened: bool,
}

impl Spec {
    pub(super) fn new(index: RuleIndex, rule: Rule, correlation: Correlation) -> Spec {
        let monotone = is_monotone(&correlation.condition);
        // A window longer than this is for ever, and sums of times stay in range.
        let timespan = Timestamp::try_from(correlation.timespan_ms).unwrap_or(Timestamp::MAX);
        Spec { index, rule, correlation, timespan, monotone }
    }

    fn holds(&self, aggregate: &Aggregate) -> bool {
        let measure = match self.correlation.measure {
            Measure::EventCount => aggregate.count,
            _ => aggregate.distinct(),
        };
        meets(measure, &self.correlation.condition)
    }

    fn block_start(&self, time: Timestamp) -> Timestamp {
        match self.correlation.window {
            Window::Tumbling => time - time.rem_euclid(self.timespan.max(1)),
            _ => time,
        }
    }

    fn block_end(&self, block: &Block) -> Timestamp {
        let longest = block.start.saturating_add(self.timespan);
        match self.correlation.window {
            Window::Session { gap_ms } => longest.min(
                block.aggregate.last.saturating_add(Timestamp::try_from(gap_ms).unwrap_or(Timestamp::MAX)),
            ),
            _ => longest,
        }
    }

    /// How long after a pending event something may be due at the earliest.
    pub(super) fn patience(&self) -> Timestamp {
        match self.correlation.window {
            // A first sighting is decided, and a tumbling window may end, right behind the event.
            Window::FirstSeen { .. } | Window::Tumbling => 1,
            Window::Session { gap_ms } => {
                self.timespan.min(Timestamp::try_from(gap_ms).unwrap_or(Timestamp::MAX))
            }
            Window::Sliding | Window::Anchored => self.timespan,
        }
    }

    fn forget(&self) -> Option<Timestamp> {
        match self.correlation.window {
            Window::FirstSeen { forget_ms } => forget_ms.and_then(|ms| Timestamp::try_from(ms).ok()),
            _ => None,
        }
    }
}

impl Machine {
    pub(super) fn new(spec: &Spec) -> Machine {
        match spec.correlation.window {
            Window::Sliding => {
                Machine::Sliding { recent: VecDeque::new(), tuples: BTreeMap::new(), run: None, bytes: 0 }
            }
            Window::Tumbling | Window::Anchored | Window::Session { .. } => Machine::Blocks(None),
            Window::FirstSeen { .. } => Machine::FirstSeen(None),
        }
    }

    /// Takes events of one time. Settled ones come all at once, pending ones as they arrive.
    pub(super) fn step(&mut self, spec: &Spec, slice: &[Rc<Entry>], sink: &mut Sink<'_>) {
        match self {
            Machine::Blocks(block) => {
                for entry in slice {
                    step_block(block, spec, entry, sink);
                }
            }
            Machine::Sliding { recent, tuples, run, bytes } => {
                let Some(time) = slice.first().map(|entry| entry.time) else { return };
                enter(recent, tuples, bytes, slice);
                expire(recent, tuples, bytes, time.saturating_sub(spec.timespan));
                let measure = match spec.correlation.measure {
                    Measure::EventCount => recent.len() as u64,
                    _ => tuples.len() as u64,
                };
                if meets(measure, &spec.correlation.condition) {
                    extend_run(run, spec, recent, slice, sink);
                } else {
                    close_run(run, sink);
                }
            }
            Machine::FirstSeen(last) => {
                let earliest = slice.iter().min_by_key(|entry| entry.event);
                let Some(entry) = earliest else { return };
                let is_new = match *last {
                    None => true,
                    Some(last) => {
                        spec.forget().is_some_and(|forget| entry.time.saturating_sub(last) >= forget)
                    }
                };
                *last = Some(entry.time);
                if is_new {
                    let aggregate = Aggregate::of(entry);
                    for phase in [Phase::Opened, Phase::Closed] {
                        let (start, end, at) = (entry.time, entry.time, entry.time);
                        sink(&Signal { phase, start, end, aggregate: &aggregate, at });
                    }
                }
            }
        }
    }

    /// Closes what ends by the watermark, and drops what no later event needs.
    pub(super) fn advance(&mut self, spec: &Spec, watermark: Timestamp, sink: &mut Sink<'_>) {
        if self.deadline(spec).is_none_or(|due| due > watermark) {
            return;
        }
        match self {
            Machine::Blocks(block) => close_block(block, spec, sink),
            Machine::Sliding { recent, tuples, run, bytes } => {
                close_run(run, sink);
                recent.clear();
                tuples.clear();
                *bytes = 0;
            }
            Machine::FirstSeen(last) => *last = None,
        }
    }

    /// The watermark at which `advance` has something to do.
    pub(super) fn deadline(&self, spec: &Spec) -> Option<Timestamp> {
        match self {
            Machine::Blocks(block) => block.as_ref().map(|block| spec.block_end(block)),
            Machine::Sliding { recent, .. } => {
                recent.back().map(|entry| entry.time.saturating_add(spec.timespan))
            }
            Machine::FirstSeen(last) => {
                last.zip(spec.forget()).map(|(last, forget)| last.saturating_add(forget))
            }
        }
    }

    /// Start of the window that is open and goes on.
    pub(super) fn open_start(&self) -> Option<Timestamp> {
        match self {
            Machine::Blocks(block) => block.as_ref().filter(|block| block.opened).map(|block| block.start),
            Machine::Sliding { run, .. } => run.as_ref().map(|run| run.first),
            Machine::FirstSeen(_) => None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        match self {
            Machine::Blocks(block) => block.is_none(),
            Machine::Sliding { recent, run, .. } => recent.is_empty() && run.is_none(),
            Machine::FirstSeen(last) => last.is_none(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Machine::Blocks(block) => block.as_ref().map_or(0, |block| block.aggregate.bytes()),
            Machine::Sliding { run, bytes, .. } => bytes + run.as_ref().map_or(0, Aggregate::bytes),
            Machine::FirstSeen(_) => 0,
        }
    }
}

fn step_block(block: &mut Option<Block>, spec: &Spec, entry: &Entry, sink: &mut Sink<'_>) {
    if block.as_ref().is_some_and(|block| entry.time >= spec.block_end(block)) {
        close_block(block, spec, sink);
    }
    match block {
        Some(block) => block.aggregate.add(entry),
        None => {
            let start = spec.block_start(entry.time);
            *block = Some(Block { start, aggregate: Aggregate::of(entry), opened: false });
        }
    }
    if let Some(block) = block
        && !block.opened
        && spec.monotone
        && spec.holds(&block.aggregate)
    {
        block.opened = true;
        let (start, end) = (block.start, spec.block_end(block));
        sink(&Signal { phase: Phase::Opened, start, end, aggregate: &block.aggregate, at: entry.time });
    }
}

fn close_block(block: &mut Option<Block>, spec: &Spec, sink: &mut Sink<'_>) {
    if let Some(block) = block.take()
        && spec.holds(&block.aggregate)
    {
        let (start, end) = (block.start, spec.block_end(&block));
        let (aggregate, at) = (&block.aggregate, block.aggregate.last);
        sink(&Signal { phase: Phase::Closed, start, end, aggregate, at });
    }
}

fn enter(
    recent: &mut VecDeque<Rc<Entry>>,
    tuples: &mut BTreeMap<Vec<String>, u64>,
    bytes: &mut u64,
    slice: &[Rc<Entry>],
) {
    for entry in slice {
        *bytes += entry.bytes();
        if let Some(tuple) = &entry.counted {
            *tuples.entry(tuple.clone()).or_default() += 1;
        }
        recent.push_back(Rc::clone(entry));
    }
}

/// Drops what is not later than `until`.
fn expire(
    recent: &mut VecDeque<Rc<Entry>>,
    tuples: &mut BTreeMap<Vec<String>, u64>,
    bytes: &mut u64,
    until: Timestamp,
) {
    while let Some(entry) = recent.pop_front_if(|entry| entry.time <= until) {
        *bytes = bytes.saturating_sub(entry.bytes());
        if let Some(tuple) = &entry.counted
            && let Some(count) = tuples.get_mut(tuple)
        {
            *count -= 1;
            if *count == 0 {
                tuples.remove(tuple);
            }
        }
    }
}

fn extend_run(
    run: &mut Option<Aggregate>,
    spec: &Spec,
    recent: &VecDeque<Rc<Entry>>,
    slice: &[Rc<Entry>],
    sink: &mut Sink<'_>,
) {
    let Some(time) = slice.first().map(|entry| entry.time) else { return };
    if let Some(going_on) = run
        && time.saturating_sub(going_on.last) < spec.timespan
    {
        slice.iter().for_each(|entry| going_on.add(entry));
        return;
    }
    close_run(run, sink);
    let mut entries = recent.iter();
    let Some(first) = entries.next() else { return };
    let mut aggregate = Aggregate::of(first);
    entries.for_each(|entry| aggregate.add(entry));
    let (start, end) = (aggregate.first, aggregate.last);
    sink(&Signal { phase: Phase::Opened, start, end, aggregate: &aggregate, at: time });
    *run = Some(aggregate);
}

fn close_run(run: &mut Option<Aggregate>, sink: &mut Sink<'_>) {
    if let Some(aggregate) = run.take() {
        let (start, end) = (aggregate.first, aggregate.last);
        sink(&Signal { phase: Phase::Closed, start, end, aggregate: &aggregate, at: end });
    }
}
