//! Rule text to a plan, as `tripwasm build --keep-going` does it.

use anyhow::{Context as _, Result};
use bench_protocol::{Job, Tally, rule_files};
use std::path::Path;
use tripwasm_plan::{Logic, Plan, Rule};
use tripwasm_rules::{OnError, SourceFile, compile};

/// The settings of the pack lie beside its rules.
const PACK: &str = "pack.yml";
/// What `--config` names, beside them, too.
const CONFIG: &str = "config.yml";

/// Compiles the rules of a job.
pub(crate) fn plan(job: &Job) -> Result<Plan> {
    let folder = job.rules.as_deref().context("it needs rules")?;
    let (mut rules, mut packs, mut config) = (Vec::new(), Vec::new(), None);
    for path in rule_files(folder)? {
        let file = source(&path)?;
        match path.file_name().and_then(|name| name.to_str()) {
            Some(PACK) => packs.push(file),
            Some(CONFIG) => config = Some(file),
            _ => rules.push(file),
        }
    }
    compile(&rules, &packs, config.as_ref(), OnError::KeepGoing).plan.context("no rule compiles")
}

/// Puts counts that are parallel to the rules under their ids; correlations are no matches.
pub(crate) fn count(rules: &[Rule], matched: impl Iterator<Item = u64>, tally: &mut Tally) {
    for (rule, count) in rules.iter().zip(matched) {
        if count > 0 && !matches!(rule.logic, Logic::Correlation(_)) {
            let id = rule.id.clone().unwrap_or_else(|| rule.title.clone());
            tally.matches.insert(id, count);
        }
    }
}

fn source(path: &Path) -> Result<SourceFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(SourceFile { path: path.display().to_string(), text })
}
