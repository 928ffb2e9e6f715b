//! Builds the benchmark's contestants, each by itself, and runs its harness.

use crate::process::{cargo, target_dir, visibly};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Contestants of tests/bench that are built. One at a time: built together, cargo would give each the library
/// features of all, and serde_json is not as fast with every one of them.
const CONTESTANTS: [&str; 6] = ["tripwasm", "rsigma", "sigma-rust", "vrl", "floors", "commands"];

/// The peers that are installed rather than built, at the versions that are compared.
const RSIGMA: &str = "0.23.0";
const DUCKDB: &str = "2.0.0";

const HELP: &str = "\
usage: cargo xtask bench [--quick] [--contestants NAME,...] [--rules RACE,...] [--repeat N] [--core N] [--write]

  --quick        few events, the main race alone
  --contestants  those whose names begin so: component, native, run, rsigma, sigma-rust, vrl, duckdb, serde, memcpy, ...
  --rules        both, sigmahq, quiet, seeds, correlations, figures, generated-100, generated-1000, generated-5000, real
  --repeat       passes of each contestant
  --core         the processor core that everybody runs on; 0 unless told
  --write        write BENCHMARKS.md and tests/bench/bars.svg

TRIPWASM_BENCH_CACHE names the folder of data, rules and installed peers (target/bench), TRIPWASM_BENCH_TARGET that of
what is built (target/bench/build).";

/// Runs the benchmark; what is not ours to read goes on to the harness.
pub(crate) fn bench(root: &Path, words: &[&str]) -> Result<()> {
    if words.iter().any(|word| ["--help", "-h"].contains(word)) {
        println!("{HELP}");
        return Ok(());
    }
    let is_written = words.contains(&"--write");
    let passed_on: Vec<&str> = words.iter().copied().filter(|word| *word != "--write").collect();
    let folders = Folders::new(root)?;
    visibly(cargo(root).args(["build", "--release", "--package", "tripwasm"]))?;
    folders.build(root, "bench-harness")?;
    let mut harness = Command::new(folders.build.join("release/bench-harness"));
    for name in CONTESTANTS {
        if let Err(error) = folders.build(root, &format!("contestant-{name}")) {
            missing(&mut harness, name, &error);
        }
    }
    match rsigma(&folders) {
        Ok(program) => _ = harness.arg("--command-line").arg(format!("rsigma={}", program.display())),
        Err(error) => missing(&mut harness, "rsigma-command", &error),
    }
    match python_with_duckdb(&folders) {
        Ok(python) => _ = harness.arg("--python").arg(python),
        Err(error) => missing(&mut harness, "duckdb", &error),
    }
    let tripwasm = target_dir(root).join("release/tripwasm");
    harness.arg("--command-line").arg(format!("tripwasm={}", tripwasm.display()));
    harness.arg("--root").arg(root).arg("--cache").arg(&folders.cache);
    harness.arg("--programs").arg(folders.build.join("release"));
    harness.args(["--called", format!("cargo xtask bench {}", words.join(" ")).trim_end()]);
    if is_written {
        harness.arg("--report").arg(root.join("BENCHMARKS.md"));
        harness.arg("--picture").arg(root.join("tests/bench/bars.svg"));
    }
    visibly(harness.args(passed_on))
}

struct Folders {
    /// Data, rules, installed peers.
    cache: PathBuf,
    /// What cargo builds.
    build: PathBuf,
}

impl Folders {
    fn new(root: &Path) -> Result<Folders> {
        let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        let cache = named("TRIPWASM_BENCH_CACHE").unwrap_or_else(|| target_dir(root).join("bench"));
        std::fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let build = named("TRIPWASM_BENCH_TARGET").unwrap_or_else(|| cache.join("build"));
        Ok(Folders { cache, build })
    }

    fn build(&self, root: &Path, package: &str) -> Result<()> {
        let mut command = cargo(&root.join("tests/bench"));
        command.args(["build", "--release", "--locked", "--package", package]);
        visibly(command.env("CARGO_TARGET_DIR", &self.build))
    }
}

/// rsigma's command line, installed into the cache once.
fn rsigma(folders: &Folders) -> Result<PathBuf> {
    let tools = folders.cache.join("tools");
    let program = tools.join("bin/rsigma");
    if !program.is_file() {
        let mut install = Command::new("cargo");
        install.args(["install", "rsigma", "--locked", "--version"]);
        install.arg(format!("={RSIGMA}")).arg("--root").arg(&tools);
        visibly(install.env("CARGO_TARGET_DIR", folders.build.join("rsigma")))?;
    }
    Ok(program)
}

/// A Python of our own with DuckDB's wheel.
fn python_with_duckdb(folders: &Folders) -> Result<PathBuf> {
    let venv = folders.cache.join("venv");
    let python = venv.join("bin/python");
    if !python.is_file() {
        visibly(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let has_it = || {
        let check = format!("import duckdb; assert duckdb.__version__ == '{DUCKDB}'");
        Command::new(&python).args(["-c", &check]).output().is_ok_and(|output| output.status.success())
    };
    if !has_it() {
        visibly(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            &format!("duckdb=={DUCKDB}"),
        ]))?;
    }
    if !has_it() {
        bail!("DuckDB {DUCKDB} was installed, and is not there");
    }
    Ok(python)
}

/// Shown in the table, never left out.
fn missing(harness: &mut Command, name: &str, error: &anyhow::Error) {
    harness.arg("--missing").arg(format!("{name}={error:#}"));
}
