//! The documents of a file, with what Sigma's collection actions merge into them.
//!
//! `action: global` merges its members into every later document of the file, until `action: reset` or another
//! `global`; `action: repeat` is the document before it with its own members in place. Merged members keep the places
//! where they were written, so that messages point there.

use crate::{
    diagnostic::Notes,
    document::Document,
    source::Source,
    yaml::{self, Entry, Map, Node, Value},
};

/// Bound on nodes plus bytes of text that merging adds to the documents of one file.
const MERGED_SIZE_MAX: usize = 16 << 20;

/// The documents of a file that are to be built, and those that cannot be read.
pub(crate) fn documents<'s>(source: &'s Source<'s>) -> Vec<Document<'s>> {
    let mut collection = Collection::default();
    let chunks = yaml::split(source);
    chunks.iter().filter_map(|chunk| collection.next(source, chunk)).collect()
}

/// What earlier documents left for the next one.
#[derive(Default)]
struct Collection {
    global: Option<Map>,
    /// The line of an `action: global` that cannot be read.
    unreadable_global: Option<u32>,
    /// The document before, merged.
    previous: Option<Map>,
    merged_size: usize,
}

impl Collection {
    fn next<'s>(&mut self, source: &'s Source<'s>, chunk: &yaml::Chunk) -> Option<Document<'s>> {
        let mut document = Document::read(source, chunk);
        let action = document.text("action").map(str::to_owned);
        let mut notes = Notes::new(source);
        match (action.as_deref(), document.root.take()) {
            (Some("global"), Some(map)) => {
                self.unreadable_global = None;
                let map = without_action(map);
                self.previous = Some(map.clone());
                self.global = Some(map);
            }
            (Some("reset"), Some(map)) => {
                (self.global, self.unreadable_global) = (None, None);
                for entry in without_action(map).entries {
                    let message = format!("`{}` beside `action: reset` has no effect", entry.key);
                    notes.error(entry.key_span, message, "begin a document of its own with `---`");
                }
            }
            (Some("repeat"), Some(map)) => document.root = self.repeat(&document, map, &mut notes),
            (_, Some(map)) => {
                let merged = self.under_global(map, &mut notes);
                self.previous = Some(merged.clone());
                document.root = self.bounded(merged, &document, &mut notes);
            }
            (_, None) if chunk.text.lines().any(is_global) => {
                self.global = None;
                self.unreadable_global = Some(document.span.line);
            }
            (_, None) => {}
        }
        if let (Some(line), Some(_)) = (self.unreadable_global, &document.root) {
            let message = format!("this builds on the `action: global` in line {line}, which is in error");
            notes.error(document.key_span("title"), message, "correct that document");
        }
        document.diagnostics.append(&mut notes.list);
        (document.root.is_some() || !document.diagnostics.is_empty()).then_some(document)
    }

    fn repeat(&mut self, document: &Document<'_>, map: Map, notes: &mut Notes<'_>) -> Option<Map> {
        let Some(mut merged) = self.previous.clone() else {
            let place = map.entry("action").map_or(document.span, |entry| entry.key_span);
            notes.error(place, "`action: repeat` without a document before it", "write the whole rule");
            return None;
        };
        self.merged_size = self.merged_size.saturating_add(size_of(&merged));
        put(&mut merged, without_action(map));
        self.previous = Some(merged.clone());
        self.bounded(merged, document, notes)
    }

    /// A document's own members win over those of `action: global`, with a warning: tools disagree.
    fn under_global(&mut self, map: Map, notes: &mut Notes<'_>) -> Map {
        let Some(global) = &self.global else { return map };
        for (own, common) in differing(&map, global) {
            let message = format!(
                "`{}` stands here and in the `action: global` before; this one counts here, the other one elsewhere",
                own.key
            );
            notes.warning(
                own.key_span,
                message,
                format!("keep one; the other is in line {}", common.key_span.line),
            );
        }
        let mut merged = global.clone();
        self.merged_size = self.merged_size.saturating_add(size_of(global));
        put(&mut merged, map);
        merged
    }

    fn bounded(&self, merged: Map, document: &Document<'_>, notes: &mut Notes<'_>) -> Option<Map> {
        if self.merged_size <= MERGED_SIZE_MAX {
            return Some(merged);
        }
        notes.error(document.span, "collection actions make this file larger than 16 MiB", "split the file");
        None
    }
}

/// Whether a line says so, in a document that cannot be read as YAML.
fn is_global(line: &str) -> bool {
    let word = line.strip_prefix("action:").map(|rest| rest.split('#').next().unwrap_or_default().trim());
    word.is_some_and(|word| word.trim_matches(['\'', '"']) == "global")
}

fn without_action(mut map: Map) -> Map {
    map.entries.retain(|entry| entry.key != "action");
    map
}

/// Puts the members of `over` into `map`: maps merge, anything else takes the place of what was there.
fn put(map: &mut Map, over: Map) {
    for entry in over.entries {
        let Some(known) = map.entries.iter_mut().find(|known| known.key == entry.key) else {
            map.entries.push(entry);
            continue;
        };
        match (&mut known.node.value, entry.node) {
            (Value::Map(inner), Node { value: Value::Map(over), .. }) => put(inner, over),
            (_, node) => *known = Entry { node, ..entry },
        }
    }
}

/// Members of both maps whose values differ and are not both maps.
fn differing<'m>(own: &'m Map, common: &'m Map) -> Vec<(&'m Entry, &'m Entry)> {
    let both = own.entries.iter().filter_map(|entry| Some((entry, common.entry(&entry.key)?)));
    let differing = both.map(|(own, common)| match (&own.node.value, &common.node.value) {
        (Value::Map(own), Value::Map(common)) => differing(own, common),
        _ if yaml::json(&own.node) != yaml::json(&common.node) => vec![(own, common)],
        _ => Vec::new(),
    });
    differing.flatten().collect()
}

/// Nodes plus bytes of text.
fn size_of(map: &Map) -> usize {
    map.entries.iter().map(|entry| entry.key.len() + size_of_node(&entry.node)).sum()
}

fn size_of_node(node: &Node) -> usize {
    1 + match &node.value {
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(items) => items.iter().map(size_of_node).sum(),
        Value::Map(map) => size_of(map),
        Value::Null | Value::Bool(_) => 0,
    }
}
