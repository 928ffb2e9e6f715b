//! From a plan and the generic guest to a finished module: the guest reads the plan once, at build, and its memory
//! becomes the module's data. No init is left in the result, and it imports nothing.
//!
//! Invariant: pure over [`BakeInstance`], so that any WebAssembly runtime can run the guest; equal input gives equal
//! bytes.

mod bake;
mod check;
mod error;
mod guard;
mod live;
mod section;
mod snapshot;
mod strip;

pub use bake::{Baked, bake, bake_filter, encode_component};
pub use check::{FILTER_FUNCTION, ModuleShape, is_component, is_filter, module_shape};
pub use error::BakeError;
pub use section::{RULES_SECTION, TESTS_SECTION, append_section, find_section};
pub use snapshot::{BakeInstance, GlobalValue, HostError};
