//! `tripwasm test`

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use similar::{ChangeTag, TextDiff};
use tripwasm::build::{Carried, Target, build};
use tripwasm::rule_test::{RuleTest, Verdict};
use tripwasm::{Module, Runtime, RuntimeOptions};

use super::Outcome;
use super::rule_files::{RuleArguments, RuleSet};
use super::run::load;

const EXAMPLES: &str = "\
Examples:
  tripwasm test rules/cloudtrail
  tripwasm test cloudtrail.wasm

A test stands in the rule, under `tripwasm: tests:`; `tripwasm new` shows the form.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Rule files, directories of them, or one module
    #[arg(required = true, value_name = "RULES|MODULE")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    options: RuleArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let (module, tests) = if arguments.inputs.iter().any(|path| is_module(path)) {
        from_module(&runtime, &arguments.inputs)?
    } else {
        let set = RuleSet::read(&arguments.inputs, &arguments.options)?;
        set.print_diagnostics();
        let Some(plan) = &set.compiled.plan else { return Ok(Outcome::Refused) };
        let module = build(&runtime, plan, Target::Component, Carried::Nothing)?;
        (Module::load(&runtime, &module)?, RuleTest::of(plan, &set.compiled.tests))
    };
    if tests.is_empty() {
        eprintln!("no tests: write them in the rules, under `tripwasm: tests:`");
        return Ok(Outcome::Done);
    }
    let mut failed = 0;
    for test in &tests {
        failed += usize::from(!passes(test, &module));
    }
    println!("\n{} passed, {failed} failed", tests.len() - failed);
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Failed })
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn from_module(runtime: &Runtime, inputs: &[PathBuf]) -> anyhow::Result<(Module, Vec<RuleTest>)> {
    let [path] = inputs else { bail!("a module is tested alone: name one .wasm file, or rules") };
    let module = load(runtime, path)?;
    match module.tests().map(<[_]>::to_vec) {
        Some(tests) => Ok((module, tests)),
        None => bail!("{} carries no tests: it was built with --strip", path.display()),
    }
}

fn passes(test: &RuleTest, module: &Module) -> bool {
    let case = &test.case;
    match test.run(module) {
        Ok(Verdict::Passed) => {
            println!("ok      {}: {}", case.rule, case.name);
            return true;
        }
        Ok(Verdict::Failed { expected, found }) => {
            println!("FAILED  {}: {}", case.rule, case.name);
            println!("        {}:{}  (- expected, + found)", case.file, case.line);
            for change in TextDiff::from_lines(&expected, &found).iter_all_changes() {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                print!("        {sign} {change}");
            }
        }
        Err(error) => {
            println!("FAILED  {}: {}", case.rule, case.name);
            println!("        {}:{}  {error}", case.file, case.line);
        }
    }
    false
}
