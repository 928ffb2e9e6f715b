//! Other programs, run where one can see them.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Target of the modules.
const TARGET: &str = "wasm32-unknown-unknown";

/// Installs the wasm target unless it is there. Without rustup, the build says what is missing.
pub(crate) fn install_target(root: &Path) -> Result<()> {
    let Ok(installed) =
        Command::new("rustup").args(["target", "list", "--installed"]).current_dir(root).output()
    else {
        return Ok(());
    };
    if String::from_utf8_lossy(&installed.stdout).lines().any(|line| line == TARGET) {
        return Ok(());
    }
    visibly(Command::new("rustup").args(["target", "add", TARGET]).current_dir(root))
}

/// Runs a command whose output is the user's, and fails with it.
pub(crate) fn visibly(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let shown = format!("{program} {}", arguments.join(" "));
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// The cargo that runs this script.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
