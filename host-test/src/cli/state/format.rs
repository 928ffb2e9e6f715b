//! What a state file holds, as bytes.
//!
//! | bytes | meaning |
//! |---|---|
//! | 8 | `TWSTATE` and a zero |
//! | 4 | version of this form, little endian as all numbers |
//! | 1 | `u` after an unfinished run, `f` after a finished one |
//! | 8 | length of the record |
//! | 8 | XXH3 of the record and the snapshot |
//! | | the record: [`Record`] as JSON |
//! | | the module's snapshot, to the end |

use serde::{Deserialize, Serialize};
use tripwasm::input::{Source, Taken};
use xxhash_rust::xxh3::Xxh3;

const MAGIC: [u8; 8] = *b"TWSTATE\0";
const VERSION: u32 = 1;
/// Where the byte stands that says whether the run was finished. It is no part of the checksum: the last thing a run
/// does is to change it in place, so that hardly a moment is left in which a kill makes a finished run look unfinished.
pub(super) const PROGRESS_AT: u64 = MAGIC.len() as u64 + 4;
const HEADER_BYTES: usize = MAGIC.len() + 4 + 1 + 8 + 8;

/// What the runs before took in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Record {
    /// Position of the next event in the whole input.
    pub(in crate::cli) position: u64,
    /// The inputs of the run that is not finished.
    pub(in crate::cli) sources: Vec<SourceRecord>,
}

/// Whether a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Progress {
    /// It read all it was given: the next run brings new input.
    Finished,
    /// It was killed, interrupted, or could not read everything: the next run may bring the same input again.
    Unfinished,
}

impl Progress {
    /// The byte that says so; no single flipped bit makes one of the other.
    pub(super) fn byte(self) -> u8 {
        match self {
            Progress::Finished => b'f',
            Progress::Unfinished => b'u',
        }
    }
}

/// How far one input was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct SourceRecord {
    /// As it was named.
    pub(in crate::cli) name: String,
    #[serde(flatten)]
    pub(in crate::cli) taken: Taken,
}

impl Record {
    /// For each of the inputs, which entry of `sources` tells of it: the first of its name that no input before it has.
    pub(in crate::cli) fn entries_of(&self, sources: &[Source]) -> Vec<Option<usize>> {
        let mut by_name = std::collections::HashMap::<&str, std::collections::VecDeque<usize>>::new();
        for (entry, record) in self.sources.iter().enumerate() {
            by_name.entry(&record.name).or_default().push_back(entry);
        }
        sources.iter().map(|source| by_name.get_mut(source.name().as_str())?.pop_front()).collect()
    }
}

/// Why bytes are no state that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum FormatError {
    #[error("this is no state file of tripwasm: give --state another name; the file was left as it is")]
    Foreign,
    #[error(
        "the state file has format {0} and this tripwasm reads format {VERSION}: run the newer tripwasm that wrote it, \
         or delete the file to begin anew"
    )]
    Newer(u32),
    #[error("the state file is cut off or damaged: put a copy in its place, or delete it to begin anew")]
    Damaged,
}

/// The first part of a state file; the snapshot follows.
pub(super) fn head(
    progress: Progress,
    record: &Record,
    snapshot: &[u8],
) -> Result<Vec<u8>, serde_json::Error> {
    let record = serde_json::to_vec(record)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + record.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(progress.byte());
    bytes.extend_from_slice(&(record.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&checksum(&record, snapshot).to_le_bytes());
    bytes.extend_from_slice(&record);
    Ok(bytes)
}

/// Reads a state file: its record, whether the run was finished, and the snapshot.
pub(super) fn read(bytes: &[u8]) -> Result<(Progress, Record, &[u8]), FormatError> {
    let begins = bytes.len().min(MAGIC.len());
    if bytes.is_empty() {
        return Err(FormatError::Damaged);
    }
    if bytes.get(..begins) != MAGIC.get(..begins) {
        return Err(FormatError::Foreign);
    }
    let rest = bytes.get(MAGIC.len()..).ok_or(FormatError::Damaged)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(FormatError::Damaged)?;
    match u32::from_le_bytes(*version) {
        VERSION => {}
        newer if newer > VERSION => return Err(FormatError::Newer(newer)),
        _ => return Err(FormatError::Damaged),
    }
    let (progress, rest) = rest.split_first().ok_or(FormatError::Damaged)?;
    let all = [Progress::Finished, Progress::Unfinished];
    let progress = all.into_iter().find(|known| known.byte() == *progress).ok_or(FormatError::Damaged)?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(FormatError::Damaged)?;
    let (sum, rest) = rest.split_first_chunk::<8>().ok_or(FormatError::Damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| FormatError::Damaged)?;
    let (record, snapshot) = rest.split_at_checked(length).ok_or(FormatError::Damaged)?;
    if checksum(record, snapshot) != u64::from_le_bytes(*sum) {
        return Err(FormatError::Damaged);
    }
    let record = serde_json::from_slice(record).map_err(|_| FormatError::Damaged)?;
    Ok((progress, record, snapshot))
}

fn checksum(record: &[u8], snapshot: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(record);
    hasher.update(snapshot);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let sources = vec![SourceRecord { name: "a".to_owned(), taken: Taken::default() }];
        let record = Record { position: 7, sources };
        let mut bytes = head(Progress::Unfinished, &record, b"snapshot").unwrap();
        bytes.extend_from_slice(b"snapshot");
        assert_eq!(read(&bytes), Ok((Progress::Unfinished, record.clone(), &b"snapshot"[..])));
        bytes[PROGRESS_AT as usize] = Progress::Finished.byte();
        assert_eq!(read(&bytes), Ok((Progress::Finished, record, &b"snapshot"[..])));
        bytes
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let bytes = written();
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), Err(FormatError::Damaged), "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(read(&damaged).is_err(), "bit flipped in byte {at}");
        }
    }

    #[test]
    fn foreign_and_newer_files_are_told_apart() {
        assert_eq!(read(b"{\"eventName\":\"StopLogging\"}\n"), Err(FormatError::Foreign));
        let mut newer = written();
        newer[8] = 2;
        assert_eq!(read(&newer), Err(FormatError::Newer(2)));
    }

    #[test]
    fn inputs_are_told_by_name_and_order() {
        let source = |name: &str| Source::File(name.into());
        let entry = |name: &str| SourceRecord { name: name.to_owned(), taken: Taken::default() };
        let record = Record { sources: vec![entry("a"), entry("b"), entry("a")], ..Record::default() };
        let entries = record.entries_of(&["b", "a", "c", "a", "a"].map(source));
        assert_eq!(entries, [Some(1), Some(0), None, Some(2), None]);
    }
}
