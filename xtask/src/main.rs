//! The project's own scripts: `cargo xtask demo`, `cargo xtask test`, `cargo xtask ci`.

mod demo;
mod process;
mod test;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo    build the rule pack into a WebAssembly component and tag a sample of CloudTrail events
  test    run all tests, and say how many passed
  ci      what continuous integration runs: formatting, lints, tests";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let root = root();
    match std::env::args().nth(1).as_deref() {
        Some("demo") => demo::demo(&root),
        Some("test") => test::test(&root),
        Some("ci") => test::ci(&root),
        Some("--help" | "-h" | "help") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("no command `{other}`\n\n{USAGE}"),
        None => bail!("no command given\n\n{USAGE}"),
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
