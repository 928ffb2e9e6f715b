//! Filters that hide what a rule is to find: its own positive tests fail with them and pass without them.

use std::collections::BTreeSet;

use tripwasm::build::{Carried, Target, build};
use tripwasm::rule_test::{RuleTest, Verdict};
use tripwasm::{DetectorError, Module, Runtime};
use tripwasm_plan::Plan;
use tripwasm_rules::{AppliedFilter, ExpectedMatches, TestCase};

use crate::cli::rule_files::RuleSet;

/// One message for each test that filters hide.
pub(super) fn hidden_tests(
    runtime: &Runtime,
    set: &RuleSet,
    plan: &Plan,
    module: &Module,
) -> anyhow::Result<Vec<String>> {
    let filters = &set.compiled.filters;
    let tests = RuleTest::of(plan, &set.compiled.tests);
    let mut failed = Vec::new();
    for test in &tests {
        let of_test: Vec<&AppliedFilter> = filters.iter().filter(|filter| concerns(filter, test)).collect();
        if !of_test.is_empty() && is_positive(&test.case) && !passes(test, module)? {
            failed.push((test, of_test));
        }
    }
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    let passing = passing_without_filters(runtime, set)?;
    let hidden = failed.into_iter().filter(|(test, _)| passing.contains(&place(&test.case)));
    Ok(hidden.map(|(test, filters)| message(&test.case, &filters)).collect())
}

fn concerns(filter: &AppliedFilter, test: &RuleTest) -> bool {
    test.matched_by.iter().any(|rule| filter.rules.contains(rule))
}

/// Whether the test expects that something is found.
fn is_positive(case: &TestCase) -> bool {
    let expect = &case.expect;
    let matches = match &expect.matches {
        Some(ExpectedMatches::All) => true,
        Some(ExpectedMatches::Positions(positions)) => !positions.is_empty(),
        Some(ExpectedMatches::Count(count)) => *count > 0,
        Some(ExpectedMatches::None) | None => false,
    };
    matches || expect.fires || expect.alerts.as_ref().is_some_and(|alerts| !alerts.is_empty())
}

fn passes(test: &RuleTest, module: &Module) -> Result<bool, DetectorError> {
    Ok(test.run(module)? == Verdict::Passed)
}

/// Where a test stands and what it is called: the same with filters and without.
type Place = (String, u32, String);

fn place(case: &TestCase) -> Place {
    (case.file.clone(), case.line, case.name.clone())
}

/// The tests that pass in a module of the same rules without any filter.
fn passing_without_filters(runtime: &Runtime, set: &RuleSet) -> anyhow::Result<BTreeSet<Place>> {
    let bare = set.without_filters();
    let Some(plan) = &bare.compiled.plan else { return Ok(BTreeSet::new()) };
    let wasm = build(runtime, plan, Target::Component, Carried::Nothing)?;
    let module = Module::load(runtime, &wasm)?;
    let mut passing = BTreeSet::new();
    for test in RuleTest::of(plan, &bare.compiled.tests) {
        if is_positive(&test.case) && passes(&test, &module)? {
            passing.insert(place(&test.case));
        }
    }
    Ok(passing)
}

fn message(case: &TestCase, filters: &[&AppliedFilter]) -> String {
    let named: Vec<String> = filters
        .iter()
        .map(|filter| format!("`{}` ({}:{})", filter.label, filter.file, filter.line))
        .collect();
    let (noun, verb) = if named.len() == 1 { ("filter", "hides") } else { ("the filters", "hide") };
    format!(
        "{noun} {} {verb} what rule `{}` is to find: its test `{}` ({}:{}) fails with {} and passes without\n  \
         = help: narrow the condition, or correct the test",
        named.join(" and "),
        case.rule,
        case.name,
        case.file,
        case.line,
        if named.len() == 1 { "it" } else { "them" },
    )
}
