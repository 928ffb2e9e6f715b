//! The package for Node.

use super::suite::{self, Outcome};
use super::{Folders, need, once_for};
use crate::process::visibly;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// What the package is made of.
const SOURCES: [&str; 8] =
    [".npmrc", "README.md", "package.json", "package-lock.json", "tsconfig.json", "scripts", "src", "test"];

/// Builds the package in a copy of its folder, so that the folder of the sources stays as it is, and runs its tests.
pub(super) fn test(folders: &Folders) -> Result<Outcome> {
    need("node", (20, 0), "install Node 20 or newer")?;
    need("npm", (9, 0), "it comes with Node")?;
    let sources = folders.root.join("pipelines/node");
    let package = folders.packages.join("node");
    for name in SOURCES {
        let target = package.join(name);
        if target.is_dir() {
            // A file that is gone from the sources must not be tested.
            std::fs::remove_dir_all(&target).with_context(|| format!("cannot empty {}", target.display()))?;
        }
        copy(&sources.join(name), &target)?;
    }
    let inside = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(&package);
        command.env("TRIPWASM_COMPONENT", folders.cases.join("pack.component.wasm"));
        command.env("TRIPWASM_CASES", &folders.cases);
        command
    };
    let lock = package.join("package-lock.json");
    let lock = std::fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    once_for(&folders.packages.join("node.stamp"), &lock, || {
        visibly(inside("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]))
    })?;
    visibly(inside("npm").args(["run", "--silent", "build"]))?;
    suite::run("Node", inside("node").args(["--test", "--test-reporter", "tap"]), suite::node)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let context = || format!("cannot copy {}", from.display());
    if from.is_dir() {
        std::fs::create_dir_all(to).with_context(context)?;
        for entry in std::fs::read_dir(from).with_context(context)? {
            let entry = entry.with_context(context)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).with_context(context)?;
    }
    std::fs::copy(from, to).map(drop).with_context(context)
}
