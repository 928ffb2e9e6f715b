//! `Key`, `DeepKey` and `KeyPath`: which value of an event is meant.

use crate::{
    diagnostic::Notes,
    shape,
    source::Span,
    yaml::{Map, Node, Value},
};

/// The keys that say where a value stands.
pub(super) const SPECIFIERS: [&str; 3] = ["Key", "DeepKey", "KeyPath"];

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// A dotted path as our rules write it.
    pub(super) path: String,
    /// Whether it passes an array with `[*]`: then its value is the list of what it finds.
    pub(super) is_list: bool,
    pub(super) span: Span,
}

/// The key that a map names; `None` without a message if it names none.
pub(super) fn key(map: &Map, notes: &mut Notes<'_>) -> Option<Key> {
    let mut named = map.entries.iter().filter(|entry| SPECIFIERS.contains(&entry.key.as_str()));
    let entry = named.next()?;
    if let Some(second) = named.next() {
        let message = format!("`{}` and `{}` in one expression", entry.key, second.key);
        notes.error(second.key_span, message, "keep one of them");
        return None;
    }
    let span = entry.node.span;
    let segments = match entry.key.as_str() {
        "Key" => vec![shape::text(&entry.node, "`Key`", notes)?.to_owned()],
        "DeepKey" => deep(&entry.node, notes)?,
        _ => {
            let path = shape::text(&entry.node, "`KeyPath`", notes)?;
            path.strip_prefix("$.").unwrap_or(path).split('.').map(str::to_owned).collect()
        }
    };
    let mut key = Key { path: String::new(), is_list: false, span };
    let brackets = entry.key == "KeyPath";
    for segment in &segments {
        if key.add(segment, brackets).is_none() {
            let message = format!("`{segment}` in `{}` is no key that a rule here can name", entry.key);
            let remedy = "keys are made of letters, digits, `_`, `-`, `:`, `@`, `$` and `/`; brackets hold a number or `*`";
            notes.error(span, message, remedy);
            return None;
        }
    }
    if key.path.starts_with("p_") {
        let message = format!("`{}` is added by Panther and stands in no CloudTrail event", key.path);
        notes.error(span, message, "name the event's own key");
        return None;
    }
    Some(key)
}

impl Key {
    fn add(&mut self, segment: &str, brackets: bool) -> Option<()> {
        let (name, selectors) = match segment.find('[').filter(|_| brackets) {
            Some(at) => segment.split_at(at),
            None => (segment, ""),
        };
        let is_index = name.starts_with('[') && !brackets;
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '@' | '$' | '/');
        if !is_index && (name.is_empty() || !name.chars().all(allowed)) {
            return None;
        }
        if !self.path.is_empty() && !is_index {
            self.path.push('.');
        }
        self.path.push_str(name);
        let mut rest = selectors;
        while let Some(inner) = rest.strip_prefix('[') {
            let (selector, after) = inner.split_once(']')?;
            match selector {
                "*" => self.is_list = true,
                index if index.parse::<i32>().is_ok() => {
                    self.path.push_str(&format!("[{index}]"));
                }
                _ => return None,
            }
            rest = after;
        }
        rest.is_empty().then_some(())
    }
}

/// The keys of a `DeepKey`; a number is the position in a list.
fn deep(node: &Node, notes: &mut Notes<'_>) -> Option<Vec<String>> {
    let items = shape::list(node, "`DeepKey`", notes)?;
    if items.is_empty() {
        notes.error(node.span, "`DeepKey` is empty", "list the keys that lead to the value");
        return None;
    }
    let segment = |item: &Node| match &item.value {
        Value::Number(number) if number.parse::<i32>().is_ok() => Some(format!("[{number}]")),
        Value::Text(text) if !text.starts_with('[') => Some(text.clone()),
        _ => None,
    };
    let segments: Option<Vec<String>> = items.iter().map(segment).collect();
    if segments.is_none() {
        notes.error(
            node.span,
            "`DeepKey` holds something else than keys and positions",
            "write them as texts and numbers",
        );
    }
    segments
}
