//! One input as batches: decompression, detection of the form, cutting.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use super::envelope::Lines;
use super::form::{Form, Told, tell_form};
use super::json::Scan;
use super::packed::RECORD_BYTES_MAX;
use super::spare::SpareBuffers;
use super::steps::{Place, Step};
use super::unzip::{UnpacksTooMuch, unzipped};
use super::{Batch, Evaluation, InputError, Unpacking};

/// A longer line is never handed to the module: it passes through in pieces, so that memory stays bounded. Four
/// times what the module itself evaluates.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// A JSON value that has not ended by then is passed on as lines. What services send in one value has a few MB; arrays of
/// events, which may be large, are read element by element and know no such bound.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// A value of more bytes is long.
pub(super) const LONG_VALUE_BYTES: usize = 1 << 20;

/// Least bytes asked of the input at a time.
pub(super) const READ_BYTES: usize = 64 << 10;

/// How to cut an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Bytes of a batch, unless one line is longer. 1 gives a batch for each line.
    pub batch_bytes: usize,
    /// Whether batches may wait until they are full.
    pub pace: Pace,
    /// How much gzip may unpack to.
    pub unpacking: Unpacking,
}

/// Whether batches may wait until they are full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A stored input: full batches.
    Stored,
    /// A live stream: what has arrived goes out at once.
    Live,
}

/// Reads one input.
pub struct EventReader {
    input: Box<dyn Read + Send>,
    options: ReaderOptions,
    spare: SpareBuffers,
    /// Read into; what stands at `start..filled` has been read and not been given out.
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
    pub(super) filled: usize,
    bytes_read: u64,
    /// Bytes that packed records may still unpack to.
    unpack_left: u64,
    pub(super) ended: bool,
    form: Option<Form>,
    pub(super) place: Place,
    /// A value that began at `start` and is still coming.
    pub(super) long_value: Option<Scan>,
    in_long_line: bool,
    problems: Vec<InputError>,
}

impl EventReader {
    /// Reads plain or gzip bytes.
    pub fn new(input: Box<dyn Read + Send>, options: ReaderOptions) -> Self {
        EventReader::with_spare(input, options, SpareBuffers::default())
    }

    /// As [`EventReader::new`], with buffers that whoever is done with a batch gives back.
    pub fn with_spare(input: Box<dyn Read + Send>, options: ReaderOptions, spare: SpareBuffers) -> Self {
        let mut problems = Vec::new();
        let input = unzipped(input, options.unpacking).unwrap_or_else(|error| {
            problems.push(read_error(0, error));
            Box::new(std::io::empty())
        });
        let unpack_left = match options.unpacking {
            Unpacking::LikeEvents => u64::MAX,
            Unpacking::AtMost(bytes) => bytes,
        };
        EventReader {
            input,
            options,
            spare,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            bytes_read: 0,
            unpack_left,
            ended: !problems.is_empty(),
            form: None,
            place: Place::Between,
            long_value: None,
            in_long_line: false,
            problems,
        }
    }

    /// The next lines; `None` at the end.
    pub fn next_batch(&mut self) -> Option<Batch> {
        let form = self.told_form();
        let mut batch = match form {
            Form::Documents => self.document_batch(),
            Form::Lines => self.line_batch(),
        };
        batch.problems.append(&mut self.problems);
        let empty = batch.bytes.is_empty() && batch.problems.is_empty() && batch.lines == 0;
        // Documents that broke leave the rest to the other form.
        if empty && form == Form::Documents && self.form == Some(Form::Lines) {
            return self.next_batch();
        }
        if empty { None } else { Some(batch) }
    }

    fn told_form(&mut self) -> Form {
        loop {
            if let Some(form) = self.form {
                return form;
            }
            match tell_form(self.rest(), self.ended) {
                Told::Form(form) if self.ended || !self.rest().is_empty() => self.form = Some(form),
                _ => self.fill(),
            }
        }
    }

    /// What has been read and not been given out.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    /// Reads on: what a batch lacks, or about as much as is waiting.
    fn fill(&mut self) {
        let waiting = self.rest().len();
        self.read_once();
        // A long value is looked through from its beginning each time: that has to stay linear, however little a pipe gives
        // at a time.
        let is_scanned_on = self.long_value.is_some();
        while waiting > LONG_VALUE_BYTES && !self.ended && !is_scanned_on && !self.is_worth_a_look(waiting) {
            self.read_once();
        }
    }

    /// Whether enough has come behind so many bytes, or perhaps the last of a value that somebody waits for.
    fn is_worth_a_look(&self, waiting: usize) -> bool {
        let new = self.rest().get(waiting..).unwrap_or_default();
        let ends = match self.form {
            Some(Form::Lines) => memchr::memchr(b'\n', new).is_some(),
            _ => matches!(new.trim_ascii_end().last(), Some(b'}' | b']')),
        };
        new.len() >= waiting / 4 || (ends && self.options.pace == Pace::Live)
    }

    fn read_once(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        let lacking = match self.options.batch_bytes.saturating_sub(self.filled) {
            0 => self.filled,
            lacking => lacking,
        };
        let end = self.filled + lacking.clamp(READ_BYTES, LINE_BYTES_MAX);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let read = loop {
            match self.input.read(self.buffer.get_mut(self.filled..end).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.problems.push(read_error(self.bytes_read, error));
                    break 0;
                }
                Ok(read) => break read,
            }
        };
        self.filled += read;
        self.bytes_read += read as u64;
        self.ended |= read == 0;
    }

    fn line_batch(&mut self) -> Batch {
        loop {
            if self.in_long_line {
                return self.long_line_piece();
            }
            let rest = self.rest();
            let window = rest.get(..self.options.batch_bytes).unwrap_or(rest);
            let full = rest.len() >= self.options.batch_bytes || self.ended;
            let cut = match memchr::memrchr(b'\n', window) {
                Some(at) if full || self.options.pace == Pace::Live => Some(at + 1),
                None if full => memchr::memchr(b'\n', rest).map(|at| at + 1),
                _ => None,
            };
            let length = rest.len();
            match cut {
                Some(cut) => {
                    let lines = memchr::memchr_iter(b'\n', rest.get(..cut).unwrap_or_default()).count();
                    return self.take(cut, lines as u64, Evaluation::Evaluate);
                }
                None if self.ended => return self.take(length, u64::from(length > 0), Evaluation::Evaluate),
                None if length >= LINE_BYTES_MAX => {
                    self.in_long_line = true;
                    return self.take(length, 0, Evaluation::PassThrough);
                }
                None => self.fill(),
            }
        }
    }

    /// What has arrived of a line too long to keep; the last piece counts as the line.
    fn long_line_piece(&mut self) -> Batch {
        while self.rest().is_empty() && !self.ended {
            self.fill();
        }
        let line_end = memchr::memchr(b'\n', self.rest());
        let length = line_end.map_or(self.rest().len(), |at| at + 1);
        self.in_long_line = line_end.is_none() && !self.ended;
        self.take(length, u64::from(!self.in_long_line), Evaluation::PassThrough)
    }

    fn take(&mut self, length: usize, lines: u64, evaluation: Evaluation) -> Batch {
        let end = self.start + length;
        let bytes = if self.start == 0 && length >= self.filled - length {
            // The lines leave in the buffer they were read into; only the rest behind them moves.
            let mut next = self.spare.take();
            let rest = self.filled - end;
            next.resize(next.len().max(rest), 0);
            if let (Some(to), Some(from)) = (next.get_mut(..rest), self.buffer.get(end..self.filled)) {
                to.copy_from_slice(from);
            }
            let mut bytes = std::mem::replace(&mut self.buffer, next);
            bytes.truncate(end);
            self.filled = rest;
            bytes
        } else {
            let bytes = self.rest().get(..length).unwrap_or_default().to_vec();
            self.start = end;
            bytes
        };
        Batch { bytes, lines, evaluation, ..Batch::default() }
    }

    fn document_batch(&mut self) -> Batch {
        let mut lines = Lines::new(self.spare.take());
        while lines.bytes.len() < self.options.batch_bytes {
            let unpack = self.unpack_left.min(RECORD_BYTES_MAX);
            lines.unpack_left = unpack;
            let step = self.step(&mut lines);
            self.unpack_left -= unpack - lines.unpack_left;
            match step {
                Step::Advanced => {}
                Step::Broken => {
                    self.form = Some(Form::Lines);
                    break;
                }
                Step::NeedsMore if self.ended => {
                    self.form = Some(Form::Lines);
                    break;
                }
                Step::NeedsMore if self.options.pace == Pace::Live && !lines.bytes.is_empty() => break,
                Step::NeedsMore if self.rest().len() >= DOCUMENT_BYTES_MAX => {
                    self.form = Some(Form::Lines);
                    break;
                }
                Step::NeedsMore => self.fill(),
            }
        }
        let Lines { bytes, problems, foreign, .. } = lines;
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Batch { bytes, lines, evaluation: Evaluation::Evaluate, problems, foreign }
    }

    /// Where the rest begins in the input.
    pub(super) fn position(&self) -> u64 {
        self.bytes_read - self.rest().len() as u64
    }
}

fn read_error(bytes: u64, error: std::io::Error) -> InputError {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(&UnpacksTooMuch { packed }) => InputError::UnpacksTooMuch { bytes, packed },
        None => InputError::Read { bytes, source: Arc::new(error) },
    }
}
