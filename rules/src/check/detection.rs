//! `detection`: its identifiers and its condition.

use super::condition;
use crate::{
    diagnostic::Notes,
    document::Document,
    shape,
    source::Span,
    spelling::near_miss,
    yaml::{Entry, Map, Node, Value},
};
use std::collections::BTreeSet;

/// Keys of `detection` that are no identifiers.
const RESERVED: [&str; 2] = ["condition", "timeframe"];

/// A map of selections with a condition over them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selections<'n> {
    pub(crate) map: &'n Map,
    /// For messages: `detection`, with the place of that word.
    pub(crate) word: &'n str,
    pub(crate) span: Span,
    /// Keys that are no identifiers.
    pub(crate) reserved: &'n [&'n str],
}

/// Checks everything but the selections, which the lowering reads.
pub(crate) fn check(document: &Document<'_>, detection: &Entry, notes: &mut Notes<'_>) {
    let Some(map) = shape::map(&detection.node, "`detection`", notes) else { return };
    if let Some(timeframe) = map.entry("timeframe") {
        let remedy = "write a correlation with `timespan` over this rule";
        notes.warning(timeframe.key_span, "`timeframe` is obsolete and has no effect", remedy);
    }
    let word = "`detection`";
    selections(document, Selections { map, word, span: detection.key_span, reserved: &RESERVED }, notes);
}

/// Checks a condition against the selections beside it.
pub(crate) fn selections(document: &Document<'_>, body: Selections<'_>, notes: &mut Notes<'_>) {
    let identifiers: Vec<&Entry> =
        body.map.entries.iter().filter(|entry| !body.reserved.contains(&entry.key.as_str())).collect();
    let Some(entry) = body.map.entry("condition") else {
        match identifiers.iter().find(|entry| near_miss(&entry.key, &["condition"]).is_some()) {
            Some(slip) => {
                let message = format!("unknown key `{}` looks like `condition`", slip.key);
                notes.error(slip.key_span, message, "did you mean `condition`?");
            }
            None => {
                let message = format!("{} without `condition`", body.word);
                notes.error(body.span, message, "add `condition: selection`");
            }
        }
        return;
    };
    let names: Vec<&str> = identifiers.iter().map(|entry| entry.key.as_str()).collect();
    let before = notes.list.len();
    let used = conditions(entry, &names, notes);
    if notes.list.len() > before {
        return;
    }
    for unused in identifiers.iter().filter(|entry| !used.contains(entry.key.as_str())) {
        let message = format!("`{}` is not used in the condition of {}", unused.key, document.label());
        notes.warning(unused.key_span, message, "use it in the condition, or remove it");
    }
}

/// Checks a condition, or each of a list, and tells which identifiers it uses.
pub(crate) fn conditions<'n>(entry: &Entry, names: &[&'n str], notes: &mut Notes<'_>) -> BTreeSet<&'n str> {
    let mut used = BTreeSet::new();
    let one = std::slice::from_ref(&entry.node);
    let conditions: &[Node] = match &entry.node.value {
        Value::List(items) => items,
        _ => one,
    };
    if conditions.is_empty() {
        notes.error(entry.key_span, "`condition` is an empty list", "name a selection");
    }
    for node in conditions {
        if let Some(text) = shape::text(node, "`condition`", notes) {
            condition::check(text, node.span, names, &mut used, notes);
        }
    }
    used
}
