//! Inputs: files, directories and standard input, in every form CloudTrail is delivered in, as batches of NDJSON.
//!
//! The form is told by content. Lines of NDJSON come out as they are. Events inside an envelope come out as their
//! original bytes on one line each: line breaks between tokens become spaces, nothing is serialised again.
//!
//! Invariant: nothing is lost. What cannot be read as the form it seemed to be comes out as lines.

mod ahead;
mod batch;
mod envelope;
pub mod firehose;
mod form;
mod head;
mod json;
mod notice;
mod packed;
mod reader;
mod resume;
mod source;
mod spare;
mod steps;
mod taken;
mod telling;
mod unzip;

pub use batch::{Batch, Evaluation, Foreign, InputError};
pub use reader::{EventReader, Pace, ReaderOptions};
pub use source::{Source, SourceBatch, SourceReader, find_sources};
pub use spare::SpareBuffers;
pub use taken::Taken;
pub use unzip::Unpacking;
