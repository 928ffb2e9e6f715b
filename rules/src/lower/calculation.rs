//! Calculated fields: the tree of a calculation to the plan's.

use super::{Lowering, field::Owner};
use crate::{
    diagnostic::Notes,
    shape,
    spelling::suggestion,
    yaml::{Map, Node, Value},
};
use tripwasm_plan::{Calculation, Case, Literal, Operand, Part};

/// Longest chain of calculated fields, which the lowering follows by recursion.
pub(crate) const CALCULATION_DEPTH_MAX: usize = 32;

/// Each calculation by its head key, with the keys that may stand beside it.
const HEADS: [(&str, &[&str]); 6] = [
    ("first_present", &["first_present"]),
    ("first_non_null", &["first_non_null"]),
    ("first_truthy", &["first_truthy"]),
    ("split", &["split", "separator", "part"]),
    ("lower", &["lower"]),
    ("cases", &["cases", "otherwise"]),
];

impl Lowering<'_> {
    /// The calculation that `node` describes; its inputs become fields before it.
    pub(crate) fn calculation(
        &mut self,
        owner: Owner,
        name: &str,
        node: &Node,
        notes: &mut Notes<'_>,
    ) -> Option<Calculation> {
        let map = shape::map(node, &format!("calculated field `{name}`"), notes)?;
        let heads = HEADS.map(|(head, _)| head);
        let present: Vec<&str> = heads.into_iter().filter(|head| map.get(head).is_some()).collect();
        let &[head] = present.as_slice() else {
            let (message, remedy) = match map.entries.first() {
                Some(entry) if present.is_empty() => {
                    (format!("unknown calculation `{}`", entry.key), suggestion(&entry.key, &heads))
                }
                Some(_) => {
                    (format!("two calculations in one: {}", present.join(", ")), "keep one".to_owned())
                }
                None => ("an empty calculation".to_owned(), suggestion("", &heads)),
            };
            notes.error(map.entries.first().map_or(node.span, |entry| entry.key_span), message, remedy);
            return None;
        };
        let keys = HEADS.iter().find(|(known, _)| *known == head).map_or(&[][..], |(_, keys)| keys);
        shape::known_keys(map, &format!("the calculation `{head}`"), keys, notes);
        let input = map.get(head)?;
        match head {
            "first_present" => self.operands(owner, name, input, notes).map(Calculation::FirstPresent),
            "first_non_null" => self.operands(owner, name, input, notes).map(Calculation::FirstNonNull),
            "first_truthy" => self.operands(owner, name, input, notes).map(Calculation::FirstTruthy),
            "lower" => self.operand(owner, name, input, notes).map(Calculation::Lower),
            "split" => self.split(owner, name, map, input, notes),
            _ => self.cases(owner, name, map, input, notes),
        }
    }

    fn operands(
        &mut self,
        owner: Owner,
        name: &str,
        node: &Node,
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Operand>> {
        let items = shape::list(node, &format!("the inputs of `{name}`"), notes)?;
        if items.is_empty() {
            notes.error(node.span, format!("`{name}` has no inputs"), "list fields or `{literal: ...}`");
            return None;
        }
        let operands: Vec<_> = items.iter().map(|item| self.operand(owner, name, item, notes)).collect();
        operands.into_iter().collect()
    }

    fn operand(&mut self, owner: Owner, name: &str, node: &Node, notes: &mut Notes<'_>) -> Option<Operand> {
        match &node.value {
            Value::Text(field) if field.trim().is_empty() => {
                notes.error(node.span, "an empty field name", "write `{literal: ''}` for an empty text");
                None
            }
            Value::Text(field) => self.field(owner, field, notes).map(Operand::Field),
            Value::Map(map) if map.get("literal").is_some() => {
                shape::known_keys(map, "a literal", &["literal"], notes);
                map.get("literal").and_then(|value| literal(value, notes)).map(Operand::Literal)
            }
            Value::Map(map) if map.get("path").is_some() => {
                shape::known_keys(map, "a path", &["path"], notes);
                let path = map.get("path").and_then(|value| shape::text(value, "`path`", notes))?;
                Some(Operand::Field(self.builder.path(path, path)))
            }
            Value::Map(_) => {
                let calculation = self.calculation(owner, name, node, notes)?;
                Some(Operand::Field(self.builder.calculated(name, calculation)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                let text = node.scalar_text().unwrap_or_else(|| "null".to_owned());
                let message = format!("an input of `{name}` has to be a field, this is {}", node.kind());
                notes.error(node.span, message, format!("write `{{literal: {text}}}` for the value itself"));
                None
            }
            Value::List(_) => {
                let message = format!("an input of `{name}` has to be a field, this is a list");
                notes.error(node.span, message, "`first_present` takes a list, the others one input");
                None
            }
        }
    }

    fn split(
        &mut self,
        owner: Owner,
        name: &str,
        map: &Map,
        input: &Node,
        notes: &mut Notes<'_>,
    ) -> Option<Calculation> {
        let of = self.operand(owner, name, input, notes);
        for key in ["separator", "part"] {
            if map.get(key).is_none() {
                let message = format!("`split` of `{name}` without `{key}`");
                notes.error(input.span, message, "write `separator: '/'` and `part: last`");
            }
        }
        let separator = map.get("separator").and_then(|node| shape::text(node, "`separator`", notes));
        if let (Some(""), Some(node)) = (separator, map.get("separator")) {
            notes.error(node.span, "an empty `separator`", "write the text between the parts");
            return None;
        }
        let part = map.get("part").and_then(|node| match node.as_text() {
            Some(_) => shape::one_of(node, "`part`", &[("first", Part::First), ("last", Part::Last)], notes),
            None => {
                let number = shape::natural(node, "`part`", notes)?;
                u32::try_from(number).ok().map(Part::Nth)
            }
        });
        Some(Calculation::Split { of: of?, separator: separator?.to_owned(), part: part? })
    }

    fn cases(
        &mut self,
        owner: Owner,
        name: &str,
        map: &Map,
        input: &Node,
        notes: &mut Notes<'_>,
    ) -> Option<Calculation> {
        let items = shape::list(input, &format!("`cases` of `{name}`"), notes)?;
        let cases: Vec<_> = items.iter().map(|item| self.case(owner, name, item, notes)).collect();
        let otherwise = match map.get("otherwise") {
            Some(node) => Some(self.operand(owner, name, node, notes)?),
            None => None,
        };
        Some(Calculation::Cases { cases: cases.into_iter().collect::<Option<_>>()?, otherwise })
    }

    fn case(&mut self, owner: Owner, name: &str, node: &Node, notes: &mut Notes<'_>) -> Option<Case> {
        let what = format!("a case of `{name}`");
        let map = shape::map(node, &what, notes)?;
        shape::known_keys(map, &what, &["when", "value"], notes);
        let (Some(when), Some(value)) = (map.get("when"), map.get("value")) else {
            notes.error(
                node.span,
                format!("{what} needs `when` and `value`"),
                "`when` is a selection, `value` an input",
            );
            return None;
        };
        let when = self.selection(owner, when, "`when`", notes);
        let value = self.operand(owner, name, value, notes);
        Some(Case { when: when?, value: value? })
    }
}

fn literal(node: &Node, notes: &mut Notes<'_>) -> Option<Literal> {
    match &node.value {
        Value::Null => Some(Literal::Null),
        Value::Bool(value) => Some(Literal::Bool(*value)),
        Value::Number(number) => Some(Literal::Number(number.clone())),
        Value::Text(text) => Some(Literal::Text(text.clone())),
        Value::List(_) | Value::Map(_) => {
            notes.error(
                node.span,
                format!("a literal has to be a scalar, this is {}", node.kind()),
                "write one value",
            );
            None
        }
    }
}
