//! The events of a test, repeats written out.

use crate::{
    diagnostic::Notes,
    quantity::{time_ms, time_text},
    shape,
    yaml::{Map, Node, Value, json},
};

/// Events of one test, after repeats: enough to cross every threshold that a person reads.
const EVENTS_MAX: usize = 10_000;

/// Bound on the text of the events of one test.
const EVENTS_BYTES_MAX: usize = 16 << 20;

/// Where time and id stand in an event.
#[derive(Debug, Clone)]
pub(crate) struct EventPaths {
    pub(crate) time: Vec<String>,
    pub(crate) id: Vec<String>,
}

/// The events of a test as JSON lines.
pub(crate) fn events(case: &Map, paths: &EventPaths, notes: &mut Notes<'_>) -> Option<Vec<String>> {
    match (case.entry("event"), case.entry("events")) {
        (Some(_), Some(both)) => {
            notes.error(both.key_span, "a test with `event` and `events`", "keep one of them");
            None
        }
        (Some(one), None) => {
            shape::map(&one.node, "`event`", notes)?;
            Some(vec![json(&one.node)])
        }
        (None, Some(several)) => {
            let items = shape::list(&several.node, "`events`", notes)?;
            let mut lines = Lines::default();
            for item in items {
                element(item, paths, &mut lines, notes)?;
            }
            Some(lines.list)
        }
        (None, None) => None,
    }
}

#[derive(Debug, Default)]
struct Lines {
    list: Vec<String>,
    bytes: usize,
}

impl Lines {
    fn add(&mut self, line: String, node: &Node, notes: &mut Notes<'_>) -> Option<()> {
        self.bytes += line.len();
        if self.list.len() >= EVENTS_MAX || self.bytes > EVENTS_BYTES_MAX {
            let message = format!("a test of more than {EVENTS_MAX} events or 16 MiB");
            notes.error(node.span, message, "repeat fewer");
            return None;
        }
        self.list.push(line);
        Some(())
    }
}

/// One element of `events`: an event, or `{repeat, every, event}`.
fn element(item: &Node, paths: &EventPaths, lines: &mut Lines, notes: &mut Notes<'_>) -> Option<()> {
    let map = shape::map(item, "an event", notes)?;
    let keys = ["repeat", "every", "event"];
    let event =
        map.get("event").filter(|_| map.entries.iter().all(|entry| keys.contains(&entry.key.as_str())));
    let Some(event) = event else {
        if let Some(repeat) = map.entry("repeat").filter(|_| map.get("event").is_some()) {
            let message = "`repeat` with other keys than `every` and `event`";
            notes.error(repeat.key_span, message, "move the other keys into `event`");
            return None;
        }
        return lines.add(json(item), item, notes);
    };
    shape::map(event, "`event`", notes)?;
    let Some(repeat) = map.get("repeat") else {
        if let Some(every) = map.entry("every") {
            notes.error(every.key_span, "`every` without `repeat`", "add `repeat:` with a number");
        }
        return lines.add(json(event), item, notes);
    };
    let copies = shape::natural(repeat, "`repeat`", notes)?;
    let every_ms = match map.get("every") {
        Some(node) => shape::duration(node, "`every`", notes)?,
        None => 0,
    };
    for copy in 0..copies {
        let mut moved = event.clone();
        shift(&mut moved, paths, copy, every_ms, notes)?;
        lines.add(json(&moved), repeat, notes)?;
    }
    Some(())
}

/// Moves the time of a copy, and tells its id apart so that copies are no duplicates.
fn shift(
    event: &mut Node,
    paths: &EventPaths,
    copy: u64,
    every_ms: u64,
    notes: &mut Notes<'_>,
) -> Option<()> {
    for path in &paths.id {
        if let Some(Node { value: Value::Text(id), .. }) = member(event, path) {
            id.push_str(&format!("-{copy}"));
        }
    }
    let shift_ms = i64::try_from(copy.saturating_mul(every_ms)).unwrap_or(i64::MAX);
    for path in paths.time.iter().filter(|_| every_ms > 0) {
        let Some(node) = member(event, path) else { continue };
        let moved = match &node.value {
            Value::Text(text) => {
                time_ms(text).and_then(|time| time_text(time.checked_add(shift_ms)?)).map(Value::Text)
            }
            Value::Number(number) => {
                let time = number.parse::<i64>().ok().and_then(|time| time.checked_add(shift_ms));
                time.map(|time| Value::Number(time.to_string()))
            }
            _ => None,
        };
        match moved {
            Some(value) => node.value = value,
            None => {
                let message = format!("`{path}` holds no time that `every` could move");
                notes.error(node.span, message, "write an RFC 3339 time such as `2024-01-31T12:00:00Z`");
                return None;
            }
        }
    }
    Some(())
}

/// The value at a path: a member whose key is the whole path, else the walk.
fn member<'e>(event: &'e mut Node, path: &str) -> Option<&'e mut Node> {
    let Value::Map(map) = &mut event.value else { return None };
    if let Some(whole) = map.entries.iter().position(|entry| entry.key == path) {
        return map.entries.get_mut(whole).map(|entry| &mut entry.node);
    }
    let (first, rest) = path.split_once('.')?;
    let inner = map.entries.iter_mut().find(|entry| entry.key == first)?;
    member(&mut inner.node, rest)
}
