//! Every case file on every engine.

use anyhow::{Context as _, Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use tripwasm_plan::Plan;
use tripwasm_tests::case::{Case, CaseFile, files, lines, read};
use tripwasm_tests::engines::{
    Component, Engine, Input, Native, Reference, Resumed, Sharded, Stepped, batches,
    is_told_when_learning_began,
};
use tripwasm_tests::expectation::{build_differences, differences};
use tripwasm_tests::rules::{compile_text, diagnose_text};

fn main() -> Result<()> {
    let arguments = Arguments::from_args();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let engines: [&'static dyn Engine; 6] = [&Reference, &Native, &Resumed, &Sharded, &Stepped, &Component];
    let mut trials = Vec::new();
    for path in files(&directory)? {
        let topic = path.strip_prefix(&directory).unwrap_or(&path).with_extension("").display().to_string();
        trials
            .extend(engines.map(|engine| trial(engine.name(), &topic, &path, |file| failures(engine, file))));
        trials.push(trial("build", &topic, &path, |file| Ok(build_failures(file))));
    }
    libtest_mimic::run(&arguments, trials).exit()
}

/// One case file under one engine; `failures` says what is wrong with each case, a line each.
fn trial(
    engine: &str,
    topic: &str,
    path: &Path,
    failures: impl Fn(&CaseFile) -> Result<Vec<String>> + Send + 'static,
) -> Trial {
    let path: PathBuf = path.to_owned();
    let check = move || -> Result<()> {
        let failures = failures(&read(&path)?).with_context(|| format!("running {}", path.display()))?;
        if failures.is_empty() {
            return Ok(());
        }
        bail!("{}\n{}", path.display(), failures.join("\n"))
    };
    Trial::test(format!("{engine}::{topic}"), move || {
        check().map_err(|error| Failed::from(format!("{error:#}")))
    })
}

fn failures(engine: &dyn Engine, file: &CaseFile) -> Result<Vec<String>> {
    if file.cases.is_empty() {
        return Ok(Vec::new());
    }
    let plan = compile_text(&file.rules, file.config.as_deref())?;
    let mut failures = Vec::new();
    for case in file.cases.iter().filter(|case| engine.has_watermark() || !case.is_about_arrival()) {
        let differences = case_differences(engine, &plan, case);
        let differences = differences.unwrap_or_else(|error| vec![format!("{error:#}")]);
        failures.extend(differences.iter().map(|difference| format!("{:?}: {difference}", case.name)));
    }
    failures.dedup();
    Ok(failures)
}

fn case_differences(engine: &dyn Engine, plan: &Plan, case: &Case) -> Result<Vec<String>> {
    let settings = case.settings(plan)?;
    if !engine.sees_every_event() && !is_told_when_learning_began(plan, settings) {
        return Ok(Vec::new());
    }
    let (history, input) = (lines(&case.history)?, lines(&case.events)?);
    let mut found = Vec::new();
    for batch_bytes in [1, usize::MAX] {
        let input = Input { history: &history, batches: &batches(&input, batch_bytes) };
        found.extend(differences(&case.expect, &engine.observe(plan, settings, &input)?, plan));
    }
    Ok(found)
}

fn build_failures(file: &CaseFile) -> Vec<String> {
    let mut failures = Vec::new();
    for build in &file.builds {
        let compiled = diagnose_text(&build.rules, build.config.as_deref());
        let differences = build_differences(build, &compiled);
        failures.extend(differences.iter().map(|difference| format!("{:?}: {difference}", build.name)));
    }
    failures
}
