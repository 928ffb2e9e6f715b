//! When state is to be saved.

use std::time::{Duration, Instant};

use tripwasm::input::Pace;

/// Time between two savings, in times of the last one: so saving takes at most 3 % of a run, however large the state.
const WORK_PER_SAVING: u32 = 32;

/// A live stream cannot be read again: what a kill may cost it.
const LIVE_INTERVAL: Duration = Duration::from_secs(10);

/// When saving is due.
pub(in crate::cli) struct Schedule {
    every: u64,
    /// Lines since the last saving.
    unsaved: u64,
    live: bool,
    last: Instant,
    /// What the last saving took.
    cost: Duration,
}

impl Schedule {
    /// Due after so many lines.
    pub(in crate::cli) fn new(every: u64) -> Self {
        Schedule { every, unsaved: 0, live: false, last: Instant::now(), cost: Duration::ZERO }
    }

    /// Lines were taken in.
    pub(in crate::cli) fn took(&mut self, lines: u64, pace: Pace) {
        self.unsaved += lines;
        self.live = pace == Pace::Live;
    }

    /// Saving took so long.
    pub(in crate::cli) fn saved(&mut self, cost: Duration) {
        *self = Schedule { unsaved: 0, last: Instant::now(), cost, ..*self };
    }

    /// How long until state is to be saved; none if nothing waits for that.
    pub(in crate::cli) fn due_in(&self) -> Option<Duration> {
        let interval = match self.unsaved {
            0 => return None,
            unsaved if unsaved >= self.every => Duration::ZERO,
            _ if self.live => LIVE_INTERVAL,
            _ => return None,
        };
        Some(interval.max(self.cost * WORK_PER_SAVING).saturating_sub(self.last.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_waits_for_events_and_for_its_share_of_the_time() {
        let mut schedule = Schedule::new(100);
        assert_eq!(schedule.due_in(), None);
        schedule.took(99, Pace::Stored);
        assert_eq!(schedule.due_in(), None);
        schedule.took(1, Pace::Stored);
        assert_eq!(schedule.due_in(), Some(Duration::ZERO));
        schedule.saved(Duration::from_secs(10));
        assert_eq!(schedule.due_in(), None);
        schedule.took(1_000_000, Pace::Stored);
        let wait = schedule.due_in().unwrap();
        assert!(wait > Duration::from_secs(300) && wait <= Duration::from_secs(320), "{wait:?}");
    }

    #[test]
    fn a_slow_live_stream_is_saved_by_time() {
        let mut schedule = Schedule::new(100);
        schedule.took(1, Pace::Live);
        let wait = schedule.due_in().unwrap();
        assert!(wait > Duration::from_secs(5) && wait <= LIVE_INTERVAL, "{wait:?}");
    }
}
