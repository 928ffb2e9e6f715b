//! sigma-rust as a library: every rule is asked about every event, as its documentation shows.

use anyhow::{Context as _, Result, ensure};
use bench_protocol::{Contestant, Job, Lines, Ready, Tally, rule_files, serve};
use sigma_rust::{Rule, event_from_json, rule_from_yaml};
use std::process::ExitCode;

struct SigmaRust {
    rules: Vec<(String, Rule)>,
    refused: Vec<String>,
    matched: Vec<u64>,
    tally: Tally,
}

impl Contestant for SigmaRust {
    fn ready(&self) -> Ready {
        let ready = Ready::with_rules(self.rules.len());
        match self.refused.len() {
            0 => ready,
            _ => ready.noting(format!("it does not read {}", self.refused.join(", "))),
        }
    }

    fn renew(&mut self) -> Result<()> {
        self.matched = vec![0; self.rules.len()];
        self.tally = Tally::default();
        Ok(())
    }

    fn pass(&mut self, data: &[u8]) -> Result<()> {
        for line in Lines::of(data) {
            let event = event_from_json(std::str::from_utf8(line)?)?;
            for ((_, rule), matched) in self.rules.iter().zip(&mut self.matched) {
                *matched += u64::from(rule.is_match(&event));
            }
            self.tally.events += 1;
        }
        self.tally.bytes = data.len() as u64;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        let counts = self.rules.iter().zip(&self.matched).filter(|(_, matched)| **matched > 0);
        self.tally.matches = counts.map(|((id, _), matched)| (id.clone(), *matched)).collect();
        Ok(self.tally.clone())
    }
}

fn prepare(job: &Job) -> Result<SigmaRust> {
    let folder = job.rules.as_deref().context("it needs rules")?;
    let (mut rules, mut refused) = (Vec::new(), Vec::new());
    for path in rule_files(folder)? {
        match rule_from_yaml(&std::fs::read_to_string(&path)?) {
            Ok(rule) => rules.push((rule.id.clone().unwrap_or_else(|| rule.title.clone()), rule)),
            Err(_) => refused.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        }
    }
    ensure!(!rules.is_empty(), "it reads none of the rules");
    Ok(SigmaRust { rules, refused, matched: Vec::new(), tally: Tally::default() })
}

fn main() -> ExitCode {
    serve(prepare)
}
