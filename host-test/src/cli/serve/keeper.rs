//! State on the disk: a snapshot now and then, and a journal of what came since.

use std::path::Path;
use std::time::{Duration, Instant};

use tripwasm::Detector;
use tripwasm::input::Pace;

use super::journal::{Entry, Journal};
use crate::cli::state::{Progress, Record, Restored, Schedule, StateFile};

/// State is saved when the journal is this long, however recently that happened.
const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// State is saved after so many events, and after some time in any case.
const EVENTS_PER_SAVING: u64 = 1_000_000;

/// How long after a saving that failed another one is tried: so long, and so many times what it took.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
const WORK_PER_TRY: u32 = 32;

/// Keeps a state file and its journal up to date.
pub(super) struct Keeper {
    file: StateFile,
    journal: Journal,
    /// Without windows there is nothing that a kill could take, and no journal is written.
    windows: bool,
    schedule: Schedule,
    /// The journal failed: said once, until state is saved.
    failed: bool,
    /// Saving failed: when it is tried again.
    again_at: Option<Instant>,
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
        // Beside the file itself, by whichever link it was named.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (journal, mut entries) = Journal::open(&path)?;
        entries
            .retain(|entry| !matches!(entry, Entry::Events { position, .. } if *position < record.position));
        let schedule = Schedule::new(EVENTS_PER_SAVING);
        let keeper = Keeper { file, journal, windows, schedule, failed: false, again_at: None };
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
        match self.again_at {
            Some(at) => Instant::now() >= at,
            None if self.journal.bytes() >= JOURNAL_BYTES_MAX => true,
            None => self.schedule.due_in().is_some_and(|wait| wait.is_zero()),
        }
    }

    /// Saves state, and begins the journal anew with the alerts that nobody has taken yet.
    pub(super) fn save(
        &mut self,
        detector: &mut Detector,
        position: u64,
        alerts: &[Vec<u8>],
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        // Should it fail, it is not to take all the time there is.
        self.again_at = Some(began + AGAIN_AFTER);
        let waiting: Vec<_> = alerts.iter().map(|line| Entry::Alert { line: line.clone() }).collect();
        // A kill between the two renames below must not lose them.
        waiting.iter().try_for_each(|entry| self.journal.append(entry))?;
        let record = Record { position, sources: Vec::new() };
        let saved = self.file.save(Progress::Finished, &record, detector.checkpoint()?);
        self.again_at = Some(began + AGAIN_AFTER + began.elapsed() * WORK_PER_TRY);
        saved?;
        self.journal.restart(&waiting)?;
        self.schedule.saved(began.elapsed());
        self.failed = false;
        self.again_at = None;
        Ok(())
    }

    fn note(&mut self, written: std::io::Result<()>) {
        let Err(error) = written else { return };
        metrics::counter!("tripwasm_journal_errors_total").increment(1);
        if !std::mem::replace(&mut self.failed, true) {
            tracing::error!(%error, "the journal cannot be written: a kill would lose windows until state is saved");
        }
    }
}
