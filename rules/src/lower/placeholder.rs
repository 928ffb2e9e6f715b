//! `expand`: values for `%name%`.

use crate::{
    diagnostic::Notes,
    settings::Settings,
    spelling::nearest,
    yaml::{Node, Value},
};

/// Values that one text with placeholders may become.
const EXPANSIONS_MAX: usize = 10_000;

/// The values that a text with placeholders stands for. `\%` is a plain percent sign. A text that is one placeholder
/// becomes the configured values as they are, else their texts are put in.
pub(crate) fn expand(node: &Node, settings: &Settings, notes: &mut Notes<'_>) -> Option<Vec<Node>> {
    let Value::Text(text) = &node.value else { return Some(vec![node.clone()]) };
    let pieces = pieces(text);
    if let [Piece::Placeholder(name)] = pieces.as_slice() {
        let values = values(name, node, settings, notes)?;
        return Some(
            values.iter().map(|value| Node { span: node.span, value: value.value.clone() }).collect(),
        );
    }
    let mut texts = vec![String::new()];
    for piece in pieces {
        let additions: Vec<String> = match piece {
            Piece::Text(text) => vec![text],
            Piece::Placeholder(name) => {
                values(&name, node, settings, notes)?.iter().filter_map(Node::scalar_text).collect()
            }
        };
        if texts.len() * additions.len() > EXPANSIONS_MAX {
            let message = format!("placeholders make more than {EXPANSIONS_MAX} values of `{text}`");
            notes.error(node.span, message, "use one placeholder with the values that matter");
            return None;
        }
        texts =
            texts.iter().flat_map(|text| additions.iter().map(move |more| format!("{text}{more}"))).collect();
    }
    Some(texts.into_iter().map(|text| Node { span: node.span, value: Value::Text(text) }).collect())
}

enum Piece {
    Text(String),
    Placeholder(String),
}

fn values<'s>(name: &str, node: &Node, settings: &'s Settings, notes: &mut Notes<'_>) -> Option<&'s [Node]> {
    match settings.placeholders.get(name) {
        Some(values) if !values.is_empty() => Some(values),
        _ => {
            let remedy = match nearest(name, settings.placeholders.keys().map(String::as_str)) {
                Some(near) if near != name => format!("did you mean `%{near}%`?"),
                _ => format!("give its values in a `--config` file: `placeholders: {{ {name}: [...] }}`"),
            };
            notes.error(node.span, format!("placeholder `%{name}%` has no values"), remedy);
            None
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
        if let Some(before) = before.strip_suffix('\\') {
            plain.push_str(before);
            plain.push('%');
            rest = after;
            continue;
        }
        plain.push_str(before);
        let name = after.split_once('%').filter(|(name, _)| !name.is_empty() && name.chars().all(is_name));
        rest = match name {
            Some((name, after)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Placeholder(name.to_owned()));
                after
            }
            None => {
                plain.push('%');
                after
            }
        };
    }
    plain.push_str(rest);
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
