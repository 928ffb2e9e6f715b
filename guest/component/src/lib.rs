//! The engine as a component: decode, call, encode.

mod convert;
mod detector;
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
