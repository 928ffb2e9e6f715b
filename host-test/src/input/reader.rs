//! One input as batches: decompression, detection of the form, cutting.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;

use super::ahead::ReadAhead;
use super::envelope::{Lines, first_value, unwrap};
use super::form::{Form, GZIP_MAGIC, Prefix, Told, records_prefix, tell_form};
use super::json::{ScanStop, skip_separator, skip_space, string_end, value_end};
use super::spare::SpareBuffers;
use super::{Batch, Evaluation, InputError};

/// A longer line is never handed to the module: it passes through in pieces, so that memory stays bounded. Four
/// times what the module itself evaluates.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// A JSON document that has not ended by then is passed on as lines. The arrays of CloudTrail's own files are read
/// element by element and know no such bound.
const DOCUMENT_BYTES_MAX: usize = 256 << 20;

/// Least bytes asked of the input at a time.
const READ_BYTES: usize = 64 << 10;

/// How to cut an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Bytes of a batch, unless one line is longer. 1 gives a batch for each line.
    pub batch_bytes: usize,
    /// Whether batches may wait until they are full.
    pub pace: Pace,
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
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    bytes_read: u64,
    ended: bool,
    form: Option<Form>,
    place: Place,
    in_long_line: bool,
    problems: Vec<InputError>,
    unfolding: u64,
}

/// Where in a sequence of documents the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    /// Inside a top-level array, or in the array of `{"Records":[`.
    Elements(Holder),
    /// After the array of `{"Records":[...]`.
    AfterRecords,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Array,
    Records,
}

/// What one step over documents came to.
enum Step {
    Advanced,
    NeedsMore,
    /// Not what it seemed to be: the rest is lines.
    Broken,
}

impl EventReader {
    /// Reads plain or gzip bytes.
    pub fn new(input: Box<dyn Read + Send>, options: ReaderOptions) -> Self {
        EventReader::with_spare(input, options, SpareBuffers::default())
    }

    /// As [`EventReader::new`], with buffers that whoever is done with a batch gives back.
    pub fn with_spare(input: Box<dyn Read + Send>, options: ReaderOptions, spare: SpareBuffers) -> Self {
        let mut input = BufReader::with_capacity(READ_BYTES, input);
        let mut problems = Vec::new();
        let zipped = match input.fill_buf() {
            Ok(bytes) => bytes.starts_with(&GZIP_MAGIC),
            Err(error) => {
                problems.push(InputError::Read { bytes: 0, source: Arc::new(error) });
                false
            }
        };
        let input: Box<dyn Read + Send> =
            if zipped { unzipped(input, &mut problems) } else { Box::new(input) };
        EventReader {
            input,
            options,
            spare,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            bytes_read: 0,
            ended: !problems.is_empty(),
            form: None,
            place: Place::Between,
            in_long_line: false,
            problems,
            unfolding: u64::MAX,
        }
    }

    /// Bounds what compressed records in envelopes unfold to, all together. Those beyond it are passed on as they are.
    pub fn with_unfolding_max(self, bytes: u64) -> Self {
        EventReader { unfolding: bytes, ..self }
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

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    /// Reads once more: what a batch lacks, or about as much as is waiting, so that repeated scans of one long value
    /// stay linear.
    fn fill(&mut self) {
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
                    self.problems.push(InputError::Read { bytes: self.bytes_read, source: Arc::new(error) });
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
        Batch { bytes, lines, evaluation, problems: Vec::new() }
    }

    fn document_batch(&mut self) -> Batch {
        let mut lines = Lines::into(self.spare.take(), self.unfolding);
        while lines.bytes.len() < self.options.batch_bytes {
            match self.step(&mut lines) {
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
        self.unfolding = lines.unfolding;
        let count = memchr::memchr_iter(b'\n', &lines.bytes).count() as u64;
        Batch { bytes: lines.bytes, lines: count, evaluation: Evaluation::Evaluate, problems: lines.problems }
    }

    fn step(&mut self, lines: &mut Lines) -> Step {
        self.start = match self.place {
            Place::Elements(_) => self.start + skip_separator(self.rest(), 0),
            Place::Between | Place::AfterRecords => self.start + skip_space(self.rest(), 0),
        };
        let Some(&byte) = self.rest().first() else { return Step::NeedsMore };
        match (self.place, byte) {
            (Place::Elements(holder), b']') => {
                self.start += 1;
                self.place = if holder == Holder::Array { Place::Between } else { Place::AfterRecords };
                Step::Advanced
            }
            (Place::Elements(_), _) => self.element(lines),
            (Place::AfterRecords, b'}') => {
                self.start += 1;
                self.place = Place::Between;
                Step::Advanced
            }
            (Place::AfterRecords, _) => self.member_after_records(lines),
            (Place::Between, b'[') => {
                self.start += 1;
                self.place = Place::Elements(Holder::Array);
                Step::Advanced
            }
            (Place::Between, b'{') => self.object(lines),
            (Place::Between, _) => self.foreign_line(lines),
        }
    }

    fn element(&mut self, lines: &mut Lines) -> Step {
        match first_value(self.rest()) {
            // A number at the end of the buffer may go on.
            Ok(value) if value.len() == self.rest().len() && !self.ended => Step::NeedsMore,
            Ok(value) => {
                let end = value.len();
                value.unwrap(lines);
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => Step::NeedsMore,
            Err(ScanStop::Malformed(_)) => Step::Broken,
        }
    }

    fn object(&mut self, lines: &mut Lines) -> Step {
        match records_prefix(self.rest()) {
            Prefix::Is(length) => {
                self.start += length;
                self.place = Place::Elements(Holder::Records);
                return Step::Advanced;
            }
            Prefix::Short if !self.ended => return Step::NeedsMore,
            Prefix::Short | Prefix::IsNot => {}
        }
        match first_value(self.rest()) {
            Ok(value) => {
                let end = value.len();
                value.unwrap(lines);
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => Step::NeedsMore,
            // One bad line between good documents costs nothing but itself.
            Err(ScanStop::Malformed(at)) => match memchr::memchr(b'\n', self.rest()) {
                Some(line_end) if line_end < at => Step::Broken,
                _ => self.foreign_line(lines),
            },
        }
    }

    /// `, "key": value` after the array of records.
    fn member_after_records(&mut self, lines: &mut Lines) -> Step {
        let rest = self.rest();
        let key = skip_separator(rest, 0);
        let value = string_end(rest, key).and_then(|key_end| {
            let colon = skip_space(rest, key_end);
            match rest.get(colon) {
                Some(b':') => Ok((key_end, value_end(rest, colon + 1)?, skip_space(rest, colon + 1))),
                Some(_) => Err(ScanStop::Malformed(colon)),
                None => Err(ScanStop::Incomplete),
            }
        });
        match value {
            Ok((_, end, _)) if end == rest.len() && !self.ended => Step::NeedsMore,
            Ok((key_end, end, start)) => {
                let value = rest.get(start..end).unwrap_or_default();
                if rest.get(key..key_end) == Some(b"\"Records\"") {
                    unwrap(value, lines);
                }
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => Step::NeedsMore,
            Err(ScanStop::Malformed(_)) => Step::Broken,
        }
    }

    fn foreign_line(&mut self, lines: &mut Lines) -> Step {
        let line_end = memchr::memchr(b'\n', self.rest());
        match line_end {
            Some(at) => {
                lines.bytes.extend_from_slice(self.rest().get(..=at).unwrap_or_default());
                self.start += at + 1;
                Step::Advanced
            }
            None if self.rest().len() >= LINE_BYTES_MAX => Step::Broken,
            None => Step::NeedsMore,
        }
    }
}

fn unzipped(input: BufReader<Box<dyn Read + Send>>, problems: &mut Vec<InputError>) -> Box<dyn Read + Send> {
    let unzipped = flate2::bufread::MultiGzDecoder::new(input);
    // On one processor nothing goes on beside it, and what is handed over is copied.
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
        return Box::new(unzipped);
    }
    match ReadAhead::new(unzipped) {
        Ok(ahead) => Box::new(ahead),
        Err(error) => {
            problems.push(InputError::Read { bytes: 0, source: Arc::new(error) });
            Box::new(std::io::empty())
        }
    }
}
