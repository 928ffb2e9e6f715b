//! `expect` of a test.

use super::{Expectation, ExpectedAlert, ExpectedMatches};
use crate::{
    check::Kind,
    diagnostic::Notes,
    quantity::time_ms,
    shape,
    yaml::{Map, Node, Value},
};
use std::collections::BTreeMap;
use tripwasm_plan::{Decimal, Timestamp};

const ALERT_KEYS: [&str; 9] =
    ["count", "group", "first", "last", "window", "values", "distinct", "measured", "exact"];

/// Reads `expect` of a test with so many events.
pub(crate) fn expectation(
    node: &Node,
    kind: Kind,
    events: usize,
    notes: &mut Notes<'_>,
) -> Option<Expectation> {
    if let Value::Text(_) = &node.value {
        let words = [("match", ExpectedWord::Match), ("none", ExpectedWord::None)];
        let word = shape::one_of(node, "`expect`", &words, notes)?;
        return match (word, kind) {
            (ExpectedWord::Match, Kind::Detection) => matches(ExpectedMatches::All),
            (ExpectedWord::None, Kind::Detection) => matches(ExpectedMatches::None),
            (ExpectedWord::None, Kind::Correlation) => {
                Some(Expectation { alerts: Some(Vec::new()), ..Expectation::default() })
            }
            (ExpectedWord::Match, Kind::Correlation) => {
                let remedy = "write `expect: { alerts: [{ count: 5 }] }`";
                notes.error(node.span, "`expect: match` of a correlation, which gives alerts", remedy);
                None
            }
        };
    }
    let map = shape::map(node, "`expect`", notes)?;
    shape::known_keys(map, "`expect`", &["matches", "alerts"], notes);
    if map.entries.is_empty() {
        notes.error(node.span, "`expect` checks nothing", "write `match`, `none`, `matches:` or `alerts:`");
        return None;
    }
    let matches = match map.get("matches") {
        Some(node) => Some(positions(node, events, notes)?),
        None => None,
    };
    let alerts = match map.entry("alerts") {
        Some(entry) if kind == Kind::Detection => {
            notes.error(
                entry.key_span,
                "`alerts` of a detection rule, which gives matches",
                "write `matches:`",
            );
            return None;
        }
        Some(entry) => {
            let items = shape::list(&entry.node, "`alerts`", notes)?;
            let alerts: Vec<_> = items.iter().map(|item| alert(item, notes)).collect();
            Some(alerts.into_iter().collect::<Option<Vec<_>>>()?)
        }
        None => None,
    };
    Some(Expectation { matches, alerts, ..Expectation::default() })
}

#[derive(Debug, Clone, Copy)]
enum ExpectedWord {
    Match,
    None,
}

fn matches(matches: ExpectedMatches) -> Option<Expectation> {
    Some(Expectation { matches: Some(matches), ..Expectation::default() })
}

fn positions(node: &Node, events: usize, notes: &mut Notes<'_>) -> Option<ExpectedMatches> {
    let Value::List(items) = &node.value else {
        let count = shape::natural(node, "`matches`", notes)?;
        in_range(count, events + 1, "matches", node, notes)?;
        return Some(ExpectedMatches::Count(count));
    };
    let mut positions = Vec::new();
    for item in items {
        let position = shape::natural(item, "a position in `matches`", notes)?;
        in_range(position, events, "position", item, notes)?;
        positions.push(position);
    }
    positions.sort_unstable();
    positions.dedup();
    Some(ExpectedMatches::Positions(positions))
}

fn in_range(number: u64, bound: usize, what: &str, node: &Node, notes: &mut Notes<'_>) -> Option<()> {
    if number < bound as u64 {
        return Some(());
    }
    let events = if what == "position" { bound } else { bound - 1 };
    let message = format!("{what} {number} in a test of {events} events");
    notes.error(node.span, message, "positions count from 0, after repeats are written out");
    None
}

fn alert(node: &Node, notes: &mut Notes<'_>) -> Option<ExpectedAlert> {
    let map = shape::map(node, "an expected alert", notes)?;
    shape::known_keys(map, "an expected alert", &ALERT_KEYS, notes);
    let before = notes.list.len();
    let mut expected = ExpectedAlert {
        count: map.get("count").and_then(|node| shape::natural(node, "`count`", notes)),
        first: time(map, "first", notes),
        last: time(map, "last", notes),
        measured: map.get("measured").and_then(|node| decimal(node, notes)),
        exact: map.get("exact").and_then(|node| shape::boolean(node, "`exact`", notes)),
        ..ExpectedAlert::default()
    };
    if let Some(window) = map.get("window").and_then(|node| shape::map(node, "`window`", notes)) {
        shape::known_keys(window, "`window`", &["start", "end"], notes);
        expected.window_start = time(window, "start", notes);
        expected.window_end = time(window, "end", notes);
    }
    expected.group = members(map, "group", notes, scalar);
    expected.distinct = members(map, "distinct", notes, shape::natural);
    expected.values = members(map, "values", notes, |node, what, notes| {
        let items = shape::list(node, what, notes)?;
        let mut values: Vec<String> =
            items.iter().map(|item| scalar(item, what, notes)).collect::<Option<_>>()?;
        values.sort();
        Some(values)
    });
    (notes.list.len() == before).then_some(expected)
}

fn members<T>(
    map: &Map,
    key: &str,
    notes: &mut Notes<'_>,
    read: impl Fn(&Node, &str, &mut Notes<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let inner = map.get(key).and_then(|node| shape::map(node, &format!("`{key}`"), notes));
    let mut all = BTreeMap::new();
    for entry in inner.iter().flat_map(|map| &map.entries) {
        let what = format!("`{}` in `{key}`", entry.key);
        if let Some(value) = read(&entry.node, &what, notes) {
            all.insert(entry.key.clone(), value);
        }
    }
    all
}

fn scalar(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<String> {
    let text = node.scalar_text();
    if text.is_none() {
        notes.error(
            node.span,
            format!("{what} has to be a value, this is {}", node.kind()),
            "write the value as text",
        );
    }
    text
}

/// A decimal number, which may be quoted: findings show it as text.
fn decimal(node: &Node, notes: &mut Notes<'_>) -> Option<String> {
    let text = match &node.value {
        Value::Number(text) | Value::Text(text) => text.as_str(),
        _ => "",
    };
    let number = Decimal::parse(text).map(|number| number.to_string());
    if number.is_none() {
        let message = format!("`measured` has to be a number; this is {}", node.described());
        notes.error(node.span, message, "write the number the alert tells, such as `1.5`");
    }
    number
}

fn time(map: &Map, key: &str, notes: &mut Notes<'_>) -> Option<Timestamp> {
    let node = map.get(key)?;
    let time = shape::text(node, &format!("`{key}`"), notes).map(time_ms)?;
    if time.is_none() {
        let message = format!("`{key}` is no time");
        notes.error(node.span, message, "write an RFC 3339 time such as `2024-01-31T12:00:00Z`");
    }
    time
}
