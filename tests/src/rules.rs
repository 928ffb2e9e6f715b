//! Rule text to plans.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use tripwasm_plan::Plan;
use tripwasm_rules::{OnError, Severity, SourceFile, compile};

/// Compiles one text of Sigma documents.
pub fn compile_text(rules: &str, config: Option<&str>) -> Result<Plan> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let config = config.map(|text| file("config.yml", text));
    compile_files(&[file("rules.yml", rules)], &[], config.as_ref())
}

/// Compiles the rules of a directory, which is a pack.
pub fn compile_pack(directory: &Path, config: Option<&Path>) -> Result<Plan> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    paths.sort();
    let (packs, rules): (Vec<_>, Vec<_>) =
        paths.iter().partition(|path| path.file_name().is_some_and(|name| name == "pack.yml"));
    let all = |paths: Vec<&std::path::PathBuf>| paths.into_iter().map(|path| source(path)).collect::<Result<Vec<_>>>();
    let config = config.map(source).transpose()?;
    compile_files(&all(rules)?, &all(packs)?, config.as_ref())
}

fn compile_files(rules: &[SourceFile], packs: &[SourceFile], config: Option<&SourceFile>) -> Result<Plan> {
    let compiled = compile(rules, packs, config, OnError::Refuse);
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
