//! rsigma-eval as a library: serde_json, then its engine, as its documentation shows.

use anyhow::{Context as _, Result, ensure};
use bench_protocol::{Contestant, Job, Lines, Ready, Tally, serve};
use rsigma_eval::{CorrelationConfig, CorrelationEngine, Engine, EvaluationResult, JsonEvent};
use rsigma_parser::{SigmaCollection, parse_sigma_yaml};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;

struct Rsigma {
    rules: SigmaCollection,
    running: Running,
    tally: Tally,
}

/// Correlations need the engine that has them; the other is faster.
enum Running {
    Detections(Box<Engine>),
    Correlations(Box<CorrelationEngine>),
}

impl Running {
    fn new(rules: &SigmaCollection) -> Result<Running> {
        if rules.correlations.is_empty() {
            let mut engine = Engine::new();
            engine.add_collection(rules)?;
            return Ok(Running::Detections(Box::new(engine)));
        }
        let mut engine = CorrelationEngine::new(CorrelationConfig::default());
        engine.add_collection(rules)?;
        Ok(Running::Correlations(Box::new(engine)))
    }

    fn process(&mut self, event: &JsonEvent<'_>) -> Vec<EvaluationResult> {
        match self {
            Running::Detections(engine) => engine.evaluate(event),
            Running::Correlations(engine) => engine.process_event(event),
        }
    }
}

impl Contestant for Rsigma {
    fn ready(&self) -> Ready {
        let ready = Ready::with_rules(self.rules.rules.len() + self.rules.correlations.len());
        if self.rules.correlations.is_empty() {
            return ready;
        }
        ready.noting("windows slide, and every event above a threshold is an alert; tripwasm counts windows that closed")
    }

    fn renew(&mut self) -> Result<()> {
        // Without correlations there is no state.
        if !self.rules.correlations.is_empty() {
            self.running = Running::new(&self.rules)?;
        }
        self.tally = Tally::default();
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        for line in Lines::of(data) {
            let value: serde_json::Value = serde_json::from_slice(line)?;
            let found = self.running.process(&JsonEvent::borrow(&value));
            for result in black_box(&found) {
                count(result, &mut self.tally.matches, &mut self.tally.alerts);
            }
            self.tally.events += 1;
        }
        self.tally.bytes = data.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        Ok(self.tally.clone())
    }
}

fn count(result: &EvaluationResult, matches: &mut BTreeMap<String, u64>, alerts: &mut u64) {
    if result.is_correlation() {
        *alerts += 1;
        return;
    }
    let id = result.header.rule_id.as_deref().unwrap_or(&result.header.rule_title);
    match matches.get_mut(id) {
        Some(count) => *count += 1,
        None => _ = matches.insert(id.to_owned(), 1),
    }
}

fn prepare(job: &Job) -> Result<Rsigma> {
    let folder = job.rules.as_deref().context("it needs rules")?;
    let rules = parse(folder)?;
    let running = Running::new(&rules)?;
    Ok(Rsigma { rules, running, tally: Tally::default() })
}

fn parse(folder: &Path) -> Result<SigmaCollection> {
    let mut all = SigmaCollection::default();
    for path in bench_protocol::rule_files(folder)? {
        let file = parse_sigma_yaml(&std::fs::read_to_string(&path)?)?;
        ensure!(file.errors.is_empty(), "{}: {}", path.display(), file.errors.join("; "));
        all.rules.extend(file.rules);
        all.correlations.extend(file.correlations);
    }
    Ok(all)
}

fn main() -> ExitCode {
    serve(prepare)
}
