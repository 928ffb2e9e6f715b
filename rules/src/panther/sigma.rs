//! The documents that a Panther rule comes to.

use super::{
    case::Case,
    logic::{Logic, Named},
    rule::{Counting, Rule},
    selection::{list, map, text},
};
use crate::{
    diagnostic::Notes,
    source::Span,
    yaml::{Entry, Map, Node, Value},
};
use std::collections::BTreeSet;

const HERE: Span = Span::START;

/// What stands for a key of `GroupBy` that an event lacks: Panther groups such events, too.
const NO_VALUE: &str = "";

/// The detection, and behind it the correlation if matches are counted.
pub(super) fn documents(rule: &Rule<'_>, notes: &mut Notes<'_>) -> Option<Vec<Map>> {
    let mut documents = vec![detection(rule)];
    if let Some(counting) = &rule.counting {
        documents.push(correlation(rule, counting, notes)?);
    }
    Some(documents)
}

fn detection(rule: &Rule<'_>) -> Map {
    let mut named = Named::default();
    let condition = named.condition(&rule.logic);
    let mut read = BTreeSet::new();
    fields_read(&rule.logic, &mut read);
    let mut document = Document::default();
    match &rule.counting {
        None => document.header(rule),
        Some(_) => {
            document.text("title", &format!("{} (event)", rule.title));
            document.text("name", &event_name(rule));
            document.text("description", &format!("The events that {} counts.", rule.name));
        }
    }
    document.member("logsource", map(vec![("product", word("aws")), ("service", word("cloudtrail"))], HERE));
    // Selectors of array members came with version 3.
    if read.iter().any(|field| field.contains('[')) {
        document.member("sigma-version", Node { span: HERE, value: Value::Number("3".to_owned()) });
    }
    let mut detection = Map { entries: named.selections };
    detection.entries.push(entry("condition", word(&condition)));
    document.member("detection", Node { span: HERE, value: Value::Map(detection) });
    document.texts("fields", &rule.summary);
    document.text("level", if rule.counting.is_some() { "informational" } else { rule.level });
    let mut block = Document::default();
    let strict: BTreeSet<&str> =
        rule.selections.strict.iter().map(String::as_str).filter(|field| read.contains(field)).collect();
    block.texts("strict", &strict.into_iter().collect::<Vec<_>>());
    let calculated = rule.selections.calculated.iter().filter(|(name, _)| read.contains(name.as_str()));
    block.members("fields", calculated.map(|(name, node)| entry(name, node.clone())).collect());
    if !rule.tests.is_empty() {
        block.member("tests", list(rule.tests.iter().map(test).collect(), HERE));
    }
    document.members("tripwasm", block.entries);
    document.map()
}

fn correlation(rule: &Rule<'_>, counting: &Counting, notes: &mut Notes<'_>) -> Option<Map> {
    let mut names = Vec::new();
    let mut fields = Vec::new();
    for key in &counting.group_by {
        let name = format!("group_{}", key.path.replace(|c: char| !c.is_alphanumeric(), "_"));
        if names.contains(&name) {
            notes.error(key.span, format!("`GroupBy` names `{}` twice", key.path), "remove one of them");
            return None;
        }
        let inputs = vec![word(&key.path), map(vec![("literal", word(NO_VALUE))], HERE)];
        fields.push(entry(&name, map(vec![("first_non_null", list(inputs, HERE))], HERE)));
        names.push(name);
    }
    let number = |number: u64| Node { span: HERE, value: Value::Number(number.to_string()) };
    let mut inner = Document::default();
    inner.text("type", "event_count");
    inner.member("rules", list(vec![word(&event_name(rule))], HERE));
    if !names.is_empty() {
        inner.member("group-by", list(names.iter().map(|name| word(name)).collect(), HERE));
    }
    inner.text("timespan", &format!("{}m", counting.window_minutes));
    inner.member("condition", map(vec![("gte", number(counting.threshold))], HERE));
    let mut block = Document::default();
    block.text("window", "anchored");
    block.members("fields", fields);
    let mut document = Document::default();
    document.header(rule);
    document.members("correlation", inner.entries);
    document.text("level", rule.level);
    document.members("tripwasm", block.entries);
    Some(document.map())
}

fn event_name(rule: &Rule<'_>) -> String {
    format!("{}_event", rule.name)
}

fn test(case: &Case) -> Node {
    let expected = word(if case.expected { "match" } else { "none" });
    map(vec![("name", word(&case.name)), ("event", case.event.clone()), ("expect", expected)], HERE)
}

/// The fields of all selections, also those inside members of arrays.
fn fields_read<'l>(logic: &'l Logic, read: &mut BTreeSet<&'l str>) {
    match logic {
        Logic::Constant(_) => {}
        Logic::Selection(node) => keys_read(node, read),
        Logic::Not(part) => fields_read(part, read),
        Logic::All(parts) | Logic::Any(parts) => parts.iter().for_each(|part| fields_read(part, read)),
    }
}

fn keys_read<'l>(node: &'l Node, read: &mut BTreeSet<&'l str>) {
    for item in node.as_list().unwrap_or_default() {
        keys_read(item, read);
    }
    for entry in node.as_map().iter().flat_map(|map| &map.entries) {
        read.insert(entry.key.split('|').next().unwrap_or_default());
        keys_read(&entry.node, read);
    }
}

fn word(value: &str) -> Node {
    text(value, HERE)
}

fn entry(key: &str, node: Node) -> Entry {
    Entry { key: key.to_owned(), key_span: HERE, node }
}

/// A map in the making; members without content are left out.
#[derive(Debug, Default)]
struct Document {
    entries: Vec<Entry>,
}

impl Document {
    fn header(&mut self, rule: &Rule<'_>) {
        self.text("title", rule.title);
        self.text("name", &rule.name);
        self.text("description", rule.description.unwrap_or_default());
        self.texts("references", &rule.reference.into_iter().collect::<Vec<_>>());
        self.text("runbook", rule.runbook.unwrap_or_default());
        self.text("panther_rule", rule.id);
        self.texts("tags", &rule.tags.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn member(&mut self, key: &str, node: Node) {
        self.entries.push(entry(key, node));
    }

    fn members(&mut self, key: &str, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.member(key, Node { span: HERE, value: Value::Map(Map { entries }) });
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.member(key, word(value));
        }
    }

    fn texts(&mut self, key: &str, values: &[&str]) {
        if !values.is_empty() {
            self.member(key, list(values.iter().map(|value| word(value)).collect(), HERE));
        }
    }

    fn map(self) -> Map {
        Map { entries: self.entries }
    }
}
