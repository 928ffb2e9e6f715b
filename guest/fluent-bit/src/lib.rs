//! The engine as a filter of Fluent Bit: decode, call, encode.
//!
//! Fluent Bit hands over one record a call and takes one back. What it cannot be given back it loses, and so it does with
//! a record during which the module traps: whatever goes wrong here, the answer is the record as it came.

// Elsewhere `malloc` is the C library's.
#[cfg(target_arch = "wasm32")]
mod abi;
mod filter;
mod log;

pub use filter::{Answer, Filter};
