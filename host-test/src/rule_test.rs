//! The rules' own tests, run inside the finished module, the way a pipeline runs it.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use tripwasm_plan::{Logic, Plan, RuleIndex};
use tripwasm_rules::{ExpectedAlert, ExpectedMatches, TestCase};

use crate::bindings::detector::{AlertFinding, AlertState};
use crate::{Detector, DetectorError, DetectorOptions, Module, rfc3339};

/// Events of a test may be years apart; none of them is late.
const LATENESS_MS: u64 = 4000 * 24 * 60 * 60 * 1000;

/// A test of a rule, ready to run on a module that holds the rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTest {
    /// The test as the rule has it.
    pub case: TestCase,
    /// The detection rules whose matches it is about: the rule itself, or those under a correlation.
    pub matched_by: Vec<RuleIndex>,
}

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the rule says.
    Passed,
    /// What was expected and what was found, each as lines, to be compared.
    Failed {
        /// What the test says.
        expected: String,
        /// The same of what the module did.
        found: String,
    },
}

impl RuleTest {
    /// The tests of a plan's rules.
    pub fn of(plan: &Plan, cases: &[TestCase]) -> Vec<RuleTest> {
        let test = |case: &TestCase| RuleTest {
            case: case.clone(),
            matched_by: detections_under(plan, case.rule_index).into_iter().collect(),
        };
        cases.iter().map(test).collect()
    }

    /// Runs the test in an instance of its own.
    pub fn run(&self, module: &Module) -> Result<Verdict, DetectorError> {
        let mut options = DetectorOptions::of(module);
        options.options.lateness_ms = LATENESS_MS;
        let mut detector = Detector::new(module, options)?;
        let mut matches = Vec::new();
        let mut alerts = Vec::new();
        for (position, event) in (0u64..).zip(&self.case.events) {
            let before = self.matched(&mut detector);
            let line = format!("{event}\n");
            let report = detector.evaluate(line.as_bytes(), position, None)?;
            alerts.extend(report.alerts);
            if self.matched(&mut detector) > before {
                matches.push(position);
            }
        }
        alerts.extend(detector.close(i64::MAX)?);
        alerts.retain(|alert| alert.state == AlertState::Closed && alert.rule == self.case.rule_index.0);
        alerts.sort_by(|left, right| (left.window_start, &left.id).cmp(&(right.window_start, &right.id)));
        Ok(self.verdict(&matches, &alerts))
    }

    /// Matches so far; counted by the module, so that rules that report nothing can be tested too.
    fn matched(&self, detector: &mut Detector) -> u64 {
        let counts = detector.statistics();
        self.matched_by
            .iter()
            .filter_map(|rule| counts.rules.get(rule.0 as usize))
            .map(|rule| rule.matched)
            .sum()
    }

    fn verdict(&self, matches: &[u64], alerts: &[AlertFinding]) -> Verdict {
        let (mut expected, mut found) = (String::new(), String::new());
        if let Some(wanted) = &self.case.expect.matches {
            let all: Vec<u64> = (0..self.case.events.len() as u64).collect();
            let (wanted, got) = match wanted {
                ExpectedMatches::All => (format!("{all:?}"), format!("{matches:?}")),
                ExpectedMatches::None => ("[]".to_owned(), format!("{matches:?}")),
                ExpectedMatches::Positions(positions) => (format!("{positions:?}"), format!("{matches:?}")),
                ExpectedMatches::Count(count) => (count.to_string(), matches.len().to_string()),
            };
            push_line(&mut expected, "matches", &wanted);
            push_line(&mut found, "matches", &got);
        }
        if self.case.expect.fires {
            push_line(&mut expected, "alerts", "at least one");
            push_line(&mut found, "alerts", if alerts.is_empty() { "none" } else { "at least one" });
        }
        if let Some(wanted) = &self.case.expect.alerts {
            push_line(&mut expected, "alerts", wanted.len());
            push_line(&mut found, "alerts", alerts.len());
            for number in 0..wanted.len().max(alerts.len()) {
                // What the test does not mention is shown only of alerts that it does not expect.
                let keys = wanted.get(number);
                if let Some(wanted) = keys {
                    push_expected(&mut expected, number, wanted);
                }
                if let Some(alert) = alerts.get(number) {
                    push_found(&mut found, number, alert, keys);
                }
            }
        }
        if expected == found { Verdict::Passed } else { Verdict::Failed { expected, found } }
    }
}

fn detections_under(plan: &Plan, rule: RuleIndex) -> BTreeSet<RuleIndex> {
    let mut seen = BTreeSet::new();
    let mut open = vec![rule];
    while let Some(index) = open.pop() {
        if seen.insert(index)
            && let Some(Logic::Correlation(correlation)) =
                plan.rules.get(index.0 as usize).map(|rule| &rule.logic)
        {
            open.extend(correlation.sources.iter().map(|source| source.rule));
        }
    }
    seen.retain(|index| {
        matches!(plan.rules.get(index.0 as usize).map(|rule| &rule.logic), Some(Logic::Detection(_)))
    });
    seen
}

fn push_line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name}: {value}");
}

fn time(ms: i64) -> String {
    rfc3339(ms).unwrap_or_else(|| format!("{ms} ms"))
}

fn push_expected(text: &mut String, number: usize, alert: &ExpectedAlert) {
    push_line(text, "alert", number);
    for (field, value) in &alert.group {
        push_line(text, &format!("  group {field}"), value);
    }
    if let Some(count) = alert.count {
        push_line(text, "  count", count);
    }
    let times = [
        ("  first", alert.first),
        ("  last", alert.last),
        ("  window start", alert.window_start),
        ("  window end", alert.window_end),
    ];
    for (name, ms) in times {
        if let Some(ms) = ms {
            push_line(text, name, time(ms));
        }
    }
    for (field, values) in &alert.values {
        push_line(text, &format!("  values {field}"), format!("{values:?}"));
    }
    for (field, count) in &alert.distinct {
        push_line(text, &format!("  distinct {field}"), count);
    }
    if let Some(measured) = &alert.measured {
        push_line(text, "  measured", measured);
    }
    if let Some(exact) = alert.exact {
        push_line(text, "  exact", exact);
    }
}

/// The alert's figures that `keys` mentions; all without `keys`.
fn push_found(text: &mut String, number: usize, alert: &AlertFinding, keys: Option<&ExpectedAlert>) {
    let group =
        alert.group.iter().filter(|member| keys.is_none_or(|keys| keys.group.contains_key(&member.field)));
    let seen = alert.observations.iter();
    let values = seen.clone().filter(|seen| keys.is_none_or(|keys| keys.values.contains_key(&seen.field)));
    let distinct = seen.filter(|seen| keys.is_none_or(|keys| keys.distinct.contains_key(&seen.field)));
    let mentioned = |key: fn(&ExpectedAlert) -> bool, value: i64| keys.is_none_or(key).then_some(value);
    let found = ExpectedAlert {
        count: keys.is_none_or(|keys| keys.count.is_some()).then_some(alert.count),
        group: group.map(|member| (member.field.clone(), member.value.clone())).collect(),
        first: mentioned(|keys| keys.first.is_some(), alert.first),
        last: mentioned(|keys| keys.last.is_some(), alert.last),
        window_start: mentioned(|keys| keys.window_start.is_some(), alert.window_start),
        window_end: mentioned(|keys| keys.window_end.is_some(), alert.window_end),
        values: values.filter_map(|seen| Some((seen.field.clone(), seen.values.clone()?))).collect(),
        distinct: distinct.filter_map(|seen| Some((seen.field.clone(), seen.distinct?))).collect(),
        measured: alert.measured.clone().filter(|_| keys.is_none_or(|keys| keys.measured.is_some())),
        exact: keys.is_none_or(|keys| keys.exact.is_some()).then_some(alert.uncounted == 0),
    };
    push_expected(text, number, &found);
}
