//! Runtimes that play Fluent Bit's part: each call as its filter `wasm` makes it.

use anyhow::{Context as _, Result, ensure};

/// The record's time, where it does not matter; 2023-11-14T22:13:20Z.
pub(crate) const SECONDS: u32 = 1_700_000_000;

/// A running module.
pub(crate) trait Instance {
    /// Calls an export that takes and gives numbers; `None` if it gives nothing, an error if it trapped.
    fn call(&mut self, name: &str, arguments: &[u32]) -> Result<Option<u32>>;
    /// Shows the exported memory.
    fn memory(&mut self, look: &mut dyn FnMut(&mut [u8]));
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Null or empty: Fluent Bit drops it.
    Dropped,
    /// What Fluent Bit copies, up to the first 0.
    Goes(Vec<u8>),
}

/// One record through the filter: tag and record are copied in, each with a 0 behind it; the result is copied up to the
/// first 0; both are freed.
pub(crate) fn filter(instance: &mut dyn Instance, record: &[u8]) -> Result<Outcome> {
    filter_at(instance, record, SECONDS)
}

/// As [`filter`], of a record with this time.
pub(crate) fn filter_at(instance: &mut dyn Instance, record: &[u8], seconds: u32) -> Result<Outcome> {
    let tag = copy_in(instance, b"cloudtrail")?;
    let at = copy_in(instance, record)?;
    let length = u32::try_from(record.len())?;
    let outcome = call(instance, [tag, 10, seconds, 0, at, length])?;
    instance.call("free", &[tag])?;
    instance.call("free", &[at])?;
    Ok(outcome)
}

/// The filter's function alone, and what Fluent Bit reads of its answer.
pub(crate) fn call(instance: &mut dyn Instance, arguments: [u32; 6]) -> Result<Outcome> {
    let at = instance.call("tripwasm_filter", &arguments)?.context("no result")?;
    if at == 0 {
        return Ok(Outcome::Dropped);
    }
    let mut found = None;
    instance.memory(&mut |memory| {
        let text = memory.get(at as usize..).unwrap_or_default();
        found = text.split(|&byte| byte == 0).next().filter(|end| end.len() < text.len()).map(<[u8]>::to_vec);
    });
    let text = found.context("no 0 behind the result")?;
    Ok(if text.is_empty() { Outcome::Dropped } else { Outcome::Goes(text) })
}

fn copy_in(instance: &mut dyn Instance, bytes: &[u8]) -> Result<u32> {
    let at = instance.call("malloc", &[u32::try_from(bytes.len() + 1)?])?.context("no result")?;
    ensure!(at != 0, "no memory for {} bytes", bytes.len());
    let mut is_written = false;
    instance.memory(&mut |memory| {
        let place = memory.get_mut(at as usize..at as usize + bytes.len() + 1).unwrap_or_default();
        place.iter_mut().zip(bytes.iter().chain([&0])).for_each(|(to, from)| *to = *from);
        is_written = !place.is_empty();
    });
    ensure!(is_written, "malloc gave a place outside the memory");
    Ok(at)
}

/// wasmtime, without what Fluent Bit's runtime lacks.
pub(crate) struct Wasmtime {
    store: wasmtime::Store<()>,
    instance: wasmtime::Instance,
    memory: wasmtime::Memory,
}

impl Wasmtime {
    pub(crate) fn start(wasm: &[u8]) -> Result<Wasmtime> {
        let mut config = wasmtime::Config::new();
        config.wasm_simd(false).wasm_relaxed_simd(false).wasm_tail_call(false).wasm_multi_memory(false);
        let engine = wasmtime::Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, wasm)?;
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
        let memory = instance.get_memory(&mut store, "memory").context("no memory")?;
        Ok(Wasmtime { store, instance, memory })
    }
}

impl Instance for Wasmtime {
    fn call(&mut self, name: &str, arguments: &[u32]) -> Result<Option<u32>> {
        use wasmtime::Val;
        let function = self.instance.get_func(&mut self.store, name).context("no such export")?;
        let arguments: Vec<Val> = arguments.iter().map(|&number| Val::I32(number.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.first().and_then(Val::i32).map(i32::cast_unsigned))
    }

    fn memory(&mut self, look: &mut dyn FnMut(&mut [u8])) {
        look(self.memory.data_mut(&mut self.store));
    }
}

/// WAMR's fast interpreter, as Fluent Bit configures it.
#[cfg(feature = "wamr")]
pub(crate) struct Wamr {
    instance: wamrx::Instance,
}

#[cfg(feature = "wamr")]
impl Wamr {
    /// What `wasm_heap_size` and `wasm_stack_size` are if nobody sets them.
    const DEFAULT_BYTES: u32 = 8192;

    pub(crate) fn start(wasm: &[u8]) -> Result<Wamr> {
        let engine = wamrx::Engine::new()?;
        let module = wamrx::Module::new(&engine, wasm)?;
        let mut sizes = wamrx::InstanceConfig::new();
        sizes.aux_stack_size(Self::DEFAULT_BYTES).heap_size(Self::DEFAULT_BYTES);
        sizes.exec_stack_size(Self::DEFAULT_BYTES);
        Ok(Wamr { instance: wamrx::Linker::new(&engine).instantiate_with(module, &sizes)? })
    }
}

#[cfg(feature = "wamr")]
impl Instance for Wamr {
    fn call(&mut self, name: &str, arguments: &[u32]) -> Result<Option<u32>> {
        use wamrx::Val;
        let function = self.instance.get_func(name)?;
        let arguments: Vec<Val> = arguments.iter().map(|&number| Val::I32(number.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty().results().len()];
        function.call(&arguments, &mut results)?;
        Ok(results.first().and_then(|result| match result {
            Val::I32(number) => Some(number.cast_unsigned()),
            _ => None,
        }))
    }

    fn memory(&mut self, look: &mut dyn FnMut(&mut [u8])) {
        match self.instance.get_memory("memory") {
            Ok(mut memory) => look(memory.data_mut()),
            Err(_) => look(&mut []),
        }
    }
}
