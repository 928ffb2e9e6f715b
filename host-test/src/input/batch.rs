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
    /// The data inside an envelope cannot be decoded.
    #[error("the {field} of an envelope is {reason}; the record was passed on as it is")]
    Envelope {
        /// Which member.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
