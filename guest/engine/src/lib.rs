//! The detection engine: bytes in, findings out. No clock, no files, no panics, no recursion on input depth.

pub mod finding;
pub mod limits;
pub mod reference;
mod id;

pub use id::alert_id;
