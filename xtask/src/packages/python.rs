//! The package for Python.

use super::suite::{self, Outcome};
use super::{Folders, need, once_for};
use crate::process::visibly;
use anyhow::{Context, Result};
use std::process::Command;

/// Installs the package's wheel where it is not beside its sources, checks its style and types, and runs its tests.
pub(super) fn test(folders: &Folders) -> Result<Outcome> {
    need("python3", (3, 10), "install Python 3.10 or newer")?;
    let package = folders.root.join("pipelines/python");
    let venv = folders.packages.join("venv");
    let python = if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };
    let project = package.join("pyproject.toml");
    let project = std::fs::read(&project).with_context(|| format!("cannot read {}", project.display()))?;
    once_for(&folders.packages.join("venv.stamp"), &project, || {
        visibly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        visibly(pip.arg(format!("{}[test]", package.display())))
    })?;
    let inside = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.current_dir(&package).arg("-m").args(arguments);
        // The folder of the sources stays as it is.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("RUFF_CACHE_DIR", folders.packages.join("ruff"));
        command.env("MYPY_CACHE_DIR", folders.packages.join("mypy"));
        command.env("TRIPWASM_CASES", &folders.cases);
        command
    };
    let install =
        ["pip", "install", "--quiet", "--disable-pip-version-check", "--force-reinstall", "--no-deps"];
    visibly(inside(&install).args(["--no-build-isolation", "."]))?;
    visibly(&mut inside(&["ruff", "check", "."]))?;
    visibly(&mut inside(&["ruff", "format", "--check", "."]))?;
    visibly(&mut inside(&["mypy"]))?;
    suite::run("Python", &mut inside(&["pytest", "-p", "no:cacheprovider"]), suite::pytest)
}
