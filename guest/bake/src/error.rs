//! Why no module came out.

use crate::HostError;

/// Why a guest could not be baked. Apart from [`BakeError::Refused`], each means that guest and host do not belong
/// together or that one of them has a defect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BakeError {
    /// The guest is no module that can be snapshot.
    #[error("the guest cannot be prepared for baking")]
    Instrument(#[source] HostError),
    /// The host could not instantiate or call the guest, or the guest trapped.
    #[error("running the guest's bake failed")]
    Host(#[source] HostError),
    /// The plan is larger than a guest can address.
    #[error("the plan has {0} bytes, a guest takes at most 2^31")]
    PlanTooLarge(usize),
    /// The guest did not take the plan.
    #[error(
        "the guest refused the plan (code {0}): guest and rules are of different versions, build both again"
    )]
    Refused(i32),
    /// The snapshot could not be written as a module.
    #[error("the baked memory cannot be written as a module")]
    Snapshot(#[source] HostError),
    /// A module that should be valid is not.
    #[error("the module is not valid WebAssembly")]
    Invalid(#[from] wasmparser::BinaryReaderError),
    /// A section that cannot be rewritten.
    #[error("the module has a section that cannot be rewritten: {0}")]
    Rewrite(String),
    /// The core module could not be encoded as a component.
    #[error("the core module cannot be encoded as a component: {0}")]
    Encode(String),
    /// The zero-import rule is broken.
    #[error("the module imports {0}, it must import nothing")]
    Imports(String),
    /// The contract is not what is exported.
    #[error("the module exports {}, not Fluent Bit's contract", .0.join(", "))]
    Exports(Vec<String>),
    /// The init is still there.
    #[error("the module still exports {0}, no init may be left in it")]
    InitLeft(String),
}

impl<T> From<wasm_encoder::reencode::Error<T>> for BakeError
where
    wasm_encoder::reencode::Error<T>: std::fmt::Display,
{
    fn from(error: wasm_encoder::reencode::Error<T>) -> Self {
        BakeError::Rewrite(error.to_string())
    }
}
