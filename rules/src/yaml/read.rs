//! Parser events to the tree, without recursion.

use super::{Chunk, Entry, Map, Node, Value, scalar};
use crate::{diagnostic::Notes, source::Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::{borrow::Cow, collections::HashMap};

/// Deepest nesting of a document. CloudTrail events in tests stay under 30; code that walks a tree recurses so deep.
pub(crate) const NESTING_DEPTH_MAX: usize = 64;

/// Bound on nodes plus bytes of text that aliases may add: nested aliases grow exponentially.
const ALIAS_SIZE_MAX: usize = 1 << 20;

/// Reads one document. What is wrong goes to `notes`; `None` if no tree came out of it.
pub(crate) fn read(chunk: &Chunk, notes: &mut Notes<'_>) -> Option<Node> {
    let mut reader = Reader {
        notes,
        first_line: chunk.line,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        size: 0,
        size_of_aliases: 0,
    };
    let mut parser = Parser::new_from_str(&chunk.text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let span = reader.span(span);
                reader.event(event, span)?;
            }
            Err(error) => {
                let span = reader.span(saphyr_parser::Span::empty(*error.marker()));
                reader.notes.error(
                    span,
                    format!("invalid YAML: {}", error.info()),
                    yaml_remedy(error.info()),
                );
                return None;
            }
        }
    }
    reader.root
}

struct Reader<'n, 's> {
    notes: &'n mut Notes<'s>,
    first_line: u32,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    /// Nodes and bytes of text so far.
    size: usize,
    size_of_aliases: usize,
}

/// A list or map whose end is still to come.
struct Open {
    span: Span,
    anchor: usize,
    size_before: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

/// A map, the lines of its keys, and the key whose value is still to come.
#[derive(Default)]
struct OpenMap {
    map: Map,
    lines: HashMap<String, u32>,
    key: Option<Key>,
}

/// A key whose value is still to come.
struct Key {
    text: String,
    span: Span,
    use_of_value: UseOfValue,
}

/// Values behind keys in error are read and dropped, so that they cause no further errors.
#[derive(PartialEq, Eq)]
enum UseOfValue {
    Kept,
    Dropped,
}

impl Reader<'_, '_> {
    /// `None` stops the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.size += 1 + text.len();
                if self.expects_key() {
                    self.key(&text, style, span);
                    return Some(());
                }
                let value = self.scalar(&text, style, tag.as_deref(), span)?;
                let size_before = self.size - 1 - text.len();
                self.finish(Node { span, value }, anchor, size_before);
                Some(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Content::List(Vec::new()), anchor, tag, "seq", span)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Content::Map(OpenMap::default()), anchor, tag, "map", span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let value = match open.content {
                    Content::List(items) => Value::List(items),
                    Content::Map(open) => Value::Map(open.map),
                };
                let span = Span { end_line: span.line, end_column: span.column, ..open.span };
                self.finish(Node { span, value }, open.anchor, open.size_before);
                Some(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Some(()),
        }
    }

    fn begin(
        &mut self,
        content: Content,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        own_tag: &str,
        span: Span,
    ) -> Option<()> {
        if self.open.len() >= NESTING_DEPTH_MAX {
            let message = format!("nested deeper than {NESTING_DEPTH_MAX} levels");
            self.notes.error(span, message, "flatten the document");
            return None;
        }
        if self.expects_key() {
            self.notes.error(span, "a key that is a list or a map", "write a plain text as the key");
            return None;
        }
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own_tag)) {
            self.foreign_tag(&tag, span);
        }
        self.open.push(Open { span, anchor, size_before: self.size, content });
        self.size += 1;
        Some(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map(OpenMap { key: None, .. }), .. }))
    }

    fn key(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let mut use_of_value = UseOfValue::Kept;
        if text == "<<" && style == ScalarStyle::Plain {
            self.notes.error(span, "merge keys (`<<`) are not part of YAML 1.2", "write the merged keys out");
            use_of_value = UseOfValue::Dropped;
        }
        let Some(Open { content: Content::Map(open), .. }) = self.open.last_mut() else { return };
        if let Some(earlier) = open.lines.get(text) {
            let message = format!("key `{text}` stands twice in one map, first in line {earlier}");
            self.notes.error(span, message, "keep one of them; several values of a field form a list");
            use_of_value = UseOfValue::Dropped;
        } else {
            open.lines.insert(text.to_owned(), span.line);
        }
        open.key = Some(Key { text: text.to_owned(), span, use_of_value });
    }

    /// Puts a complete node into its parent.
    fn finish(&mut self, node: Node, anchor: usize, size_before: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.size - size_before));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(open)) => {
                if let Some(key) = open.key.take().filter(|key| key.use_of_value == UseOfValue::Kept) {
                    open.map.entries.push(Entry { key: key.text, key_span: key.span, node });
                }
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<()> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.notes.error(span, "an alias inside the node it stands for", "write the value out");
            return None;
        };
        let node = Node { span, value: node.value.clone() };
        self.size += size;
        self.size_of_aliases += size;
        if self.size_of_aliases > ALIAS_SIZE_MAX {
            self.notes.error(span, "aliases make this document larger than 1 MiB", "write the values out");
            return None;
        }
        if self.open.len() + depth(&node) > NESTING_DEPTH_MAX {
            let message = format!("the alias nests deeper than {NESTING_DEPTH_MAX} levels");
            self.notes.error(span, message, "flatten the document");
            return None;
        }
        if self.expects_key() {
            match node.scalar_text() {
                Some(text) => self.key(&text, ScalarStyle::SingleQuoted, span),
                None => {
                    self.notes.error(span, "an alias of no text as a key", "write the key out");
                    return None;
                }
            }
        } else {
            self.finish(node, 0, self.size);
        }
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Option<Value> {
        if let Some(tag) = tag {
            if tag.is_yaml_core_schema() && tag.suffix == "str" {
                return Some(Value::Text(text.to_owned()));
            }
            self.foreign_tag(tag, span);
        }
        if style != ScalarStyle::Plain {
            return Some(Value::Text(text.to_owned()));
        }
        match scalar::plain(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.notes.error(span, format!("`{text}` is {error}"), format!("quote it: '{text}'"));
                Some(Value::Text(text.to_owned()))
            }
        }
    }

    fn foreign_tag(&mut self, tag: &Tag, span: Span) {
        self.notes.error(span, format!("the YAML tag `{tag}` has no meaning here"), "remove the tag");
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let place = |line: usize, column: usize| {
            let line = u32::try_from(line).unwrap_or(u32::MAX).max(1) - 1;
            (line.saturating_add(self.first_line), u32::try_from(column).unwrap_or(u32::MAX - 1) + 1)
        };
        let (line, column) = place(span.start.line(), span.start.col());
        let (end_line, end_column) = place(span.end.line(), span.end.col());
        Span { line, column, end_line, end_column }
    }
}

fn depth(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.entries.iter().map(|entry| depth(&entry.node)).max().unwrap_or(0),
        _ => 0,
    }
}

fn yaml_remedy(info: &str) -> &'static str {
    if info.contains("tab") {
        "indent with spaces"
    } else if info.contains("anchor") {
        "define the anchor (`&name`) before its alias (`*name`); quote a text that begins with `*`"
    } else {
        "check the indentation, and quote texts that hold `: `, ` #`, or begin with a special character"
    }
}
