//! Match expressions, combinators and list comprehensions.

use super::{
    condition::condition,
    key::{Key, SPECIFIERS, key},
    logic::{Logic, Named},
    selection::{Selections, map, text},
};
use crate::{
    diagnostic::Notes,
    shape,
    source::Span,
    spelling::suggestion,
    yaml::{Map, Node, Value},
};

const COMBINATORS: [&str; 4] = ["All", "Any", "OnlyOne", "None"];

/// Match expressions in a list, all of which have to hold. Recursion ends with the tree, whose depth its reader bounds.
pub(super) fn expressions(
    node: &Node,
    what: &str,
    selections: &mut Selections,
    notes: &mut Notes<'_>,
) -> Option<Logic> {
    Some(Logic::all(parts(node, what, selections, notes)?))
}

fn parts(node: &Node, what: &str, selections: &mut Selections, notes: &mut Notes<'_>) -> Option<Vec<Logic>> {
    let items = shape::list(node, what, notes)?;
    let parts: Vec<Option<Logic>> = items.iter().map(|item| expression(item, selections, notes)).collect();
    parts.into_iter().collect()
}

fn expression(node: &Node, selections: &mut Selections, notes: &mut Notes<'_>) -> Option<Logic> {
    let map = shape::map(node, "a match expression", notes)?;
    if let Some(entry) = map.entries.iter().find(|entry| COMBINATORS.contains(&entry.key.as_str())) {
        if let Some(other) = map.entries.iter().find(|other| other.key != entry.key) {
            let message = format!("`{}` beside `{}`", other.key, entry.key);
            notes.error(other.key_span, message, "make it an element of its own");
            return None;
        }
        return combined(&entry.key, &entry.node, entry.key_span, selections, notes);
    }
    let known = ["Key", "DeepKey", "KeyPath", "Condition", "Value", "Values", "Expressions"];
    if let Some(entry) = map.entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
        let remedy = match entry.key.as_str() {
            "Enrichment" => "enrichment is added by Panther and stands in no CloudTrail event".to_owned(),
            other => suggestion(other, &known),
        };
        notes.error(entry.key_span, format!("unknown key `{}` in a match expression", entry.key), remedy);
        return None;
    }
    let Some(word) = map.get("Condition") else {
        notes.error(
            node.span,
            "a match expression without `Condition`",
            "add `Condition:`, such as `Equals`",
        );
        return None;
    };
    let span = word.span;
    let word = shape::text(word, "`Condition`", notes)?;
    if !map.entries.iter().any(|entry| SPECIFIERS.contains(&entry.key.as_str())) {
        return without_key(word, span, map, notes);
    }
    let key = key(map, notes)?;
    match word {
        "AnyElement" | "NoElement" | "AllElements" | "OnlyOneElement" => {
            elements(word, span, &key, map, selections, notes)
        }
        _ => condition(word, span, &key, map, selections, notes),
    }
}

fn combined(
    word: &str,
    node: &Node,
    span: Span,
    selections: &mut Selections,
    notes: &mut Notes<'_>,
) -> Option<Logic> {
    let parts = parts(node, &format!("`{word}`"), selections, notes)?;
    match word {
        "All" => Some(Logic::all(parts)),
        "Any" => Some(Logic::any(parts)),
        "None" => Some(Logic::any(parts).negated()),
        _ => {
            let logic = Logic::only_one(&parts);
            if logic.is_none() {
                notes.error(span, "`OnlyOne` of too many expressions to write out", "split the rule");
            }
            logic
        }
    }
}

fn without_key(word: &str, span: Span, map: &Map, notes: &mut Notes<'_>) -> Option<Logic> {
    match word {
        "AlwaysTrue" => Some(Logic::Constant(true)),
        "AlwaysFalse" => Some(Logic::Constant(false)),
        _ if map.get("Values").is_some() => {
            let message = format!("`{word}` of two keys cannot be imported exactly");
            let remedy =
                "write a Sigma rule with `fieldref`, which compares texts and asks that both are present";
            notes.error(span, message, remedy);
            None
        }
        _ => {
            notes.error(span, format!("`{word}` without a key"), "add `KeyPath:` with the key to look at");
            None
        }
    }
}

/// A list comprehension: how many elements of a list satisfy expressions together.
fn elements(
    word: &str,
    span: Span,
    key: &Key,
    map: &Map,
    selections: &mut Selections,
    notes: &mut Notes<'_>,
) -> Option<Logic> {
    let Some(inner) = map.get("Expressions") else {
        notes.error(span, format!("`{word}` without `Expressions`"), "list what has to hold of an element");
        return None;
    };
    if key.is_list {
        notes.error(key.span, format!("`{word}` of `[*]`"), "name the list itself");
        return None;
    }
    if word == "OnlyOneElement" {
        let remedy = "Sigma has no number of elements: `AnyElement` and `NoElement` can be imported";
        notes.error(span, "`OnlyOneElement` cannot be imported exactly", remedy);
        return None;
    }
    let mut own = Selections::default();
    let logic = expressions(inner, "`Expressions`", &mut own, notes)?;
    if !own.calculated.is_empty() {
        let message = "`IsNullOrEmpty` of an element's key cannot be imported exactly";
        notes.error(inner.span, message, "use `IsNull`, or `Equals` with an empty text");
        return None;
    }
    // Inside an element a field goes by its own name, on a plain path by the whole one.
    for field in own.strict {
        selections.strict.push(format!("{}.{field}", key.path));
        selections.strict.push(field);
    }
    Some(match word {
        "AllElements" => member(key, logic.negated()).negated(),
        "NoElement" => member(key, logic).negated(),
        _ => member(key, logic),
    })
}

/// Some element satisfies the logic. A map about one field needs no array selector: a path that passes an array means any
/// of its elements.
fn member(key: &Key, logic: Logic) -> Logic {
    let body = match logic {
        Logic::Constant(value) => return Logic::Constant(value),
        Logic::Selection(Node { span, value: Value::Map(inner) }) => match inner.entries.as_slice() {
            [only]
                if !only.key.contains('[')
                    && !only.key.contains("|exists")
                    && only.node.value != Value::Null =>
            {
                return Logic::Selection(map(
                    vec![(&format!("{}.{}", key.path, only.key), only.node.clone())],
                    span,
                ));
            }
            _ => Node { span, value: Value::Map(inner) },
        },
        Logic::Selection(node) => node,
        other => {
            let mut named = Named::default();
            let condition = named.condition(&other);
            let mut block = Map { entries: named.selections };
            let condition = map(vec![("condition", text(&condition, key.span))], key.span);
            block.entries.extend(condition.as_map().into_iter().flat_map(|map| map.entries.clone()));
            Node { span: key.span, value: Value::Map(block) }
        }
    };
    Logic::Selection(map(vec![(&format!("{}[any]", key.path), body)], key.span))
}
