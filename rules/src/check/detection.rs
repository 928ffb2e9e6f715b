//! `detection`: its identifiers and its condition.

use super::condition;
use crate::{
    diagnostic::Notes,
    document::Document,
    shape,
    spelling::near_miss,
    yaml::{Entry, Node, Value},
};
use std::collections::BTreeSet;

/// Keys of `detection` that are no identifiers.
const RESERVED: [&str; 2] = ["condition", "timeframe"];

/// Checks everything but the selections, which the lowering reads.
pub(crate) fn check(document: &Document<'_>, detection: &Entry, notes: &mut Notes<'_>) {
    let Some(map) = shape::map(&detection.node, "`detection`", notes) else { return };
    if let Some(timeframe) = map.entry("timeframe") {
        let remedy = "write a correlation with `timespan` over this rule";
        notes.warning(timeframe.key_span, "`timeframe` is obsolete and has no effect", remedy);
    }
    let identifiers: Vec<&Entry> =
        map.entries.iter().filter(|entry| !RESERVED.contains(&entry.key.as_str())).collect();
    let Some(entry) = map.entry("condition") else {
        match identifiers.iter().find(|entry| near_miss(&entry.key, &RESERVED) == Some("condition")) {
            Some(slip) => {
                let message = format!("unknown key `{}` looks like `condition`", slip.key);
                notes.error(slip.key_span, message, "did you mean `condition`?");
            }
            None => notes.error(
                detection.key_span,
                "`detection` without `condition`",
                "add `condition: selection`",
            ),
        }
        return;
    };
    let names: Vec<&str> = identifiers.iter().map(|entry| entry.key.as_str()).collect();
    let mut used = BTreeSet::new();
    let one = std::slice::from_ref(&entry.node);
    let conditions: &[Node] = match &entry.node.value {
        Value::List(items) => items,
        _ => one,
    };
    if conditions.is_empty() {
        notes.error(entry.key_span, "`condition` is an empty list", "name a selection");
    }
    let before = notes.list.len();
    for node in conditions {
        if let Some(text) = shape::text(node, "`condition`", notes) {
            condition::check(text, node.span, &names, &mut used, notes);
        }
    }
    if notes.list.len() > before {
        return;
    }
    for unused in identifiers.iter().filter(|entry| !used.contains(entry.key.as_str())) {
        let message = format!("`{}` is not used in the condition of {}", unused.key, document.label());
        notes.warning(unused.key_span, message, "use it in the condition, or remove it");
    }
}
