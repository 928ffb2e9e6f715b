//! Which inputs there are, and reading them one after the other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::resume::{Reading, ResumedReader, Tracking};
use super::{Batch, InputError, Pace, SpareBuffers, Taken, Unpacking};

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input, a live stream.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// How findings name it: the path as given, `-` for standard input.
    pub fn name(&self) -> String {
        match self {
            Source::Stdin => "-".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// Its size as stored, if that is known.
    pub fn stored_bytes(&self) -> Option<u64> {
        match self {
            Source::Stdin => None,
            Source::File(path) => path.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len()),
        }
    }

    pub(super) fn open(&self) -> std::io::Result<Opened> {
        match self {
            Source::Stdin => Ok(Opened {
                input: Box::new(std::io::stdin()),
                pace: Pace::Live,
                rereading: Rereading::Never,
            }),
            Source::File(path) => {
                let file = File::open(path)?;
                // A named pipe gives what it holds once.
                let stored = file.metadata().is_ok_and(|meta| meta.is_file());
                let rereading = if stored { Rereading::Possible } else { Rereading::Never };
                Ok(Opened { input: Box::new(file), pace: Pace::Stored, rereading })
            }
        }
    }
}

/// Whether an input can be read again from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rereading {
    Possible,
    Never,
}

/// An input that is open.
pub(super) struct Opened {
    pub(super) input: Box<dyn Read + Send>,
    pub(super) pace: Pace,
    pub(super) rereading: Rereading,
}

/// The inputs that paths name: `-` is standard input (as is no path at all), a directory stands for all files below
/// it, in order of their paths.
pub fn find_sources(paths: &[PathBuf]) -> Result<Vec<Source>, InputError> {
    if paths.is_empty() {
        return Ok(vec![Source::Stdin]);
    }
    let mut sources = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            sources.push(Source::Stdin);
        } else if path.is_dir() {
            sources.extend(files_below(path)?.into_iter().map(Source::File));
        } else {
            sources.push(Source::File(path.clone()));
        }
    }
    Ok(sources)
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let failed = |error| open_error(&directory, error);
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A link to a directory is not followed: it may lead back.
            if entry.file_type().map_err(failed)?.is_dir() {
                open.push(entry.path());
            } else if entry.path().is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn open_error(path: &Path, error: std::io::Error) -> InputError {
    InputError::Open { path: path.display().to_string(), source: Arc::new(error) }
}

/// A batch and the input it came from.
#[derive(Debug)]
pub struct SourceBatch {
    /// [`Source::name`].
    pub source: Arc<str>,
    /// Which of the inputs it is, from 0 on.
    pub number: usize,
    /// The lines.
    pub batch: Batch,
    /// Whether they arrive as they happen.
    pub pace: Pace,
    /// Lines skipped since the last batch, because they were read before.
    pub skipped: u64,
    /// How far the input is read with this batch; of a reader that can be [resumed](SourceReader::resume) only.
    pub taken: Taken,
}

/// Reads inputs one after the other. An input that cannot be opened gives an empty batch that says so.
pub struct SourceReader {
    waiting: VecDeque<(usize, Source, Option<Taken>)>,
    reading: Reading,
    current: Option<(usize, Arc<str>, ResumedReader)>,
}

impl SourceReader {
    /// Reads all of each input and cuts into batches of `batch_bytes`.
    pub fn new(sources: Vec<Source>, batch_bytes: usize) -> Self {
        Self::with(sources.into_iter().map(|source| (source, None)).collect(), batch_bytes, Tracking::Off)
    }

    /// As [`SourceReader::new`], but skips what was taken of an input before. An input that is not the same any more
    /// is read from its beginning.
    pub fn resume(sources: Vec<(Source, Option<Taken>)>, batch_bytes: usize) -> Self {
        Self::with(sources, batch_bytes, Tracking::On)
    }

    /// How much the gzip of each input may unpack to; as much as that of events does, if it is not said.
    pub fn with_unpacking(mut self, unpacking: Unpacking) -> Self {
        self.reading.unpacking = unpacking;
        self
    }

    /// Where to give buffers of batches back.
    pub fn spare_buffers(&self) -> SpareBuffers {
        self.reading.spare.clone()
    }

    fn with(sources: Vec<(Source, Option<Taken>)>, batch_bytes: usize, tracking: Tracking) -> Self {
        let waiting = sources
            .into_iter()
            .enumerate()
            .map(|(number, (source, before))| (number, source, before))
            .collect();
        let unpacking = Unpacking::LikeEvents;
        let reading = Reading { batch_bytes, unpacking, tracking, spare: SpareBuffers::default() };
        SourceReader { waiting, reading, current: None }
    }
}

impl Iterator for SourceReader {
    type Item = SourceBatch;

    fn next(&mut self) -> Option<SourceBatch> {
        loop {
            if let Some((number, name, reader)) = &mut self.current
                && let Some((batch, skipped)) = reader.next_batch()
            {
                return Some(SourceBatch {
                    source: Arc::clone(name),
                    number: *number,
                    batch,
                    pace: reader.pace(),
                    skipped,
                    taken: reader.taken().clone(),
                });
            }
            let (number, source, before) = self.waiting.pop_front()?;
            let name: Arc<str> = source.name().into();
            match ResumedReader::open(source, before.clone(), self.reading.clone()) {
                Ok(reader) => self.current = Some((number, name, reader)),
                Err(error) => {
                    self.current = None;
                    let problems = vec![open_error(Path::new(&*name), error)];
                    return Some(SourceBatch {
                        source: name,
                        number,
                        batch: Batch { problems, ..Batch::default() },
                        pace: Pace::Stored,
                        skipped: 0,
                        taken: before.unwrap_or_default(),
                    });
                }
            }
        }
    }
}
