//! What the module was given since state was saved last, so that a process that is killed loses nothing of its windows.
//!
//! | bytes | meaning |
//! |---|---|
//! | 8 | `TWJRNAL` and a zero |
//! | 4 | version of this form, little endian as all numbers |
//! | | entries: 4 bytes length, 8 bytes XXH3 of the rest, 1 byte kind, and what the kind has |
//!
//! An entry that a kill cut off was never answered: whoever sent its events sends them again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

const MAGIC: [u8; 8] = *b"TWJRNAL\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = MAGIC.len() + 4;
/// Events hold names, addresses and access keys of people.
const MODE: u32 = 0o600;

/// What happened, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Lines were evaluated at a time by the wall clock, in milliseconds since 1970; `position` is that of the first.
    Events { now: i64, position: u64, bytes: Vec<u8> },
    /// Windows were closed by the clock.
    Close { watermark: i64 },
    /// An alert that nobody has taken yet.
    Alert { line: Vec<u8> },
}

/// A journal that is being written.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Half an entry may stand at the end.
    torn: bool,
}

/// Why a file is no journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error("{0} is no journal of tripwasm: give --state another name; the file was left as it is")]
    Foreign(String),
    #[error("{0} has a form of a newer tripwasm: run that one, or delete the file to go on without it")]
    Newer(String),
    #[error("cannot read or write {0}")]
    Io(String, #[source] io::Error),
}

impl Journal {
    /// Opens the journal beside a state file, and reads what it holds. A missing one is made.
    pub(super) fn open(state: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let path = beside(state);
        let name = path.display().to_string();
        let failed = |error| JournalError::Io(name.clone(), error);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let (entries, whole) = read(&bytes, &name)?;
        let file = if whole == 0 { create(&path) } else { OpenOptions::new().append(true).open(&path) };
        let file = file.map_err(failed)?;
        let bytes = whole.max(HEADER_BYTES) as u64;
        file.set_len(bytes).map_err(failed)?;
        Ok((Journal { path, file, bytes, torn: false }, entries))
    }

    /// Adds an entry.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.write(&record(entry))
    }

    /// Adds lines that are about to be evaluated.
    pub(super) fn append_events(&mut self, now: i64, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(&events_record(now, position, bytes))
    }

    /// Its size on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        // Half an entry would hide those that come behind it.
        if self.torn {
            self.file.set_len(self.bytes)?;
        }
        self.torn = true;
        if let Err(error) = self.file.write_all(record) {
            self.torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.torn = false;
        self.bytes += record.len() as u64;
        Ok(())
    }

    /// Begins anew with these entries, once state was saved that covers all others.
    pub(super) fn restart(&mut self, entries: &[Entry]) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let staged = self.path.with_file_name(format!(".{name}.new"));
        let mut file = create(&staged)?;
        let records: Vec<u8> = entries.iter().flat_map(record).collect();
        file.write_all(&records)?;
        fs::rename(&staged, &self.path)?;
        self.file = file;
        self.bytes = (HEADER_BYTES + records.len()) as u64;
        self.torn = false;
        Ok(())
    }
}

/// Refuses a state file whose journal tells of more: windows that only `serve` goes on with.
pub(in crate::cli) fn refuse_unread(state: &Path) -> anyhow::Result<()> {
    let journal = beside(state);
    let unread = fs::metadata(&journal).is_ok_and(|meta| meta.len() > HEADER_BYTES as u64);
    anyhow::ensure!(
        !unread,
        "{} tells of events that came since {} was saved: start `tripwasm serve --state` once to take them in, or delete it",
        journal.display(),
        state.display()
    );
    Ok(())
}

/// Where the journal of a state file is.
fn beside(state: &Path) -> PathBuf {
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".journal");
    state.with_file_name(name)
}

fn create(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    // Appending, what is written behind a cut stands at the cut and leaves no hole.
    file.set_len(0)?;
    file.write_all(&MAGIC)?;
    file.write_all(&VERSION.to_le_bytes())?;
    Ok(file)
}

fn record(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::Events { now, position, bytes } => events_record(*now, *position, bytes),
        Entry::Close { watermark } => framed(b"c", &watermark.to_le_bytes()),
        Entry::Alert { line } => framed(b"a", line),
    }
}

fn events_record(now: i64, position: u64, bytes: &[u8]) -> Vec<u8> {
    let head: Vec<u8> = [b'e'].into_iter().chain(now.to_le_bytes()).chain(position.to_le_bytes()).collect();
    framed(&head, bytes)
}

fn framed(head: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(head.len() + rest.len()).unwrap_or(u32::MAX);
    let mut hasher = Xxh3::new();
    hasher.update(head);
    hasher.update(rest);
    let mut record = Vec::with_capacity(12 + head.len() + rest.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&hasher.digest().to_le_bytes());
    record.extend_from_slice(head);
    record.extend_from_slice(rest);
    record
}

/// The entries, and how many bytes are whole.
fn read(bytes: &[u8], name: &str) -> Result<(Vec<Entry>, usize), JournalError> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER_BYTES) else {
        // A kill while the file was made.
        return if MAGIC.starts_with(bytes) || bytes.starts_with(&MAGIC) {
            Ok((Vec::new(), 0))
        } else {
            Err(JournalError::Foreign(name.to_owned()))
        };
    };
    if !header.starts_with(&MAGIC) {
        return Err(JournalError::Foreign(name.to_owned()));
    }
    if !header.ends_with(&VERSION.to_le_bytes()) {
        return Err(JournalError::Newer(name.to_owned()));
    }
    let mut entries = Vec::new();
    while let Some((entry, behind)) = next_entry(rest) {
        entries.push(entry);
        rest = behind;
    }
    if !rest.is_empty() {
        tracing::warn!(
            bytes = rest.len(),
            "the journal ends in an entry that was cut off; it was never answered"
        );
    }
    Ok((entries, bytes.len() - rest.len()))
}

fn next_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (sum, bytes) = bytes.split_first_chunk::<8>()?;
    let (payload, behind) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if xxhash_rust::xxh3::xxh3_64(payload) != u64::from_le_bytes(*sum) {
        return None;
    }
    let (kind, payload) = payload.split_first()?;
    let entry = match kind {
        b'e' => {
            let (now, payload) = payload.split_first_chunk::<8>()?;
            let (position, bytes) = payload.split_first_chunk::<8>()?;
            let (now, position) = (i64::from_le_bytes(*now), u64::from_le_bytes(*position));
            Entry::Events { now, position, bytes: bytes.to_vec() }
        }
        b'c' => Entry::Close { watermark: i64::from_le_bytes(*payload.first_chunk::<8>()?) },
        b'a' => Entry::Alert { line: payload.to_vec() },
        _ => return None,
    };
    Some((entry, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::Events { now: 7, position: 3, bytes: b"{}\n{}\n".to_vec() },
            Entry::Close { watermark: -1 },
            Entry::Alert { line: b"{\"kind\":\"alert\"}\n".to_vec() },
        ]
    }

    #[test]
    fn what_was_written_before_a_kill_is_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = folder.path().join("windows.state");
        let (mut journal, before) = Journal::open(&state).unwrap();
        assert_eq!(before, []);
        journal.append_events(7, 3, b"{}\n{}\n").unwrap();
        for entry in &entries()[1..] {
            journal.append(entry).unwrap();
        }
        drop(journal);
        let whole = fs::read(beside(&state)).unwrap();
        for length in 0..=whole.len() {
            fs::write(beside(&state), &whole[..length]).unwrap();
            let (_, read) = Journal::open(&state).unwrap();
            assert!(entries().starts_with(&read), "cut to {length}");
            assert_eq!(read.len() == 3, length == whole.len());
        }
    }

    #[test]
    fn a_journal_begins_anew_with_what_is_left() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = folder.path().join("windows.state");
        let (mut journal, _) = Journal::open(&state).unwrap();
        journal.append(&entries()[1]).unwrap();
        journal.restart(&entries()[2..]).unwrap();
        journal.append(&entries()[0]).unwrap();
        drop(journal);
        let (_, read) = Journal::open(&state).unwrap();
        assert_eq!(read, [entries()[2].clone(), entries()[0].clone()]);
    }

    #[test]
    fn a_foreign_file_stays_as_it_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = folder.path().join("windows.state");
        fs::write(beside(&state), "{\"eventName\":\"StopLogging\"}\n").unwrap();
        assert!(matches!(Journal::open(&state), Err(JournalError::Foreign(_))));
        assert_eq!(fs::read(beside(&state)).unwrap(), b"{\"eventName\":\"StopLogging\"}\n");
    }

    #[test]
    fn entries_behind_one_that_could_not_be_written_are_read() {
        let folder = tempfile::TempDir::new().unwrap();
        let state = folder.path().join("windows.state");
        let (mut journal, _) = Journal::open(&state).unwrap();
        journal.restart(&entries()[1..2]).unwrap();
        // What a full disk leaves of an entry, taken back.
        journal.file.write_all(b"half an entry").unwrap();
        journal.file.set_len(journal.bytes).unwrap();
        journal.append(&entries()[0]).unwrap();
        // And one that could not be taken back at once.
        journal.file.write_all(b"half an entry").unwrap();
        journal.torn = true;
        journal.append(&entries()[2]).unwrap();
        drop(journal);
        let (_, read) = Journal::open(&state).unwrap();
        assert_eq!(read, [entries()[1].clone(), entries()[0].clone(), entries()[2].clone()]);
    }
}
