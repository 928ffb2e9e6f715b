//! VRL as Vector runs it: the event is decoded, asked for every rule, tagged, and encoded by serde_json as sinks do.

mod program;

use anyhow::{Context as _, Result, bail};
use bench_protocol::{Contestant, Job, Lines, Ready, Tally, Work, rule_files, serve};
use rsigma_parser::parse_sigma_yaml;
use std::collections::BTreeMap;
use std::process::ExitCode;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Program, TargetValue, TimeZone, compile};
use vrl::value::{Secrets, Value};

struct Vrl {
    program: Program,
    runtime: Runtime,
    /// Ids of the rules, by the number that is their tag.
    ids: Vec<String>,
    matched: Vec<u64>,
    encodes: bool,
    output: Vec<u8>,
    tally: Tally,
}

/// Output is gathered to so much before it is handed over, as a sink does.
const OUTPUT_BYTES: usize = 1 << 20;

impl Vrl {
    fn event(&mut self, line: &[u8]) -> Result<()> {
        // What a source with `decoding.codec: json` does; faster than `parse_json` inside the program.
        let mut target = TargetValue {
            value: serde_json::from_slice(line)?,
            metadata: Value::Object(BTreeMap::new()),
            secrets: Secrets::default(),
        };
        let outcome = self.runtime.resolve(&mut target, &self.program, &TimeZone::default());
        self.runtime.clear();
        if let Err(error) = outcome {
            bail!("the program failed: {error}");
        }
        if let Some(Value::Array(tags)) = target.value.as_object().and_then(|event| event.get("tripwasm")) {
            for tag in tags.iter().filter_map(Value::as_integer) {
                if let Some(matched) = usize::try_from(tag).ok().and_then(|tag| self.matched.get_mut(tag)) {
                    *matched += 1;
                }
            }
        }
        if self.encodes {
            serde_json::to_writer(&mut self.output, &target.value)?;
            self.output.push(b'\n');
            if self.output.len() > OUTPUT_BYTES {
                self.tally.output_bytes += self.output.len() as u64;
                std::hint::black_box(&self.output);
                self.output.clear();
            }
        }
        std::hint::black_box(target);
        Ok(())
    }
}

impl Contestant for Vrl {
    fn ready(&self) -> Ready {
        Ready::with_rules(self.ids.len())
    }

    fn renew(&mut self) -> Result<()> {
        self.matched = vec![0; self.ids.len()];
        self.tally = Tally::default();
        self.output.clear();
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        for line in Lines::of(data) {
            self.event(line)?;
            self.tally.events += 1;
        }
        self.tally.bytes = data.len() as u64;
        self.tally.output_bytes += self.output.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        let counts = self.ids.iter().zip(&self.matched).filter(|(_, matched)| **matched > 0);
        self.tally.matches = counts.map(|(id, matched)| (id.clone(), *matched)).collect();
        Ok(self.tally.clone())
    }
}

fn prepare(job: &Job) -> Result<Vrl> {
    let mut rules = Vec::new();
    if let Some(folder) = &job.rules {
        for path in rule_files(folder)? {
            rules.extend(parse_sigma_yaml(&std::fs::read_to_string(&path)?)?.rules);
        }
    }
    let source = program::program(&rules).context("a rule cannot be said in VRL")?;
    let compiled = compile(&source, &vrl::stdlib::all());
    let program = match compiled {
        Ok(compiled) => compiled.program,
        Err(diagnostics) => bail!("the program does not compile: {diagnostics:?}\n{source}"),
    };
    Ok(Vrl {
        program,
        runtime: Runtime::new(RuntimeState::default()),
        ids: rules.iter().map(|rule| rule.id.clone().unwrap_or_else(|| rule.title.clone())).collect(),
        matched: Vec::new(),
        encodes: job.work != Work::Parse,
        output: Vec::new(),
        tally: Tally::default(),
    })
}

fn main() -> ExitCode {
    serve(prepare)
}
