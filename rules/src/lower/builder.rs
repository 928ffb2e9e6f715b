//! The tables of a plan, each entry once.

use std::collections::HashMap;
use tripwasm_plan::{
    Calculation, Condition, Field, FieldId, FieldSource, Plan, Predicate, PredicateId, Rule, Scope, Settings,
    Test,
};

/// Fields and predicates in the order in which they were first needed.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    fields: Vec<Field>,
    predicates: Vec<Predicate>,
    /// Positions by encoded entry. Only looked up, never walked, so the plan does not depend on its order.
    field_ids: HashMap<Vec<u8>, FieldId>,
    predicate_ids: HashMap<Vec<u8>, PredicateId>,
}

impl Builder {
    /// The field `name` that stands at `path`.
    pub(crate) fn path(&mut self, name: &str, path: &str) -> FieldId {
        self.field(Field { name: name.to_owned(), source: FieldSource::Path(path.to_owned()) })
    }

    /// The field `name` with this calculation, whose inputs are fields already.
    pub(crate) fn calculated(&mut self, name: &str, calculation: Calculation) -> FieldId {
        self.field(Field { name: name.to_owned(), source: FieldSource::Calculated(calculation) })
    }

    /// All scalar values of the event.
    pub(crate) fn leaves(&mut self) -> FieldId {
        self.field(Field { name: "keywords".to_owned(), source: FieldSource::Leaves })
    }

    /// The field at a position.
    pub(crate) fn get(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(id.0 as usize)
    }

    /// The condition that this test of a field holds.
    pub(crate) fn holds(&mut self, field: FieldId, test: Test) -> Condition {
        let predicate = Predicate { field, test };
        let key = postcard::to_allocvec(&predicate).unwrap_or_default();
        let next = PredicateId(index(self.predicates.len()));
        let id = *self.predicate_ids.entry(key).or_insert(next);
        if id == next {
            self.predicates.push(predicate);
        }
        Condition::Holds(id)
    }

    /// Fields and predicates so far.
    pub(crate) fn view(&self) -> (&[Field], &[Predicate]) {
        (&self.fields, &self.predicates)
    }

    /// Fields and predicates, for a scope of their own.
    pub(crate) fn tables(self) -> (Vec<Field>, Vec<Predicate>) {
        (self.fields, self.predicates)
    }

    pub(crate) fn plan(
        self,
        rules: Vec<Rule>,
        scopes: Vec<Scope>,
        time: Vec<FieldId>,
        event_id: Vec<FieldId>,
        settings: Settings,
    ) -> Plan {
        Plan { rules, fields: self.fields, predicates: self.predicates, scopes, time, event_id, settings }
    }

    fn field(&mut self, field: Field) -> FieldId {
        let key = postcard::to_allocvec(&field).unwrap_or_default();
        let next = FieldId(index(self.fields.len()));
        let id = *self.field_ids.entry(key).or_insert(next);
        if id == next {
            self.fields.push(field);
        }
        id
    }
}

/// Table positions stay below 2^32: every entry takes more than a byte of rule text.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// All of them; one alone stands for itself.
pub(crate) fn all(mut conditions: Vec<Condition>) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            Condition::All(conditions)
        }
        None => Condition::Constant(true),
    }
}

/// Any of them; one alone stands for itself.
pub(crate) fn any(mut conditions: Vec<Condition>) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            Condition::Any(conditions)
        }
        None => Condition::Constant(false),
    }
}

pub(crate) fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}
