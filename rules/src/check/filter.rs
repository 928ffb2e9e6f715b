//! `filter`: which rules it is for, its selections and its condition.

use super::detection::{self, Selections};
use crate::{
    diagnostic::Notes,
    document::Document,
    exemplar, shape,
    yaml::{Entry, Map},
};

/// Keys of `filter` that are no identifiers.
pub(crate) const RESERVED: [&str; 2] = ["rules", "condition"];

/// Keys of the `tripwasm` block that mean nothing to a filter.
const FOREIGN_KEYS: [(&str, &str); 8] = [
    ("tests", "write it in the rule that the filter is for: the filter applies there"),
    ("action", "write it in the rule that the filter is for"),
    ("window", "a filter has no windows"),
    ("gap", "a filter has no windows"),
    ("forget", "a filter has no memory"),
    ("learn", "a filter has no memory"),
    ("suppress", "a filter has no alerts"),
    ("alert", "a filter has no alerts"),
];

/// Checks everything but the selections, which the lowering reads.
pub(crate) fn check(document: &Document<'_>, filter: &Entry, notes: &mut Notes<'_>) {
    let Some(map) = shape::map(&filter.node, "`filter`", notes) else { return };
    rules(map, filter, notes);
    if map.entries.iter().all(|entry| RESERVED.contains(&entry.key.as_str())) {
        notes.error(filter.key_span, "`filter` without a selection", "add `selection:` with `field: value`");
    }
    let body = Selections { map, word: "`filter`", span: filter.key_span, reserved: &RESERVED };
    detection::selections(document, body, notes);
    polarity(map, notes);
    if let Some(entry) = document.root.as_ref().and_then(exemplar::entry_of) {
        notes.error(entry.key_span, "exemplars in a filter", "write them in the rule that the filter is for");
    }
    let Some(block) =
        document.root.as_ref().and_then(|root| root.get("tripwasm")).and_then(|node| node.as_map())
    else {
        return;
    };
    for (key, remedy) in FOREIGN_KEYS {
        if let Some(entry) = block.entry(key) {
            notes.error(entry.key_span, format!("`{key}` in a filter"), remedy);
        }
    }
}

/// `rules: any`, one name or id, or several.
fn rules(map: &Map, filter: &Entry, notes: &mut Notes<'_>) {
    let remedy = "list names or ids of rules, or write `rules: any`";
    let Some(node) = map.get("rules") else {
        return notes.error(filter.key_span, "`filter` without `rules`", remedy);
    };
    let Some(names) = shape::texts(node, "`rules`", notes) else { return };
    if names.is_empty() {
        notes.error(node.span, "`rules` is empty", remedy);
    }
    for (position, (name, span)) in names.iter().enumerate() {
        if names.iter().take(position).any(|(earlier, _)| earlier == name) {
            notes.error(*span, format!("`{name}` stands twice in `rules`"), "remove one of them");
        }
    }
}

/// A filter's condition is joined to the rule's with `and`, whatever the specification's example suggests.
fn polarity(map: &Map, notes: &mut Notes<'_>) {
    let Some(condition) = map.get("condition") else { return };
    let one = std::slice::from_ref(condition);
    for node in condition.as_list().unwrap_or(one) {
        let Some(text) = node.as_text() else { continue };
        if text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "not") {
            continue;
        }
        let message = format!("the filtered rules match only where `{text}` holds");
        let negated = if text.contains(' ') { format!("not ({text})") } else { format!("not {text}") };
        notes.warning(node.span, message, format!("write `{negated}` to leave out what it describes"));
    }
}
