//! Conformance cases as data, the engines that have to agree on them, and generators of rules and events.
//!
//! A case says what comes out; how it is computed is none of its business. Each runs on the reference
//! evaluator, on the native engine and on the built component in its sandbox.

pub mod case;
pub mod corpus;
pub mod engines;
pub mod expectation;
pub mod generate;
pub mod rules;
