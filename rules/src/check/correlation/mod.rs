//! `correlation`: what the parser drops in silence, and what it reads wrongly.

mod condition;

pub(crate) use condition::{OPERATORS, bound, percentile};

use crate::{
    diagnostic::Notes,
    document::Document,
    shape,
    spelling::suggestion,
    yaml::{Map, Node},
};
use condition::Demands;

const KEYS: [&str; 9] =
    ["type", "rules", "group-by", "timespan", "condition", "aliases", "window", "gap", "generate"];

const TYPES: [&str; 8] = [
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
];

/// Checks the shape of a correlation; the lowering resolves its names.
pub(crate) fn check(document: &Document<'_>, node: &Node, notes: &mut Notes<'_>) {
    let Some(map) = shape::map(node, "`correlation`", notes) else { return };
    for entry in map.entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let remedy = match entry.key.as_str() {
            "timeframe" => "did you mean `timespan`?".to_owned(),
            key => suggestion(key, &KEYS),
        };
        notes.error(entry.key_span, format!("unknown key `{}` in `correlation`", entry.key), remedy);
    }
    let kind = kind(document, map, notes);
    for key in ["rules", "timespan"] {
        if map.get(key).is_none() && !meant(map, key) {
            let message = format!("`correlation` without `{key}`");
            notes.error(document.key_span("correlation"), message, missing_remedy(key));
        }
    }
    for key in ["rules", "group-by"] {
        if let Some(node) = map.get(key) {
            distinct_texts(node, key, notes);
        }
    }
    if let Some(node) = map.get("timespan") {
        shape::positive_duration(node, "`timespan`", notes);
    }
    if let Some(node) = map.get("generate") {
        shape::boolean(node, "`generate`", notes);
    }
    if let Some(node) = map.get("aliases") {
        aliases(node, notes);
    }
    if let Some(kind) = kind {
        condition::check(document, map, &Demands::of(kind), notes);
    }
}

fn kind<'d>(document: &Document<'_>, map: &'d Map, notes: &mut Notes<'_>) -> Option<&'d str> {
    let Some(node) = map.get("type") else {
        let message = "`correlation` without `type`";
        notes.error(
            document.key_span("correlation"),
            message,
            format!("add `type:` with one of {}", TYPES.join(", ")),
        );
        return None;
    };
    shape::one_of(node, "`type`", &TYPES.map(|word| (word, ())), notes)?;
    node.as_text()
}

/// Whether some unknown key was reported as a slip for `key`.
fn meant(map: &Map, key: &str) -> bool {
    let unknown = map.entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str()));
    unknown.into_iter().any(|entry| {
        (entry.key == "timeframe" && key == "timespan")
            || suggestion(&entry.key, &KEYS).contains(&format!("`{key}`"))
    })
}

fn missing_remedy(key: &str) -> &'static str {
    match key {
        "rules" => "list the names or ids of rules under `rules:`",
        _ => "add the length of a window, such as `timespan: 1h`",
    }
}

fn distinct_texts(node: &Node, key: &str, notes: &mut Notes<'_>) {
    let Some(texts) = shape::texts(node, &format!("`{key}`"), notes) else { return };
    if texts.is_empty() && key == "rules" {
        notes.error(node.span, "`rules` is empty", missing_remedy(key));
    }
    for (position, (text, span)) in texts.iter().enumerate() {
        if texts.iter().take(position).any(|(earlier, _)| earlier == text) {
            notes.error(*span, format!("`{text}` stands twice in `{key}`"), "remove one of them");
        }
    }
}

fn aliases(node: &Node, notes: &mut Notes<'_>) {
    let Some(map) = shape::map(node, "`aliases`", notes) else { return };
    for entry in &map.entries {
        let what = format!("alias `{}`", entry.key);
        let Some(fields) = shape::map(&entry.node, &what, notes) else { continue };
        for field in &fields.entries {
            shape::text(&field.node, &format!("the field of {what} in rule `{}`", field.key), notes);
        }
    }
}
