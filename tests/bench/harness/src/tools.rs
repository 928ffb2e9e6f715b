//! The programs that take part.

use crate::roster::Entrant;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Where contestants are found.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The project that is measured.
    pub(crate) root: PathBuf,
    /// Folder of the contestants' programs.
    pub(crate) programs: PathBuf,
    /// The script that drives DuckDB.
    pub(crate) duckdb_script: PathBuf,
    /// A Python that has DuckDB.
    pub(crate) python: Option<PathBuf>,
    /// Command lines by the name of their variant.
    pub(crate) command_lines: BTreeMap<String, PathBuf>,
    /// Why programs are not there.
    pub(crate) missing: BTreeMap<String, String>,
    /// The core that everybody stays on.
    pub(crate) core: usize,
}

impl Tools {
    /// How a contestant's process is started.
    pub(crate) fn command(&self, entrant: &Entrant) -> Result<Command> {
        let program = entrant.program;
        let installed = format!("{}-command", entrant.variant);
        if let Some(reason) = self.missing.get(program).or(self.missing.get(&installed)) {
            anyhow::bail!("{reason}");
        }
        if program == "duckdb" {
            let python =
                self.python.as_ref().ok_or_else(|| anyhow::anyhow!("there is no Python with DuckDB"))?;
            let mut command = Command::new(python);
            command.arg(&self.duckdb_script);
            return Ok(command);
        }
        let path = self.programs.join(format!("contestant-{program}"));
        ensure!(path.is_file(), "contestant-{program} was not built");
        Ok(Command::new(path))
    }

    /// The command line that a variant runs: `tripwasm` is run by `tripwasm-build`, too.
    pub(crate) fn program(&self, variant: &str) -> Option<PathBuf> {
        self.command_lines.get(variant.split('-').next()?).cloned()
    }
}
