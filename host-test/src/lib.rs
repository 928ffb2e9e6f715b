//! Loads a detection module into a sandbox and calls it: compile, limit, call, recover.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tripwasm::{Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
//! let runtime = Runtime::new(RuntimeOptions::default())?;
//! let module = Module::load_file(&runtime, "cloudtrail.wasm")?;
//! let mut detector = Detector::new(&module, DetectorOptions::of(&module))?;
//! let report = detector.evaluate(b"{\"eventName\":\"StopLogging\"}\n", 0, None)?;
//! println!("{} matches", report.matches.len());
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: evaluation happens in the module alone; a trap costs one batch its verdicts and nothing else; no
//! native code is loaded that this user did not compile.

pub mod bindings;
pub mod build;
mod cache;
mod carried;
mod detector;
mod error;
pub mod finding;
pub mod input;
mod module;
pub mod rule_test;
mod runtime;
mod statistics;
mod time;

pub use detector::{Detector, DetectorOptions};
pub use error::{DetectorError, LoadError, StateProblem, Trapped};
pub use module::{Filter, Module};
pub use runtime::{CompileCache, Runtime, RuntimeOptions};
pub use statistics::combine as combine_statistics;
pub use time::rfc3339;
pub use tripwasm_bake::{FILTER_FUNCTION, is_filter};
