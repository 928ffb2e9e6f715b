//! Trees to YAML that people edit.

use crate::yaml::{Map, Node, Value};

/// Characters a plain scalar may have besides letters and digits: with them it means the same to every YAML reader.
const PLAIN: &str = "_-./ ()";

/// A document as block-style YAML.
pub(super) fn block(document: &Map) -> String {
    let mut out = String::new();
    map(document, 0, &mut out);
    out
}

/// Recursion ends with the tree, whose depth its reader bounds.
fn map(entries: &Map, indent: usize, out: &mut String) {
    for (at, entry) in entries.entries.iter().enumerate() {
        // The first key of an element stands behind its dash.
        if at > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&key(&entry.key));
        out.push(':');
        value(&entry.node, indent + 2, out);
    }
}

/// What stands behind a colon.
fn value(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(inner) if !inner.entries.is_empty() => {
            out.push('\n');
            map(inner, indent, out);
        }
        Value::List(items) if items.iter().any(is_collection) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                element(item, indent + 2, out);
            }
        }
        Value::Text(text) if is_literal(text) => literal(text, indent, out),
        _ => {
            out.push(' ');
            flow(node, out);
            out.push('\n');
        }
    }
}

fn element(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(inner) if !inner.entries.is_empty() => map(inner, indent, out),
        _ => {
            flow(node, out);
            out.push('\n');
        }
    }
}

fn is_collection(node: &Node) -> bool {
    matches!(node.value, Value::Map(_) | Value::List(_))
}

fn flow(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(number),
        Value::Text(text) => out.push_str(&scalar(text)),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                flow(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, entry) in map.entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { " " });
                out.push_str(&scalar(&entry.key));
                out.push_str(": ");
                flow(&entry.node, out);
            }
            out.push_str(if map.entries.is_empty() { "}" } else { " }" });
        }
    }
}

/// A key may hold the bars of modifiers.
fn key(text: &str) -> String {
    match is_plain(&text.replace('|', "_")) && !text.contains(' ') {
        true => text.to_owned(),
        false => scalar(text),
    }
}

fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().all(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || PLAIN.contains(c))
        && !words.contains(&text.to_lowercase().as_str())
}

fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|c| c == '\n' || !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
        && text.trim_end() == text
}

fn literal(text: &str, indent: usize, out: &mut String) {
    out.push_str(" |-\n");
    for line in text.lines() {
        if !line.trim().is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::Notes,
        source::{Source, SourceFile},
        yaml,
    };

    fn read(text: &str) -> Map {
        let file = SourceFile { path: "t.yml".to_owned(), text: text.to_owned() };
        let source = Source::new(&file);
        let mut notes = Notes::new(&source);
        let node = yaml::read(&yaml::split(&source)[0], &mut notes).unwrap();
        assert_eq!(notes.list, []);
        node.as_map().unwrap().clone()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = r#"
a: [x, 'yes', '1', 2.50, true, null, 'it''s', "tab\t", "nul\u0000", 'é: #', '', ' ', '- x', '---']
'b|contains': { c: { d: [[1], { e: f, 'g h': [] }, {}] }, '*': '012' }
'x:y': "two\nlines\n\n  indented"
long: "ends with a break\n"
"with [any]": {}
"#;
        let tree = read(text);
        let written = block(&tree);
        assert_eq!(yaml::json(&node(&read(&written))), yaml::json(&node(&tree)), "{written}");
        assert!(written.contains("\nb|contains:\n  c:\n    d:\n      - [1]\n      - e: f\n"), "{written}");
    }

    fn node(map: &Map) -> Node {
        Node { span: crate::source::Span::START, value: Value::Map(map.clone()) }
    }
}
