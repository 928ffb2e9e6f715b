//! When state is saved, and what the state file says of the inputs.

use std::time::{Duration, Instant};

use tripwasm::input::{Source, SourceBatch, Taken};

use crate::cli::state::{Progress, Record, Schedule, SourceRecord, StateFile};

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
