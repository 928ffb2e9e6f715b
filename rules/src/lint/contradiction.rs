//! Conditions that cannot hold, whatever the event. What is not certain counts as possible.

use super::exclusion::{Events, described, excludes, implies};
use tripwasm_plan::{Condition, Field, Predicate, PredicateId, Test};

/// Longest list of alternatives that is compared with others, test by test.
const ALTERNATIVES_MAX: usize = 256;

/// What predicates and fields stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables<'p> {
    pub(crate) fields: &'p [Field],
    pub(crate) predicates: &'p [Predicate],
    pub(crate) events: Events,
}

impl<'p> Tables<'p> {
    fn predicate(&self, id: PredicateId) -> Option<(&'p Field, &'p Test)> {
        let predicate = self.predicates.get(id.0 as usize)?;
        Some((self.fields.get(predicate.field.0 as usize)?, &predicate.test))
    }
}

/// Why the condition never holds; `None` if it may.
pub(crate) fn contradiction(condition: &Condition, tables: Tables<'_>) -> Option<String> {
    Facts { tables, required: Vec::new(), forbidden: Vec::new() }.refute(condition)
}

/// What holds wherever the part of the condition at hand is evaluated.
#[derive(Clone)]
struct Facts<'p> {
    tables: Tables<'p>,
    /// Of each of these at least one holds.
    required: Vec<Vec<PredicateId>>,
    /// None of these holds.
    forbidden: Vec<PredicateId>,
}

impl Facts<'_> {
    fn refute(&self, condition: &Condition) -> Option<String> {
        match condition {
            Condition::Constant(true) => None,
            Condition::Constant(false) => Some("its condition is never true".to_owned()),
            Condition::Holds(id) => self.refute_one(*id),
            Condition::Not(inner) => {
                self.is_certain(inner).then(|| "it asks for what it excludes".to_owned())
            }
            Condition::Any(parts) => self.too_few(1, parts),
            Condition::AtLeast(count, parts) => self.too_few(*count as usize, parts),
            Condition::All(parts) => {
                let mut facts = self.clone();
                parts.iter().for_each(|part| facts.learn(part));
                parts.iter().find_map(|part| facts.refute(part))
            }
        }
    }

    /// Takes in what a part of a conjunction says, where that is simple.
    fn learn(&mut self, part: &Condition) {
        match part {
            Condition::Holds(id) => self.required.push(vec![*id]),
            Condition::All(parts) => parts.iter().for_each(|part| self.learn(part)),
            Condition::Any(parts) => {
                let ids: Option<Vec<PredicateId>> = parts.iter().map(predicate_of).collect();
                self.required.extend(ids.filter(|ids| ids.len() <= ALTERNATIVES_MAX));
            }
            Condition::Not(inner) => match &**inner {
                Condition::Holds(id) => self.forbidden.push(*id),
                Condition::Any(parts) => self.forbidden.extend(parts.iter().filter_map(predicate_of)),
                _ => {}
            },
            Condition::Constant(_) | Condition::AtLeast(..) => {}
        }
    }

    fn too_few(&self, count: usize, parts: &[Condition]) -> Option<String> {
        let mut reason = None;
        let mut possible = 0;
        for part in parts {
            match self.refute(part) {
                Some(why) => reason = reason.or(Some(why)),
                None => possible += 1,
            }
            if possible >= count {
                return None;
            }
        }
        reason.or_else(|| (count > 0).then(|| "its condition is never true".to_owned()))
    }

    fn refute_one(&self, id: PredicateId) -> Option<String> {
        let (field, test) = self.tables.predicate(id)?;
        let on_field = |other: &PredicateId| {
            self.tables
                .predicate(*other)
                .filter(|(known, _)| std::ptr::eq(*known, field))
                .map(|(_, test)| test)
        };
        if self.forbidden.iter().filter_map(on_field).any(|forbidden| implies(test, forbidden)) {
            return Some(format!("it asks of `{}` what it excludes", field.name));
        }
        for group in &self.required {
            let mut others = group.iter().map(|other| {
                on_field(other).filter(|other| excludes(field, test, other, self.tables.events))
            });
            if let Some(Some(first)) = others.next()
                && others.all(|other| other.is_some())
            {
                let (one, other) = (described(test), described(first));
                return Some(format!("`{}` would have to be {other} and {one} at once", field.name));
            }
        }
        None
    }

    /// Whether the condition holds wherever the facts do.
    fn is_certain(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Constant(value) => *value,
            Condition::Holds(id) => self.is_required(*id),
            Condition::All(parts) => parts.iter().all(|part| self.is_certain(part)),
            Condition::Any(parts) => {
                let ids: Vec<PredicateId> = parts.iter().filter_map(predicate_of).collect();
                let is_group = |group: &Vec<PredicateId>| group.iter().all(|id| ids.contains(id));
                self.required.iter().any(is_group) || parts.iter().any(|part| self.is_certain(part))
            }
            Condition::AtLeast(..) | Condition::Not(_) => false,
        }
    }

    fn is_required(&self, id: PredicateId) -> bool {
        let Some((field, test)) = self.tables.predicate(id) else { return false };
        self.required.iter().any(|group| {
            group.iter().all(|other| {
                let other = self.tables.predicate(*other);
                other.is_some_and(|(known, other)| std::ptr::eq(known, field) && implies(other, test))
            })
        })
    }
}

fn predicate_of(condition: &Condition) -> Option<PredicateId> {
    match condition {
        Condition::Holds(id) => Some(*id),
        _ => None,
    }
}
