//! Rule text to plans.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use tripwasm_plan::Plan;
use tripwasm_rules::{Compiled, LeftOut, OnError, Severity, SourceFile, compile};

/// Compiles one text of Sigma documents.
pub fn compile_text(rules: &str, config: Option<&str>) -> Result<Plan> {
    plan_of(diagnose_text(rules, config))
}

/// Compiles one text of Sigma documents, and tells what the compiler says.
pub fn diagnose_text(rules: &str, config: Option<&str>) -> Compiled {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let config = config.map(|text| file("config.yml", text));
    compile(&[file("rules.yml", rules)], &[], config.as_ref(), OnError::Refuse)
}

/// Compiles the rules of a directory, which is a pack.
pub fn compile_pack(directory: &Path, config: Option<&Path>) -> Result<Plan> {
    let paths = files(directory)?;
    let (packs, rules): (Vec<_>, Vec<_>) =
        paths.iter().partition(|path| path.file_name().is_some_and(|name| name == "pack.yml"));
    let all = |paths: Vec<&PathBuf>| paths.into_iter().map(|path| source(path)).collect::<Result<Vec<_>>>();
    let config = config.map(source).transpose()?;
    compile_files(&all(rules)?, &all(packs)?, config.as_ref())
}

/// Compiles every rule below a directory that can be built, and tells what was left out.
pub fn compile_tree(directory: &Path) -> Result<(Plan, Vec<LeftOut>)> {
    let sources = files(directory)?.iter().map(|path| source(path)).collect::<Result<Vec<_>>>()?;
    let compiled = compile(&sources, &[], None, OnError::KeepGoing);
    Ok((compiled.plan.context("no rule compiles")?, compiled.left_out))
}

/// The YAML files below a directory, in order of path.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = below(directory)?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    Ok(found)
}

/// Every file below a directory, in order of path.
pub(crate) fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut ahead = vec![directory.to_owned()];
    while let Some(directory) = ahead.pop() {
        let entries =
            std::fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { ahead.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

fn compile_files(rules: &[SourceFile], packs: &[SourceFile], config: Option<&SourceFile>) -> Result<Plan> {
    plan_of(compile(rules, packs, config, OnError::Refuse))
}

fn plan_of(compiled: Compiled) -> Result<Plan> {
    let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    match compiled.plan {
        Some(plan) if errors.is_empty() => Ok(plan),
        _ => bail!("the rules do not compile:\n{}", errors.join("\n")),
    }
}

fn source(path: &Path) -> Result<SourceFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(SourceFile { path: path.to_string_lossy().replace('\\', "/"), text })
}
