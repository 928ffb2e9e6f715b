//! The members that every Sigma document has.

use super::{correlation, detection};
use crate::{
    diagnostic::Notes,
    document::Document,
    settings::{LogSource, Settings},
    shape,
    spelling::near_miss,
    yaml::Map,
};

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Detection,
    Correlation,
}

const TEXTS: [&str; 7] = ["id", "name", "title", "description", "author", "license", "taxonomy"];

const KEYS: [&str; 26] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "generate",
    "action",
    "sigma-version",
    "custom_attributes",
    "tripwasm",
];

/// Checks a document but for its `tripwasm` block; `None` if it is of no kind that can be built.
pub(crate) fn document(document: &Document<'_>, settings: &Settings, notes: &mut Notes<'_>) -> Option<Kind> {
    let root = document.root.as_ref()?;
    let misspelt = misspelt_keys(root, notes);
    members(document, root, notes);
    if let Some(action) = root.entry("action") {
        match action.node.as_text() {
            Some("drop" | "tag") => {
                let remedy = "write it in the `tripwasm` block: `tripwasm: { action: drop }`";
                notes.error(action.key_span, "a top-level `action` is Sigma's word for collections", remedy);
            }
            _ => notes.unsupported(action.key_span, "a collection `action` (global, reset, repeat)"),
        }
        return None;
    }
    if let Some(filter) = root.entry("filter") {
        notes.unsupported(filter.key_span, "a Sigma filter");
        return None;
    }
    if let Some(correlation) = root.entry("correlation") {
        if let Some(detection) = root.entry("detection") {
            let message = "a document is a detection or a correlation, this is both";
            notes.error(detection.key_span, message, "split it with a line `---`");
        }
        correlation::check(document, &correlation.node, notes);
        return Some(Kind::Correlation);
    }
    match root.entry("detection") {
        Some(entry) => detection::check(document, entry, notes),
        None if misspelt.contains(&"detection") || misspelt.contains(&"correlation") => return None,
        None => {
            let message = "a document without `detection` or `correlation`";
            notes.error(document.key_span("title"), message, "add `detection:` with a `condition:`");
            return None;
        }
    }
    log_source(document, root, settings, notes);
    if let Some(entry) = root.entry("generate") {
        notes.warning(
            entry.key_span,
            "`generate` means nothing outside a correlation",
            "move it to the correlation",
        );
    }
    Some(Kind::Detection)
}

/// Other keys are attributes of the author's own, unless they are a slip.
fn misspelt_keys<'k>(root: &Map, notes: &mut Notes<'_>) -> Vec<&'k str> {
    let mut meant = Vec::new();
    for entry in root.entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        if let Some(near) = near_miss(&entry.key, &KEYS) {
            let message = format!("unknown key `{}` looks like `{near}`", entry.key);
            notes.error(entry.key_span, message, format!("did you mean `{near}`?"));
            meant.push(near);
        } else if entry.key.starts_with("rsigma.") {
            let remedy = "write what it means in the `tripwasm` block";
            notes.warning(entry.key_span, format!("`{}` has no effect here", entry.key), remedy);
        }
    }
    meant
}

fn members(document: &Document<'_>, root: &Map, notes: &mut Notes<'_>) {
    for key in TEXTS {
        if let Some(node) = root.get(key)
            && let Some(text) = shape::text(node, &format!("`{key}`"), notes)
            && text.trim().is_empty()
        {
            notes.error(node.span, format!("`{key}` is empty"), "write it, or leave the key out");
        }
    }
    if root.get("title").is_none() {
        notes.error(document.key_span("detection"), "a rule without `title`", "add `title:`");
    }
    let levels = ["informational", "low", "medium", "high", "critical"].map(|word| (word, ()));
    if let Some(node) = root.get("level") {
        shape::one_of(node, "`level`", &levels, notes);
    }
    let states = ["stable", "test", "experimental", "deprecated", "unsupported"].map(|word| (word, ()));
    if let Some(node) = root.get("status") {
        shape::one_of(node, "`status`", &states, notes);
    }
    if let Some(node) = root.get("tags") {
        shape::texts(node, "`tags`", notes);
    }
    if let Some(node) = root.get("generate") {
        shape::boolean(node, "`generate`", notes);
    }
}

fn log_source(document: &Document<'_>, root: &Map, settings: &Settings, notes: &mut Notes<'_>) {
    let Some(node) = root.get("logsource") else { return };
    let Some(map) = shape::map(node, "`logsource`", notes) else { return };
    let known = ["product", "service", "category", "definition"];
    for entry in map.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        if let Some(near) = near_miss(&entry.key, &known) {
            let message = format!("unknown key `{}` in `logsource`", entry.key);
            return notes.error(entry.key_span, message, format!("did you mean `{near}`?"));
        }
    }
    let own = LogSource::read(map, notes);
    let word = |word: &str| Some(word.to_owned());
    let cloudtrail = LogSource { product: word("aws"), service: word("cloudtrail"), category: None };
    let none = LogSource { product: None, service: None, category: None };
    let further = settings.logsources.as_deref().unwrap_or_default();
    if own == none || own == cloudtrail || further.iter().any(|accepted| accepted.accepts(&own)) {
        return;
    }
    let parts = [("product", &own.product), ("service", &own.service), ("category", &own.category)];
    let parts = parts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}: {value}")));
    let message =
        format!("a rule for other events than CloudTrail's ({})", parts.collect::<Vec<_>>().join(", "));
    let remedy =
        "write `product: aws` and `service: cloudtrail`, or accept it in `logsources` of a `--config` file";
    notes.error(document.key_span("logsource"), message, remedy);
}
