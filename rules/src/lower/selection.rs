//! Selections: maps (all of them), lists of maps (any of them).
//!
//! They are read from our tree rather than the parser's: selections of calculated fields never reach the parser, and
//! its values lose what a number looked like.

use super::{
    Lowering,
    builder::{all, any, not},
    field::Owner,
    modifiers::{Comparison, FieldTest, Link, Placeholders, Polarity},
    placeholder, values,
};
use crate::{
    diagnostic::Notes,
    yaml::{Entry, Map, Node, Value},
};
use tripwasm_plan::{Condition, Test};

impl Lowering<'_> {
    /// The condition that a selection describes; `name` is for messages.
    pub(crate) fn selection(
        &mut self,
        owner: Owner,
        node: &Node,
        name: &str,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        match &node.value {
            Value::Map(map) => self.map(owner, map, node, name, notes),
            Value::List(items) if items.is_empty() => {
                notes.error(node.span, format!("selection {name} is empty"), "write `field: value`");
                None
            }
            Value::List(items) => {
                if let Some(item) = items.iter().find(|item| item.as_map().is_none()) {
                    return match item.as_list() {
                        Some(_) => {
                            let remedy = "a selection is a map or a list of maps";
                            notes.error(item.span, "a list inside a list", remedy);
                            None
                        }
                        None => keywords(item, notes),
                    };
                }
                let maps: Vec<_> = items
                    .iter()
                    .filter_map(|item| item.as_map().map(|map| self.map(owner, map, item, name, notes)))
                    .collect();
                maps.into_iter().collect::<Option<_>>().map(any)
            }
            Value::Null => {
                notes.error(node.span, format!("selection {name} is empty"), "write `field: value`");
                None
            }
            _ => keywords(node, notes),
        }
    }

    fn map(
        &mut self,
        owner: Owner,
        map: &Map,
        node: &Node,
        name: &str,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        if map.entries.is_empty() {
            notes.error(node.span, format!("selection {name} is empty"), "write `field: value`");
            return None;
        }
        let items: Vec<_> = map.entries.iter().map(|entry| self.item(owner, entry, notes)).collect();
        items.into_iter().collect::<Option<_>>().map(all)
    }

    fn item(&mut self, owner: Owner, entry: &Entry, notes: &mut Notes<'_>) -> Option<Condition> {
        let test = FieldTest::read(&entry.key, entry.key_span, notes)?;
        let field = self.field(owner, &test.field, notes);
        let values = self.item_values(owner, &test, entry, notes)?;
        if test.link == Link::All && values.len() < 2 {
            let message = format!("`all` of a single value of `{}`", test.field);
            notes.warning(entry.key_span, message, "remove `all`, or list more values");
        }
        if test.comparison == Comparison::Exists {
            let expected = values::exists(&values, entry, notes)?;
            let exists = self.builder.holds(field?, Test::Exists);
            return Some(if expected { exists } else { not(exists) });
        }
        let tests = self.tests(owner, &test, &values, notes)?;
        let field = field?;
        let values: Vec<Vec<Condition>> = tests
            .into_iter()
            .map(|alternatives| {
                alternatives.into_iter().map(|test| self.builder.holds(field, test)).collect()
            })
            .collect();
        let condition = match test.link {
            Link::All => all(values.into_iter().map(any).collect()),
            Link::Any => any(values.concat()),
        };
        Some(match test.polarity {
            Polarity::Fits => condition,
            Polarity::Differs => all(vec![self.builder.holds(field, Test::Exists), not(condition)]),
        })
    }

    /// The values of an item, placeholders filled in.
    fn item_values(
        &mut self,
        owner: Owner,
        test: &FieldTest,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Node>> {
        let values = match &entry.node.value {
            Value::Map(_) => {
                let message = format!("the value of `{}` is a map", test.field);
                let remedy = format!("write a path: `{}.inner: value`", test.field);
                notes.error(entry.key_span, message, remedy);
                return None;
            }
            Value::List(items) if items.is_empty() => {
                notes.error(
                    entry.node.span,
                    format!("`{}` has an empty list of values", test.field),
                    "list a value",
                );
                return None;
            }
            Value::List(items) => items.clone(),
            _ => vec![entry.node.clone()],
        };
        if let Some(inner) = values.iter().find(|value| matches!(value.value, Value::List(_) | Value::Map(_)))
        {
            let message = format!("a value of `{}` is {}", test.field, inner.kind());
            notes.error(inner.span, message, "values are texts, numbers, booleans or null");
            return None;
        }
        if test.placeholders == Placeholders::Literal {
            return Some(values);
        }
        let settings = self.settings_of(owner)?;
        let expanded: Vec<_> =
            values.iter().map(|value| placeholder::expand(value, settings, notes)).collect();
        Some(expanded.into_iter().collect::<Option<Vec<_>>>()?.concat())
    }
}

fn keywords(node: &Node, notes: &mut Notes<'_>) -> Option<Condition> {
    notes.unsupported(node.span, "a keyword search (values without a field)");
    None
}
