//! `--config` files and packs: what holds for many rules.

use crate::{
    diagnostic::Notes,
    quantity::size_bytes,
    shape,
    source::{Source, Span},
    spelling::suggestion,
    yaml::{self, Map, Node, Value},
};
use std::collections::BTreeMap;
use tripwasm_plan::{Action, Duplicates};

const KEYS: [&str; 7] = ["placeholders", "fields", "time", "id", "rules", "limits", "logsources"];

/// What one configuration file says. The maps merge key by key, the rest as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Values of `%name%`, scalars.
    pub(crate) placeholders: BTreeMap<String, Vec<Node>>,
    /// Rule field to event path (a text) or calculation (a map).
    pub(crate) fields: BTreeMap<String, Mapped>,
    pub(crate) logsources: Option<Vec<LogSource>>,
    pub(crate) rules: BTreeMap<String, Override>,
    pub(crate) time: Option<Vec<String>>,
    pub(crate) id: Option<Vec<String>>,
    pub(crate) lateness_ms: Option<u64>,
    pub(crate) duplicates: Option<Duplicates>,
    pub(crate) state_bytes_max: Option<u64>,
}

/// Where the value of a mapped field comes from.
#[derive(Debug, Clone)]
pub(crate) struct Mapped {
    pub(crate) node: Node,
    /// Position of the file among all configuration files.
    pub(crate) file: usize,
}

/// What a configuration changes about one rule.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// How long a first-seen group is remembered; `Some(None)` is for ever.
    pub(crate) forget_ms: Option<Option<u64>>,
    pub(crate) learn_ms: Option<u64>,
    pub(crate) suppress_ms: Option<u64>,
    pub(crate) action: Option<Action>,
    pub(crate) file: usize,
    pub(crate) span: Span,
}

/// A log source; only the keys that are given have to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSource {
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) category: Option<String>,
}

impl Settings {
    /// Reads a configuration file; `file` is its position among them.
    pub(crate) fn read(source: &Source<'_>, file: usize, notes: &mut Notes<'_>) -> Settings {
        let mut settings = Settings::default();
        let chunks = yaml::split(source);
        let Some(chunk) = chunks.first() else { return settings };
        if let Some(second) = chunks.get(1) {
            let span = Span::on_line(second.line, 1, 1);
            notes.error(span, "a configuration is one document, here begins a second", "join them");
        }
        let Some(root) = yaml::read(chunk, notes) else { return settings };
        let Some(root) = shape::map(&root, "a configuration", notes) else { return settings };
        shape::known_keys(root, "a configuration", &KEYS, notes);
        for entry in &root.entries {
            settings.member(&entry.key, &entry.node, file, notes);
        }
        settings
    }

    /// These settings with everything that `over` says in their place.
    pub(crate) fn overlaid(&self, over: &Settings) -> Settings {
        let mut merged = self.clone();
        merged.placeholders.extend(over.placeholders.clone());
        merged.fields.extend(over.fields.clone());
        for (name, change) in &over.rules {
            let mut change = change.clone();
            if let Some(earlier) = merged.rules.get(name) {
                change.forget_ms = change.forget_ms.or(earlier.forget_ms);
                change.learn_ms = change.learn_ms.or(earlier.learn_ms);
                change.suppress_ms = change.suppress_ms.or(earlier.suppress_ms);
                change.action = change.action.or(earlier.action);
            }
            merged.rules.insert(name.clone(), change);
        }
        merged.logsources = over.logsources.clone().or(merged.logsources);
        merged.time = over.time.clone().or(merged.time);
        merged.id = over.id.clone().or(merged.id);
        merged.lateness_ms = over.lateness_ms.or(merged.lateness_ms);
        merged.duplicates = over.duplicates.or(merged.duplicates);
        merged.state_bytes_max = over.state_bytes_max.or(merged.state_bytes_max);
        merged
    }

    fn member(&mut self, key: &str, node: &Node, file: usize, notes: &mut Notes<'_>) {
        match key {
            "placeholders" => self.placeholders = placeholders(node, notes),
            "fields" => self.fields = fields(node, file, notes),
            "time" => self.time = paths(node, "`time`", notes),
            "id" => self.id = paths(node, "`id`", notes),
            "rules" => self.rules = rules(node, file, notes),
            "limits" => self.limits(node, notes),
            "logsources" => self.logsources = logsources(node, notes),
            _ => {}
        }
    }

    fn limits(&mut self, node: &Node, notes: &mut Notes<'_>) {
        let Some(map) = shape::map(node, "`limits`", notes) else { return };
        shape::known_keys(map, "`limits`", &["memory", "lateness", "duplicates"], notes);
        if let Some(memory) = map.get("memory") {
            self.state_bytes_max = memory.as_text().and_then(size_bytes);
            if self.state_bytes_max.is_none() {
                let found = memory.scalar_text().unwrap_or_else(|| memory.kind().to_owned());
                notes.error(
                    memory.span,
                    format!("`memory` is no size: `{found}`"),
                    "write a size such as `256MiB`",
                );
            }
        }
        self.lateness_ms = map.get("lateness").and_then(|node| shape::duration(node, "`lateness`", notes));
        let words = [("once", Duplicates::Once), ("count", Duplicates::Count)];
        self.duplicates =
            map.get("duplicates").and_then(|node| shape::one_of(node, "`duplicates`", &words, notes));
    }
}

impl LogSource {
    /// Reads the three keys that say which events a rule is about.
    pub(crate) fn read(map: &Map, notes: &mut Notes<'_>) -> LogSource {
        let mut key = |key: &str| {
            map.get(key).and_then(|node| shape::text(node, &format!("`{key}`"), notes)).map(str::to_lowercase)
        };
        LogSource { product: key("product"), service: key("service"), category: key("category") }
    }

    /// Whether a rule's log source is this one.
    pub(crate) fn accepts(&self, rule: &LogSource) -> bool {
        let agrees = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        agrees(&self.product, &rule.product)
            && agrees(&self.service, &rule.service)
            && agrees(&self.category, &rule.category)
    }
}

fn placeholders(node: &Node, notes: &mut Notes<'_>) -> BTreeMap<String, Vec<Node>> {
    let Some(map) = shape::map(node, "`placeholders`", notes) else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for entry in &map.entries {
        let values = match &entry.node.value {
            Value::List(items) => items.clone(),
            _ => vec![entry.node.clone()],
        };
        for value in values.iter().filter(|value| value.scalar_text().is_none()) {
            let message = format!("a value of placeholder `{}` is {}", entry.key, value.kind());
            notes.error(value.span, message, "write texts or numbers");
        }
        all.insert(entry.key.clone(), values);
    }
    all
}

fn fields(node: &Node, file: usize, notes: &mut Notes<'_>) -> BTreeMap<String, Mapped> {
    let Some(map) = shape::map(node, "`fields`", notes) else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for entry in &map.entries {
        if matches!(entry.node.value, Value::Text(_) | Value::Map(_)) {
            all.insert(entry.key.clone(), Mapped { node: entry.node.clone(), file });
        } else {
            let message = format!("field `{}` is mapped to {}", entry.key, entry.node.kind());
            notes.error(entry.node.span, message, "write an event path or a calculation");
        }
    }
    all
}

fn paths(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<Vec<String>> {
    let paths = shape::texts(node, what, notes)?;
    Some(paths.into_iter().map(|(path, _)| path.to_owned()).collect())
}

fn rules(node: &Node, file: usize, notes: &mut Notes<'_>) -> BTreeMap<String, Override> {
    let Some(map) = shape::map(node, "`rules`", notes) else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for entry in &map.entries {
        let place = format!("the settings of rule `{}`", entry.key);
        let Some(settings) = shape::map(&entry.node, &place, notes) else { continue };
        shape::known_keys(settings, &place, &["forget", "learn", "suppress", "action"], notes);
        let change = Override {
            forget_ms: settings.get("forget").and_then(|node| forget(node, notes)),
            learn_ms: settings.get("learn").and_then(|node| learn(node, notes)),
            suppress_ms: settings.get("suppress").and_then(|node| suppress(node, notes)),
            action: settings.get("action").and_then(|node| action(node, notes)),
            file,
            span: entry.key_span,
        };
        all.insert(entry.key.clone(), change);
    }
    all
}

/// `forget: 30d` or `forget: never` (`None`).
pub(crate) fn forget(node: &Node, notes: &mut Notes<'_>) -> Option<Option<u64>> {
    match node.as_text() {
        Some("never") => Some(None),
        _ => shape::positive_duration(node, "`forget`", notes).map(Some),
    }
}

/// `learn: 7d`.
pub(crate) fn learn(node: &Node, notes: &mut Notes<'_>) -> Option<u64> {
    shape::positive_duration(node, "`learn`", notes)
}

/// `suppress: 1h`.
pub(crate) fn suppress(node: &Node, notes: &mut Notes<'_>) -> Option<u64> {
    shape::positive_duration(node, "`suppress`", notes)
}

/// `action: tag` or `action: drop`.
pub(crate) fn action(node: &Node, notes: &mut Notes<'_>) -> Option<Action> {
    shape::one_of(node, "`action`", &[("tag", Action::Tag), ("drop", Action::Drop)], notes)
}

fn logsources(node: &Node, notes: &mut Notes<'_>) -> Option<Vec<LogSource>> {
    let items = shape::list(node, "`logsources`", notes)?;
    let mut all = Vec::new();
    for item in items {
        let map = shape::map(item, "a log source", notes)?;
        shape::known_keys(map, "a log source", &["product", "service", "category"], notes);
        if map.entries.is_empty() {
            let remedy = suggestion("", &["product", "service", "category"]);
            notes.error(item.span, "a log source without keys accepts every rule", remedy);
        }
        all.push(LogSource::read(map, notes));
    }
    Some(all)
}
