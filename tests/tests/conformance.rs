//! Every case file on every engine.

use anyhow::{Context as _, Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use tripwasm_tests::case::{CaseFile, files, lines, read};
use tripwasm_tests::engines::{
    Component, Engine, LATENESS_UNBOUNDED_MS, Native, Reference, Resumed, batches,
};
use tripwasm_tests::expectation::differences;
use tripwasm_tests::rules::compile_text;

fn main() -> Result<()> {
    let arguments = Arguments::from_args();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = files(&directory)?;
    let trials = files.iter().flat_map(|path| {
        let topic = path.strip_prefix(&directory).unwrap_or(path).with_extension("").display().to_string();
        let engines: [&'static dyn Engine; 4] = [&Reference, &Native, &Resumed, &Component];
        engines.map(|engine| trial(engine, &topic, path.clone()))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

fn trial(engine: &'static dyn Engine, topic: &str, path: PathBuf) -> Trial {
    let name = format!("{}::{topic}", engine.name());
    Trial::test(name, move || check(engine, &path).map_err(|error| Failed::from(format!("{error:#}"))))
}

fn check(engine: &dyn Engine, path: &Path) -> Result<()> {
    let file = read(path)?;
    let failures = failures(engine, &file).with_context(|| format!("running {}", path.display()))?;
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}\n{}", path.display(), failures.join("\n"))
}

/// What is wrong with each case, a line each.
fn failures(engine: &dyn Engine, file: &CaseFile) -> Result<Vec<String>> {
    let plan = compile_text(&file.rules, file.config.as_deref())?;
    let mut settings = plan.settings;
    settings.lateness_ms = LATENESS_UNBOUNDED_MS;
    let mut failures = Vec::new();
    for case in &file.cases {
        let input = lines(&case.events).with_context(|| format!("in case {:?}", case.name))?;
        for batch_bytes in [1, usize::MAX] {
            let outcome = engine.run(&plan, settings, &batches(&input, batch_bytes))?;
            let differences = differences(&case.expect, &outcome, &plan);
            failures.extend(differences.iter().map(|difference| format!("{:?}: {difference}", case.name)));
        }
    }
    failures.dedup();
    Ok(failures)
}
