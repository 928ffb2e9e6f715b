//! Sigma rules to a plan that the engine runs.
//!
//! Text goes in, values come out: nothing here opens a file. A document is read once into a YAML tree that knows
//! where everything stands, its keys and values are checked there, then the Sigma parser reads it, and the lowering
//! makes the plan. Rules that the engine cannot run exactly are refused with file, line and remedy.
//!
//! Invariant: equal input gives an equal plan, and no input makes this crate panic.
//!
//! ```
//! use tripwasm_rules::{OnError, SourceFile, compile};
//!
//! let text = "
//! title: Root signs in
//! logsource: { product: aws, service: cloudtrail }
//! detection:
//!   selection: { eventName: ConsoleLogin, userIdentity.type: Root }
//!   condition: selection
//! ";
//! let rule = SourceFile { path: "root.yml".to_owned(), text: text.to_owned() };
//! let compiled = compile(&[rule], &[], None, OnError::Refuse);
//! assert!(compiled.diagnostics.is_empty());
//! assert_eq!(compiled.plan.map(|plan| plan.rules.len()), Some(1));
//! ```

mod block;
mod case;
mod check;
mod collection;
mod compile;
mod config;
mod diagnostic;
mod document;
mod exemplar;
mod keep_going;
mod lint;
mod lower;
pub mod panther;
pub mod quantity;
mod settings;
mod shape;
mod sigma;
mod source;
mod spelling;
mod yaml;

pub use case::{Expectation, ExpectedAlert, ExpectedMatches, Missing, TestCase, Uncovered, coverage};
pub use compile::{AppliedFilter, Compiled, LeftOut, OnError, compile};
pub use diagnostic::{Diagnostic, Severity};
pub use source::SourceFile;
