//! Whether an outcome is what a case expects, said in words a case's author can read.

use crate::case::{Build, Expect, ExpectedAlert, ExpectedCounts, Message};
use crate::engines::{Arrival, Run};
use std::collections::BTreeMap;
use std::fmt::Debug;
use tripwasm_engine::RuleStatistics;
use tripwasm_engine::finding::{Alert, Reason};
use tripwasm_plan::{Decimal, Logic, Plan, RuleIndex, Timestamp};
use tripwasm_rules::{Compiled, Diagnostic, Severity};

/// Every difference between what comes out and what a case expects; none if they agree.
pub fn differences(expect: &Expect, run: &Run, plan: &Plan) -> Vec<String> {
    let outcome = &run.outcome;
    let mut differences = Vec::new();
    let opening = expect.opened.iter().flat_map(BTreeMap::keys);
    let named = expect.matches.keys().chain(expect.alerts.iter().map(|alert| &alert.rule));
    for label in named.chain(opening).chain(expect.counts.keys()) {
        if !plan.rules.iter().any(|rule| rule.label() == label) {
            differences.push(format!("there is no rule {label}"));
        }
    }
    let mut matches: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for found in &outcome.matches {
        matches.entry(label(plan, found.rule)).or_default().push(found.event);
    }
    let mut wanted = expect.matches.clone();
    wanted.retain(|_, positions| !positions.is_empty());
    compare("matches", &wanted, &matches, &mut differences);
    let mut rejected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for remark in &outcome.remarks {
        rejected.entry(word(remark.reason).to_owned()).or_default().push(remark.event);
    }
    compare("rejected", &expect.rejected, &rejected, &mut differences);
    if expect.alerts.len() != outcome.closed.len() {
        let found: Vec<_> = outcome.closed.iter().map(|alert| summary(alert, plan)).collect();
        differences.push(format!("{} alerts expected, found {found:#?}", expect.alerts.len()));
        return differences;
    }
    for (at, (wanted, found)) in expect.alerts.iter().zip(&outcome.closed).enumerate() {
        compare_alert(&format!("alert {at}"), wanted, found, plan, &mut differences);
    }
    if let Some(arrival) = &run.arrival {
        compare_arrival(expect, arrival, plan, &mut differences);
    }
    differences
}

/// Every difference between what the compiler says and what a case expects.
pub fn build_differences(build: &Build, compiled: &Compiled) -> Vec<String> {
    let mut differences = Vec::new();
    let says = |message: &Message, found: &Diagnostic| {
        let words = format!("{} {}", found.message, found.remedy.as_deref().unwrap_or_default());
        found.line == message.line && words.contains(&message.says)
    };
    let of = |severity| compiled.diagnostics.iter().filter(move |found| found.severity == severity);
    let shown = |found: Vec<&Diagnostic>| found.iter().map(ToString::to_string).collect::<String>();
    let errors: Vec<_> = of(Severity::Error).collect();
    let agree = errors.len() == build.refused.len()
        && build.refused.iter().zip(&errors).all(|(message, found)| says(message, found));
    if !agree {
        differences.push(format!("errors: expected {:?}, found\n{}", build.refused, shown(errors)));
    }
    for message in &build.warned {
        if !of(Severity::Warning).any(|found| says(message, found)) {
            let warnings = shown(of(Severity::Warning).collect());
            differences.push(format!("warnings: expected {message:?}, found\n{warnings}"));
        }
    }
    compare("built", &build.refused.is_empty(), &compiled.plan.is_some(), &mut differences);
    differences
}

/// The contract's word for a reason.
pub fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Empty => "empty",
        Reason::NotUtf8 => "not-utf8",
        Reason::Malformed => "malformed",
        Reason::NotAnObject => "not-an-object",
        Reason::TooLarge => "too-large",
        Reason::TooDeep => "too-deep",
        Reason::DuplicateKey => "duplicate-key",
        Reason::TaggedBefore => "tagged-before",
    }
}

/// The label of a plan's rule.
pub fn label(plan: &Plan, rule: RuleIndex) -> String {
    let rule = usize::try_from(rule.0).ok().and_then(|at| plan.rules.get(at));
    rule.map_or_else(|| "a rule outside the plan".to_owned(), |rule| rule.label().to_owned())
}

/// RFC 3339 in UTC, as findings show it.
pub fn rfc3339(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time).map_or_else(|_| format!("{time} ms"), |time| time.to_string())
}

fn compare_arrival(expect: &Expect, arrival: &Arrival, plan: &Plan, differences: &mut Vec<String>) {
    if let Some(wanted) = &expect.opened {
        let found = arrival.opened.iter();
        let found = found.map(|(rule, events)| (label(plan, *rule), events.iter().copied().collect()));
        compare("opened", wanted, &found.collect(), differences);
    }
    for (wanted, expected) in &expect.counts {
        let rules = plan.rules.iter().zip(&arrival.counts).filter(|(rule, _)| rule.label() == wanted);
        for (_, found) in rules {
            compare_counts(&format!("counts of {wanted}"), expected, found, differences);
        }
    }
}

fn compare_counts(
    place: &str,
    wanted: &ExpectedCounts,
    found: &RuleStatistics,
    differences: &mut Vec<String>,
) {
    let mut check = Check { place, differences };
    check.of("matched", &wanted.matched, || found.matched);
    check.of("late", &wanted.late, || found.late);
    check.of("ungrouped", &wanted.ungrouped, || found.ungrouped);
    check.of("duplicate", &wanted.duplicate, || found.duplicate);
}

fn compare_alert(
    place: &str,
    wanted: &ExpectedAlert,
    found: &Alert,
    plan: &Plan,
    differences: &mut Vec<String>,
) {
    let correlation = usize::try_from(found.rule.0).ok().and_then(|at| match &plan.rules.get(at)?.logic {
        Logic::Correlation(correlation) => Some(correlation),
        Logic::Detection(_) => None,
    });
    let group_by = correlation.map_or(&[][..], |correlation| &correlation.group_by);
    let observed = correlation.map_or(&[][..], |correlation| &correlation.observed);
    compare(&format!("rule of {place}"), &wanted.rule, &label(plan, found.rule), differences);
    let mut check = Check { place, differences };
    check.of("count", &wanted.count, || found.count);
    let group = || group_by.iter().cloned().zip(found.group.iter().cloned()).collect();
    check.of("group", &wanted.group, group);
    check.of("first", &wanted.first, || rfc3339(found.first));
    check.of("last", &wanted.last, || rfc3339(found.last));
    let window = wanted.window.as_ref().map(|window| (window.start.clone(), window.end.clone()));
    check.of("window", &window, || (rfc3339(found.window_start), rfc3339(found.window_end)));
    let observations = || observed.iter().zip(&found.observations);
    check.of("values", &wanted.values, || {
        let listed = observations().filter(|(observed, _)| observed.values);
        listed.map(|(observed, found)| (observed.name.clone(), found.values.clone())).collect()
    });
    check.of("distinct", &wanted.distinct, || {
        let counted = observations().filter(|(observed, _)| observed.distinct);
        counted.map(|(observed, found)| (observed.name.clone(), found.distinct)).collect()
    });
    check.of("events", &wanted.events, || found.events.iter().map(|event| event.event).collect());
    check.of("measured", &wanted.measured.clone().map(Some), || {
        found.measured.as_ref().map(Decimal::to_string)
    });
    check.of("uncounted", &wanted.uncounted, || found.uncounted);
    check.of("truncated", &wanted.truncated, || found.truncated);
}

/// Compares what an expected alert mentions.
struct Check<'a> {
    place: &'a str,
    differences: &'a mut Vec<String>,
}

impl Check<'_> {
    fn of<T: PartialEq + Debug>(&mut self, what: &str, wanted: &Option<T>, found: impl Fn() -> T) {
        if let Some(wanted) = wanted {
            compare(&format!("{what} of {}", self.place), wanted, &found(), self.differences);
        }
    }
}

fn compare<T: PartialEq + Debug>(what: &str, wanted: &T, found: &T, differences: &mut Vec<String>) {
    if wanted != found {
        differences.push(format!("{what}: expected {wanted:?}, found {found:?}"));
    }
}

fn summary(alert: &Alert, plan: &Plan) -> String {
    let (rule, group, count) = (label(plan, alert.rule), &alert.group, alert.count);
    format!("{rule} {group:?} {count} from {} to {}", rfc3339(alert.window_start), rfc3339(alert.window_end))
}
