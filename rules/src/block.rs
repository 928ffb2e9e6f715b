//! The `tripwasm` block of a rule: what Sigma lacks.

use crate::{
    diagnostic::Notes,
    settings, shape,
    source::Span,
    yaml::{Map, Node},
};
use tripwasm_plan::{Action, Observed};

const KEYS: [&str; 10] =
    ["window", "gap", "fields", "strict", "forget", "learn", "suppress", "action", "alert", "tests"];

/// A `tripwasm` block. Every part keeps its place for later checks.
#[derive(Debug, Default)]
pub(crate) struct Block<'d> {
    pub(crate) window: Option<(WindowKind, Span)>,
    pub(crate) gap_ms: Option<(u64, Span)>,
    /// Calculated fields by name.
    pub(crate) fields: Option<&'d Map>,
    /// Fields whose comparisons keep JSON types.
    pub(crate) strict: Vec<(&'d str, Span)>,
    /// How long a first-seen group is remembered; the inner `None` is for ever.
    pub(crate) forget_ms: Option<(Option<u64>, Span)>,
    /// For how long a first-seen correlation learns in silence.
    pub(crate) learn_ms: Option<(u64, Span)>,
    /// For how long alerts of a group are left out after one.
    pub(crate) suppress_ms: Option<(u64, Span)>,
    pub(crate) action: Option<(Action, Span)>,
    /// Fields that alerts tell about, with the place of each name.
    pub(crate) observed: Vec<(Observed, Span)>,
    pub(crate) alert: Option<Span>,
    pub(crate) tests: Option<&'d Node>,
}

/// The word for how windows lie over events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowKind {
    Sliding,
    Tumbling,
    Anchored,
    Session,
}

impl<'d> Block<'d> {
    /// Reads the block of a document; a document without one has an empty block.
    pub(crate) fn read(document: &'d Map, notes: &mut Notes<'_>) -> Block<'d> {
        let mut block = Block::default();
        let Some(map) = document.get("tripwasm").and_then(|node| shape::map(node, "`tripwasm`", notes))
        else {
            return block;
        };
        shape::known_keys(map, "the `tripwasm` block", &KEYS, notes);
        block.window = window(map, notes);
        block.gap_ms = gap(map, notes);
        block.fields = map.get("fields").and_then(|node| shape::map(node, "`fields`", notes));
        if let Some(node) = map.get("strict") {
            block.strict = shape::texts(node, "`strict`", notes).unwrap_or_default();
        }
        block.forget_ms = entry(map, "forget", settings::forget, notes);
        block.learn_ms = entry(map, "learn", settings::learn, notes);
        block.suppress_ms = entry(map, "suppress", settings::suppress, notes);
        block.action = entry(map, "action", settings::action, notes);
        if let Some(node) = map.get("alert") {
            block.alert = map.entry("alert").map(|entry| entry.key_span);
            block.observed = alert(node, notes);
        }
        block.tests = map.get("tests");
        block
    }

    /// The calculation of a field that this block defines.
    pub(crate) fn field(&self, name: &str) -> Option<&'d Node> {
        self.fields.and_then(|fields| fields.get(name))
    }

    pub(crate) fn is_strict(&self, name: &str) -> bool {
        self.strict.iter().any(|&(strict, _)| strict == name)
    }
}

/// `window` of a `tripwasm` block.
fn window(map: &Map, notes: &mut Notes<'_>) -> Option<(WindowKind, Span)> {
    let words = [
        ("sliding", WindowKind::Sliding),
        ("tumbling", WindowKind::Tumbling),
        ("anchored", WindowKind::Anchored),
        ("session", WindowKind::Session),
    ];
    entry(map, "window", |node, notes| shape::one_of(node, "`window`", &words, notes), notes)
}

/// `gap` of a `tripwasm` block or a `correlation`.
pub(crate) fn gap(map: &Map, notes: &mut Notes<'_>) -> Option<(u64, Span)> {
    entry(map, "gap", |node, notes| shape::positive_duration(node, "`gap`", notes), notes)
}

/// `window` of a `correlation`, where Sigma's tools know three words.
pub(crate) fn correlation_window(map: &Map, notes: &mut Notes<'_>) -> Option<(WindowKind, Span)> {
    if let Some(node) = map.get("window").filter(|node| node.as_text() == Some("anchored")) {
        let message = "`window: anchored` is no word of Sigma's `correlation`";
        notes.error(node.span, message, "write it in the `tripwasm` block");
        return None;
    }
    window(map, notes)
}

fn entry<T>(
    map: &Map,
    key: &str,
    read: impl Fn(&Node, &mut Notes<'_>) -> Option<T>,
    notes: &mut Notes<'_>,
) -> Option<(T, Span)> {
    let entry = map.entry(key)?;
    read(&entry.node, notes).map(|value| (value, entry.key_span))
}

fn alert(node: &Node, notes: &mut Notes<'_>) -> Vec<(Observed, Span)> {
    let mut observed: Vec<(Observed, Span)> = Vec::new();
    let Some(map) = shape::map(node, "`alert`", notes) else { return observed };
    shape::known_keys(map, "`alert`", &["values", "distinct"], notes);
    for key in ["values", "distinct"] {
        let names = map.get(key).and_then(|node| shape::texts(node, &format!("`{key}`"), notes));
        for (name, span) in names.unwrap_or_default() {
            let known = observed.iter().position(|(known, _)| known.name == name);
            let at = known.unwrap_or(observed.len());
            if known.is_none() {
                observed.push((Observed { name: name.to_owned(), values: false, distinct: false }, span));
            }
            if let Some((field, _)) = observed.get_mut(at) {
                field.values |= key == "values";
                field.distinct |= key == "distinct";
            }
        }
    }
    observed
}
