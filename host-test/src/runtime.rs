//! The engine that modules run in, and its limits.

use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::LoadError;
use crate::cache::Cache;

/// One tick of the clock that call deadlines are counted in.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Instances that the pool keeps room for; each reserves address space, not memory.
const POOLED_INSTANCES_MAX: u32 = 16;

/// Whether compiled native code is kept for the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompileCache {
    /// In the user's own cache directory.
    #[default]
    PerUser,
    /// Compile each time.
    Off,
}

/// How an engine is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuntimeOptions {
    /// Whether compiled native code is kept.
    pub cache: CompileCache,
}

/// A WebAssembly engine: compiles modules and ends calls that take too long.
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) cache: Cache,
}

impl Runtime {
    /// Sets up the engine and its clock, which stops when the engine is dropped.
    pub fn new(options: RuntimeOptions) -> Result<Self, LoadError> {
        keep_freed_memory();
        // Where address space is short, the pool cannot be reserved; single instances can.
        let engine = engine(InstanceAllocationStrategy::Pooling(pool()))
            .or_else(|_| engine(InstanceAllocationStrategy::OnDemand))
            .map_err(LoadError::Engine)?;
        let ticking = engine.weak();
        std::thread::Builder::new()
            .name("tripwasm-clock".to_owned())
            .spawn(move || {
                while let Some(engine) = ticking.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|error| LoadError::Engine(error.into()))?;
        Ok(Runtime { engine, cache: Cache::new(options.cache) })
    }
}

/// Has glibc keep what is freed for the next batch's results, where it gave the pages back to the kernel and had them
/// zeroed again for each: it keeps twice the size of the largest block that was ever freed.
fn keep_freed_memory() {
    const BLOCK_BYTES: usize = 16 << 20;
    // Never touched, so it costs address space for a moment, no memory.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}

fn engine(allocation: InstanceAllocationStrategy) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.allocation_strategy(allocation);
    Engine::new(&config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOLED_INSTANCES_MAX)
        .total_core_instances(POOLED_INSTANCES_MAX)
        .total_memories(POOLED_INSTANCES_MAX)
        .total_tables(POOLED_INSTANCES_MAX * 2);
    pool
}
