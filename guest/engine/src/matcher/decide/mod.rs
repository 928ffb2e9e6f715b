//! Which rules an event matches, by steps from answer to answer that are remembered.
//!
//! Values repeat from event to event, and with them what rules make of them. A step stands for what is known of an event:
//! the rules that hold, those still open, and what is asked next. Each outcome leads to another step; at the last one no
//! rule is open. Steps are grown where an event goes that nobody went before (`grow.rs`). Where the outcome follows from
//! the value of one field alone, the value leads on (`recall.rs`), so that a test is asked once a value, not once an event.
//!
//! Invariant: a step follows from answers, never from what other events were; what is remembered decides speed alone. Where
//! there is no room for another step, the rules still open are asked one by one.

mod grow;
mod open;
mod recall;

use super::Matcher;
use super::index::Place;
use crate::limits::UNDECIDED_EVENTS_MAX;
use crate::order::sort_numbers;
use crate::scan::NO_NODE;
pub(super) use recall::{Recall, Seen};
use tripwasm_plan::{PredicateId, Rule};

/// Number of a step.
type StepId = u32;

/// No step; not known yet.
pub(super) const NO_STEP: StepId = StepId::MAX;

/// The steps grown so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Decisions {
    /// First those of the index's fields, in their order, then one for the rules that are always asked, then one at which
    /// nothing holds.
    steps: Vec<Step>,
    /// Parallel to the steps: what following them needs.
    looks: Vec<Look>,
    recall: Recall,
    /// How many of the first steps are gone through for every event.
    entries: StepId,
    /// The step at which nothing holds.
    nothing: StepId,
    /// Bytes that the steps take, about.
    bytes: usize,
    /// Events for which there was no room.
    undecided: u32,
    /// Reused: per predicate what is known of it while a step grows, and rules.
    known: Vec<Option<bool>>,
    candidates: Vec<u32>,
}

/// Where a step looks.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Where the field stands whose value alone decides; nowhere if more has to be asked.
    place: Place,
    /// Where it goes on if the field is absent.
    absent: StepId,
    /// How many values were not remembered since an event.
    misses: u32,
    since: u64,
    /// The event from which values are looked up.
    from: u64,
}

/// What is known of an event.
#[derive(Debug, Clone)]
struct Step {
    asks: Asks,
    /// Rules that hold.
    holding: Vec<u32>,
    /// Rules not decided yet.
    open: Vec<u32>,
    /// Where it goes on.
    outcomes: Outcomes,
    /// The step before, and the answers there.
    parent: StepId,
    answers: u64,
}

/// What a step asks of an event.
#[derive(Debug, Clone)]
enum Asks {
    /// Nothing more.
    Nothing,
    /// Which rules the values of the index's field with this number name.
    Candidates(usize),
    /// Whether these hold.
    Predicates(Vec<PredicateId>),
}

/// The steps behind a step, in order of what leads to them.
#[derive(Debug, Clone)]
enum Outcomes {
    /// By the rules named.
    Named(Vec<(Vec<u32>, StepId)>),
    /// By a bit for each predicate.
    Answered(Vec<(u64, StepId)>),
}

/// Nowhere in an event.
const NOWHERE: Place = Place { walk: NO_NODE, literal: NO_NODE };

impl Decisions {
    /// Puts the rules that the event matches into `out`, ascending.
    pub(crate) fn matching(&mut self, matcher: &mut Matcher<'_>, rules: &[Rule], out: &mut Vec<u32>) {
        out.clear();
        if self.steps.is_empty() || self.undecided >= UNDECIDED_EVENTS_MAX {
            self.begin(matcher.compiled, rules);
        }
        for entry in 0..self.entries {
            self.follow(entry, matcher, rules, out);
        }
        sort_numbers(out);
    }

    /// From a step to the rules that hold.
    #[inline(always)]
    fn follow(&mut self, mut at: StepId, matcher: &mut Matcher<'_>, rules: &[Rule], out: &mut Vec<u32>) {
        while at != self.nothing
            && let Some(look) = self.looks.get(at as usize)
        {
            let known = match look.sight(matcher) {
                Sight::Absent => look.absent,
                Sight::Value(seen) => self.recall.get(at, &seen),
                Sight::Unsure => NO_STEP,
            };
            at = if known == NO_STEP { self.ask(at, matcher, rules, out) } else { known };
        }
    }

    /// Goes on where nothing is remembered. At the end, notes the rules that hold; without room for a step, asks the open
    /// rules.
    #[inline(never)]
    fn ask(&mut self, at: StepId, matcher: &mut Matcher<'_>, rules: &[Rule], out: &mut Vec<u32>) -> StepId {
        let Some(step) = self.steps.get(at as usize) else { return NO_STEP };
        let next = match step.asks {
            Asks::Nothing => {
                out.extend_from_slice(&step.holding);
                return NO_STEP;
            }
            Asks::Candidates(field) if names_none(field, matcher, &mut self.candidates) => Some(self.nothing),
            _ => self.next(at, matcher, rules),
        };
        match next {
            Some(next) => self.remember(at, next, matcher, rules),
            None => {
                self.undecided = self.undecided.saturating_add(1);
                self.ask_open(at, matcher, rules, out);
                NO_STEP
            }
        }
    }

    /// Remembers where the value leads that a step looks at: not only to the `next` step, but as far as it decides.
    fn remember(
        &mut self,
        at: StepId,
        mut next: StepId,
        matcher: &mut Matcher<'_>,
        rules: &[Rule],
    ) -> StepId {
        let Some(look) = self.looks.get(at as usize).copied() else { return next };
        let sight = look.sight(matcher);
        if let Sight::Unsure = sight {
            return next;
        }
        while self.looks.get(next as usize).is_some_and(|further| further.place == look.place)
            && let Some(further) = self.next(next, matcher, rules)
        {
            next = further;
        }
        if let Some(look) = self.looks.get_mut(at as usize) {
            match sight {
                Sight::Absent => look.absent = next,
                Sight::Value(seen) => {
                    look.count_miss(matcher.buffers.event);
                    self.recall.put(at, &seen, next);
                }
                Sight::Unsure => {}
            }
        }
        next
    }

    /// Asks the rules that are open at a step one by one.
    fn ask_open(&mut self, at: StepId, matcher: &mut Matcher<'_>, rules: &[Rule], out: &mut Vec<u32>) {
        let Some(step) = self.steps.get(at as usize) else { return };
        out.extend_from_slice(&step.holding);
        let open = match step.asks {
            Asks::Candidates(_) => &self.candidates,
            _ => &step.open,
        };
        let holds = |rule: &&u32| open::condition(rules, **rule).is_some_and(|one| matcher.holds(one));
        out.extend(open.iter().filter(holds));
    }
}

/// Whether a field of the index clearly names no rule; `found` is for candidates.
fn names_none(field: usize, matcher: &Matcher<'_>, found: &mut Vec<u32>) -> bool {
    matcher.compiled.index.fields.get(field).is_some_and(|field| field.names_none(matcher, found))
}

/// What a step sees of an event.
enum Sight<'e> {
    Absent,
    /// One value that can be remembered.
    Value(Seen<'e>),
    /// Several values, a container, a long text, values that do not repeat; or what is asked is not told by one field.
    Unsure,
}

impl Look {
    #[inline(always)]
    fn sight<'e>(&self, matcher: &Matcher<'e>) -> Sight<'e> {
        if self.place.walk == NO_NODE {
            return Sight::Unsure;
        }
        let (line, spans) = (matcher.line.as_bytes(), matcher.spans);
        let mut values = spans.of(self.place.of(spans));
        let Some(span) = values.next() else { return Sight::Absent };
        if values.next().is_none()
            && matcher.buffers.event >= self.from
            && let Some(text) = line.get(span.inside())
            && let Some(seen) = Seen::of(span.kind, text)
        {
            return Sight::Value(seen);
        }
        Sight::Unsure
    }

    /// Counts a value that was not remembered. Where most are not, none is looked up for a while.
    fn count_miss(&mut self, event: u64) {
        const MISSES_MIN: u32 = 512;
        const PAUSE_EVENTS: u64 = 1 << 16;
        self.misses += 1;
        if self.misses == MISSES_MIN {
            if event.saturating_sub(self.since) < 2 * u64::from(MISSES_MIN) {
                self.from = event + PAUSE_EVENTS;
            }
            (self.misses, self.since) = (0, event);
        }
    }
}

#[cfg(test)]
mod tests;
