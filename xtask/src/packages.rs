//! The packages for Python and Node: built, installed, and held against the component on every conformance case.

mod node;
mod python;
mod suite;

use crate::process::{cargo, install_target, target_dir, visibly};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use suite::Outcome;

/// Where everything stands that is built; kept from run to run.
struct Folders {
    root: PathBuf,
    packages: PathBuf,
    /// What the exporter wrote.
    cases: PathBuf,
}

/// Builds both packages, runs their tests beside each other, and prints the sum as the last line.
pub(crate) fn packages(root: &Path) -> Result<()> {
    install_target(root)?;
    let packages = target_dir(root).join("packages");
    std::fs::create_dir_all(&packages).with_context(|| format!("cannot create {}", packages.display()))?;
    let folders = Folders { root: root.to_owned(), cases: packages.join("cases"), packages };
    export(&folders)?;
    let (python, node) = std::thread::scope(|scope| {
        let python = scope.spawn(|| python::test(&folders));
        let node = node::test(&folders);
        (python.join(), node)
    });
    let Ok(python) = python else { bail!("the tests of the package for Python panicked") };
    let Outcome { passed, failed } = python?.and(node?);
    println!("\n{passed} passed, {failed} failed");
    ensure!(failed == 0, "tests failed");
    Ok(())
}

/// Writes the cases, unless neither they nor what they are run by changed since.
fn export(folders: &Folders) -> Result<()> {
    let Folders { root, cases, .. } = folders;
    visibly(cargo(root).args(["build", "--package", "tripwasm-tests", "--example", "export_cases"]))?;
    let exporter = target_dir(root).join("debug/examples/export_cases");
    let written = modified(&cases.join("cases.ndjson")).ok();
    let sources = [root.join("tests/cases"), root.join("rules/cloudtrail"), exporter.clone()];
    let newest = sources.iter().map(|source| newest(source)).collect::<Result<Vec<_>>>()?.into_iter().max();
    if written > newest {
        return Ok(());
    }
    visibly(Command::new(exporter).arg(cases))
}

/// When a file, or the newest file in a folder, was changed.
fn newest(path: &Path) -> Result<SystemTime> {
    let mut newest = modified(path)?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
            newest = newest.max(self::newest(&entry?.path())?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Result<SystemTime> {
    let read = || std::fs::metadata(path)?.modified();
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Says what is missing where a program cannot be started, or is older than this version.
fn need(program: &str, version_min: (u32, u32), remedy: &str) -> Result<()> {
    let context = || format!("`{program}` is needed: {remedy}");
    let said = Command::new(program).arg("--version").output().with_context(context)?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let numbers = said.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.split('.').map_while(|number| number.trim().parse().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    ensure!(version >= version_min, "`{program}` is of version {}: {remedy}", said.trim());
    Ok(())
}

/// Runs `install` unless it ran for the same content.
fn once_for(stamp: &Path, content: &[u8], install: impl FnOnce() -> Result<()>) -> Result<()> {
    if std::fs::read(stamp).is_ok_and(|before| before == content) {
        return Ok(());
    }
    install()?;
    std::fs::write(stamp, content).with_context(|| format!("cannot write {}", stamp.display()))
}
