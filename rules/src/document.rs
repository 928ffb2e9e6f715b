//! The documents of all files, and the names they go by.

use crate::{
    diagnostic::{Diagnostic, Notes},
    source::{Source, Span},
    yaml::{self, Map},
};
use rsigma_parser::version;
use std::collections::BTreeMap;

/// One document of a file of rules.
#[derive(Debug)]
pub(crate) struct Document<'s> {
    pub(crate) source: &'s Source<'s>,
    /// Its first line.
    pub(crate) span: Span,
    /// `None` where the text is no YAML map; `diagnostics` says why.
    pub(crate) root: Option<Map>,
    /// What reading it found.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'s> Document<'s> {
    /// The document in a piece of a file.
    pub(crate) fn read(source: &'s Source<'s>, chunk: &yaml::Chunk) -> Document<'s> {
        let mut notes = Notes::new(source);
        let node = yaml::read(chunk, &mut notes);
        let start = Span::on_line(chunk.first_content_line(), 1, 1);
        let span = node.as_ref().map_or(start, |node| node.span);
        let root = match node {
            Some(node) => match node.value {
                yaml::Value::Map(map) => Some(map),
                _ => {
                    let message = format!("a rule has to be a map, this document is {}", node.kind());
                    notes.error(node.span, message, "begin with `title:`");
                    None
                }
            },
            None if notes.list.is_empty() => {
                notes.error(start, "this document has no content", "remove it, or write a rule");
                None
            }
            None => None,
        };
        Document { source, span, root, diagnostics: notes.list }
    }

    /// A text member of the document, if it is one.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.root.as_ref().and_then(|root| root.get(key)).and_then(|node| node.as_text())
    }

    /// What messages call it: `name`, else `id`, else `title`, else its place.
    pub(crate) fn label(&self) -> String {
        let own = ["name", "id", "title"].iter().find_map(|key| self.text(key));
        own.map_or_else(|| format!("document in line {}", self.span.line), str::to_owned)
    }

    /// Where a member's key stands, else the beginning of the document.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        let entry = self.root.as_ref().and_then(|root| root.entry(key));
        entry.map_or(
            Span { end_line: self.span.line, end_column: self.span.column + 1, ..self.span },
            |entry| entry.key_span,
        )
    }

    /// Whether it is a Sigma filter: it makes no rule of its own.
    pub(crate) fn is_filter(&self) -> bool {
        let has = |key: &str| self.root.as_ref().is_some_and(|root| root.entry(key).is_some());
        has("filter") && !has("correlation")
    }

    /// The specification's major version that it is written for; 2 where it does not say.
    pub(crate) fn sigma_version(&self) -> u32 {
        let declared = self.root.as_ref().and_then(|root| root.get("sigma-version"));
        let text = declared.and_then(|node| node.scalar_text());
        version::resolve_major(text.and_then(|text| version::major_from_str(&text)))
    }

    /// Whether the document's correlation lets its rules be findings of their own.
    pub(crate) fn generates(&self) -> bool {
        let root = self.root.as_ref();
        let inner = root.and_then(|root| root.get("correlation")).and_then(|node| node.as_map());
        let own = root.and_then(|root| root.get("generate"));
        let node = own.or(inner.and_then(|map| map.get("generate")));
        node.is_some_and(|node| node.value == yaml::Value::Bool(true))
    }

    /// The rules that the document's correlation refers to, as it writes them.
    pub(crate) fn references(&self) -> Vec<(&str, Span)> {
        self.rules_of("correlation")
    }

    /// The rules that the document's filter is for, as it writes them.
    pub(crate) fn filter_references(&self) -> Vec<(&str, Span)> {
        self.rules_of("filter")
    }

    fn rules_of(&self, key: &str) -> Vec<(&str, Span)> {
        let body = self.root.as_ref().and_then(|root| root.get(key));
        let Some(rules) = body.and_then(|node| node.as_map()).and_then(|map| map.get("rules")) else {
            return Vec::new();
        };
        let one = std::slice::from_ref(rules);
        let items = rules.as_list().unwrap_or(one);
        items.iter().filter_map(|item| item.as_text().map(|text| (text, item.span))).collect()
    }
}

/// Which document goes by which name.
#[derive(Debug, Default)]
pub(crate) struct Index<'d> {
    /// `name` and `id` of rules, one space of names: either is a reference.
    names: BTreeMap<&'d str, usize>,
    titles: BTreeMap<&'d str, usize>,
}

impl<'d> Index<'d> {
    /// Indexes the documents in order of their files' paths; a name that is taken is an error of the later document.
    pub(crate) fn new(documents: &'d [Document<'d>], diagnostics: &mut [Vec<Diagnostic>]) -> Self {
        let mut index = Index::default();
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut order: Vec<(usize, &Document<'_>)> = documents.iter().enumerate().collect();
        order.sort_by_key(|(position, document)| (document.source.path, *position));
        for (position, document) in order {
            for key in ["id", "name"] {
                let Some(text) = document.text(key) else { continue };
                let earlier = taken.get(text).filter(|&&earlier| earlier != position);
                if let Some(earlier) = earlier.and_then(|&earlier| documents.get(earlier)) {
                    if let Some(list) = diagnostics.get_mut(position) {
                        list.extend(taken_by(document, earlier, key, text));
                    }
                    continue;
                }
                taken.insert(text, position);
                if !document.is_filter() {
                    index.names.insert(text, position);
                }
            }
            if let Some(title) = document.text("title").filter(|_| !document.is_filter()) {
                index.titles.entry(title).or_insert(position);
            }
        }
        index
    }

    /// The rule with this name or id.
    pub(crate) fn find(&self, reference: &str) -> Option<usize> {
        self.names.get(reference).copied()
    }

    /// The first rule with this title.
    pub(crate) fn titled(&self, title: &str) -> Option<usize> {
        self.titles.get(title).copied()
    }

    /// Every name and id of a rule, sorted.
    pub(crate) fn known(&self) -> impl Iterator<Item = &'d str> + '_ {
        self.names.keys().copied()
    }
}

/// The error of a document whose id or name an earlier one has.
fn taken_by(document: &Document<'_>, earlier: &Document<'_>, key: &str, text: &str) -> Vec<Diagnostic> {
    let mut notes = Notes::new(document.source);
    let node = document.root.as_ref().and_then(|root| root.get(key));
    let span = node.map_or(document.span, |node| node.span);
    let shared = earlier.root.as_ref().and_then(|root| root.get(key)).map(|node| node.span) == Some(span);
    let message = match shared && earlier.source.path == document.source.path {
        true => format!(
            "{key} `{text}` stands for two documents, those in lines {} and {}",
            earlier.span.line, document.span.line
        ),
        false => format!(
            "{key} `{text}` is taken by the rule at {}:{}",
            earlier.source.path,
            earlier.key_span(key).line
        ),
    };
    notes.error(span, message, format!("give each rule its own {key}"));
    notes.list
}
