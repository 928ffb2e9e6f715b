//! tripwasm: the component in wasmtime as `tripwasm run` uses it, and the same engine native.

mod component;
mod inside;
mod instantiate;
mod native;
mod rules;

use anyhow::{Result, bail};
use bench_protocol::{Contestant, Job, Ready, Tally, serve};
use std::process::ExitCode;

/// Bytes handed over at a time: what `tripwasm run` does.
const BATCH_BYTES: usize = 256 << 10;

fn prepare(job: &Job) -> Result<Box<dyn Contestant>> {
    let plan = rules::plan(job)?;
    Ok(match job.variant.as_str() {
        "component" => Box::new(component::Component::new(&plan, job.work)?),
        "native" => Box::new(native::Native::new(plan, job.work)?),
        "instantiate" => Box::new(instantiate::Instantiate::new(&plan)?),
        "inside" => Box::new(inside::Inside::new(&plan)?),
        other => bail!("no contestant `{other}` here"),
    })
}

fn main() -> ExitCode {
    serve(|job| prepare(job).map(Boxed))
}

/// One of several.
struct Boxed(Box<dyn Contestant>);

impl Contestant for Boxed {
    fn holds_data(&self) -> bool {
        self.0.holds_data()
    }

    fn ready(&self) -> Ready {
        Ready { built_from: Some(env!("CARGO_MANIFEST_DIR").into()), ..self.0.ready() }
    }

    fn renew(&mut self) -> Result<()> {
        self.0.renew()
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        self.0.pass(data)
    }

    fn tally(&mut self) -> Result<Tally> {
        self.0.tally()
    }
}
