//! The engine as a component: decode, call, encode.
//!
//! The module is built once without rules. The build writes a plan through [`bake`], takes the memory as it then is,
//! and leaves the way in out; so a finished module holds its rules and cannot be given others.

mod bake;
mod convert;
mod detector;
mod instance;
#[cfg(feature = "windows")]
mod sharded;
#[cfg(not(feature = "windows"))]
mod without_windows;

#[allow(missing_docs, unsafe_code, reason = "generated; the WIT file holds the documentation")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "log-filter", pub_export_macro: true });
}

struct Component;

#[allow(unsafe_code, reason = "the canonical ABI's entry points")]
mod exports {
    use super::{Component, bindings};
    bindings::export!(Component with_types_in bindings);
}
