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
    let entries = root.entries.iter().filter(|entry| KEYS.contains(&entry.key.as_str())).map(simplified);
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

/// Window kinds and conditions are read from our tree: the parser knows fewer windows, refuses fractions, and takes
/// negative numbers for great ones.
fn simplified(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if entry.key == "correlation"
        && let Value::Map(map) = &mut entry.node.value
    {
        map.entries.retain(|member| !matches!(member.key.as_str(), "window" | "gap"));
        for condition in map.entries.iter_mut().filter(|member| member.key == "condition") {
            let (key, key_span, span) = ("gte".to_owned(), condition.key_span, condition.node.span);
            let node = Node { span, value: Value::Number("1".to_owned()) };
            condition.node.value = Value::Map(Map { entries: vec![Entry { key, key_span, node }] });
        }
    }
    entry
}

fn refused(document: &Document<'_>, error: &str, notes: &mut Notes<'_>) {
    let first = error.lines().next().unwrap_or_default();
    let member = ["related", "sigma-version"].into_iter().find(|key| first.contains(key));
    let span: Span = document.key_span(member.unwrap_or("title"));
    notes.error(span, format!("the Sigma parser refuses the rule: {first}"), "see the Sigma specification");
}
