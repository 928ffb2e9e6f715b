//! `tests` of a `tripwasm` block.

use super::{
    TestCase,
    events::{EventPaths, events},
    expectation::expectation,
};
use crate::{
    check::Kind,
    diagnostic::Notes,
    shape,
    source::Span,
    yaml::{Map, Node},
};
use std::collections::BTreeMap;
use tripwasm_plan::RuleIndex;

/// The rule that tests belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaseContext<'c> {
    pub(crate) kind: Kind,
    pub(crate) label: &'c str,
    pub(crate) rule: RuleIndex,
    pub(crate) paths: &'c EventPaths,
}

/// Reads every test of a document.
pub(crate) fn read(node: &Node, context: CaseContext<'_>, notes: &mut Notes<'_>) -> Vec<TestCase> {
    let Some(items) = shape::list(node, "`tests`", notes) else { return Vec::new() };
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let mut cases = Vec::new();
    for item in items {
        let Some(map) = shape::map(item, "a test", notes) else { continue };
        shape::known_keys(map, "a test", &["name", "event", "events", "expect"], notes);
        let case = case(map, item, context, notes);
        if let Some(name) = map.get("name").filter(|name| name.as_text().is_some()) {
            let text = name.as_text().unwrap_or_default();
            if let Some(earlier) = names.insert(text, name.span) {
                let message = format!("test `{text}` stands in line {} already", earlier.line);
                notes.error(name.span, message, "give each test of a rule its own name");
            }
        }
        cases.extend(case);
    }
    cases
}

fn case(map: &Map, item: &Node, context: CaseContext<'_>, notes: &mut Notes<'_>) -> Option<TestCase> {
    for (key, remedy) in [
        ("name", "add `name:` with what the test shows"),
        ("expect", "add `expect: match` or `expect: none`"),
    ] {
        if map.get(key).is_none() {
            notes.error(item.span, format!("a test without `{key}`"), remedy);
        }
    }
    if map.get("event").is_none() && map.get("events").is_none() {
        notes.error(item.span, "a test without `event` or `events`", "add the event that the test is about");
    }
    let name = map.get("name").and_then(|node| shape::text(node, "`name`", notes));
    let lines = events(map, context.paths, notes);
    let count = lines.as_ref().map_or(usize::MAX - 1, Vec::len);
    let expect = map.get("expect").and_then(|node| expectation(node, context.kind, count, notes));
    Some(TestCase {
        file: notes.source().path.to_owned(),
        line: map.get("name").unwrap_or(item).span.line,
        rule: context.label.to_owned(),
        rule_index: context.rule,
        name: name?.to_owned(),
        events: lines?,
        expect: expect?,
    })
}
