//! The project's own scripts: `cargo xtask demo`, `test`, `packages`, `bench`, `budget`, `load`, `ci`.

mod bench;
mod budget;
mod demo;
mod load;
mod packages;
mod process;
mod test;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo      build the rule pack into a WebAssembly component and tag a sample of CloudTrail events
  test      run all tests, and say how many passed
  packages  build the packages for Python and Node, and run their tests: all conformance cases, and their own
  bench     compare tripwasm with its peers: one command, one table (--help says more)
  budget    count the engine's instructions on a fixed input, and fail if they left their budget
            (--write: make what is counted the budget)
  load      measure `tripwasm serve` under load: throughput and latency with and without it ([EVENTS [RULES]])
  ci        what continuous integration runs: formatting, lints, tests";

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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.first().copied() {
        Some("demo") => demo::demo(&root),
        Some("test") => test::test(&root),
        Some("packages") => packages::packages(&root),
        Some("ci") => test::ci(&root),
        Some("bench") => bench::bench(&root, words.get(1..).unwrap_or_default()),
        Some("load") => load::load(&root, words.get(1..).unwrap_or_default()),
        Some("budget") => match words.get(1..).unwrap_or_default() {
            [] => budget::budget(&root, false),
            ["--write"] => budget::budget(&root, true),
            [other, ..] => bail!("budget: no option `{other}`; there is --write"),
        },
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
