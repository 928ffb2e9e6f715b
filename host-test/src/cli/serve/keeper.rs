//! State on the disk: a snapshot now and then, and a journal of what came since.

use std::path::Path;
use std::time::Instant;

use tripwasm::Detector;
use tripwasm::input::Pace;

use super::journal::{Entry, Journal};
use crate::cli::state::{Progress, Record, Restored, Schedule, StateFile};

/// State is saved when the journal is this long, however recently that happened.
const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// State is saved after so many events, and after some time in any case.
const EVENTS_PER_SAVING: u64 = 1_000_000;

/// Keeps a state file and its journal up to date.
pub(super) struct Keeper {
    file: StateFile,
    journal: Journal,
    /// Without windows there is nothing that a kill could take, and no journal is written.
    windows: bool,
    schedule: Schedule,
    /// The journal failed: said once, until state is saved.
    failed: bool,
}

/// What the files held.
pub(super) struct Kept {
    /// Position of the next event.
    pub(super) position: u64,
    /// What happened since; events before `position` are in the state already.
    pub(super) journal: Vec<Entry>,
}

impl Keeper {
    /// Locks the state file, puts the state into the detector, and reads what came since.
    pub(super) fn open(path: &Path, detector: &mut Detector, windows: bool) -> anyhow::Result<(Self, Kept)> {
        let Restored { file, record, lost, .. } = StateFile::open(path, detector)?;
        for lost in lost {
            tracing::warn!(
                rule = lost.rule,
                groups = lost.groups,
                "state was dropped: the rule was changed or removed since"
            );
        }
        let (journal, mut entries) = Journal::open(path)?;
        entries
            .retain(|entry| !matches!(entry, Entry::Events { position, .. } if *position < record.position));
        let keeper =
            Keeper { file, journal, windows, schedule: Schedule::new(EVENTS_PER_SAVING), failed: false };
        Ok((keeper, Kept { position: record.position, journal: entries }))
    }

    /// Another module runs, with windows or without.
    pub(super) fn set_windows(&mut self, windows: bool) {
        self.windows = windows;
    }

    /// Notes lines that are about to be evaluated.
    pub(super) fn events(&mut self, now: i64, position: u64, bytes: &[u8], lines: u64) {
        if self.windows {
            self.schedule.took(lines, Pace::Live);
            let written = self.journal.append_events(now, position, bytes);
            self.note(written);
        }
    }

    /// Notes that windows are about to be closed by the clock.
    pub(super) fn close(&mut self, watermark: i64) {
        if self.windows {
            let written = self.journal.append(&Entry::Close { watermark });
            self.note(written);
        }
    }

    /// Whether state is to be saved now.
    pub(super) fn is_due(&self) -> bool {
        self.schedule.due_in().is_some_and(|wait| wait.is_zero()) || self.journal.bytes() >= JOURNAL_BYTES_MAX
    }

    /// Saves state, and begins the journal anew with the alerts that nobody has taken yet.
    pub(super) fn save(
        &mut self,
        detector: &mut Detector,
        position: u64,
        alerts: &[Vec<u8>],
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let waiting: Vec<_> = alerts.iter().map(|line| Entry::Alert { line: line.clone() }).collect();
        // A kill between the two renames below must not lose them.
        waiting.iter().try_for_each(|entry| self.journal.append(entry))?;
        let record = Record { position, sources: Vec::new() };
        let saved = self.file.save(Progress::Finished, &record, detector.checkpoint()?);
        self.schedule.saved(began.elapsed());
        saved?;
        self.journal.restart(&waiting)?;
        self.failed = false;
        Ok(())
    }

    fn note(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::error!(%error, "the journal cannot be written: a kill would lose windows until state is saved");
        }
    }
}
