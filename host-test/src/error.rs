//! What can go wrong between host and module.

/// Why bytes are no module that can run here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// As it was named.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Neither a component nor a core module of ours.
    #[error("this is no tripwasm module, build one: tripwasm build RULES -o FILE")]
    NotAModule(#[source] wasmtime::Error),
    /// A core module that cannot be made a component again.
    #[error("this core module does not carry the tripwasm contract")]
    NoContract(#[from] tripwasm_bake::BakeError),
    /// A module for Fluent Bit, whose contract is another one.
    #[error(
        "this module was built for Fluent Bit, which alone can run it; build the same rules without `--target fluent-bit` to run or test them here"
    )]
    ForFluentBit,
    /// The module wants something from the host.
    #[error("the module imports {}, a detection module imports nothing", .0.join(", "))]
    Imports(Vec<String>),
    /// The module's contract is another one.
    #[error("the module was built for another version of the contract, build its rules again")]
    Contract(#[source] wasmtime::Error),
    /// It could not be instantiated, or it trapped while describing itself.
    #[error("the module does not start")]
    Start(#[source] wasmtime::Error),
    /// One of the sections beside the code is damaged.
    #[error("the module's section {section} cannot be read")]
    Section {
        /// Its name.
        section: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The engine could not be set up.
    #[error("the WebAssembly engine cannot be set up on this machine")]
    Engine(#[source] wasmtime::Error),
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// The instance is gone and a new one stands in its place; pass the batch on as it is.
    #[error(transparent)]
    Trapped(#[from] Trapped),
    /// No instance could be had; every later call tries again.
    #[error("no instance of the module can be started")]
    Start(#[source] wasmtime::Error),
    /// Options are set before the first event.
    #[error("the module does not take options after its first event")]
    AlreadyRunning,
    /// Nothing was done: a snapshot would have ended the instance.
    #[error(
        "the sandbox of {} MiB has no room for a snapshot of its state, bound the state to less (`--memory`)",
        .memory_bytes_max >> 20
    )]
    NoRoom {
        /// The bound on the sandbox's whole memory.
        memory_bytes_max: usize,
    },
    /// The saved state is not usable; nothing was changed.
    #[error("the saved state is {0}")]
    State(StateProblem),
}

/// Why saved state is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProblem {
    /// Not a snapshot, cut off, or changed.
    #[error("damaged")]
    Damaged,
    /// The form of its bytes is another one.
    #[error("of another version of the engine")]
    OtherVersion,
    /// None of the rules that it tells of is in this module.
    #[error("of other rules")]
    OtherRules,
    /// The module's own state of a moment ago.
    #[error("not taken back by the module")]
    NotTakenBack,
}

/// A call that trapped: a defect of the module, or one of the host's limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the module trapped in {call}: {reason}; what its windows gathered since the last checkpoint is lost"
)]
pub struct Trapped {
    /// The function of the contract.
    pub call: &'static str,
    /// What happened.
    pub reason: String,
}
