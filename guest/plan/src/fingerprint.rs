//! What a rule means, as a number: state is kept across rule sets for rules that mean the same.

use crate::{
    Calculation, Condition, Correlation, FieldId, FieldSource, Logic, Operand, Plan, PredicateId, Reads,
    RuleIndex, Scope, Test,
};
use serde::Serialize;

/// A fingerprint of every rule's logic, in the order of [`Plan::rules`]. It does not depend on the rules around it, on its
/// title or level, nor, for a correlation, on the correlations above it.
pub fn fingerprints(plan: &Plan) -> Vec<u128> {
    let mut digests = Digests {
        plan,
        fields: vec![None; plan.fields.len()],
        predicates: vec![None; plan.predicates.len()],
        scopes: vec![None; plan.scopes.len()],
        rules: vec![None; plan.rules.len()],
    };
    (0..plan.rules.len()).map(|index| digests.rule(index)).collect()
}

/// Digests made so far.
struct Digests<'p> {
    plan: &'p Plan,
    fields: Vec<Option<u128>>,
    predicates: Vec<Option<u128>>,
    scopes: Vec<Option<u128>>,
    rules: Vec<Option<u128>>,
}

/// What a value refers to, each once, in the order of the first reference.
#[derive(Default)]
struct References(Vec<u128>);

impl References {
    /// The number that stands for a reference to `digest`.
    fn number(&mut self, digest: u128) -> u32 {
        let at = self.0.iter().position(|known| *known == digest).unwrap_or_else(|| {
            self.0.push(digest);
            self.0.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn digest(self, value: &impl Serialize) -> u128 {
        let bytes = postcard::to_allocvec(&(value, self.0)).unwrap_or_default();
        xxhash_rust::xxh3::xxh3_128(&bytes)
    }
}

impl Digests<'_> {
    fn rule(&mut self, index: usize) -> u128 {
        if let Some(known) = self.rules.get(index).copied().flatten() {
            return known;
        }
        let Some(rule) = self.plan.rules.get(index) else { return 0 };
        // A plan whose correlations form a circle still comes to an end.
        set(&mut self.rules, index, 0);
        let mut references = References::default();
        let digest = match rule.logic.clone() {
            Logic::Detection(mut condition) => {
                self.condition(&mut condition, &mut references);
                references.digest(&(0, condition))
            }
            Logic::Correlation(mut correlation) => {
                self.correlation(&mut correlation, &mut references);
                references.digest(&(1, correlation))
            }
        };
        set(&mut self.rules, index, digest);
        digest
    }

    fn correlation(&mut self, correlation: &mut Correlation, references: &mut References) {
        correlation.onward.clear();
        for source in &mut correlation.sources {
            source.rule = RuleIndex(references.number(self.rule(source.rule.0 as usize)));
            source.onward.clear();
            self.reads(&mut source.reads, references);
        }
    }

    fn reads(&mut self, reads: &mut Reads, references: &mut References) {
        for field in reads.group_by.iter_mut().chain(&mut reads.measured).chain(&mut reads.observed) {
            self.refer(field, references);
        }
    }

    /// Puts numbers of `references` in the place of predicates. Recursion follows the rule's nesting.
    fn condition(&mut self, condition: &mut Condition, references: &mut References) {
        match condition {
            Condition::Constant(_) => {}
            Condition::All(of) | Condition::Any(of) | Condition::AtLeast(_, of) => {
                of.iter_mut().for_each(|one| self.condition(one, references));
            }
            Condition::Not(inner) => self.condition(inner, references),
            Condition::Holds(id) => *id = PredicateId(references.number(self.predicate(*id))),
        }
    }

    fn predicate(&mut self, id: PredicateId) -> u128 {
        let index = id.0 as usize;
        if let Some(known) = self.predicates.get(index).copied().flatten() {
            return known;
        }
        let Some(predicate) = self.plan.predicates.get(index) else { return 0 };
        set(&mut self.predicates, index, 0);
        let mut predicate = predicate.clone();
        let mut references = References::default();
        self.refer(&mut predicate.field, &mut references);
        self.test(&mut predicate.test, &mut references, SameFields::Shared);
        let digest = references.digest(&predicate);
        set(&mut self.predicates, index, digest);
        digest
    }

    fn test(&mut self, test: &mut Test, references: &mut References, fields: SameFields) {
        match test {
            Test::FieldRef { other, .. } if fields == SameFields::Shared => self.refer(other, references),
            Test::Members { scope, .. } => *scope = references.number(self.scope(*scope)),
            _ => {}
        }
    }

    fn scope(&mut self, scope: u32) -> u128 {
        let index = scope as usize;
        if let Some(known) = self.scopes.get(index).copied().flatten() {
            return known;
        }
        let Some(scope) = self.plan.scopes.get(index) else { return 0 };
        set(&mut self.scopes, index, 0);
        let mut scope: Scope = scope.clone();
        let mut references = References::default();
        for predicate in &mut scope.predicates {
            self.test(&mut predicate.test, &mut references, SameFields::OfScope);
        }
        let digest = references.digest(&scope);
        set(&mut self.scopes, index, digest);
        digest
    }

    fn refer(&mut self, field: &mut FieldId, references: &mut References) {
        *field = FieldId(references.number(self.field(*field)));
    }

    fn field(&mut self, id: FieldId) -> u128 {
        let index = id.0 as usize;
        if let Some(known) = self.fields.get(index).copied().flatten() {
            return known;
        }
        let Some(field) = self.plan.fields.get(index) else { return 0 };
        set(&mut self.fields, index, 0);
        let mut source = field.source.clone();
        let mut references = References::default();
        if let FieldSource::Calculated(calculation) = &mut source {
            self.calculation(calculation, &mut references);
        }
        let digest = references.digest(&source);
        set(&mut self.fields, index, digest);
        digest
    }

    fn calculation(&mut self, calculation: &mut Calculation, references: &mut References) {
        let mut operand = |operand: &mut Operand| {
            if let Operand::Field(field) = operand {
                self.refer(field, references);
            }
        };
        match calculation {
            Calculation::FirstPresent(of) | Calculation::FirstNonNull(of) | Calculation::FirstTruthy(of) => {
                of.iter_mut().for_each(operand);
            }
            Calculation::Split { of, .. } | Calculation::Lower(of) | Calculation::TimePart(of, _) => {
                operand(of)
            }
            Calculation::Cases { cases, otherwise } => {
                cases.iter_mut().map(|case| &mut case.value).chain(otherwise).for_each(operand);
                for case in cases {
                    self.condition(&mut case.when, references);
                }
            }
        }
    }
}

/// Which fields the ids in a test mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SameFields {
    /// Those of the plan.
    Shared,
    /// Those of the scope around it, which stand beside it.
    OfScope,
}

fn set(digests: &mut [Option<u128>], index: usize, digest: u128) {
    if let Some(place) = digests.get_mut(index) {
        *place = Some(digest);
    }
}
