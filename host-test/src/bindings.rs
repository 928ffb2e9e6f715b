//! The contract as Rust: generated from `wit/`, and nothing else.
#![allow(missing_docs, unreachable_pub, reason = "generated")]

wasmtime::component::bindgen!({ path: "../wit", world: "log-filter" });

pub use exports::tripwasm::detect::detector;
