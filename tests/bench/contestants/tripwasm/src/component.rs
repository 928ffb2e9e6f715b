//! The component in its sandbox: limits, deadline and copies as in `tripwasm run`.

use crate::{BATCH_BYTES, rules};
use anyhow::{Result, bail, ensure};
use bench_protocol::{Contestant, Ready, Tally, Work, batches};
use std::hint::black_box;
use tripwasm::bindings::detector::{AlertFinding, AlertState, Mode};
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_plan::{Plan, Rule};

pub(crate) struct Component {
    module: Module,
    rules: Vec<Rule>,
    running: Detector,
    work: Work,
    tally: Tally,
    /// Ticks the deadline.
    _runtime: Runtime,
}

impl Component {
    pub(crate) fn new(plan: &Plan, work: Work) -> Result<Component> {
        let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::Off })?;
        let wasm = build(&runtime, plan, Target::Component, Carried::Nothing)?;
        let module = Module::load(&runtime, &wasm)?;
        let running = Detector::new(&module, DetectorOptions::of(&module))?;
        let rules = plan.rules.clone();
        Ok(Component { module, rules, running, work, tally: Tally::default(), _runtime: runtime })
    }

    /// Hands a batch over; returns bytes given out and alerts closed.
    fn batch(&mut self, batch: &[u8], first: u64) -> Result<(usize, usize)> {
        let mode = match self.work {
            Work::Findings => {
                let report = black_box(self.running.evaluate(batch, first, None)?);
                return Ok((0, closed(report.alerts.iter())));
            }
            Work::Tag => Mode::Tag,
            Work::Filter => Mode::Filter,
            Work::Counts | Work::Parse => bail!("the component does findings, tag and filter"),
        };
        let output = black_box(self.running.transform(batch, first, None, mode)?);
        Ok((output.events.len(), closed(output.alerts.iter())))
    }
}

impl Contestant for Component {
    fn ready(&self) -> Ready {
        Ready::with_rules(self.rules.len()).of_module(self.module.bytes())
    }

    fn renew(&mut self) -> Result<()> {
        self.running = Detector::new(&self.module, DetectorOptions::of(&self.module))?;
        self.tally = Tally::default();
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        let mut first = 0;
        for batch in batches(data, BATCH_BYTES) {
            let (bytes, alerts) = self.batch(batch, first)?;
            first += memchr::memchr_iter(b'\n', batch).count() as u64;
            self.tally.output_bytes += bytes as u64;
            self.tally.alerts += alerts as u64;
        }
        self.tally.alerts += closed(self.running.close(i64::MAX)?.iter()) as u64;
        self.tally.bytes = data.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        ensure!(self.running.traps() == 0, "the module trapped");
        let counts = self.running.statistics();
        let mut tally = Tally { events: counts.events, ..std::mem::take(&mut self.tally) };
        rules::count(&self.rules, counts.rules.iter().map(|rule| rule.matched), &mut tally);
        Ok(tally)
    }
}

fn closed<'a>(alerts: impl Iterator<Item = &'a AlertFinding>) -> usize {
    alerts.filter(|alert| alert.state == AlertState::Closed).count()
}
