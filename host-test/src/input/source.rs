//! Which inputs there are, and reading them one after the other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Batch, EventReader, InputError, Pace, ReaderOptions};

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

    fn open(&self) -> std::io::Result<(Box<dyn Read + Send>, Pace)> {
        match self {
            Source::Stdin => Ok((Box::new(std::io::stdin()), Pace::Live)),
            Source::File(path) => Ok((Box::new(File::open(path)?), Pace::Stored)),
        }
    }
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

fn open_error(path: &Path, error: std::io::Error) -> InputError {
    InputError::Open { path: path.display().to_string(), source: Arc::new(error) }
}

/// A batch and the input it came from.
#[derive(Debug)]
pub struct SourceBatch {
    /// [`Source::name`].
    pub source: Arc<str>,
    /// The lines.
    pub batch: Batch,
    /// Whether they arrive as they happen.
    pub pace: Pace,
}

/// Reads inputs one after the other. An input that cannot be opened gives an empty batch that says so.
pub struct SourceReader {
    waiting: VecDeque<Source>,
    batch_bytes: usize,
    current: Option<(Arc<str>, Pace, EventReader)>,
}

impl SourceReader {
    /// Cuts into batches of `batch_bytes`.
    pub fn new(sources: Vec<Source>, batch_bytes: usize) -> Self {
        SourceReader { waiting: sources.into(), batch_bytes, current: None }
    }
}

impl Iterator for SourceReader {
    type Item = SourceBatch;

    fn next(&mut self) -> Option<SourceBatch> {
        loop {
            if let Some((name, pace, reader)) = &mut self.current
                && let Some(batch) = reader.next_batch()
            {
                return Some(SourceBatch { source: Arc::clone(name), batch, pace: *pace });
            }
            let source = self.waiting.pop_front()?;
            let name: Arc<str> = source.name().into();
            match source.open() {
                Ok((input, pace)) => {
                    let options = ReaderOptions { batch_bytes: self.batch_bytes, pace };
                    self.current = Some((name, pace, EventReader::new(input, options)));
                }
                Err(error) => {
                    self.current = None;
                    let problems = vec![open_error(Path::new(&*name), error)];
                    let batch = Batch { problems, ..Batch::default() };
                    return Some(SourceBatch { source: name, batch, pace: Pace::Stored });
                }
            }
        }
    }
}
