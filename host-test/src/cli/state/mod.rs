//! The state file: what open windows hold and how far the inputs were read, kept from run to run.
//!
//! Invariants: the file is whole or absent at any moment, whatever ends the process; one process at a time has it; a
//! file that cannot be used stays as it is.

mod format;
mod schedule;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tripwasm::Detector;
use tripwasm::bindings::detector::LostState;

pub(super) use format::{Progress, Record, SourceRecord};
pub(super) use schedule::Schedule;

/// The state holds group-by values: names, addresses and access keys of people.
const MODE: u32 = 0o600;

/// A state file that no other run may use meanwhile.
pub(super) struct StateFile {
    path: PathBuf,
    /// Holds the lock; always the file that is at `path`.
    locked: File,
}

/// Another process has the state file.
#[derive(Debug, thiserror::Error)]
#[error("{} is in use by another tripwasm: wait for it, or give --state another name", .0.display())]
pub(super) struct InUse(PathBuf);

/// What a state file held.
pub(super) struct Restored {
    pub(super) file: StateFile,
    /// Without inputs after a finished run: the next one skips nothing.
    pub(super) record: Record,
    pub(super) progress: Progress,
    /// Correlations whose state was of no use.
    pub(super) lost: Vec<LostState>,
}

impl StateFile {
    /// Locks the file and puts its state into the detector; makes the file if there is none, so that a place that
    /// cannot be written is known before the first event.
    pub(super) fn open(path: &Path, detector: &mut Detector) -> anyhow::Result<Restored> {
        // Replacing a link would leave the file it leads to as it is.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        loop {
            match File::open(&path) {
                Ok(file) => {
                    lock(&file, &path)?;
                    // Between opening and locking, the run that had it may have put a new file in its place.
                    if is_at(&file, &path) {
                        return restore(StateFile { path, locked: file }, detector);
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if let Some(locked) = create(&path, detector)? {
                        return Ok(Restored {
                            file: StateFile { path, locked },
                            record: Record::default(),
                            progress: Progress::Finished,
                            lost: Vec::new(),
                        });
                    }
                }
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            }
        }
    }

    /// Replaces the file's content. On an error the old content stays.
    pub(super) fn save(
        &mut self,
        progress: Progress,
        record: &Record,
        snapshot: &[u8],
    ) -> anyhow::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // One name, so that whatever ends the process leaves at most one such file, and the next save takes it away.
        let staged = self.path.with_file_name(format!(".{name}.new"));
        let replaced = self.replace(&staged, progress, record, snapshot);
        if replaced.is_err() {
            let _ = fs::remove_file(&staged);
        }
        replaced.with_context(|| format!("cannot save state to {}", self.path.display()))
    }

    /// Marks the run as finished whose state was saved last.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path);
        file.and_then(|file| file.write_all_at(&[Progress::Finished.byte()], format::PROGRESS_AT))
            .with_context(|| format!("cannot save state to {}", self.path.display()))
    }

    fn replace(
        &mut self,
        staged: &Path,
        progress: Progress,
        record: &Record,
        snapshot: &[u8],
    ) -> anyhow::Result<()> {
        match fs::remove_file(staged) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(staged)?;
        lock(&file, staged)?;
        write(&mut file, progress, record, snapshot)?;
        fs::rename(staged, &self.path)?;
        self.locked = file;
        sync_folder(&self.path)?;
        Ok(())
    }
}

/// Says whose windows begin anew.
pub(super) fn warn_of_lost(lost: &[LostState]) {
    for LostState { rule, groups } in lost {
        eprintln!(
            "warning: the state of {rule} ({groups} groups) was dropped: the rule was changed or removed since"
        );
    }
}

/// Makes the file with the state that the detector begins with; `None` if another process was faster.
fn create(path: &Path, detector: &mut Detector) -> anyhow::Result<Option<File>> {
    let snapshot = detector.checkpoint()?;
    let failed = || format!("cannot create {}", path.display());
    let mut staged =
        tempfile::Builder::new().prefix(".tripwasm-").tempfile_in(folder(path)).with_context(failed)?;
    lock(staged.as_file(), path)?;
    write(staged.as_file_mut(), Progress::Finished, &Record::default(), snapshot).with_context(failed)?;
    match staged.persist_noclobber(path) {
        Ok(file) => {
            sync_folder(path).with_context(failed)?;
            Ok(Some(file))
        }
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error.error).with_context(failed),
    }
}

fn restore(mut file: StateFile, detector: &mut Detector) -> anyhow::Result<Restored> {
    let place = file.path.display().to_string();
    let mut bytes = Vec::new();
    file.locked.read_to_end(&mut bytes).with_context(|| format!("cannot read {place}"))?;
    let (progress, mut record, snapshot) = format::read(&bytes).with_context(|| place.clone())?;
    if progress == Progress::Finished {
        record.sources.clear();
    }
    let lost = detector.restore(snapshot).with_context(|| {
        format!(
            "{place}: run the module that wrote it, or delete the file to begin anew; it was left as it is"
        )
    })?;
    Ok(Restored { file, record, progress, lost })
}

fn lock(file: &File, path: &Path) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(InUse(path.to_owned()).into()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn write(file: &mut File, progress: Progress, record: &Record, snapshot: &[u8]) -> anyhow::Result<()> {
    file.write_all(&format::head(progress, record, snapshot)?)?;
    file.write_all(snapshot)?;
    file.sync_all()?;
    Ok(())
}

/// Only then is the new name of a file on the disk.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
