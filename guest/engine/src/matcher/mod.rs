//! The boolean part of every rule over the values of one event.

mod calculate;
mod compiled;
mod fold;
mod number;
mod test;
mod value;

pub use compiled::CompileError;
pub(crate) use compiled::{Compiled, CompiledField};
pub(crate) use value::Value;

use crate::scan::Spans;
use calculate::Outcome;
use tripwasm_plan::{Condition, Decimal, FieldId, PredicateId, Test, Timestamp};

/// Buffers of a matcher, reused from event to event.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scratch {
    /// Per predicate: not asked yet, or its answer.
    answers: Vec<Option<bool>>,
    /// Per field: the outcome of its calculation, once asked for.
    outcomes: Vec<Option<Outcome>>,
    /// Text folded or decoded for one comparison.
    folded: String,
}

/// One event and the rules, asking each question once.
pub(crate) struct Matcher<'e> {
    compiled: &'e Compiled,
    line: &'e str,
    spans: &'e Spans,
    scratch: &'e mut Scratch,
}

impl<'e> Matcher<'e> {
    /// `spans` are those of `line`.
    pub(crate) fn new(
        compiled: &'e Compiled,
        line: &'e str,
        spans: &'e Spans,
        scratch: &'e mut Scratch,
    ) -> Matcher<'e> {
        scratch.answers.clear();
        scratch.answers.resize(compiled.predicates.len(), None);
        scratch.outcomes.clear();
        scratch.outcomes.resize(compiled.fields.len(), None);
        Matcher { compiled, line, spans, scratch }
    }

    /// Whether the condition holds. Recursion follows the rule, whose nesting the build bounds.
    pub(crate) fn holds(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Constant(value) => *value,
            Condition::All(all) => all.iter().all(|one| self.holds(one)),
            Condition::Any(any) => any.iter().any(|one| self.holds(one)),
            Condition::AtLeast(count, of) => {
                let holding = of.iter().filter(|one| self.holds(one)).take(*count as usize).count();
                holding >= *count as usize
            }
            Condition::Not(inner) => !self.holds(inner),
            Condition::Holds(predicate) => self.answer(*predicate),
        }
    }

    /// The text of a field's first value that is no container; absent and null have none.
    pub(crate) fn text(&mut self, field: FieldId) -> Option<String> {
        self.calculate(field);
        let value = self.values(field).find(|value| !value.is_container())?;
        value.scalar_text().map(|text| text.into_owned())
    }

    /// The texts of all scalar values of a field that are not null.
    pub(crate) fn texts(&mut self, field: FieldId) -> Vec<String> {
        self.calculate(field);
        self.values(field).filter_map(|value| value.scalar_text().map(|text| text.into_owned())).collect()
    }

    /// The number of a field's first value that is no container: a number, or a string that is a plain decimal one.
    pub(crate) fn number(&mut self, field: FieldId) -> Option<Decimal> {
        self.calculate(field);
        match self.values(field).find(|value| !value.is_container())? {
            Value::Number(text) => Decimal::parse(&text),
            Value::Text(text) if number::is_plain_decimal(&text) => Decimal::parse(&text),
            _ => None,
        }
    }

    /// The event's time: of the first field with a usable one.
    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        let compiled = self.compiled;
        compiled.time.iter().find_map(|&field| {
            self.calculate(field);
            self.values(field).find_map(|value| value.time())
        })
    }

    /// The event's id: of the first field that is a non-empty string.
    pub(crate) fn event_id(&mut self) -> Option<String> {
        let compiled = self.compiled;
        compiled.event_id.iter().find_map(|&field| {
            self.calculate(field);
            self.values(field).find_map(|value| match value {
                Value::Text(text) if !text.is_empty() => Some(text.into_owned()),
                _ => None,
            })
        })
    }

    fn answer(&mut self, id: PredicateId) -> bool {
        if let Some(Some(answer)) = self.scratch.answers.get(id.0 as usize) {
            return *answer;
        }
        let answer = self.ask(id);
        if let Some(place) = self.scratch.answers.get_mut(id.0 as usize) {
            *place = Some(answer);
        }
        answer
    }

    fn ask(&mut self, id: PredicateId) -> bool {
        let compiled = self.compiled;
        let Some(predicate) = compiled.predicates.get(id.0 as usize) else { return false };
        self.calculate(predicate.field);
        match &predicate.test {
            Test::Exists => self.is_present(predicate.field),
            Test::Null => {
                !self.is_present(predicate.field)
                    || self.values(predicate.field).any(|value| value == Value::Null)
            }
            Test::FieldRef { other, reference, case } => {
                self.calculate(*other);
                let others: Vec<_> = self.values(*other).filter_map(|value| value.scalar_text()).collect();
                self.values(predicate.field)
                    .filter_map(|value| value.scalar_text())
                    .any(|text| others.iter().any(|other| test::refers(&text, other, *reference, *case)))
            }
            test => {
                let mut folded = core::mem::take(&mut self.scratch.folded);
                let dfa = compiled.dfas.get(id.0 as usize).and_then(Option::as_ref);
                let passes =
                    self.values(predicate.field).any(|value| test::passes(test, &value, dfa, &mut folded));
                self.scratch.folded = folded;
                passes
            }
        }
    }

    fn is_present(&self, field: FieldId) -> bool {
        match self.compiled.field(field) {
            Some(CompiledField::Path { walk, literal }) => {
                self.spans.is_present(*literal) || self.spans.is_present(*walk)
            }
            Some(CompiledField::Calculated(_)) => {
                !matches!(self.outcome(field), None | Some(Outcome::Absent))
            }
            Some(CompiledField::Leaves) | None => false,
        }
    }

    /// The values of a field; a calculated one has been calculated before.
    fn values(&self, field: FieldId) -> impl Iterator<Item = Value<'_>> {
        let (node, calculated) = match self.compiled.field(field) {
            Some(CompiledField::Path { walk, literal }) => {
                (if self.spans.is_present(*literal) { *literal } else { *walk }, None)
            }
            Some(CompiledField::Calculated(_)) => (crate::scan::NO_NODE, self.outcome(field)),
            Some(CompiledField::Leaves) | None => (crate::scan::NO_NODE, None),
        };
        let from_path = self.spans.of(node).map(|(_, span)| Value::of_span(span, self.line));
        from_path.chain(calculated.and_then(|outcome| self.outcome_value(outcome)))
    }
}
