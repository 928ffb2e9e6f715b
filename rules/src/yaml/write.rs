//! Trees back to text: JSON lines for events, and flow-style YAML for the Sigma parser.

use super::{Node, Value};

/// The node as compact JSON; a number keeps its text.
pub(crate) fn json(node: &Node) -> String {
    let mut out = String::new();
    write(node, &JSON, &mut out);
    out
}

/// The node as YAML on one line, plain ASCII, every text quoted: no reader can take it for something else.
pub(crate) fn yaml(node: &Node) -> String {
    let mut out = String::new();
    write(node, &YAML, &mut out);
    out
}

/// How scalars are written.
struct Dialect {
    text: fn(&str, &mut String),
    number: fn(&str, &mut String),
}

const JSON: Dialect = Dialect { text: json_text, number: |number, out| out.push_str(number) };

const YAML: Dialect = Dialect { text: yaml_text, number: yaml_number };

fn write(node: &Node, dialect: &Dialect, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => (dialect.number)(number, out),
        Value::Text(value) => (dialect.text)(value, out),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(item, dialect, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, entry) in map.entries.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                (dialect.text)(&entry.key, out);
                out.push(':');
                write(&entry.node, dialect, out);
            }
            out.push('}');
        }
    }
}

fn json_text(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn yaml_text(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
}

/// The Sigma parser refuses numbers beyond 64 bits, so those go to it as text.
fn yaml_number(number: &str, out: &mut String) {
    match number.len() {
        0..=18 => out.push_str(number),
        _ => yaml_text(number, out),
    }
}
