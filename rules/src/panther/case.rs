//! `Tests` of a Panther rule.

use crate::{
    diagnostic::Notes,
    shape,
    yaml::{Map, Node},
};
use std::collections::HashSet;

/// A test: one event, and whether the rule holds for it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) event: Node,
    pub(super) expected: bool,
}

/// Reads the tests; Panther asks each rule about one event.
pub(super) fn cases(node: &Node, notes: &mut Notes<'_>) -> Option<Vec<Case>> {
    let items = shape::list(node, "`Tests`", notes)?;
    let mut names = HashSet::new();
    let mut cases = Vec::new();
    let mut complete = true;
    for (number, item) in (1..).zip(items) {
        let Some(mut case) = shape::map(item, "a test", notes).and_then(|map| case(map, item, number, notes))
        else {
            complete = false;
            continue;
        };
        if !names.insert(case.name.clone()) {
            case.name = format!("{} ({number})", case.name);
            names.insert(case.name.clone());
        }
        cases.push(case);
    }
    complete.then_some(cases)
}

fn case(map: &Map, item: &Node, number: usize, notes: &mut Notes<'_>) -> Option<Case> {
    if let Some(mocks) = map.entry("Mocks") {
        let message = "a test with `Mocks`, which stand in for Python functions";
        notes.error(mocks.key_span, message, "remove the test, or its mocks if the rule does not need them");
        return None;
    }
    let name = match map.get("Name") {
        Some(name) => shape::text(name, "`Name`", notes)?.trim().to_owned(),
        None => format!("test {number}"),
    };
    let name = if name.is_empty() { format!("test {number}") } else { name };
    let missing = |key: &str, notes: &mut Notes<'_>| {
        notes.error(item.span, format!("test `{name}` without `{key}`"), format!("add `{key}:`"));
    };
    let Some(expected) = map.get("ExpectedResult") else {
        missing("ExpectedResult", notes);
        return None;
    };
    let expected = shape::boolean(expected, "`ExpectedResult`", notes)?;
    let Some(event) = map.get("Log") else {
        missing("Log", notes);
        return None;
    };
    shape::map(event, "`Log`", notes)?;
    Some(Case { name, event: event.clone(), expected })
}
