//! Sigma selections from keys and values.

use super::{key::Key, logic::Logic};
use crate::{
    source::Span,
    yaml::{Entry, Map, Node, Value},
};
use std::collections::BTreeMap;

/// Selections of one rule, and what they need in its `tripwasm` block.
#[derive(Debug, Default)]
pub(super) struct Selections {
    /// Fields whose comparisons keep JSON types, some perhaps in vain.
    pub(super) strict: Vec<String>,
    /// Calculated fields by name.
    pub(super) calculated: BTreeMap<String, Node>,
}

impl Selections {
    /// The value is one of these: texts letter by letter, numbers and booleans by type.
    pub(super) fn equals(&mut self, key: &Key, values: &[Node], case: Case) -> Logic {
        self.keep_types(key);
        let (texts, others): (Vec<&Node>, Vec<&Node>) =
            values.iter().partition(|node| node.as_text().is_some());
        let texts: Vec<Node> = texts.into_iter().map(escaped).collect();
        let others: Vec<Node> = others.into_iter().cloned().collect();
        let mut maps = Vec::new();
        if !texts.is_empty() {
            maps.push(member(key, case.modifier(), one_or_list(texts, key.span)));
        }
        if !others.is_empty() {
            maps.push(member(key, "", one_or_list(others, key.span)));
        }
        match maps.pop() {
            None => Logic::Constant(false),
            Some(only) if maps.is_empty() => Logic::Selection(only),
            Some(last) => {
                maps.push(last);
                Logic::Selection(Node { span: key.span, value: Value::List(maps) })
            }
        }
    }

    /// The value is a text that begins with, ends with or contains another one.
    pub(super) fn text(&mut self, key: &Key, modifier: &str, value: &Node, case: Case) -> Logic {
        self.keep_types(key);
        Logic::Selection(member(key, &format!("{modifier}{}", case.modifier()), escaped(value)))
    }

    /// A modifier that does its own reading of the value.
    pub(super) fn modified(&self, key: &Key, modifier: &str, value: Node) -> Logic {
        Logic::Selection(member(key, modifier, value))
    }

    /// Absent, null, or an empty text, list or map. Falsy values but `false` and zero.
    pub(super) fn null_or_empty(&mut self, key: &Key) -> Logic {
        let name = format!("{}_if_any", key.path.replace(|c: char| !c.is_alphanumeric(), "_"));
        let input = list(vec![text(&key.path, key.span)], key.span);
        self.calculated.insert(name.clone(), map(vec![("first_truthy", input)], key.span));
        let truthy = Key { path: name, ..key.clone() };
        let falsy = self.modified(&truthy, "|exists", Node { span: key.span, value: Value::Bool(false) });
        let zero = Node { span: key.span, value: Value::Number("0".to_owned()) };
        let values = [Node { span: key.span, value: Value::Bool(false) }, zero];
        Logic::all(vec![falsy, self.equals(key, &values, Case::Exact).negated()])
    }

    fn keep_types(&mut self, key: &Key) {
        if !self.strict.contains(&key.path) {
            self.strict.push(key.path.clone());
        }
    }
}

/// Whether letter case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    Fold,
}

impl Case {
    fn modifier(self) -> &'static str {
        match self {
            Case::Exact => "|cased",
            Case::Fold => "",
        }
    }
}

/// A map with these members.
pub(super) fn map(members: Vec<(&str, Node)>, span: Span) -> Node {
    let entries = members.into_iter().map(|(key, node)| Entry { key: key.to_owned(), key_span: span, node });
    Node { span, value: Value::Map(Map { entries: entries.collect() }) }
}

pub(super) fn text(text: &str, span: Span) -> Node {
    Node { span, value: Value::Text(text.to_owned()) }
}

pub(super) fn list(items: Vec<Node>, span: Span) -> Node {
    Node { span, value: Value::List(items) }
}

/// One value stands for itself.
pub(super) fn one_or_list(mut items: Vec<Node>, span: Span) -> Node {
    match items.pop() {
        Some(only) if items.is_empty() => only,
        Some(last) => {
            items.push(last);
            list(items, span)
        }
        None => list(items, span),
    }
}

fn member(key: &Key, modifiers: &str, value: Node) -> Node {
    map(vec![(&format!("{}{modifiers}", key.path), value)], key.span)
}

/// The text with everything that Sigma takes for a wildcard or an escape made literal.
fn escaped(node: &Node) -> Node {
    let value = node.as_text().unwrap_or_default();
    let mut literal = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    text(&literal, node.span)
}
