//! `tripwasm build`

mod hidden;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tempfile::NamedTempFile;
use tripwasm::bindings::detector::ModuleInfo;
use tripwasm::build::{Carried, Target, build};
use tripwasm::finding::label;
use tripwasm::rule_test::RuleTest;
use tripwasm::{Module, Runtime, RuntimeOptions};

use super::Outcome;
use super::rule_files::{Notes, RuleArguments, RuleSet, counted};

const EXAMPLES: &str = "\
Examples:
  tripwasm build rules/cloudtrail
  tripwasm build my_rule.yml rules/cloudtrail -o detections.wasm --config site.yml
  tripwasm build rules --target core --strip -o core.wasm
  tripwasm build rules --target fluent-bit -o fluent-bit.wasm";

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
    /// A core module for the filter `wasm` of Fluent Bit
    FluentBit,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let set = RuleSet::read(&arguments.rules, &arguments.options)?;
    set.print_diagnostics(Notes::Counted);
    let Some(plan) = &set.compiled.plan else {
        eprintln!("{} was not written", arguments.output.display());
        return Ok(Outcome::Refused);
    };
    let target = match arguments.target {
        TargetName::Component => Target::Component,
        TargetName::Core => Target::Core,
        TargetName::FluentBit => Target::FluentBit,
    };
    let (texts, cases) = set.carried();
    let tests = RuleTest::of(plan, &cases);
    let carried = if arguments.strip { Carried::Nothing } else { Carried::Source(&texts, &tests) };
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let wasm = build(&runtime, plan, target, carried)?;
    // What is asked of a module for Fluent Bit is answered by the same rules in a component.
    let module = match target {
        Target::FluentBit => {
            Module::load(&runtime, &build(&runtime, plan, Target::Component, Carried::Nothing)?)?
        }
        Target::Component | Target::Core => Module::load(&runtime, &wasm)?,
    };
    let hidden = hidden::hidden_tests(&runtime, &set, plan, &module)?;
    if !hidden.is_empty() {
        hidden.iter().for_each(|message| eprintln!("error: {message}"));
        eprintln!("{} was not written", arguments.output.display());
        return Ok(Outcome::Refused);
    }
    write_whole(&arguments.output, &wasm)?;
    eprintln!(
        "{}: {}, {} bytes, imports none",
        arguments.output.display(),
        counted(plan.rules.len(), "rule"),
        wasm.len()
    );
    eprint!("{}", group_sizes(module.info()));
    Ok(Outcome::Done)
}

/// What each correlation keeps of a group, so that its author can tell what a flood of keys costs.
fn group_sizes(info: &ModuleInfo) -> String {
    let sized = info.rules.iter().filter_map(|rule| Some((label(rule), rule.group_bytes_max?)));
    sized
        .map(|(rule, bytes)| format!("  {rule}: at most {bytes} bytes a group behind the watermark\n"))
        .collect()
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    staged(path, bytes)?.persist(path).with_context(failed)?;
    Ok(())
}

/// A file beside the one at `path`, ready to take its place.
pub(super) fn staged(path: &Path, bytes: &[u8]) -> anyhow::Result<NamedTempFile> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As open as any other new file: the user's mask still applies.
    builder.prefix(".tripwasm-").permissions(fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    Ok(file)
}
