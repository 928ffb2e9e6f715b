//! rsigma's `rsigma.exemplars`, read as tests: example events that a rule carries.

use crate::{
    case::{CaseContext, Expectation, ExpectedMatches, TestCase},
    check::Kind,
    diagnostic::Notes,
    document::Document,
    quantity::time_text,
    shape,
    yaml::{Entry, Map, Node, Value, json},
};
use rsigma_parser::exemplar::EXEMPLARS_KEY;

/// What offsets count from: 2024-01-01T00:00:00Z.
const BASE_TIME_MS: i64 = 1_704_067_200_000;

const KEYS: [&str; 4] = ["name", "expect", "event", "events"];

/// The exemplars of a document, under `custom_attributes` or at its top. Their names differ from those of `tests`.
pub(crate) fn read(
    document: &Document<'_>,
    context: CaseContext<'_>,
    tests: &[TestCase],
    notes: &mut Notes<'_>,
) -> Vec<TestCase> {
    let Some(entry) = document.root.as_ref().and_then(entry_of) else { return Vec::new() };
    let Some(items) = shape::list(&entry.node, &format!("`{EXEMPLARS_KEY}`"), notes) else {
        return Vec::new();
    };
    if items.is_empty() {
        notes.error(entry.node.span, format!("`{EXEMPLARS_KEY}` is empty"), "list an exemplar, or remove it");
    }
    let mut cases: Vec<TestCase> = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let Some(case) = exemplar(item, number, context, notes) else { continue };
        if tests.iter().chain(&cases).any(|known| known.name == case.name) {
            let span = item.as_map().and_then(|map| map.get("name")).map_or(item.span, |name| name.span);
            let message = format!("a test of this rule is called `{}` already", case.name);
            notes.error(span, message, "give each test of a rule its own name");
        }
        cases.push(case);
    }
    cases
}

/// Those under `custom_attributes` win, as in rsigma.
pub(crate) fn entry_of(root: &Map) -> Option<&Entry> {
    let nested =
        root.get("custom_attributes").and_then(Node::as_map).and_then(|map| map.entry(EXEMPLARS_KEY));
    nested.or_else(|| root.entry(EXEMPLARS_KEY))
}

fn exemplar(item: &Node, number: usize, context: CaseContext<'_>, notes: &mut Notes<'_>) -> Option<TestCase> {
    let map = shape::map(item, "an exemplar", notes)?;
    shape::known_keys(map, "an exemplar", &KEYS, notes);
    let name = match map.get("name") {
        Some(node) => shape::text(node, "`name`", notes).map(|name| name.trim().to_owned()),
        None => Some(format!("exemplar {number}")),
    };
    if let (Some(""), Some(node)) = (name.as_deref(), map.get("name")) {
        notes.error(node.span, "an empty `name`", "say what the exemplar shows, or leave the key out");
    }
    if map.get("expect").is_none() {
        notes.error(item.span, "an exemplar without `expect`", "add `expect: match` or `expect: no-match`");
    }
    let words = [("match", Outcome::Match), ("no-match", Outcome::NoMatch)];
    let outcome = map.get("expect").and_then(|node| shape::one_of(node, "`expect`", &words, notes));
    let events = events(map, item, context, notes);
    Some(TestCase {
        file: notes.source().path.to_owned(),
        line: map.get("name").unwrap_or(item).span.line,
        rule: context.label.to_owned(),
        rule_index: context.rule,
        name: name?,
        events: events?,
        expect: expectation(outcome?, context.kind),
    })
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Match,
    NoMatch,
}

fn expectation(outcome: Outcome, kind: Kind) -> Expectation {
    let matches = |matches| Expectation { matches: Some(matches), ..Expectation::default() };
    match (kind, outcome) {
        (Kind::Detection, Outcome::Match) => matches(ExpectedMatches::All),
        (Kind::Detection, Outcome::NoMatch) => matches(ExpectedMatches::None),
        (Kind::Correlation, Outcome::Match) => Expectation { fires: true, ..Expectation::default() },
        (Kind::Correlation, Outcome::NoMatch) => {
            Expectation { alerts: Some(Vec::new()), ..Expectation::default() }
        }
    }
}

/// A detection has one event, a correlation a sequence in time.
fn events(map: &Map, item: &Node, context: CaseContext<'_>, notes: &mut Notes<'_>) -> Option<Vec<String>> {
    let (own, other) = match context.kind {
        Kind::Detection => ("event", "events"),
        Kind::Correlation => ("events", "event"),
    };
    if let Some(entry) = map.entry(other) {
        let kind = if context.kind == Kind::Detection { "a detection" } else { "a correlation" };
        notes.error(entry.key_span, format!("`{other}` in an exemplar of {kind}"), format!("write `{own}`"));
        return None;
    }
    let Some(node) = map.get(own) else {
        notes.error(item.span, format!("an exemplar without `{own}`"), "add what the rule is to see");
        return None;
    };
    if context.kind == Kind::Detection {
        shape::map(node, "`event`", notes)?;
        return Some(vec![json(node)]);
    }
    let items = shape::list(node, "`events`", notes)?;
    if items.is_empty() {
        notes.error(node.span, "`events` is empty", "list `{offset: 0s, event: {...}}`");
        return None;
    }
    let mut earlier = 0;
    let events: Vec<Option<String>> =
        items.iter().map(|item| timed_event(item, &mut earlier, context, notes)).collect();
    events.into_iter().collect()
}

/// An event at an offset; its time is written where the configuration looks for it first.
fn timed_event(
    item: &Node,
    earlier: &mut u64,
    context: CaseContext<'_>,
    notes: &mut Notes<'_>,
) -> Option<String> {
    let map = shape::map(item, "a timed event", notes)?;
    shape::known_keys(map, "a timed event", &["offset", "event"], notes);
    for key in ["offset", "event"] {
        if map.get(key).is_none() {
            notes.error(
                item.span,
                format!("a timed event without `{key}`"),
                "write `{offset: 0s, event: {...}}`",
            );
        }
    }
    let event = map.get("event").and_then(|node| shape::map(node, "`event`", notes));
    let offset = map.get("offset")?;
    let offset_ms = shape::duration(offset, "`offset`", notes)?;
    if offset_ms < *earlier {
        notes.error(offset.span, "an offset before that of the event above", "put events in order of time");
        return None;
    }
    *earlier = offset_ms;
    let time = i64::try_from(offset_ms).ok().and_then(|offset| BASE_TIME_MS.checked_add(offset));
    let Some(time) = time.and_then(time_text) else {
        notes.error(offset.span, "an offset beyond the year 9999", "write a shorter one");
        return None;
    };
    let path = context.paths.time.first()?;
    let mut event = event?.clone();
    // The whole path as one key wins over the walk, so the time is found wherever the event has one.
    event.entries.retain(|entry| entry.key != *path);
    let node = Node { span: offset.span, value: Value::Text(time) };
    event.entries.push(Entry { key: path.clone(), key_span: offset.span, node });
    Some(json(&Node { span: item.span, value: Value::Map(event) }))
}
