//! What the guest alone takes: its core module without deadline, the copy of the batch not counted.

use crate::BATCH_BYTES;
use anyhow::{Context as _, Result, ensure};
use bench_protocol::{Contestant, Moment, Ready, Tally, batches};
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Runtime, RuntimeOptions};
use tripwasm_plan::{Plan, Rule};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

pub(crate) struct Inside {
    engine: Engine,
    module: Module,
    names: Names,
    rules: Vec<Rule>,
    running: Option<Running>,
    spent: (f64, f64),
    tally: Tally,
}

/// What the calls are called.
struct Names {
    evaluate: String,
    free: String,
}

/// Events, first event, and no wall clock.
type Evaluate = TypedFunc<(i32, i32, i64, i32, i64), i32>;

struct Running {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<(i32, i32, i32, i32), i32>,
    evaluate: Evaluate,
    free: TypedFunc<i32, ()>,
}

impl Inside {
    pub(crate) fn new(plan: &Plan) -> Result<Inside> {
        let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::Off })?;
        let wasm = build(&runtime, plan, Target::Core, Carried::Nothing)?;
        let engine = Engine::default();
        let module = Module::new(&engine, &wasm)?;
        let name = |start: &str| {
            let mut names = module.exports().map(|export| export.name().to_owned());
            let found =
                names.find(|name| name.starts_with(start) && name.ends_with("/detector@0.1.0#evaluate"));
            found.with_context(|| format!("the module exports no {start}...#evaluate"))
        };
        let names = Names { evaluate: name("tripwasm:")?, free: name("cabi_post_")? };
        let rules = plan.rules.clone();
        Ok(Inside { engine, module, names, rules, running: None, spent: (0.0, 0.0), tally: Tally::default() })
    }
}

impl Contestant for Inside {
    fn ready(&self) -> Ready {
        // Its counts stay inside; that they are right is shown by the component, which is the same module.
        Ready::with_rules(0).noting(format!("{} rules", self.rules.len()))
    }

    fn renew(&mut self) -> Result<()> {
        let mut store = Store::new(&self.engine, ());
        let instance = Instance::new(&mut store, &self.module, &[])?;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ())?;
        }
        let memory = instance.get_memory(&mut store, "memory").context("the module exports no memory")?;
        let alloc = instance.get_typed_func(&mut store, "cabi_realloc")?;
        let evaluate = instance.get_typed_func(&mut store, &self.names.evaluate)?;
        let free = instance.get_typed_func(&mut store, &self.names.free)?;
        self.running = Some(Running { store, memory, alloc, evaluate, free });
        (self.spent, self.tally) = ((0.0, 0.0), Tally::default());
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        let Running { store, memory, alloc, evaluate, free } =
            self.running.as_mut().context("not renewed")?;
        for batch in batches(data, BATCH_BYTES) {
            let len = i32::try_from(batch.len())?;
            let at = alloc.call(&mut *store, (0, 0, 1, len))?;
            memory.write(&mut *store, at as u32 as usize, batch)?;
            let begin = Moment::now()?;
            let result = evaluate.call(&mut *store, (at, len, self.tally.events as i64, 0, 0))?;
            free.call(&mut *store, result)?;
            let spent = begin.spent()?;
            self.spent = (self.spent.0 + spent.cpu, self.spent.1 + spent.wall);
            self.tally.events += memchr::memchr_iter(b'\n', batch).count() as u64;
        }
        self.tally.bytes = data.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        ensure!(self.running.is_some(), "not renewed");
        self.tally.measured = Some(self.spent);
        Ok(self.tally.clone())
    }
}
