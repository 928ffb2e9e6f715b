//! The detection engine: bytes in, findings out. No clock, no files, no panics, no recursion on input depth.
//!
//! A [`Detector`] runs one [`tripwasm_plan::Plan`] over batches of NDJSON:
//! `scan` notes where the wanted values of a line stand, `matcher` answers the rules' conditions, `correlate` keeps
//! the windows. [`reference`](mod@reference) says the same slowly, with no code in common.

mod correlate;
mod detector;
mod facts;
pub mod finding;
mod glance;
mod id;
pub mod limits;
mod line;
mod matcher;
mod order;
pub mod reference;
mod scan;
mod sealed;
mod sharded;
mod tag;
mod wire;

pub use correlate::{
    Carried, Entry, EventId, Eviction, Fact, FactError, Lists, LostState, Origin, RuleStatistics, Step,
    Texts, Values,
};
pub use detector::{AlreadyRunning, Changes, Detector, Lesson, Report, Statistics, Verdict, VerdictAction};
pub use id::alert_id;
pub use matcher::CompileError;
pub use scan::unescape;
pub use sealed::StateError;
pub use sharded::Correlated;
pub use tag::{Fate, Mode, Output, Tag, free_key};
