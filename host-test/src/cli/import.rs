//! `tripwasm import`

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use tempfile::NamedTempFile;
use tripwasm_rules::panther;

use super::Outcome;
use super::build::staged;
use super::rule_files::{counted, read};

const EXAMPLES: &str = "\
Examples:
  tripwasm import panther rules/aws_root_login.yml
  tripwasm import panther panther-analysis/simple_rules/*.yml -o rules/imported";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Rewrite Panther's rules in YAML, with their tests, as Sigma files
    Panther(Panther),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Panther {
    /// Panther's YAML files; rules with a Python body are refused
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the Sigma files
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let From::Panther(arguments) = &arguments.from;
    let mut imported = BTreeMap::new();
    let mut refused = 0;
    for path in &arguments.files {
        match panther::import(&read(path)?) {
            Ok(rule) => {
                for note in &rule.notes {
                    eprintln!("{note}");
                }
                // The name comes out of somebody's file: it must not lead elsewhere.
                let name = Path::new(&rule.file_name).file_name().unwrap_or(OsStr::new("rule.yml"));
                let target = arguments.output.join(name);
                if let Some((other, _)) = imported.insert(target.clone(), (path, rule.text)) {
                    bail!(
                        "{} and {} would both be written to {}",
                        other.display(),
                        path.display(),
                        target.display()
                    );
                }
            }
            Err(diagnostics) => {
                refused += 1;
                diagnostics.iter().for_each(|diagnostic| eprintln!("{diagnostic}"));
            }
        }
    }
    if refused > 0 {
        eprintln!("{} of {} refused, nothing was written", refused, counted(arguments.files.len(), "file"));
        return Ok(Outcome::Refused);
    }
    let targets: Vec<PathBuf> = imported.keys().cloned().collect();
    write_all(&arguments.output, imported.into_iter().map(|(target, (_, text))| (target, text)).collect())?;
    for target in &targets {
        println!("wrote {}", target.display());
    }
    println!("{}, next: tripwasm test {}", counted(targets.len(), "rule"), arguments.output.display());
    Ok(Outcome::Done)
}

/// Writes all files or none, and replaces none.
fn write_all(folder: &Path, files: Vec<(PathBuf, String)>) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let stage = |(target, text): (PathBuf, String)| Ok((staged(&target, text.as_bytes())?, target));
    let files: Vec<(NamedTempFile, PathBuf)> = files.into_iter().map(stage).collect::<anyhow::Result<_>>()?;
    let mut written: Vec<PathBuf> = Vec::new();
    for (file, target) in files {
        if let Err(error) = file.persist_noclobber(&target) {
            // Best effort: what cannot be taken away again is named by the next attempt.
            written.iter().for_each(|path| drop(std::fs::remove_file(path)));
            return Err(error.error).with_context(|| {
                format!("cannot write {}, nothing was written; give -o another directory", target.display())
            });
        }
        written.push(target);
    }
    Ok(())
}
