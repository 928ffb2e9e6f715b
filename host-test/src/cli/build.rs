//! `tripwasm build`

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tripwasm::build::{Carried, Target, build};
use tripwasm::rule_test::RuleTest;
use tripwasm::{Runtime, RuntimeOptions};

use super::Outcome;
use super::rule_files::{RuleArguments, RuleSet, counted};

const EXAMPLES: &str = "\
Examples:
  tripwasm build rules/cloudtrail
  tripwasm build my_rule.yml rules/cloudtrail -o detections.wasm --config site.yml
  tripwasm build rules --target core --strip -o core.wasm";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Rule files, or directories of them
    #[arg(required = true, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Where to write the module
    #[arg(short, long, value_name = "FILE", default_value = "cloudtrail.wasm")]
    output: PathBuf,
    /// The module's form
    #[arg(long, value_enum, default_value_t)]
    target: TargetName,
    /// Leave the rules' text and tests out of the module
    #[arg(long)]
    strip: bool,
    #[command(flatten)]
    options: RuleArguments,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum TargetName {
    /// For hosts with the component model
    #[default]
    Component,
    /// The core module inside, for hosts that call the canonical ABI themselves
    Core,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let set = RuleSet::read(&arguments.rules, &arguments.options)?;
    set.print_diagnostics();
    let Some(plan) = &set.compiled.plan else {
        eprintln!("{} was not written", arguments.output.display());
        return Ok(Outcome::Refused);
    };
    let target = match arguments.target {
        TargetName::Component => Target::Component,
        TargetName::Core => Target::Core,
    };
    let (texts, cases) = set.carried();
    let tests = RuleTest::of(plan, &cases);
    let carried = if arguments.strip { Carried::Nothing } else { Carried::Source(&texts, &tests) };
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let module = build(&runtime, plan, target, carried)?;
    write_whole(&arguments.output, &module)?;
    eprintln!(
        "{}: {}, {} bytes, imports none",
        arguments.output.display(),
        counted(plan.rules.len(), "rule"),
        module.len()
    );
    Ok(Outcome::Done)
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As open as any other new file: the user's mask still applies.
    builder.prefix(".tripwasm-").permissions(fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
