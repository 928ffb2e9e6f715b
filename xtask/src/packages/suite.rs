//! A test suite in another language: run with an end in time, and counted.

use crate::test::count;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A suite takes a minute or two; one that hangs is ended.
const SUITE_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// How a suite ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Outcome {
    /// Both together.
    pub(crate) fn and(self, other: Outcome) -> Outcome {
        Outcome { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Runs a suite. `counted` tells how many tests a line of its output says passed and failed.
pub(crate) fn run(
    name: &str,
    command: &mut Command,
    counted: fn(&str) -> Option<Outcome>,
) -> Result<Outcome> {
    eprintln!("$ {} (tests for {name})", command.get_program().to_string_lossy());
    let mut running =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("no tests for {name}"))?;
    let output = running.stdout.take().context("no output of the tests")?;
    let (lines, arrived) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + SUITE_TIME_MAX;
    let mut outcome = Outcome::default();
    let mut said = Vec::new();
    loop {
        match arrived.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                outcome = counted(&line).map_or(outcome, |more| outcome.and(more));
                said.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                running.kill().with_context(|| format!("cannot end the tests for {name}"))?;
                bail!("the tests for {name} took longer than {} s", SUITE_TIME_MAX.as_secs());
            }
        }
    }
    let status = running.wait().with_context(|| format!("the tests for {name} did not end"))?;
    if !status.success() {
        println!("{}", said.join("\n"));
    }
    // A suite that breaks before it counts must not pass for one without failures.
    ensure!(status.success() || outcome.failed > 0, "the tests for {name} broke off ({status})");
    println!("{name}: {} passed, {} failed", outcome.passed, outcome.failed);
    ensure!(outcome.passed > 0, "there were no tests for {name}");
    Ok(outcome)
}

/// pytest's last line, such as `1 failed, 2 passed in 0.3s`.
pub(crate) fn pytest(line: &str) -> Option<Outcome> {
    let is_summary = line.contains(" in ") && (line.contains(" passed") || line.contains(" failed"));
    let word = |word| if line.contains(word) { count(line, word) } else { 0 };
    (is_summary && line.ends_with(['s', ')', '=']))
        .then(|| Outcome { passed: word(" passed"), failed: word(" failed") + word(" error") })
}

/// Lines of the test runner of Node at the end of its TAP: `# pass 2`, `# fail 1`, `# cancelled 0`.
pub(crate) fn node(line: &str) -> Option<Outcome> {
    let number = |word| line.strip_prefix(word)?.trim().parse().ok();
    let failed = |failed| Outcome { passed: 0, failed };
    number("# pass ")
        .map(|passed| Outcome { passed, failed: 0 })
        .or_else(|| number("# fail ").map(failed))
        .or_else(|| number("# cancelled ").map(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read() {
        let outcome = |passed, failed| Some(Outcome { passed, failed });
        assert_eq!(pytest("1 failed, 29 passed in 0.31s"), outcome(29, 1));
        assert_eq!(pytest("300 passed, 2 warnings in 91.02s (0:01:31)"), outcome(300, 0));
        assert_eq!(pytest("1 passed, 2 errors in 1.00s"), outcome(1, 2));
        assert_eq!(pytest("tests/test_a.py .... [ 50%]"), None);
        assert_eq!(node("# pass 12"), outcome(12, 0));
        assert_eq!(node("# cancelled 3"), outcome(0, 3));
        assert_eq!(node("# Subtest: a case that may pass 3"), None);
    }
}
