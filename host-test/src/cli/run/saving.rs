//! When state is saved, and what the state file says of the inputs.

use std::time::{Duration, Instant};

use tripwasm::input::{Pace, Source, SourceBatch, Taken};

use crate::cli::state::{Progress, Record, SourceRecord, StateFile};

/// Time between two savings, in times of the last one: so saving takes at most 3 % of a run, however large the state.
const WORK_PER_SAVING: u32 = 32;

/// A live stream cannot be read again: what a kill may cost it.
const LIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Keeps a state file up to date.
pub(super) struct Saver {
    file: StateFile,
    record: Record,
    /// For each input, its entry in the record.
    entries: Vec<Option<usize>>,
    schedule: Schedule,
}

impl Saver {
    /// Goes on with what a state file held. Returns the inputs as well, with how far each was read before.
    pub(super) fn new(
        file: StateFile,
        record: Record,
        sources: Vec<Source>,
        every: u64,
    ) -> (Self, Vec<(Source, Option<Taken>)>) {
        let entries = record.entries_of(&sources);
        let before = |entry: &Option<usize>| Some(record.sources.get((*entry)?)?.taken.clone());
        let sources = sources.into_iter().zip(entries.iter().map(before)).collect();
        (Saver { file, record, entries, schedule: Schedule::new(every) }, sources)
    }

    /// Position of the next event in the whole input.
    pub(super) fn position(&self) -> u64 {
        self.record.position
    }

    /// A batch was taken in; `position` is that of the event behind it.
    pub(super) fn took(&mut self, arrival: &SourceBatch, position: u64) {
        self.record.position = position;
        self.schedule.took(arrival.batch.lines, arrival.pace);
        let Some(entry) = self.entries.get_mut(arrival.number) else { return };
        match entry.and_then(|entry| self.record.sources.get_mut(entry)) {
            Some(record) => record.taken = arrival.taken.clone(),
            None => {
                *entry = Some(self.record.sources.len());
                let name = arrival.source.to_string();
                self.record.sources.push(SourceRecord { name, taken: arrival.taken.clone() });
            }
        }
    }

    /// How long until state is to be saved; none if nothing waits for that.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.schedule.due_in()
    }

    /// Saves; `began` is when the output and the snapshot were begun to be made ready for that. After an error it is
    /// tried again when it is next due.
    pub(super) fn save(&mut self, snapshot: &[u8], began: Instant) -> anyhow::Result<()> {
        let saved = self.file.save(Progress::Unfinished, &self.record, snapshot);
        self.schedule.saved(began.elapsed());
        saved
    }

    /// The file, for the last word.
    pub(super) fn into_file(self) -> StateFile {
        self.file
    }
}

/// When saving is due.
struct Schedule {
    every: u64,
    /// Lines since the last saving.
    unsaved: u64,
    live: bool,
    last: Instant,
    /// What the last saving took.
    cost: Duration,
}

impl Schedule {
    fn new(every: u64) -> Self {
        Schedule { every, unsaved: 0, live: false, last: Instant::now(), cost: Duration::ZERO }
    }

    fn took(&mut self, lines: u64, pace: Pace) {
        self.unsaved += lines;
        self.live = pace == Pace::Live;
    }

    fn saved(&mut self, cost: Duration) {
        *self = Schedule { unsaved: 0, last: Instant::now(), cost, ..*self };
    }

    fn due_in(&self) -> Option<Duration> {
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
