//! What a field's name means: a calculated field, a mapped name, or a path into the event.

use super::{Lowering, calculation::CALCULATION_DEPTH_MAX, member::MEMBER};
use crate::{
    diagnostic::Notes,
    source::Span,
    yaml::{Node, Value},
};
use tripwasm_plan::FieldId;

/// Who wrote a name, and thereby where it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A rule: its own calculated fields, then the configuration's names, then paths.
    Document(usize),
    /// A rule, inside an array's block: paths that begin at the member, and `.` for the member itself.
    Member(usize),
    /// A calculation of a configuration: its other calculated fields, then paths.
    Shared(usize),
}

impl Owner {
    /// The document that the name stands in.
    pub(crate) fn document(self) -> Option<usize> {
        match self {
            Owner::Document(document) | Owner::Member(document) => Some(document),
            Owner::Shared(_) => None,
        }
    }
}

/// Why calculated fields cannot be put in order.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The names of a circle; the first is also the last.
    Circle(Vec<String>),
    TooDeep,
}

impl<'c> Lowering<'c> {
    /// The field that `name` means where `owner` wrote it. A calculation in error gives `None` and no message: it
    /// was reported where it stands.
    pub(crate) fn field(&mut self, owner: Owner, name: &str, notes: &Notes<'_>) -> Option<FieldId> {
        match owner {
            Owner::Document(position) => {
                let draft = self.draft(position)?;
                match draft.block.field(name) {
                    Some(node) => self.calculated(owner, name, node, notes),
                    None => self.shared(draft.settings, name, notes),
                }
            }
            Owner::Member(_) if name == MEMBER => Some(self.builder.path(name, "")),
            Owner::Member(_) => Some(self.builder.path(name, name)),
            Owner::Shared(settings) => {
                let itself = self.open.last().is_some_and(|(open, inner)| *open == owner && inner == name);
                let mapped =
                    self.context.settings.get(settings).and_then(|settings| settings.fields.get(name));
                match mapped.map(|mapped| &mapped.node) {
                    Some(node) if node.as_map().is_some() && !itself => {
                        self.calculated(owner, name, node, notes)
                    }
                    _ => Some(self.builder.path(name, name)),
                }
            }
        }
    }

    /// Reports what is wrong with a document's calculated fields.
    pub(crate) fn check_document(&mut self, position: usize, notes: &mut Notes<'_>) {
        let Some(draft) = self.draft(position) else { return };
        for entry in draft.block.fields.iter().flat_map(|fields| &fields.entries) {
            let named = (entry.key.as_str(), entry.key_span);
            self.check_calculation(Owner::Document(position), named, &entry.node, notes);
        }
    }

    /// Reports what is wrong with a configuration's calculated fields.
    pub(crate) fn check_shared(
        &mut self,
        settings: usize,
        name: &str,
        node: &'c Node,
        notes: &mut Notes<'_>,
    ) {
        if node.as_map().is_some() {
            self.check_calculation(Owner::Shared(settings), (name, node.span), node, notes);
        }
    }

    /// Whether a rule calculates `name` itself.
    pub(crate) fn defines(&self, position: usize, name: &str) -> bool {
        self.draft(position).is_some_and(|draft| draft.block.field(name).is_some())
    }

    fn shared(&mut self, settings: usize, name: &str, notes: &Notes<'_>) -> Option<FieldId> {
        let mapped = self.context.settings.get(settings).and_then(|settings| settings.fields.get(name));
        match mapped.map(|mapped| &mapped.node) {
            Some(Node { value: Value::Text(path), .. }) => Some(self.builder.path(name, path)),
            Some(node) => self.calculated(Owner::Shared(settings), name, node, notes),
            None => Some(self.builder.path(name, name)),
        }
    }

    fn check_calculation(&mut self, owner: Owner, entry: (&str, Span), node: &Node, notes: &mut Notes<'_>) {
        let (name, span) = entry;
        self.calculated.clear();
        self.trouble = None;
        self.open.push((owner, name.to_owned()));
        self.calculation(owner, name, node, notes);
        self.open.pop();
        match self.trouble.take() {
            Some(Trouble::Circle(names)) if names.first().is_some_and(|first| first == name) => {
                let message = format!("calculated fields need each other: {}", names.join(" -> "));
                notes.error(span, message, "break the circle");
            }
            Some(Trouble::TooDeep) => {
                let message = format!(
                    "`{name}` builds on more than {CALCULATION_DEPTH_MAX} calculated fields in a row"
                );
                notes.error(span, message, "put some of them into one");
            }
            Some(Trouble::Circle(_)) | None => {}
        }
    }

    fn calculated(&mut self, owner: Owner, name: &str, node: &Node, notes: &Notes<'_>) -> Option<FieldId> {
        let key = (owner, name.to_owned());
        if let Some(&known) = self.calculated.get(&key) {
            return known;
        }
        if self.open.contains(&key) {
            let circle = self.open.iter().skip_while(|open| **open != key).chain([&key]);
            self.trouble = Some(Trouble::Circle(circle.map(|(_, name)| name.clone()).collect()));
            return None;
        }
        if self.open.len() >= CALCULATION_DEPTH_MAX {
            self.trouble = Some(Trouble::TooDeep);
            return None;
        }
        self.open.push(key.clone());
        let calculation = self.calculation(owner, name, node, &mut Notes::new(notes.source()));
        self.open.pop();
        let field = calculation.map(|calculation| self.builder.calculated(name, calculation));
        self.calculated.insert(key, field);
        field
    }
}
