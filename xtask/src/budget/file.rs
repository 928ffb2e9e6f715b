//! `tests/bench/budget.toml`: the few lines of TOML that it is made of.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "\
# Instructions of the native engine on a fixed input, by callgrind, and what it has to find there.
# `cargo xtask budget` fails at 3 % more; `cargo xtask budget --write` writes this file.
";

/// What one workload takes and finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) instructions: u64,
    pub(super) events: u64,
    pub(super) matches: u64,
    pub(super) alerts: u64,
    pub(super) output_bytes: u64,
}

/// All of them by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    workloads: BTreeMap<String, Counts>,
}

impl Counts {
    /// From what the example `budget` printed.
    pub(super) fn new(instructions: u64, printed: &str) -> Result<Counts> {
        let mut counts = Counts { instructions, ..Counts::default() };
        for line in printed.lines() {
            let (key, value) = line.split_once(' ').with_context(|| format!("`{line}` is no count"))?;
            counts.set(key, value)?;
        }
        Ok(counts)
    }

    /// All but the instructions.
    pub(super) fn found(&self) -> (u64, u64, u64, u64) {
        (self.events, self.matches, self.alerts, self.output_bytes)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let place = match key {
            "instructions" => &mut self.instructions,
            "events" => &mut self.events,
            "matches" => &mut self.matches,
            "alerts" => &mut self.alerts,
            "output_bytes" => &mut self.output_bytes,
            other => bail!("no count is called `{other}`"),
        };
        *place = value.replace('_', "").parse().with_context(|| format!("`{value}` is no number"))?;
        Ok(())
    }
}

impl Budget {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Budget> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Budget::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Writes the file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Counts> {
        self.workloads.get(name)
    }

    pub(super) fn set(&mut self, name: &str, counts: Counts) {
        self.workloads.insert(name.to_owned(), counts);
    }

    pub(super) fn workloads(&self) -> impl Iterator<Item = (&str, &Counts)> {
        self.workloads.iter().map(|(name, counts)| (name.as_str(), counts))
    }

    fn parse(text: &str) -> Result<Budget> {
        let mut budget = Budget::default();
        let mut current: Option<String> = None;
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                budget.set(name, Counts::default());
                current = Some(name.to_owned());
                continue;
            }
            let counts = current.as_ref().and_then(|name| budget.workloads.get_mut(name));
            let (key, value) =
                line.split_once('=').with_context(|| format!("line {number}: no key and value"))?;
            let counts = counts.with_context(|| format!("line {number}: a count of nothing"))?;
            counts.set(key.trim(), value.trim()).with_context(|| format!("line {number}"))?;
        }
        Ok(budget)
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, counts) in &self.workloads {
            let Counts { instructions, events, matches, alerts, output_bytes } = counts;
            let _ = write!(
                text,
                "\n[{name}]\ninstructions = {instructions}\nevents = {events}\nmatches = {matches}\nalerts = {alerts}\n\
                 output_bytes = {output_bytes}\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut budget = Budget::default();
        budget.set("one", Counts::new(1000, "events 2\nmatches 3\nalerts 4\noutput_bytes 5\n").unwrap());
        budget.set("two", Counts::default());
        assert_eq!(Budget::parse(&budget.text()).unwrap(), budget);
        assert!(Budget::parse("instructions = 1").is_err());
        assert!(Budget::parse("[one]\nseconds = 1").is_err());
    }
}
