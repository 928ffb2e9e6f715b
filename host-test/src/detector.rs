//! A running module: one rule set and the state of its windows. A trap costs the instance, never the stream.

use wasmtime::{ResourceLimiter, Store, Trap};

use crate::bindings::detector::{
    AlertFinding, ConfigError, Counts, Lesson, LostState, Mode, ModuleInfo, Options, Output, Report,
    StateError,
};
use crate::bindings::{LogFilter, LogFilterPre};
use crate::error::StateProblem;
use crate::finding::label;
use crate::runtime::TICK;
use crate::statistics::Totals;
use crate::{DetectorError, Module, Trapped};

/// Longest time one call may take, in ticks: far beyond any batch, so that only a hanging module meets it.
const CALL_TICKS_MAX: u64 = 60_000 / TICK.as_millis() as u64;

/// Input between two checkpoints, at least: so a trap costs the windows little.
const CHECKPOINT_INPUT_BYTES_MIN: u64 = 64 << 20;

/// Input between two checkpoints, in sizes of a checkpoint: so large states cost the stream little.
const CHECKPOINT_INPUT_PER_BYTE: u64 = 16;

/// What a detector is started with.
#[derive(Debug, Clone, Copy)]
pub struct DetectorOptions {
    /// Lateness, duplicates and the bound on state.
    pub options: Options,
    /// Bound on the sandbox's whole memory: batch, state, findings and rules.
    pub memory_bytes_max: usize,
}

impl DetectorOptions {
    /// What is baked into the module, and memory to match.
    pub fn of(module: &Module) -> Self {
        let options = module.info().options;
        DetectorOptions { options, memory_bytes_max: Sandbox::memory_for(options.state_bytes_max) }
    }

    /// Changes the bound on state, and the sandbox's memory with it.
    pub fn with_state_bytes_max(mut self, bytes: u64) -> Self {
        self.options.state_bytes_max = bytes;
        self.memory_bytes_max = Sandbox::memory_for(bytes);
        self
    }
}

/// A running module.
pub struct Detector {
    module: Module,
    options: DetectorOptions,
    instance: Option<Instance>,
    totals: Totals,
    /// State that an instance after a trap begins with.
    checkpoint: Option<Vec<u8>>,
    bytes_since_checkpoint: u64,
}

impl Detector {
    /// Starts an instance and sets its options.
    pub fn new(module: &Module, options: DetectorOptions) -> Result<Self, DetectorError> {
        let totals = Totals::new(module.info().rules.len());
        let mut detector = Detector {
            module: module.clone(),
            options,
            instance: None,
            totals,
            checkpoint: None,
            bytes_since_checkpoint: 0,
        };
        detector.running()?;
        Ok(detector)
    }

    /// Evaluates complete lines of NDJSON. `first_event` is the position of the first in the whole input; `now` the
    /// wall clock of a live stream, in milliseconds since 1970.
    pub fn evaluate(
        &mut self,
        events: &[u8],
        first_event: u64,
        now: Option<i64>,
    ) -> Result<Report, DetectorError> {
        let report = self.call("evaluate", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_evaluate(store, events, first_event, now)
        })?;
        self.note_batch(events);
        Ok(report)
    }

    /// As [`Detector::evaluate`], and gives the events back, tagged.
    pub fn transform(
        &mut self,
        events: &[u8],
        first_event: u64,
        now: Option<i64>,
        mode: Mode,
    ) -> Result<Output, DetectorError> {
        let output = self.call("transform", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_transform(store, events, first_event, now, mode)
        })?;
        self.note_batch(events);
        Ok(output)
    }

    /// Pushes the watermark and closes the windows that end by then; `i64::MAX` closes all.
    pub fn close(&mut self, watermark: i64) -> Result<Vec<AlertFinding>, DetectorError> {
        let alerts = self.call("close", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_close(store, watermark)
        })?;
        self.note_changes();
        Ok(alerts)
    }

    /// The module's counts, those of instances that trapped included.
    pub fn statistics(&mut self) -> Counts {
        self.note_statistics();
        self.totals.sum()
    }

    /// The module that runs.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// What it was started with.
    pub fn options(&self) -> &DetectorOptions {
        &self.options
    }

    /// How many calls trapped.
    pub fn traps(&self) -> u64 {
        self.totals.traps
    }

    /// The state of all windows and the counters, as bytes for [`Detector::restore`].
    pub fn snapshot(&mut self) -> Result<Vec<u8>, DetectorError> {
        self.call("snapshot", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_snapshot(store)
        })
    }

    /// As [`Detector::snapshot`], and keeps the bytes: after a trap the next instance begins with them. An error rather
    /// than a trap where the sandbox has no room for them.
    pub fn checkpoint(&mut self) -> Result<&[u8], DetectorError> {
        if !self.has_room_for_snapshot() {
            return Err(DetectorError::NoRoom { memory_bytes_max: self.options.memory_bytes_max });
        }
        let state = self.snapshot()?;
        self.keep_checkpoint(state);
        Ok(self.checkpoint.as_deref().unwrap_or_default())
    }

    /// Feeds the baselines of first-seen rules from history, in any order, without alerts.
    pub fn learn(&mut self, events: &[u8]) -> Result<Lesson, DetectorError> {
        let lesson = self.call("learn", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_learn(store, events)
        })?;
        self.note_changes();
        Ok(lesson)
    }

    /// Puts a snapshot in the place of the state. Returns the correlations whose state was dropped because they were changed
    /// or removed since.
    pub fn restore(&mut self, state: &[u8]) -> Result<Vec<LostState>, DetectorError> {
        let outcome = self.call("restore", |instance| {
            let Instance { store, filter } = instance;
            filter.tripwasm_detect_detector().call_restore(store, state)
        })?;
        let lost = outcome.map_err(|error| {
            DetectorError::State(match error {
                StateError::Damaged => StateProblem::Damaged,
                StateError::OtherVersion => StateProblem::OtherVersion,
                StateError::OtherRules => StateProblem::OtherRules,
            })
        })?;
        self.keep_checkpoint(state.to_vec());
        Ok(lost)
    }

    /// Puts another module in the place of the running one and gives it the state: windows of rules that did not change
    /// stay open. Returns the correlations whose state was dropped because they were changed or are gone. On an error
    /// the old module runs on as it was.
    pub fn swap(
        &mut self,
        module: &Module,
        options: DetectorOptions,
    ) -> Result<Vec<LostState>, DetectorError> {
        let state = self.snapshot()?;
        let mut next = Detector::new(module, options)?;
        let lost = match next.restore(&state) {
            Err(DetectorError::State(StateProblem::OtherRules)) => self.held_state(),
            outcome => outcome?,
        };
        next.totals.traps = self.totals.traps;
        *self = next;
        Ok(lost)
    }

    /// What each correlation holds now.
    fn held_state(&mut self) -> Vec<LostState> {
        let counts = self.statistics();
        let rules = self.module.info().rules.iter().zip(&counts.rules);
        let holding = rules.filter(|(_, counts)| counts.groups > 0);
        holding
            .map(|(rule, counts)| LostState { rule: label(rule).to_owned(), groups: counts.groups })
            .collect()
    }

    /// Runs one call. A trap ends the instance; a new one stands in its place before this returns.
    fn call<T>(
        &mut self,
        call: &'static str,
        run: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, DetectorError> {
        let instance = self.running()?;
        instance.store.set_epoch_deadline(CALL_TICKS_MAX);
        match run(instance) {
            Ok(value) => Ok(value),
            Err(error) => {
                let reason = trap_reason(&error, instance.store.data());
                self.instance = None;
                self.totals.trapped();
                self.running()?;
                Err(DetectorError::Trapped(Trapped { call, reason }))
            }
        }
    }

    fn running(&mut self) -> Result<&mut Instance, DetectorError> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => {
                let mut instance = Instance::start(&self.module.instantiate, self.options.memory_bytes_max)
                    .map_err(DetectorError::Start)?;
                instance.configure(self.options.options)?;
                if let Some(state) = &self.checkpoint {
                    instance.resume(state)?;
                }
                instance
            }
        };
        Ok(self.instance.insert(instance))
    }

    fn note_batch(&mut self, events: &[u8]) {
        self.note_changes();
        // Without windows there is nothing that an instance after a trap would miss.
        if self.module.info().levels == 0 {
            return;
        }
        self.bytes_since_checkpoint += events.len() as u64;
        let last = self.checkpoint.as_ref().map_or(0, |state| state.len() as u64);
        let due = CHECKPOINT_INPUT_BYTES_MIN.max(last.saturating_mul(CHECKPOINT_INPUT_PER_BYTE));
        if self.bytes_since_checkpoint >= due {
            // Without one, a trap costs more; the stream goes on all the same.
            let _ = self.checkpoint();
        }
    }

    /// Near the memory limit the snapshot itself would trap, and take the windows with it.
    fn has_room_for_snapshot(&self) -> bool {
        self.totals.state_bytes().saturating_mul(2) < self.options.memory_bytes_max as u64
    }

    fn keep_checkpoint(&mut self, state: Vec<u8>) {
        self.note_statistics();
        self.checkpoint = Some(state);
        self.bytes_since_checkpoint = 0;
        self.totals.checkpoint();
    }

    /// Keeps the counts outside, where a trap cannot take them: behind each batch what changed.
    fn note_changes(&mut self) {
        if let Some(Instance { store, filter }) = &mut self.instance
            && let Ok(changes) = filter.tripwasm_detect_detector().call_changes(store)
        {
            self.totals.note_changes(&changes);
        }
    }

    /// Keeps all counts outside.
    fn note_statistics(&mut self) {
        if let Some(Instance { store, filter }) = &mut self.instance
            && let Ok(statistics) = filter.tripwasm_detect_detector().call_statistics(store)
        {
            self.totals.note(statistics);
        }
    }
}

fn trap_reason(error: &wasmtime::Error, sandbox: &Sandbox) -> String {
    if sandbox.refused {
        return format!("its memory reached the limit of {} MiB", sandbox.memory_bytes_max >> 20);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            format!("it ran longer than {} s", CALL_TICKS_MAX * TICK.as_millis() as u64 / 1000)
        }
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    }
}

/// A store and the instance in it.
pub(crate) struct Instance {
    store: Store<Sandbox>,
    filter: LogFilter,
}

impl Instance {
    pub(crate) fn start(module: &LogFilterPre<Sandbox>, memory_bytes_max: usize) -> wasmtime::Result<Self> {
        let mut store = Store::new(module.engine(), Sandbox { memory_bytes_max, refused: false });
        store.limiter(|sandbox| sandbox);
        store.set_epoch_deadline(CALL_TICKS_MAX);
        let filter = module.instantiate(&mut store)?;
        Ok(Instance { store, filter })
    }

    pub(crate) fn describe(&mut self) -> wasmtime::Result<ModuleInfo> {
        self.filter.tripwasm_detect_detector().call_describe(&mut self.store)
    }

    fn configure(&mut self, options: Options) -> Result<(), DetectorError> {
        let outcome = self.filter.tripwasm_detect_detector().call_configure(&mut self.store, options);
        match outcome.map_err(DetectorError::Start)? {
            Ok(()) => Ok(()),
            Err(ConfigError::AlreadyRunning) => Err(DetectorError::AlreadyRunning),
        }
    }
}

impl Instance {
    fn resume(&mut self, checkpoint: &[u8]) -> Result<(), DetectorError> {
        let outcome = self.filter.tripwasm_detect_detector().call_restore(&mut self.store, checkpoint);
        // The module wrote these bytes itself, under the same rules.
        outcome
            .map_err(DetectorError::Start)?
            .map_err(|_| DetectorError::State(StateProblem::NotTakenBack))?;
        Ok(())
    }
}

/// What the host knows of a store: the memory it may take.
pub(crate) struct Sandbox {
    memory_bytes_max: usize,
    refused: bool,
}

impl Sandbox {
    /// Enough for any module to describe itself.
    pub(crate) const DEFAULT_MEMORY_BYTES_MAX: usize = 1 << 30;

    /// Room for state and a snapshot of it, and for batches, findings and rules; at most all of wasm32.
    fn memory_for(state_bytes_max: u64) -> usize {
        const BESIDE_STATE: u64 = 256 << 20;
        const WASM32: u64 = 4 << 30;
        let bytes = state_bytes_max.saturating_mul(3).saturating_add(BESIDE_STATE).min(WASM32);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl ResourceLimiter for Sandbox {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory_bytes_max;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, _: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // A module's tables are as large as its code needs from the start.
        Ok(maximum.is_some())
    }
}
