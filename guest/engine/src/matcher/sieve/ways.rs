//! What an event has to carry for a rule to match: in some fields, a value that passes one of some tests.

use super::super::compiled::{CompiledField, Tables};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Condition, FieldId, Predicate, PredicateId, Test};

/// Ways in which one rule may match, at most. Where there are more, they are told by what they have in common.
const WAYS_MAX: usize = 8;

/// One way for a rule to match: of each of these fields some value passes one of these tests. Not every event that fits
/// matches the rule, but every event that matches fits one of its ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Way(pub(super) BTreeMap<FieldId, BTreeSet<PredicateId>>);

/// The ways in which a condition may hold.
pub(super) fn ways(tables: &Tables, condition: &Condition) -> Vec<Way> {
    match condition {
        Condition::Constant(false) => Vec::new(),
        Condition::Constant(true) | Condition::Not(_) | Condition::AtLeast(0, _) => vec![Way::default()],
        Condition::Holds(predicate) => vec![of_predicate(tables, *predicate)],
        Condition::All(all) => of_all(tables, all),
        Condition::AtLeast(count, of) if *count as usize == of.len() => of_all(tables, of),
        Condition::Any(any) | Condition::AtLeast(_, any) => {
            bounded(any.iter().flat_map(|one| ways(tables, one)).collect())
        }
    }
}

/// A predicate that only a value of a field in the event satisfies, not its absence.
fn of_predicate(tables: &Tables, id: PredicateId) -> Way {
    let mut way = Way::default();
    if let Some(Predicate { field, test }) = tables.predicates.get(id.0 as usize)
        && let Some(CompiledField::Path { .. }) = tables.field(*field)
        && !matches!(test, Test::Null | Test::FieldRef { .. } | Test::Members { .. })
    {
        way.0.insert(*field, BTreeSet::from([id]));
    }
    way
}

fn of_all(tables: &Tables, all: &[Condition]) -> Vec<Way> {
    all.iter().fold(vec![Way::default()], |so_far, one| {
        let mut more = ways(tables, one);
        if so_far.len() * more.len() > WAYS_MAX {
            more = vec![in_common(&more)];
        }
        so_far.iter().flat_map(|way| more.iter().map(|other| way.and(other))).collect()
    })
}

impl Way {
    /// Both. A field may have several values, each for a test of its own: of one field only the fewer tests are kept.
    fn and(&self, other: &Way) -> Way {
        let mut both = self.clone();
        for (field, tests) in &other.0 {
            match both.0.get(field) {
                Some(known) if known.len() <= tests.len() => {}
                _ => drop(both.0.insert(*field, tests.clone())),
            }
        }
        both
    }
}

/// The same ways, but fewer: those of the same fields become one.
fn bounded(all: Vec<Way>) -> Vec<Way> {
    let mut by_fields: BTreeMap<Vec<FieldId>, Vec<Way>> = BTreeMap::new();
    for way in all {
        by_fields.entry(way.0.keys().copied().collect()).or_default().push(way);
    }
    let mut fewer = Vec::new();
    for (fields, alike) in by_fields {
        match fields.as_slice() {
            [] => return vec![Way::default()],
            [_] => fewer.push(in_common(&alike)),
            _ => fewer.extend(alike),
        }
    }
    if fewer.len() > WAYS_MAX { vec![in_common(&fewer)] } else { fewer }
}

/// What holds of all of these ways.
fn in_common(ways: &[Way]) -> Way {
    let Some((first, others)) = ways.split_first() else { return Way::default() };
    others.iter().fold(first.clone(), |mut common, way| {
        common.0.retain(|field, _| way.0.contains_key(field));
        for (field, tests) in &mut common.0 {
            tests.extend(way.0.get(field).into_iter().flatten());
        }
        common
    })
}
