//! Reads tree nodes as what they have to be, and says so where they are something else.

use crate::{
    diagnostic::Notes,
    quantity::duration_ms,
    source::Span,
    spelling::suggestion,
    yaml::{Map, Node, Value},
};

/// The node as a map; `what` names it in the message.
pub(crate) fn map<'n>(node: &'n Node, what: &str, notes: &mut Notes<'_>) -> Option<&'n Map> {
    let found = node.as_map();
    if found.is_none() {
        wrong_kind(node, what, "a map", notes);
    }
    found
}

/// The node as a list.
pub(crate) fn list<'n>(node: &'n Node, what: &str, notes: &mut Notes<'_>) -> Option<&'n [Node]> {
    let found = node.as_list();
    if found.is_none() {
        wrong_kind(node, what, "a list", notes);
    }
    found
}

/// The node as a text; a number or boolean has to be quoted.
pub(crate) fn text<'n>(node: &'n Node, what: &str, notes: &mut Notes<'_>) -> Option<&'n str> {
    if node.as_text().is_none() {
        match node.scalar_text() {
            Some(text) => {
                let message = format!("{what} has to be a text, this is {}", node.kind());
                notes.error(node.span, message, format!("quote it: '{text}'"));
            }
            None => wrong_kind(node, what, "a text", notes),
        }
    }
    node.as_text()
}

/// The node as a list of texts, or one text.
pub(crate) fn texts<'n>(node: &'n Node, what: &str, notes: &mut Notes<'_>) -> Option<Vec<(&'n str, Span)>> {
    match &node.value {
        Value::List(items) => {
            items.iter().map(|item| text(item, what, notes).map(|text| (text, item.span))).collect()
        }
        _ => text(node, what, notes).map(|text| vec![(text, node.span)]),
    }
}

/// The node as true or false.
pub(crate) fn boolean(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<bool> {
    match node.value {
        Value::Bool(value) => Some(value),
        _ => {
            let message = format!("{what} has to be `true` or `false`, this is {}", node.kind());
            notes.error(node.span, message, "write `true` or `false` without quotes");
            None
        }
    }
}

/// The node as a whole number that is not negative.
pub(crate) fn natural(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<u64> {
    let number = match &node.value {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    };
    if number.is_none() {
        let found = node.described();
        let message = format!("{what} has to be a whole number, not negative; this is {found}");
        notes.error(node.span, message, "write digits without quotes");
    }
    number
}

/// The node as a duration in milliseconds, zero included.
pub(crate) fn duration(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<u64> {
    let Some(text) = node.as_text() else {
        let message = format!("{what} has to be a duration, this is {}", node.kind());
        notes.error(node.span, message, "write a number and a unit, such as `15m`");
        return None;
    };
    match duration_ms(text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            let message = format!("{what} `{text}` is {error}");
            notes.error(node.span, message, "write a number and a unit, such as `90s`, `15m`, `1h`, `7d`");
            None
        }
    }
}

/// The node as a duration in milliseconds that is not zero.
pub(crate) fn positive_duration(node: &Node, what: &str, notes: &mut Notes<'_>) -> Option<u64> {
    let duration = duration(node, what, notes)?;
    if duration == 0 {
        notes.error(node.span, format!("{what} is zero"), "write a duration above zero, such as `5m`");
        return None;
    }
    Some(duration)
}

/// The node as one of a few words.
pub(crate) fn one_of<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    notes: &mut Notes<'_>,
) -> Option<T> {
    let word = text(node, what, notes)?;
    let found = words.iter().find(|(known, _)| *known == word).map(|&(_, meaning)| meaning);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|&(known, _)| known).collect();
        notes.error(node.span, format!("{what} cannot be `{word}`"), suggestion(word, &known));
    }
    found
}

/// Reports every key that is not known.
pub(crate) fn known_keys(map: &Map, place: &str, known: &[&str], notes: &mut Notes<'_>) {
    for entry in map.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let message = format!("unknown key `{}` in {place}", entry.key);
        notes.error(entry.key_span, message, suggestion(&entry.key, known));
    }
}

fn wrong_kind(node: &Node, what: &str, wanted: &str, notes: &mut Notes<'_>) {
    let remedy = match node.value {
        Value::Null => format!("write {wanted}, or leave the key out"),
        _ => format!("write {wanted}"),
    };
    notes.error(node.span, format!("{what} has to be {wanted}, this is {}", node.kind()), remedy);
}
