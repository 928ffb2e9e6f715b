//! Array matching (`field[any]` and its kin): a condition over one member of an array.

use super::{
    Lowering, condition,
    field::Owner,
    path::{self, Brackets, FieldPath},
};
use crate::{
    check,
    diagnostic::Notes,
    yaml::{Entry, Map, Node, Value},
};
use rsigma_parser::{ConditionExpr, parse_condition};
use std::collections::HashMap;
use tripwasm_plan::{Condition, Field, FieldId, FieldSource, Quantifier, Scope, Test};

/// Deepest nesting of arrays inside members of arrays, which lowering and engine follow by recursion.
pub(crate) const SCOPE_DEPTH_MAX: usize = 8;

/// The name of the member itself inside a block.
pub(crate) const MEMBER: &str = ".";

/// Conditions over members, each once, inner ones before those that refer to them.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    pub(crate) list: Vec<Scope>,
    /// Positions by encoded entry; only looked up.
    positions: HashMap<Vec<u8>, u32>,
    depth: usize,
}

impl Scopes {
    fn add(&mut self, scope: Scope) -> u32 {
        let key = postcard::to_allocvec(&scope).unwrap_or_default();
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let position = *self.positions.entry(key).or_insert(next);
        if position == next {
            self.list.push(scope);
        }
        position
    }
}

/// Members of an array that a key names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'k> {
    pub(crate) array: &'k str,
    pub(crate) quantifier: Quantifier,
    /// The field part of the key inside a member; empty for the member itself.
    pub(crate) inside: &'k str,
    /// The key's modifiers with the bars before them.
    pub(crate) modifiers: &'k str,
}

impl Lowering<'_> {
    /// The condition that so many members of an array are as the entry's value says.
    pub(crate) fn members(
        &mut self,
        owner: Owner,
        members: Members<'_>,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let Some(document) = owner.document() else {
            notes.error(
                entry.key_span,
                "array selectors in a configuration",
                "calculate the field in a rule",
            );
            return None;
        };
        let array = self.field(owner, members.array, notes)?;
        let is_path = |field: &Field| matches!(field.source, FieldSource::Path(_));
        if !self.builder.get(array).is_some_and(is_path) {
            let message = format!("`{}` is calculated: it has one value and no members", members.array);
            notes.error(entry.key_span, message, "name the event's own array");
            return None;
        }
        if self.scopes.depth >= SCOPE_DEPTH_MAX {
            let message = format!("array selectors nested deeper than {SCOPE_DEPTH_MAX} levels");
            notes.error(entry.key_span, message, "match the inner arrays without selectors");
            return None;
        }
        self.scopes.depth += 1;
        let outer = std::mem::take(&mut self.builder);
        let condition = self.member_condition(Owner::Member(document), members, entry, notes);
        let (fields, predicates) = std::mem::replace(&mut self.builder, outer).tables();
        self.scopes.depth -= 1;
        let scope = self.scopes.add(Scope { fields, predicates, condition: condition? });
        Some(self.builder.holds(array, Test::Members { quantifier: members.quantifier, scope }))
    }

    fn member_condition(
        &mut self,
        owner: Owner,
        members: Members<'_>,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let Value::Map(map) = &entry.node.value else {
            let field = if members.inside.is_empty() { MEMBER } else { members.inside };
            let inner = Entry { key: format!("{field}{}", members.modifiers), ..entry.clone() };
            return self.item(owner, &inner, notes);
        };
        if !members.modifiers.is_empty() {
            let message = "modifiers before a block, which has values of its own";
            notes.error(entry.key_span, message, "move them to the fields inside the block");
            return None;
        }
        match (members.inside, map.entry("condition")) {
            ("", Some(condition)) => self.conditional(owner, map, condition, notes),
            ("", None) => self.map(owner, map, &entry.node, &format!("`{}`", entry.key), notes),
            (inside, _) => self.block(owner, inside, entry, notes),
        }
    }

    /// A map below a path that ends inside an array: each key continues the path.
    pub(crate) fn block(
        &mut self,
        owner: Owner,
        prefix: &str,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let map = entry.node.as_map()?;
        let inner =
            map.entries.iter().map(|inner| Entry { key: format!("{prefix}.{}", inner.key), ..inner.clone() });
        let map = Map { entries: inner.collect() };
        self.map(owner, &map, &entry.node, &format!("`{}`", entry.key), notes)
    }

    /// A block of named selections with a condition over them.
    fn conditional(
        &mut self,
        owner: Owner,
        map: &Map,
        condition: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let entries: Vec<&Entry> = map.entries.iter().filter(|entry| entry.key != "condition").collect();
        let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        if names.is_empty() {
            notes.error(condition.key_span, "a `condition` without selections beside it", "add a selection");
            return None;
        }
        let before = notes.list.len();
        let used = check::conditions(condition, &names, notes);
        let is_sound = notes.list.len() == before;
        let mut selections = Vec::new();
        for entry in &entries {
            if is_sound && !used.contains(entry.key.as_str()) {
                let message = format!("`{}` is not used in the condition of its block", entry.key);
                notes.warning(entry.key_span, message, "use it in the condition, or remove it");
            }
            let name = format!("`{}`", entry.key);
            selections.push(
                self.selection(owner, &entry.node, &name, notes).map(|found| (entry.key.as_str(), found)),
            );
        }
        let selections: Vec<_> = selections.into_iter().collect::<Option<_>>()?;
        if !is_sound {
            return None;
        }
        let one = std::slice::from_ref(&condition.node);
        let texts = condition.node.as_list().unwrap_or(one).iter().filter_map(Node::as_text);
        let expressions: Vec<ConditionExpr> = texts.filter_map(|text| parse_condition(text).ok()).collect();
        condition::lower(&expressions, &selections, condition.node.span, notes)
    }

    /// What brackets mean where `owner` wrote them.
    pub(crate) fn brackets(&self, owner: Owner) -> Brackets {
        let draft = owner.document().and_then(|document| self.context.drafts.get(document));
        draft.map_or(Brackets::Refused, |draft| Brackets::of_version(draft.document.sigma_version()))
    }

    /// The field that a value names, as `fieldref` has it: a path, perhaps with indices.
    pub(crate) fn referred_field(
        &mut self,
        owner: Owner,
        value: &Node,
        name: &str,
        notes: &mut Notes<'_>,
    ) -> Option<FieldId> {
        match path::read(name, self.brackets(owner), value.span, notes)? {
            FieldPath::Plain { path, .. } => self.field(owner, &path, notes),
            FieldPath::Members { .. } => {
                let message = format!("`{name}` stands for several values, a reference for one");
                notes.error(value.span, message, "name one element, such as `name[0]`");
                None
            }
        }
    }
}
