//! The members that every Sigma document has.

use super::{correlation, detection, filter, log_source};
use crate::{
    diagnostic::Notes,
    document::Document,
    settings::Settings,
    shape,
    spelling::{near_miss, suggestion},
    yaml::{Entry, Map},
};
use rsigma_parser::{exemplar::EXEMPLARS_KEY, version};

/// What a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Detection,
    Correlation,
}

const TEXTS: [&str; 7] = ["id", "name", "title", "description", "author", "license", "taxonomy"];

/// Bounds of the specification, in characters.
const LENGTHS_MAX: [(&str, usize); 3] = [("title", 256), ("taxonomy", 256), ("description", 65_535)];

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

/// Checks a document but for its `tripwasm` block; `None` if it makes no rule: a filter, or something in error.
pub(crate) fn document(document: &Document<'_>, settings: &Settings, notes: &mut Notes<'_>) -> Option<Kind> {
    let root = document.root.as_ref()?;
    let misspelt = misspelt_keys(root, notes);
    members(document, root, notes);
    if let Some(action) = root.entry("action") {
        refuse_action(action, notes);
        return None;
    }
    if let Some(correlation) = root.entry("correlation") {
        if let Some(detection) = root.entry("detection") {
            let message = "a document is a detection or a correlation, this is both";
            notes.error(detection.key_span, message, "split it with a line `---`");
        }
        if let Some(filter) = root.entry("filter") {
            let message = "a document is a correlation or a filter, this is both";
            notes.error(filter.key_span, message, "split it with a line `---`");
        }
        correlation::check(document, &correlation.node, notes);
        return Some(Kind::Correlation);
    }
    if let Some(filter) = root.entry("filter") {
        if let Some(detection) = root.entry("detection") {
            let message = "a document is a detection or a filter, this is both";
            notes.error(detection.key_span, message, "split it with a line `---`");
        }
        filter::check(document, filter, notes);
        log_source::of_filter(document, root, settings, notes);
        return None;
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
    log_source::of_rule(document, root, settings, notes);
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
        } else if entry.key.starts_with("rsigma.") && entry.key != EXEMPLARS_KEY {
            let remedy = "write what it means in the `tripwasm` block";
            notes.warning(entry.key_span, format!("`{}` has no effect here", entry.key), remedy);
        }
    }
    meant
}

fn refuse_action(action: &Entry, notes: &mut Notes<'_>) {
    match action.node.as_text() {
        Some("drop" | "tag") => {
            let remedy = "write it in the `tripwasm` block: `tripwasm: { action: drop }`";
            notes.error(action.key_span, "a top-level `action` is Sigma's word for collections", remedy);
        }
        Some(word) => {
            let message = format!("unknown collection action `{word}`");
            notes.error(action.node.span, message, suggestion(word, &["global", "repeat", "reset"]));
        }
        None => {
            let message = format!("`action` has to be a text, this is {}", action.node.kind());
            notes.error(action.node.span, message, "write `global`, `repeat` or `reset`");
        }
    }
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
    for (key, longest) in LENGTHS_MAX {
        let characters = root.get(key).and_then(|node| node.as_text()).map_or(0, |text| text.chars().count());
        if characters > longest {
            let message = format!("`{key}` of {characters} characters, the specification allows {longest}");
            notes.warning(document.key_span(key), message, "shorten it");
        }
    }
    sigma_version(root, notes);
    taxonomy(root, notes);
    if root.get("title").is_none() {
        let body = ["detection", "correlation", "filter"].into_iter().find(|key| root.get(key).is_some());
        notes.error(document.key_span(body.unwrap_or("detection")), "a rule without `title`", "add `title:`");
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

/// `sigma-version`: a major version, or a release such as `2.1.0`.
fn sigma_version(root: &Map, notes: &mut Notes<'_>) {
    let Some(node) = root.get("sigma-version") else { return };
    let major = node.scalar_text().and_then(|text| version::major_from_str(&text));
    match major {
        None => {
            let message = format!("`sigma-version` is no version: {}", node.described());
            notes.error(node.span, message, "write a major version such as `3`");
        }
        Some(major) if version::is_unsupported(Some(major)) => {
            let newest = version::SPEC_VERSION_SUPPORTED;
            let message = format!("Sigma {major} is not known here, the newest is {newest}");
            notes.error(node.span, message, format!("write the rule for `sigma-version: {newest}`"));
        }
        Some(_) => {}
    }
}

/// Names of another taxonomy mean nothing here until a configuration maps them.
fn taxonomy(root: &Map, notes: &mut Notes<'_>) {
    let other =
        root.entry("taxonomy").filter(|entry| entry.node.as_text().is_some_and(|word| word != "sigma"));
    if let Some(entry) = other {
        let message = "names of another taxonomy are taken as they stand";
        notes.note(entry.key_span, message, "map them in `fields` of a `--config` file");
    }
}
