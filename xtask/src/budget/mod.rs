//! Instructions that the native engine takes on a fixed input, held against a budget: a regression shows without a clock.

mod file;
mod workload;

use crate::process::{cargo, target_dir, visibly};
use anyhow::{Context, Result, bail, ensure};
use file::{Budget, Counts};
use std::path::{Path, PathBuf};
use std::process::Command;
use workload::{EVENTS, SEED, WORKLOADS, Workload};

/// More than so much above the budget fails; more than so much below it asks for a lower budget, without failing.
const TOLERANCE: f64 = 0.03;

/// Measures every workload; with `write`, what was measured becomes the budget.
pub(crate) fn budget(root: &Path, write: bool) -> Result<()> {
    let shared = root.join("../shared");
    if !shared.join("bench/gen.py").is_file() {
        println!(
            "skipped: there is no generator of events at ../shared/bench, so no instructions are counted"
        );
        return Ok(());
    }
    ensure!(is_there("valgrind"), "`valgrind` is missing, install it: apt-get install valgrind");
    let folder = target_dir(root).join("budget");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    visibly(cargo(root).args(["build", "--release", "--package", "tripwasm-engine", "--example", "budget"]))?;
    visibly(cargo(root).args(["build", "--package", "tripwasm-rules", "--example", "plan"]))?;
    let events = events(&shared, &folder)?;
    let path = root.join("tests/bench/budget.toml");
    let allowed = if path.is_file() { Budget::read(&path)? } else { Budget::default() };
    let mut measured = Budget::default();
    for workload in WORKLOADS {
        let plan = plan(root, &folder, workload)?;
        let counts = count(root, &folder, &plan, &events, workload)?;
        measured.set(workload.name, counts);
    }
    let problems = compare(&measured, &allowed);
    if write {
        measured.write(&path)?;
        println!("{} holds these counts now", path.display());
        return Ok(());
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n       "));
    Ok(())
}

/// Prints what was measured beside what is allowed; returns what is wrong.
fn compare(measured: &Budget, allowed: &Budget) -> Vec<String> {
    let mut problems = Vec::new();
    println!(
        "{:<24} {:>14} {:>14} {:>8} {:>9} {:>7}",
        "workload", "instructions", "budget", "change", "an event", "matches"
    );
    for (name, counts) in measured.workloads() {
        let per_event = counts.instructions / counts.events.max(1);
        let Some(budget) = allowed.get(name) else {
            println!(
                "{name:<24} {:>14} {:>14} {:>8} {per_event:>9} {:>7}",
                counts.instructions, "-", "", counts.matches
            );
            problems.push(format!("{name} has no budget; `cargo xtask budget --write` writes one"));
            continue;
        };
        let change = counts.instructions as f64 / budget.instructions.max(1) as f64 - 1.0;
        let shown = format!("{:+.2} %", change * 100.0);
        println!(
            "{name:<24} {:>14} {:>14} {shown:>8} {per_event:>9} {:>7}",
            counts.instructions, budget.instructions, counts.matches
        );
        problems.extend(problem(name, counts, budget, change));
        if change < -TOLERANCE {
            println!("  well done: keep it so with `cargo xtask budget --write`");
        }
    }
    problems
}

fn problem(name: &str, counts: &Counts, budget: &Counts, change: f64) -> Option<String> {
    if counts.found() != budget.found() {
        return Some(format!(
            "{name} gives other results: {:?} instead of {:?} (events, matches, alerts, output bytes)",
            counts.found(),
            budget.found()
        ));
    }
    if change > TOLERANCE {
        return Some(format!(
            "{name} takes {:.1} % more instructions than its budget; make it faster, or say in the commit why \
             `cargo xtask budget --write` is right",
            change * 100.0
        ));
    }
    None
}

/// The fixed input.
fn events(shared: &Path, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("events.ndjson");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let arguments = [EVENTS.to_string(), SEED.to_string()];
    visibly(Command::new("python3").arg(shared.join("bench/gen.py")).args(arguments).stdout(file))?;
    Ok(path)
}

fn plan(root: &Path, folder: &Path, workload: &Workload) -> Result<PathBuf> {
    let path = folder.join(format!("{}.plan", workload.name));
    let mut command = Command::new(target_dir(root).join("debug/examples/plan"));
    command.arg(&path).args(workload.rules.arguments(root)?);
    run(&mut command)?;
    Ok(path)
}

/// Runs a workload under callgrind.
fn count(root: &Path, folder: &Path, plan: &Path, events: &Path, workload: &Workload) -> Result<Counts> {
    let profile = folder.join(format!("{}.callgrind", workload.name));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--toggle-collect=*counted_pass*"]);
    command.arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(target_dir(root).join("release/examples/budget")).arg(plan).arg(events).arg(workload.work);
    // The C library picks its copying loops by processor; the plainest ones are everywhere.
    command.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM");
    let printed = run(&mut command)?;
    let text = std::fs::read_to_string(&profile)
        .with_context(|| format!("callgrind wrote no {}", profile.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let instructions = total.and_then(|total| total.trim().parse().ok()).unwrap_or(0);
    ensure!(
        instructions > 0,
        "callgrind counted nothing in {}: has `counted_pass` lost its name?",
        workload.name
    );
    Counts::new(instructions, &printed)
}

/// Runs a command and returns what it printed.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: u64, matches: u64) -> Counts {
        Counts { instructions, events: 10, matches, alerts: 0, output_bytes: 0 }
    }

    #[test]
    fn more_than_the_budget_and_other_results_are_problems() {
        let budget = counts(1000, 5);
        for (instructions, is_problem) in [(1029, false), (900, false), (1031, true)] {
            let change = instructions as f64 / 1000.0 - 1.0;
            let problem = problem("w", &counts(instructions, 5), &budget, change);
            assert_eq!(problem.is_some_and(|problem| problem.contains("more")), is_problem, "{instructions}");
        }
        let other = problem("w", &counts(1000, 6), &budget, 0.0);
        assert!(other.is_some_and(|problem| problem.contains("other results")));
    }
}
