//! One test that was run: what a person reads of it.

use std::fmt;
use std::time::{Duration, Instant};

use similar::{ChangeTag, TextDiff};
use tripwasm::rule_test::{RuleTest, Verdict};
use tripwasm::{DetectorError, Module};
use tripwasm_rules::TestCase;

/// How a test went, and how long it took.
pub(super) struct CaseRun<'t> {
    pub(super) case: &'t TestCase,
    pub(super) elapsed: Duration,
    pub(super) result: Result<Verdict, DetectorError>,
}

impl<'t> CaseRun<'t> {
    /// Runs the test.
    pub(super) fn of(test: &'t RuleTest, module: &Module) -> Self {
        let began = Instant::now();
        let result = test.run(module);
        CaseRun { case: &test.case, elapsed: began.elapsed(), result }
    }

    pub(super) fn passed(&self) -> bool {
        matches!(self.result, Ok(Verdict::Passed))
    }
}

impl fmt::Display for CaseRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = self.case;
        let word = if self.passed() { "PASS" } else { "FAIL" };
        let ms = self.elapsed.as_secs_f64() * 1000.0;
        writeln!(f, "{word}  {}: {}  ({ms:.1} ms)", case.rule, case.name)?;
        match &self.result {
            Ok(Verdict::Passed) => Ok(()),
            Ok(Verdict::Failed { expected, found }) => {
                writeln!(f, "      at {}:{}, - expected, + found", case.file, case.line)?;
                difference(expected, found).lines().try_for_each(|line| writeln!(f, "      {line}"))
            }
            Err(error) => writeln!(f, "      at {}:{}, {error}", case.file, case.line),
        }
    }
}

/// Both texts as one, each line after a sign that says which it is from.
pub(super) fn difference(expected: &str, found: &str) -> String {
    let difference = TextDiff::from_lines(expected, found);
    let line = |tag, line: String| match tag {
        ChangeTag::Delete => format!("- {line}"),
        ChangeTag::Insert => format!("+ {line}"),
        ChangeTag::Equal => format!("  {line}"),
    };
    difference.iter_all_changes().map(|change| line(change.tag(), change.to_string())).collect()
}
