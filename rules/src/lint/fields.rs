//! Fields and comparisons of a document, one by one.

use super::cloudtrail::{self, Kind};
use crate::{
    check::{self, is_cloudtrail},
    diagnostic::Notes,
    lower::{Brackets, Comparison, Draft, FieldPath, FieldTest, read_path},
    settings::Settings,
    source::Span,
    yaml::{Entry, Map, Node, Value},
};
use tripwasm_plan::CaseRule;

/// Looks at the selections of a detection or a filter, and at the fields of a correlation over `bases`.
pub(crate) fn fields(draft: &Draft<'_>, bases: &[&Draft<'_>], settings: &Settings, notes: &mut Notes<'_>) {
    let Some(root) = draft.document.root.as_ref() else { return };
    let brackets = Brackets::of_version(draft.document.sigma_version());
    let lint = Lint { draft, bases, settings, brackets };
    for (body, reserved) in [("detection", &["condition", "timeframe"]), ("filter", &check::FILTER_KEYS)] {
        let map = root.get(body).and_then(Node::as_map);
        for entry in map.iter().flat_map(|map| &map.entries) {
            if !reserved.contains(&entry.key.as_str()) {
                lint.selection(&entry.node, "", notes);
            }
        }
    }
    if let Some(map) = root.get("correlation").and_then(Node::as_map) {
        lint.correlation(map, notes);
    }
}

struct Lint<'l> {
    draft: &'l Draft<'l>,
    bases: &'l [&'l Draft<'l>],
    settings: &'l Settings,
    brackets: Brackets,
}

impl Lint<'_> {
    /// Every item in a selection; `array` is the path of the array whose member it describes, with a dot, or empty.
    fn selection(&self, node: &Node, array: &str, notes: &mut Notes<'_>) {
        for item in node.as_list().unwrap_or_default() {
            self.selection(item, array, notes);
        }
        for entry in node.as_map().iter().flat_map(|map| &map.entries) {
            self.item(entry, array, notes);
        }
    }

    fn item(&self, entry: &Entry, array: &str, notes: &mut Notes<'_>) {
        let mut unheard = Notes::new(notes.source());
        let field = entry.key.split('|').next().unwrap_or_default();
        if field.is_empty() {
            return;
        }
        match read_path(field, self.brackets, entry.key_span, &mut unheard) {
            Some(FieldPath::Members { array: inner, inside, .. }) => {
                let path = format!("{array}{inner}");
                self.known(&path, entry.key_span, notes);
                match &entry.node.value {
                    Value::Map(map) if map.get("condition").is_some() => {
                        for named in map.entries.iter().filter(|named| named.key != "condition") {
                            self.selection(&named.node, &format!("{path}."), notes);
                        }
                    }
                    Value::Map(_) => self.selection(&entry.node, &under(&path, &inside), notes),
                    _ if !inside.is_empty() => {
                        let modifiers = entry.key.get(field.len()..).unwrap_or_default();
                        let inner = Entry { key: format!("{inside}{modifiers}"), ..entry.clone() };
                        self.item(&inner, &format!("{path}."), notes);
                    }
                    _ => {}
                }
            }
            Some(FieldPath::Plain { path, .. }) if entry.node.as_map().is_some() => {
                self.selection(&entry.node, &format!("{array}{path}."), notes);
            }
            Some(FieldPath::Plain { path, .. }) if path == "." => {}
            Some(FieldPath::Plain { path, .. }) => {
                let whole = format!("{array}{path}");
                let kind = self.known(&whole, entry.key_span, notes);
                if let Some(test) = FieldTest::read(path, &entry.key, entry.key_span, &mut unheard) {
                    self.comparison(&test, kind, entry, notes);
                }
            }
            None => {}
        }
    }

    /// Warns of a name that CloudTrail's events do not have; tells what stands at one that they have.
    fn known(&self, path: &str, span: Span, notes: &mut Notes<'_>) -> Option<Kind> {
        if !is_cloudtrail(self.draft.document) || self.is_defined(path) {
            return None;
        }
        let kind = cloudtrail::kind_of(path);
        if kind.is_none() {
            unknown(path, span, notes);
        }
        kind
    }

    /// Whether the rule calculates the name, or a configuration says where it stands.
    fn is_defined(&self, name: &str) -> bool {
        self.draft.block.field(name).is_some() || self.settings.fields.contains_key(name)
    }

    fn comparison(&self, test: &FieldTest, kind: Option<Kind>, entry: &Entry, notes: &mut Notes<'_>) {
        let one = std::slice::from_ref(&entry.node);
        let values = entry.node.as_list().unwrap_or(one);
        let is_text = match test.comparison {
            Comparison::Equality => test.part.is_none(),
            Comparison::Regex(_) => true,
            _ => false,
        };
        let holds_json =
            matches!(kind, Some(Kind::Object | Kind::Open | Kind::Array)) && !is_ocsf(&test.field);
        if is_text && holds_json && values.iter().any(is_pattern) {
            let what = if kind == Some(Kind::Array) { "an array of objects" } else { "an object" };
            let message =
                format!("`{}` is {what} in CloudTrail: texts are compared with its compact JSON", test.field);
            notes.warning(entry.key_span, message, format!("name a member: `{}.name`", test.field));
        }
        let is_coerced = test.comparison == Comparison::Equality
            && test.part.is_none()
            && test.rewrites.is_empty()
            && test.case == CaseRule::Fold
            && !self.draft.block.is_strict(&test.field);
        for value in values.iter().filter(|_| is_coerced) {
            coercion(&test.field, value, notes);
        }
    }

    /// Names that a correlation takes from the events of its rules.
    fn correlation(&self, map: &Map, notes: &mut Notes<'_>) {
        let is_plain = |base: &&Draft<'_>| {
            base.document.root.as_ref().is_some_and(|root| root.get("detection").is_some())
                && is_cloudtrail(base.document)
        };
        if self.bases.is_empty() || !self.bases.iter().all(is_plain) {
            return;
        }
        let aliases = map.get("aliases").and_then(Node::as_map);
        let field = map.get("condition").and_then(Node::as_map).and_then(|condition| condition.get("field"));
        for node in map.get("group-by").into_iter().chain(field) {
            let one = std::slice::from_ref(node);
            for item in node.as_list().unwrap_or(one) {
                let Some(name) = item.as_text() else { continue };
                let is_alias = aliases.is_some_and(|aliases| aliases.get(name).is_some());
                let is_calculated = self.bases.iter().any(|base| base.block.field(name).is_some());
                if !is_alias
                    && !is_calculated
                    && !self.is_defined(name)
                    && cloudtrail::kind_of(name).is_none()
                {
                    unknown(name, item.span, notes);
                }
            }
        }
    }
}

/// The prefix of paths below an array's member.
fn under(array: &str, inside: &str) -> String {
    if inside.is_empty() { format!("{array}.") } else { format!("{array}.{inside}.") }
}

fn unknown(path: &str, span: Span, notes: &mut Notes<'_>) {
    let remedy = match cloudtrail::near(path) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "map it in `fields` of a `--config` file, or calculate it".to_owned(),
    };
    notes.warning(span, format!("CloudTrail's events have no field `{path}`"), remedy);
}

fn is_ocsf(path: &str) -> bool {
    cloudtrail::OCSF_MEMBERS.binary_search(&path.split('.').next().unwrap_or_default()).is_ok()
}

/// Whether the value is a text that does not fit just anything; `contains: '*'` means that the field exists.
fn is_pattern(value: &Node) -> bool {
    value.as_text().is_some_and(|text| !text.chars().all(|c| c == '*'))
}

/// Booleans and numbers fit texts that say the same, and the other way round.
fn coercion(field: &str, value: &Node, notes: &mut Notes<'_>) {
    let (message, other) = match &value.value {
        Value::Bool(value) => {
            (format!("`{value}` of `{field}` fits the boolean and a text that says so"), "the boolean")
        }
        Value::Number(number) => {
            (format!("`{number}` of `{field}` fits the number and the text `{number}`"), "the number")
        }
        Value::Text(text) if matches!(text.to_lowercase().as_str(), "true" | "false") => {
            (format!("`'{text}'` of `{field}` fits the text and the boolean"), "the text")
        }
        _ => return,
    };
    notes.note(value.span, message, format!("`tripwasm: {{ strict: [{field}] }}` takes {other} alone"));
}
