//! Reading goes on where it was left.

use std::collections::VecDeque;
use std::path::Path;

use super::source::{Opened, Rereading, open_error};
use super::taken::{Recognition, Tracker};
use super::{Batch, EventReader, InputError, Pace, ReaderOptions, Source, SpareBuffers, Taken, Unpacking};

/// Bytes of a stream's first lines that are kept until it is known; a stream with longer ones counts as another one.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Whether it is kept track of how far an input is read; that hashes every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    On,
    Off,
}

/// How inputs are read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) batch_bytes: usize,
    pub(super) unpacking: Unpacking,
    pub(super) tracking: Tracking,
    pub(super) spare: SpareBuffers,
}

impl Reading {
    fn open(&self, source: &Source) -> std::io::Result<(EventReader, Pace, Rereading)> {
        let Opened { input, pace, rereading } = source.open()?;
        let options = ReaderOptions { batch_bytes: self.batch_bytes, pace, unpacking: self.unpacking };
        Ok((EventReader::with_spare(input, options, self.spare.clone()), pace, rereading))
    }
}

/// Reads one input, without the lines that were taken before.
pub(super) struct ResumedReader {
    source: Source,
    reading: Reading,
    reader: EventReader,
    pace: Pace,
    rereading: Rereading,
    tracker: Tracker,
    before: Option<Taken>,
    /// What was read already and is to be given out next.
    kept: VecDeque<Batch>,
}

impl ResumedReader {
    /// `before` is how far the input was read; an input that turns out to be another one is read from its beginning.
    pub(super) fn open(source: Source, before: Option<Taken>, reading: Reading) -> std::io::Result<Self> {
        let (reader, pace, rereading) = reading.open(&source)?;
        Ok(ResumedReader {
            source,
            reading,
            reader,
            pace,
            rereading,
            tracker: Tracker::new(rereading),
            before: before.filter(|before| before.lines > 0),
            kept: VecDeque::new(),
        })
    }

    /// The next lines, and how many were skipped before them.
    pub(super) fn next_batch(&mut self) -> Option<(Batch, u64)> {
        let (skipped, mut problems) = match self.before.take() {
            Some(before) => self.skip(&before),
            None => (0, Vec::new()),
        };
        let mut batch = match self.kept.pop_front().or_else(|| self.reader.next_batch()) {
            Some(batch) => batch,
            None if skipped > 0 || !problems.is_empty() => Batch::default(),
            None => return None,
        };
        if self.reading.tracking == Tracking::On {
            self.tracker.take(&batch.bytes, batch.lines);
        }
        problems.append(&mut batch.problems);
        batch.problems = problems;
        Some((batch, skipped))
    }

    /// How far the input is read with the last batch.
    pub(super) fn taken(&self) -> &Taken {
        self.tracker.taken()
    }

    /// Whether its lines arrive as they happen.
    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Reads again what was taken before. How many lines that were, and what went wrong.
    fn skip(&mut self, before: &Taken) -> (u64, Vec<InputError>) {
        let mut problems = Vec::new();
        let mut begun = false;
        while let Some(batch) = self.reader.next_batch() {
            let wanted = before.lines.saturating_sub(self.tracker.taken().lines);
            let (mut again, rest) = batch.split(wanted);
            self.tracker.take(&again.bytes, again.lines);
            problems.append(&mut again.problems);
            let recognition = self.tracker.recognise(before);
            if !begun && recognition != Recognition::Known && self.rereading == Rereading::Never {
                self.kept.push_back(again);
            }
            match recognition {
                Recognition::Open if self.kept_bytes() <= KEPT_BYTES_MAX => continue,
                Recognition::Begun => {
                    begun = true;
                    self.kept.clear();
                    continue;
                }
                Recognition::Known => self.kept.clear(),
                Recognition::Open | Recognition::Other => {}
            }
            self.kept.extend(Some(rest).filter(|rest| !rest.is_empty()));
            if recognition == Recognition::Known {
                return (before.lines, problems);
            }
            break;
        }
        if begun {
            let lines = self.tracker.taken().lines;
            problems.push(InputError::Changed { lines });
            return (lines, problems);
        }
        self.begin_anew(&mut problems);
        (0, problems)
    }

    /// It is another input: nothing of it was taken before.
    fn begin_anew(&mut self, problems: &mut Vec<InputError>) {
        self.tracker = Tracker::new(self.rereading);
        if self.rereading == Rereading::Never {
            return;
        }
        // They come up again.
        problems.clear();
        self.kept.clear();
        match self.reading.open(&self.source) {
            Ok((reader, ..)) => self.reader = reader,
            Err(error) => problems.push(open_error(Path::new(&self.source.name()), error)),
        }
    }

    fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|batch| batch.bytes.len()).sum()
    }
}
