//! What a new instance costs, options set: what a host pays for each stream, and after a trap.

use anyhow::Result;
use bench_protocol::{Contestant, Moment, Ready, Tally};
use std::hint::black_box;
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_plan::Plan;

/// Instances of a pass, one after the other.
const INSTANCES: u32 = 2_000;

pub(crate) struct Instantiate {
    module: Module,
    rules: usize,
    spent: (f64, f64),
    /// Ticks the deadline.
    _runtime: Runtime,
}

impl Instantiate {
    pub(crate) fn new(plan: &Plan) -> Result<Instantiate> {
        let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::Off })?;
        let wasm = build(&runtime, plan, Target::Component, Carried::Nothing)?;
        let module = Module::load(&runtime, &wasm)?;
        Ok(Instantiate { module, rules: plan.rules.len(), spent: (0.0, 0.0), _runtime: runtime })
    }
}

impl Contestant for Instantiate {
    fn holds_data(&self) -> bool {
        false
    }

    fn ready(&self) -> Ready {
        Ready::with_rules(self.rules).of_module(self.module.bytes())
    }

    fn pass(&mut self, _: &[u8]) -> Result<()> {
        let options = DetectorOptions::of(&self.module);
        let begin = Moment::now()?;
        for _ in 0..INSTANCES {
            black_box(Detector::new(&self.module, options)?);
        }
        let spent = begin.spent()?;
        self.spent = (spent.cpu / f64::from(INSTANCES), spent.wall / f64::from(INSTANCES));
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        Ok(Tally { measured: Some(self.spent), ..Tally::default() })
    }
}
