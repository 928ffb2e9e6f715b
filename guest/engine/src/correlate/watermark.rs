//! How far event time has come.

use crate::limits::{JUMP_EVENTS_MIN, JUMP_MS_MAX};
use crate::wire::wire_struct;
use tripwasm_plan::Timestamp;

/// The greatest event time that is believed, less the lateness; `close` may push it further.
///
/// With a wall clock, a time later than the clock plus the lateness is not believed. Without one, a jump of more than
/// [`JUMP_MS_MAX`] is believed once [`JUMP_EVENTS_MIN`] events lie behind it, and then only to the least of them. The
/// first time of all is believed once a second, different one lies within that distance: one forged date, wherever it
/// stands, closes no window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watermark {
    greatest: Option<Timestamp>,
    pushed: Option<Timestamp>,
    /// Times ahead of what is believed, sorted; fewer than [`JUMP_EVENTS_MIN`].
    ahead: Vec<Timestamp>,
    /// Events whose time was not believed when they came.
    pub(crate) future: u64,
}

wire_struct!(Watermark { greatest, pushed, ahead, future });

impl Watermark {
    /// Where the watermark stands; none before the first time that is believed.
    pub(crate) fn get(&self, lateness: Timestamp) -> Option<Timestamp> {
        self.greatest.map(|greatest| greatest.saturating_sub(lateness)).max(self.pushed)
    }

    /// Pushes it to `time` if that is further.
    pub(crate) fn push(&mut self, time: Timestamp) {
        self.pushed = self.pushed.max(Some(time));
    }

    /// Takes in the time of an event.
    pub(crate) fn observe(&mut self, time: Timestamp, now: Option<Timestamp>, lateness: Timestamp) {
        if let Some(now) = now {
            if time > now.saturating_add(lateness) {
                self.future += 1;
            } else {
                self.greatest = self.greatest.max(Some(time));
            }
            return;
        }
        match self.greatest {
            Some(greatest) if time <= greatest.saturating_add(JUMP_MS_MAX) => {
                self.greatest = Some(greatest.max(time));
            }
            Some(_) => {
                self.future += 1;
                self.put_ahead(time);
            }
            None => self.begin(time),
        }
    }

    fn begin(&mut self, time: Timestamp) {
        let agrees = |other: &Timestamp| *other != time && other.abs_diff(time) <= JUMP_MS_MAX as u64;
        match self.ahead.iter().copied().find(agrees) {
            Some(other) => self.believe(time.max(other)),
            None => self.put_ahead(time),
        }
    }

    fn put_ahead(&mut self, time: Timestamp) {
        let at = self.ahead.partition_point(|&other| other < time);
        self.ahead.insert(at, time);
        if self.ahead.len() >= JUMP_EVENTS_MIN
            && let Some(&least) = self.ahead.first()
        {
            self.believe(least);
        }
    }

    /// Believes `time`, and then what lies within reach of what is believed.
    fn believe(&mut self, time: Timestamp) {
        let mut greatest = time;
        self.ahead.retain(|&other| {
            let within = other <= greatest.saturating_add(JUMP_MS_MAX);
            if within {
                greatest = greatest.max(other);
            }
            !within
        });
        self.greatest = Some(greatest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Timestamp = JUMP_MS_MAX;
    const FORGED: Timestamp = 4_000 * DAY;

    fn after(times: impl IntoIterator<Item = Timestamp>) -> Option<Timestamp> {
        let mut watermark = Watermark::default();
        times.into_iter().for_each(|time| watermark.observe(time, None, 10));
        watermark.get(10)
    }

    #[test]
    fn one_forged_date_moves_nothing_wherever_it_stands() {
        assert_eq!(after([FORGED]), None);
        assert_eq!(after([FORGED, FORGED, 100, 200]), Some(190));
        assert_eq!(after([100, FORGED, 200]), Some(190));
        assert_eq!(after([100, 200, FORGED]), Some(190));
    }

    #[test]
    fn a_jump_is_believed_once_enough_events_agree() {
        let jumped = |count: i64| after([0, 1].into_iter().chain((0..count).map(|at| 9 * DAY + at)));
        assert_eq!(jumped(99), Some(-9));
        assert_eq!(jumped(100), Some(9 * DAY + 99 - 10));
        let with_forged = [0, 1, FORGED].into_iter().chain((0..99).map(|at| 9 * DAY + at));
        assert_eq!(after(with_forged), Some(9 * DAY + 98 - 10));
    }

    #[test]
    fn a_clock_decides_alone() {
        let mut watermark = Watermark::default();
        watermark.observe(FORGED, Some(DAY), 10);
        assert_eq!((watermark.get(10), watermark.future), (None, 1));
        watermark.observe(DAY + 10, Some(DAY), 10);
        assert_eq!(watermark.get(10), Some(DAY));
        watermark.push(5);
        assert_eq!(watermark.get(10), Some(DAY));
        watermark.push(Timestamp::MAX);
        assert_eq!(watermark.get(10), Some(Timestamp::MAX));
    }
}
