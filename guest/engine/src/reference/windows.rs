//! How windows lie over the events of one group.

use super::fact::Fact;
use core::ops::Range;
use tripwasm_plan::{Correlation, Timestamp, Window};

/// A stretch of a group's events, which are in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Start of the window; of sliding and first-seen ones the first event's time.
    pub(super) start: Timestamp,
    /// End of the window, exclusive; of sliding and first-seen ones the last event's time.
    pub(super) end: Timestamp,
    /// Which of the group's events it holds; never empty.
    pub(super) events: Range<usize>,
    /// Over which of them the condition was found to hold; of sliding ones the first window of the run.
    pub(super) held: Range<usize>,
}

/// The stretches of a group's facts, which are in order, that satisfy `condition`; it is given a range of facts.
pub(super) fn stretches(
    correlation: &Correlation,
    facts: &[Fact],
    condition: &dyn Fn(Range<usize>) -> bool,
) -> Vec<Stretch> {
    let times: Vec<_> = facts.iter().map(|fact| fact.time).collect();
    let positions: Vec<_> = facts.iter().map(|fact| fact.position).collect();
    laid(correlation.window, correlation.timespan_ms, &times, &positions, condition)
}

/// `times` are the events' times, ascending; first-seen windows name the least of `positions` among equal times.
fn laid(
    window: Window,
    timespan_ms: u64,
    times: &[Timestamp],
    positions: &[u64],
    condition: &dyn Fn(Range<usize>) -> bool,
) -> Vec<Stretch> {
    let timespan = i64::try_from(timespan_ms).unwrap_or(i64::MAX).max(1);
    let all = match window {
        Window::Tumbling => tumbling(times, timespan),
        Window::Anchored => anchored(times, timespan),
        Window::Session { gap_ms } => session(times, timespan, i64::try_from(gap_ms).unwrap_or(i64::MAX)),
        Window::Sliding => return sliding(times, timespan, condition),
        Window::FirstSeen { forget_ms } => return first_seen(times, positions, forget_ms),
    };
    let stretch = |Block { start, end, events }| Stretch { start, end, held: events.clone(), events };
    all.into_iter().map(stretch).filter(|stretch| condition(stretch.events.clone())).collect()
}

/// A window that lies there whatever the condition.
struct Block {
    start: Timestamp,
    end: Timestamp,
    events: Range<usize>,
}

fn time_at(times: &[Timestamp], at: usize) -> Timestamp {
    times.get(at).copied().unwrap_or(Timestamp::MAX)
}

fn tumbling(times: &[Timestamp], timespan: i64) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    for (at, time) in times.iter().enumerate() {
        let start = time.div_euclid(timespan).saturating_mul(timespan);
        match all.last_mut() {
            Some(last) if last.start == start => last.events.end = at + 1,
            _ => all.push(Block { start, end: start.saturating_add(timespan), events: at..at + 1 }),
        }
    }
    all
}

fn anchored(times: &[Timestamp], timespan: i64) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    for (at, &time) in times.iter().enumerate() {
        match all.last_mut() {
            Some(last) if time < last.end => last.events.end = at + 1,
            _ => all.push(Block { start: time, end: time.saturating_add(timespan), events: at..at + 1 }),
        }
    }
    all
}

fn session(times: &[Timestamp], timespan: i64, gap: i64) -> Vec<Block> {
    let end =
        |start: Timestamp, last: Timestamp| last.saturating_add(gap).min(start.saturating_add(timespan));
    let mut all: Vec<Block> = Vec::new();
    for (at, &time) in times.iter().enumerate() {
        match all.last_mut() {
            Some(last) if time < last.end => {
                last.end = end(last.start, time);
                last.events.end = at + 1;
            }
            _ => all.push(Block { start: time, end: end(time, time), events: at..at + 1 }),
        }
    }
    all
}

/// Maximal runs of times at which the condition holds over `(t - timespan, t]` and whose windows touch; runs that
/// begin with events of the same time are one.
fn sliding(times: &[Timestamp], timespan: i64, condition: &dyn Fn(Range<usize>) -> bool) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut previous: Option<Timestamp> = None;
    let lasts = (0..times.len()).filter(|&at| times.get(at) != times.get(at + 1));
    for last in lasts {
        let time = time_at(times, last);
        let first = times.iter().position(|&earlier| time.saturating_sub(earlier) < timespan).unwrap_or(last);
        let touches = previous.is_some_and(|previous| time.saturating_sub(previous) < timespan);
        previous = condition(first..last + 1).then_some(time);
        if previous.is_none() {
            continue;
        }
        let start = time_at(times, first);
        match all.last_mut() {
            Some(run) if touches || run.start == start => {
                run.end = time;
                run.events.end = last + 1;
            }
            _ => {
                let held = first..last + 1;
                all.push(Stretch { start, end: time, events: held.clone(), held });
            }
        }
    }
    all
}

fn first_seen(times: &[Timestamp], positions: &[u64], forget_ms: Option<u64>) -> Vec<Stretch> {
    let forget = forget_ms.map(|forget| i64::try_from(forget).unwrap_or(i64::MAX));
    let mut all = Vec::new();
    let mut at = 0;
    let mut last_seen: Option<Timestamp> = None;
    while let Some(&time) = times.get(at) {
        let end = at + times.iter().skip(at).take_while(|&&other| other == time).count();
        let new = match (last_seen, forget) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(last), Some(forget)) => time.saturating_sub(last) >= forget,
        };
        if new {
            let named = (at..end).min_by_key(|&event| positions.get(event)).unwrap_or(at);
            let held = named..named + 1;
            all.push(Stretch { start: time, end: time, events: held.clone(), held });
        }
        last_seen = Some(time);
        at = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(start, end, first event, event after the last)` of windows with at least `bound` events.
    fn found(window: Window, timespan: u64, bound: usize, times: &[i64]) -> Vec<(i64, i64, usize, usize)> {
        let positions: Vec<u64> = (0..).take(times.len()).collect();
        laid(window, timespan, times, &positions, &|events| events.len() >= bound)
            .into_iter()
            .map(|stretch| (stretch.start, stretch.end, stretch.events.start, stretch.events.end))
            .collect()
    }

    #[test]
    fn fixed_windows_are_half_open() {
        let times = [-1, 0, 9, 10, 12, 20];
        assert_eq!(found(Window::Tumbling, 10, 2, &times), [(0, 10, 1, 3), (10, 20, 3, 5)]);
        assert_eq!(
            found(Window::Tumbling, 10, 1, &[-1, -10, -11].map(|t| t)),
            [(-10, 0, 0, 2), (-20, -10, 2, 3),]
        );
        assert_eq!(found(Window::Anchored, 10, 2, &times), [(-1, 9, 0, 2), (9, 19, 2, 5)]);
        assert_eq!(found(Window::Anchored, 10, 1, &[0, 10]), [(0, 10, 0, 1), (10, 20, 1, 2)]);
    }

    #[test]
    fn sessions_end_by_silence_or_by_length() {
        let session = Window::Session { gap_ms: 5 };
        assert_eq!(found(session, 100, 1, &[0, 4, 9]), [(0, 9, 0, 2), (9, 14, 2, 3)]);
        assert_eq!(found(session, 10, 1, &[0, 4, 8, 10]), [(0, 10, 0, 3), (10, 15, 3, 4)]);
        assert_eq!(found(session, 10, 1, &[0, 4, 8, 9]), [(0, 10, 0, 4)]);
    }

    #[test]
    fn sliding_runs_go_on_while_the_condition_holds_and_windows_touch() {
        let sliding = |bound, times: &[i64]| found(Window::Sliding, 10, bound, times);
        assert_eq!(sliding(3, &[0, 5, 9]), [(0, 9, 0, 3)]);
        assert_eq!(sliding(3, &[0, 5, 10]), []);
        assert_eq!(sliding(3, &[0, 5, 9, 12, 30]), [(0, 12, 0, 4)]);
        assert_eq!(sliding(2, &[0, 1, 11, 12]), [(0, 1, 0, 2), (11, 12, 2, 4)]);
        assert_eq!(sliding(1, &[0, 9, 19]), [(0, 9, 0, 2), (19, 19, 2, 3)]);
        assert_eq!(sliding(2, &[3, 3]), [(3, 3, 0, 2)]);
        assert_eq!(sliding(1, &[]), []);
    }

    #[test]
    fn sliding_runs_that_begin_alike_are_one() {
        let times = [0, 1, 2, 3];
        let positions = [0, 1, 2, 3];
        // It holds at 1, no more at 2, and again at 3: all within a timespan of the event at 0.
        let even = |events: Range<usize>| events.len().is_multiple_of(2);
        assert_eq!(
            laid(Window::Sliding, 10, &times, &positions, &even),
            [Stretch { start: 0, end: 3, events: 0..4, held: 0..2 }]
        );
        // At 3 the event at 0 is out of the window.
        let pair = |events: Range<usize>| events == (0..2) || events == (1..4);
        assert_eq!(
            laid(Window::Sliding, 3, &times, &positions, &pair),
            [
                Stretch { start: 0, end: 1, events: 0..2, held: 0..2 },
                Stretch { start: 1, end: 3, events: 1..4, held: 1..4 }
            ]
        );
    }

    #[test]
    fn a_group_is_new_again_once_it_is_forgotten() {
        let first_seen = |forget_ms, times: &[i64]| -> Vec<i64> {
            found(Window::FirstSeen { forget_ms }, 1, 0, times).into_iter().map(|(start, ..)| start).collect()
        };
        assert_eq!(first_seen(None, &[0, 0, 1000]), [0]);
        assert_eq!(first_seen(Some(10), &[0, 9, 18, 28]), [0, 28]);
        let named = laid(Window::FirstSeen { forget_ms: None }, 1, &[7, 7, 7], &[4, 2, 3], &|_| true);
        assert_eq!(named, [Stretch { start: 7, end: 7, events: 1..2, held: 1..2 }]);
    }
}
