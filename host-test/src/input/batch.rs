//! Batches of lines, and what went wrong while reading them.

use std::sync::Arc;

/// Complete lines of one input.
#[derive(Debug, Default)]
pub struct Batch {
    /// NDJSON; only the last line of an input may lack its line break.
    pub bytes: Vec<u8>,
    /// How many lines begin or go on here and end here.
    pub lines: u64,
    /// Whether the module should see them.
    pub evaluation: Evaluation,
    /// What could not be read, in order. What could be read is in the batches.
    pub problems: Vec<InputError>,
    /// Documents among the lines that have no events by their kind.
    pub foreign: Vec<Foreign>,
}

impl Batch {
    /// Cuts behind so many lines; a batch of no more lines stays whole, and the rest is empty.
    pub(super) fn split(mut self, lines: u64) -> (Batch, Batch) {
        if self.lines <= lines {
            return (self, Batch::default());
        }
        let mut ends = memchr::memchr_iter(b'\n', &self.bytes);
        let cut = match usize::try_from(lines).ok().and_then(|lines| lines.checked_sub(1)) {
            Some(before) => ends.nth(before).map_or(self.bytes.len(), |at| at + 1),
            None => 0,
        };
        let bytes = self.bytes.split_off(cut);
        let rest =
            Batch { bytes, lines: self.lines - lines, evaluation: self.evaluation, ..Batch::default() };
        (Batch { lines, ..self }, rest)
    }

    /// Whether there is nothing in it, not even a problem.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.lines == 0 && self.problems.is_empty()
    }
}

/// A document of an AWS service that has no events by its kind: it passes as a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A digest, by which CloudTrail's files are verified.
    Digest,
    /// How CloudWatch Logs asks whether a subscription works.
    ControlMessage,
    /// An event of EventBridge that is not CloudTrail's.
    OtherEvent,
    /// A notification of objects; [`InputError::Notification`] tells more.
    Notification,
}

impl Foreign {
    /// How counts call it.
    pub fn name(self) -> &'static str {
        match self {
            Foreign::Digest => "digest",
            Foreign::ControlMessage => "control-message",
            Foreign::OtherEvent => "other-event",
            Foreign::Notification => "notification",
        }
    }
}

/// Whether the module should see a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Evaluation {
    /// Lines for the module.
    #[default]
    Evaluate,
    /// A piece of a line beyond any event's length: it passes through, and counts as too large.
    PassThrough,
}

/// What could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The input cannot be opened or listed.
    #[error("cannot open {path}")]
    Open {
        /// As given on the command line.
        path: String,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Reading stopped, in a corrupt gzip stream for example.
    #[error("reading stopped after {bytes} bytes (what came before them was kept)")]
    Read {
        /// Bytes read until then, decompressed.
        bytes: u64,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A stream that began like the one a saved state tells of went on otherwise.
    #[error(
        "its first {lines} lines were skipped because it began like the input read before, but they are not the same; \
         delete the state file to read the input from its beginning"
    )]
    Changed {
        /// How many lines were skipped.
        lines: u64,
    },
    /// An input unpacks to more than gzip of events does.
    #[error(
        "reading stopped after {bytes} bytes, unpacked from {packed}: as a gzip bomb it would go on (what came before was \
         kept); if it is none, allow so much with --unpacked-max SIZE"
    )]
    UnpacksTooMuch {
        /// Bytes read until then, decompressed.
        bytes: u64,
        /// Bytes of gzip they were in.
        packed: u64,
    },
    /// The data inside an envelope cannot be decoded.
    #[error("the {field} of an envelope at byte {at} is {reason}; the record was passed on as it is")]
    Envelope {
        /// Which member.
        field: &'static str,
        /// Where the envelope, or what is around it, begins in the input, decompressed.
        at: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The data inside an envelope unpacks to more than may be held at once.
    #[error(
        "the {field} of an envelope at byte {at} unpacks to more than is allowed at once; the record was passed on as it is, \
         unpack it before"
    )]
    RecordTooLarge {
        /// Which member.
        field: &'static str,
        /// Where the envelope, or what is around it, begins in the input, decompressed.
        at: u64,
    },
    /// A notification stands where events were expected.
    #[error(
        "at byte {at} stands {what}, no events: fetch the objects it names ({objects}), such as `aws s3 cp {address} -`, \
         and give them in; it was passed on as it is"
    )]
    Notification {
        /// Who tells of objects.
        what: &'static str,
        /// Where it begins in the input, decompressed.
        at: u64,
        /// How many objects are named, by this one and those of its kind behind it.
        objects: u64,
        /// The first object.
        address: String,
    },
}
