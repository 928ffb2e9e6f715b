//! All tests, counted; and what continuous integration runs besides.

use crate::process::{cargo, install_target, visibly};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Runs every test of the workspace and prints the sum as the last line.
pub(crate) fn test(root: &Path) -> Result<()> {
    install_target(root)?;
    eprintln!("$ cargo test --workspace --no-fail-fast");
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--exclude", "tripwasm-component", "--no-fail-fast"]);
    let mut running = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let (mut passed, mut failed) = (0u64, 0u64);
    if let Some(output) = running.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read the output of cargo test")?;
            if let Some(counts) = line.strip_prefix("test result: ") {
                passed += count(counts, " passed");
                failed += count(counts, " failed");
            }
            println!("{line}");
        }
    }
    let status = running.wait().context("cargo test did not end")?;
    println!("\n{passed} passed, {failed} failed");
    if !status.success() {
        bail!("tests failed ({status})");
    }
    Ok(())
}

/// Formatting, lints, tests.
pub(crate) fn ci(root: &Path) -> Result<()> {
    install_target(root)?;
    visibly(cargo(root).args(["fmt", "--all", "--check"]))?;
    visibly(cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    test(root)
}

/// The number before a word, such as 3 before ` passed` in `ok. 3 passed; 0 failed`.
pub(crate) fn count(counts: &str, word: &str) -> u64 {
    let before = counts.split(word).next().unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_summary_line_is_read() {
        let line = "FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!((count(line, " passed"), count(line, " failed")), (12, 3));
    }
}
