//! `tripwasm check`

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::rule_files::{Notes, RuleArguments, RuleSet, counted};

const EXAMPLES: &str = "\
Examples:
  tripwasm check rules/cloudtrail
  tripwasm check my_rule.yml --config site.yml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Rule files, or directories of them
    #[arg(required = true, value_name = "RULES")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    options: RuleArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let set = RuleSet::read(&arguments.rules, &arguments.options)?;
    set.print_diagnostics(Notes::Shown);
    if set.errors() > 0 {
        return Ok(Outcome::Refused);
    }
    let rules = set.compiled.plan.as_ref().map_or(0, |plan| plan.rules.len());
    let tests = set.compiled.tests.len();
    println!(
        "{} in {}, {}: ok",
        counted(rules, "rule"),
        counted(set.files(), "file"),
        counted(tests, "test")
    );
    Ok(Outcome::Done)
}
