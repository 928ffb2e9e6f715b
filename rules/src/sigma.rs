//! The document as the Sigma parser reads it.

use crate::{
    diagnostic::Notes,
    document::Document,
    source::Span,
    yaml::{Entry, Map, Node, Value, yaml},
};
use rsigma_parser::{CorrelationRule, FilterRule, SigmaRule, parse_sigma_yaml};

/// Members that are Sigma's; the rest are attributes of the author's own, which mean nothing here.
const KEYS: [&str; 19] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "level",
    "tags",
    "generate",
    "sigma-version",
];

/// A syntax tree.
#[derive(Debug)]
pub(crate) enum Syntax {
    Rule(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
    Filter(Box<FilterRule>),
}

/// Hands a checked document to the Sigma parser. It gets our own reading of the YAML, so that both see the same.
pub(crate) fn parse(document: &Document<'_>, notes: &mut Notes<'_>) -> Option<Syntax> {
    let root = document.root.as_ref()?;
    let entries = root.entries.iter().filter(|entry| KEYS.contains(&entry.key.as_str())).map(without_windows);
    let node = Node { span: document.span, value: Value::Map(Map { entries: entries.collect() }) };
    let mut collection = match parse_sigma_yaml(&yaml(&node)) {
        Ok(collection) => collection,
        Err(error) => {
            refused(document, &error.to_string(), notes);
            return None;
        }
    };
    for error in &collection.errors {
        refused(document, error, notes);
    }
    if !collection.errors.is_empty() {
        return None;
    }
    match (collection.rules.pop(), collection.correlations.pop(), collection.filters.pop()) {
        (Some(rule), None, None) => Some(Syntax::Rule(Box::new(rule))),
        (None, Some(correlation), None) => Some(Syntax::Correlation(Box::new(correlation))),
        (None, None, Some(filter)) => Some(Syntax::Filter(Box::new(filter))),
        _ => None,
    }
}

/// Window kinds are read from our tree, because the parser knows fewer of them.
fn without_windows(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if entry.key == "correlation"
        && let Value::Map(map) = &mut entry.node.value
    {
        map.entries.retain(|member| !matches!(member.key.as_str(), "window" | "gap"));
    }
    entry
}

fn refused(document: &Document<'_>, error: &str, notes: &mut Notes<'_>) {
    let first = error.lines().next().unwrap_or_default();
    let member = ["related", "sigma-version"].into_iter().find(|key| first.contains(key));
    let span: Span = document.key_span(member.unwrap_or("title"));
    notes.error(span, format!("the Sigma parser refuses the rule: {first}"), "see the Sigma specification");
}
