//! Selections: maps (all of their members), lists of maps and keywords (any of them).
//!
//! They are read from our tree rather than the parser's: selections of calculated fields never reach the parser, and
//! its values lose what a number looked like.

use super::{
    Lowering,
    builder::{all, any, not},
    field::Owner,
    member::Members,
    modifiers::{Comparison, FieldTest, Link, Placeholders, Polarity},
    path::{self, FieldPath},
    placeholder, values,
};
use crate::{
    diagnostic::Notes,
    yaml::{Entry, Map, Node, Value},
};
use tripwasm_plan::{Calculation, Condition, FieldId, Operand, Test};

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
            Value::List(items) if !items.is_empty() => {
                let part = |item: &Node| match item.value {
                    Value::Null => self.keyword(owner, item, notes),
                    _ => self.selection(owner, item, name, notes),
                };
                let parts: Vec<_> = items.iter().map(part).collect();
                parts.into_iter().collect::<Option<_>>().map(any)
            }
            Value::Null | Value::List(_) => {
                notes.error(node.span, format!("selection {name} is empty"), "write `field: value`");
                None
            }
            Value::Text(_) | Value::Number(_) | Value::Bool(_) => self.keyword(owner, node, notes),
        }
    }

    pub(crate) fn map(
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

    /// The condition of one key and its values.
    pub(crate) fn item(&mut self, owner: Owner, entry: &Entry, notes: &mut Notes<'_>) -> Option<Condition> {
        let bar = entry.key.find('|').unwrap_or(entry.key.len());
        let (field, modifiers) = entry.key.split_at_checked(bar)?;
        if field.is_empty() {
            return self.keyword_entry(owner, entry, notes);
        }
        match path::read(field, self.brackets(owner), entry.key_span, notes)? {
            FieldPath::Members { array, quantifier, inside } => {
                let members = Members { array: &array, quantifier, inside: &inside, modifiers };
                self.members(owner, members, entry, notes)
            }
            FieldPath::Plain { is_indexed: true, .. }
                if entry.node.as_map().is_some() && modifiers.is_empty() =>
            {
                self.block(owner, field, entry, notes)
            }
            FieldPath::Plain { path, .. } => {
                let test = FieldTest::read(path, &entry.key, entry.key_span, notes)?;
                self.field_item(owner, test, entry, notes)
            }
        }
    }

    fn field_item(
        &mut self,
        owner: Owner,
        test: FieldTest,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let field = self.field(owner, &test.field, notes);
        let field = self.time_part(owner, &test, field, entry, notes);
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

    /// The part of the field's time that the test is about, if it is about one.
    fn time_part(
        &mut self,
        owner: Owner,
        test: &FieldTest,
        field: Option<FieldId>,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<FieldId> {
        let Some(part) = test.part else { return field };
        if let Owner::Member(_) = owner {
            let remedy =
                "calculated values are the whole event's: name the field by its path, without a selector";
            notes.error(entry.key_span, "a part of a time inside an array's block", remedy);
            return None;
        }
        let name = format!("{}|{}", test.field, format!("{part:?}").to_lowercase());
        Some(self.builder.calculated(&name, Calculation::TimePart(Operand::Field(field?), part)))
    }

    /// The values of an item, placeholders filled in.
    pub(crate) fn item_values(
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
