//! `tripwasm test`

mod case_run;
mod junit;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use tripwasm::build::{Carried, RuleTexts, Target, build};
use tripwasm::rule_test::RuleTest;
use tripwasm::{Module, Runtime, RuntimeOptions};
use tripwasm_rules::{Missing, OnError, Uncovered, compile, coverage};

use super::Outcome;
use super::build::write_whole;
use super::rule_files::{Notes, RuleArguments, RuleSet};
use super::run::load;
use case_run::CaseRun;

const EXAMPLES: &str = "\
Examples:
  tripwasm test rules/cloudtrail
  tripwasm test cloudtrail.wasm
  tripwasm test rules --junit results.xml --quiet

A test stands in the rule, under `tripwasm: tests:`; `tripwasm new` shows the form.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Rule files, directories of them, or one module
    #[arg(required = true, value_name = "RULES|MODULE")]
    inputs: Vec<PathBuf>,
    /// Write the results to a file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show only what failed, and the last line
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    options: RuleArguments,
}

/// A module and what to try on it.
struct Subject {
    module: Module,
    tests: Vec<RuleTest>,
    /// Rules that the tests show only in part.
    uncovered: Vec<Uncovered>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let subject = if arguments.inputs.iter().any(|path| is_module(path)) {
        from_module(&runtime, &arguments.inputs)?
    } else {
        let set = RuleSet::read(&arguments.inputs, &arguments.options)?;
        set.print_diagnostics(Notes::Counted);
        let Some(plan) = &set.compiled.plan else { return Ok(Outcome::Refused) };
        let module = build(&runtime, plan, Target::Component, Carried::Nothing)?;
        Subject {
            module: Module::load(&runtime, &module)?,
            tests: RuleTest::of(plan, &set.compiled.tests),
            uncovered: coverage(plan, &set.compiled.tests),
        }
    };
    if subject.tests.is_empty() {
        eprintln!("no tests: write them in the rules, under `tripwasm: tests:`");
    }
    // Not `println`: whoever reads the output may stop reading.
    let mut output = std::io::stdout().lock();
    let began = Instant::now();
    let mut runs = Vec::with_capacity(subject.tests.len());
    for test in &subject.tests {
        let run = CaseRun::of(test, &subject.module);
        if !arguments.quiet || !run.passed() {
            write!(output, "{run}")?;
        }
        runs.push(run);
    }
    let elapsed = began.elapsed();
    if let Some(path) = &arguments.junit {
        write_whole(path, &junit::document(&runs, elapsed)?)?;
    }
    if !arguments.quiet {
        for rule in &subject.uncovered {
            writeln!(output, "      {}: {}", rule.label, missing_text(rule.missing))?;
        }
    }
    writeln!(output, "{}", last_line(&runs, elapsed, subject.uncovered.len()))?;
    Ok(if runs.iter().all(CaseRun::passed) { Outcome::Done } else { Outcome::Failed })
}

fn last_line(runs: &[CaseRun<'_>], elapsed: Duration, uncovered: usize) -> String {
    let passed = runs.iter().filter(|run| run.passed()).count();
    let gaps = match uncovered {
        0 => String::new(),
        1 => "; 1 rule lacks a positive or a negative test".to_owned(),
        rules => format!("; {rules} rules lack a positive or a negative test"),
    };
    format!("{passed} passed, {} failed in {:.2} s{gaps}", runs.len() - passed, elapsed.as_secs_f64())
}

fn missing_text(missing: Missing) -> &'static str {
    match missing {
        Missing::Positive => "no test shows what it finds",
        Missing::Negative => "no test shows what it leaves alone",
        Missing::Both => "no test shows what it finds, and none what it leaves alone",
    }
}

/// The rules' own text says which tests there could be.
fn uncovered_in(texts: &RuleTexts) -> Vec<Uncovered> {
    let compiled = compile(&texts.rules, &texts.packs, texts.config.as_ref(), OnError::KeepGoing);
    compiled.plan.map(|plan| coverage(&plan, &compiled.tests)).unwrap_or_default()
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn from_module(runtime: &Runtime, inputs: &[PathBuf]) -> anyhow::Result<Subject> {
    let [path] = inputs else { bail!("a module is tested alone: name one .wasm file, or rules") };
    let module = load(runtime, path)?;
    match module.tests()? {
        Some(tests) => {
            let uncovered = module.rule_texts()?.as_ref().map(uncovered_in).unwrap_or_default();
            Ok(Subject { module, tests, uncovered })
        }
        None => bail!("{} carries no tests: it was built with --strip", path.display()),
    }
}
