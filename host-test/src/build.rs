//! From a plan to a finished module: runs an embedded generic guest once and keeps its memory.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripwasm_bake::{
    BakeError, BakeInstance, GlobalValue, HostError, RULES_SECTION, TESTS_SECTION, append_section,
};
use tripwasm_plan::{Logic, Plan};
use tripwasm_rules::SourceFile;
use wasmtime::{Instance, Memory, Module, Store, Val};

use crate::rule_test::RuleTest;
use crate::{Runtime, carried};

/// The guest without rules, built with this crate.
const GENERIC_GUEST: &[u8] = include_bytes!(env!("TRIPWASM_GENERIC_GUEST"));

/// The same for rules without correlations: smaller, since it has no windows.
const GENERIC_GUEST_WITHOUT_WINDOWS: &[u8] = include_bytes!(env!("TRIPWASM_GENERIC_GUEST_WITHOUT_WINDOWS"));

/// The guest for Fluent Bit.
const GENERIC_FLUENT_BIT: &[u8] = include_bytes!(env!("TRIPWASM_GENERIC_FLUENT_BIT"));

/// Longest time that laying out a plan may take, in ticks of the runtime's clock.
const BAKE_TICKS_MAX: u64 = 600;

/// The form of a finished module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A component, for hosts with the component model.
    Component,
    /// The core module inside, for hosts that call the canonical ABI themselves.
    Core,
    /// A core module for Fluent Bit's filter `wasm`.
    FluentBit,
}

/// The text that a module was built from; it travels inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTexts {
    /// The rules' files.
    pub rules: Vec<SourceFile>,
    /// The settings of their packs.
    pub packs: Vec<SourceFile>,
    /// The configuration given besides.
    pub config: Option<SourceFile>,
}

/// What a module carries beside its code.
#[derive(Debug, Clone, Copy)]
pub enum Carried<'a> {
    /// The rules' text and their tests.
    Source(&'a RuleTexts, &'a [RuleTest]),
    /// Nothing.
    Nothing,
}

/// Bakes a plan into a module. The same plan gives the same bytes.
pub fn build(
    runtime: &Runtime,
    plan: &Plan,
    target: Target,
    carried: Carried<'_>,
) -> Result<Vec<u8>, BakeError> {
    let has_windows = plan.rules.iter().any(|rule| matches!(rule.logic, Logic::Correlation(_)));
    let guest = match (target, has_windows) {
        (Target::FluentBit, _) => GENERIC_FLUENT_BIT,
        (_, true) => GENERIC_GUEST,
        (_, false) => GENERIC_GUEST_WITHOUT_WINDOWS,
    };
    let plan = tripwasm_plan::encode(plan);
    let start = |guest: &[u8]| Ok(RunningGuest::start(runtime, guest)?);
    let mut module = match target {
        Target::Component => tripwasm_bake::bake(guest, &plan, start)?.component,
        Target::Core => tripwasm_bake::bake(guest, &plan, start)?.core,
        Target::FluentBit => tripwasm_bake::bake_filter(guest, &plan, start)?,
    };
    if let Carried::Source(texts, tests) = carried {
        append_section(&mut module, RULES_SECTION, &carried::pack(texts));
        append_section(&mut module, TESTS_SECTION, &carried::pack(tests));
    }
    Ok(module)
}

/// The guest under wasmtime.
struct RunningGuest {
    store: Store<()>,
    instance: Instance,
}

impl RunningGuest {
    fn start(runtime: &Runtime, guest: &[u8]) -> wasmtime::Result<Self> {
        let module: Module =
            runtime.cache.load_or_compile(&runtime.engine, guest, &Sha256::digest(guest).into())?;
        let mut store = Store::new(&runtime.engine, ());
        store.set_epoch_deadline(BAKE_TICKS_MAX);
        let instance = Instance::new(&mut store, &module, &[])?;
        if let Some(initialize) = instance.get_func(&mut store, "_initialize") {
            initialize.typed::<(), ()>(&store)?.call(&mut store, ())?;
        }
        Ok(RunningGuest { store, instance })
    }

    fn exported_memory(&mut self, name: &str) -> Result<Memory, HostError> {
        let memory = self.instance.get_memory(&mut self.store, name);
        memory.ok_or_else(|| format!("the guest exports no memory {name}").into())
    }
}

impl BakeInstance for RunningGuest {
    fn alloc(&mut self, len: u32) -> Result<u32, HostError> {
        let alloc = self.instance.get_typed_func::<u32, u32>(&mut self.store, "bake_alloc")?;
        Ok(alloc.call(&mut self.store, len)?)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), HostError> {
        Ok(self.exported_memory("memory")?.write(&mut self.store, at as usize, bytes)?)
    }

    fn bake(&mut self, at: u32, len: u32) -> Result<i32, HostError> {
        let bake = self.instance.get_typed_func::<(u32, u32), i32>(&mut self.store, "bake")?;
        Ok(bake.call(&mut self.store, (at, len))?)
    }

    fn global(&mut self, name: &str) -> Result<GlobalValue, HostError> {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => Ok(GlobalValue::I32(value)),
            Some(Val::I64(value)) => Ok(GlobalValue::I64(value)),
            Some(Val::F32(bits)) => Ok(GlobalValue::F32(bits)),
            Some(Val::F64(bits)) => Ok(GlobalValue::F64(bits)),
            _ => Err(format!("the guest exports no numeric global {name}").into()),
        }
    }

    fn memory(&mut self, name: &str) -> Result<&[u8], HostError> {
        Ok(self.exported_memory(name)?.data(&self.store))
    }
}
