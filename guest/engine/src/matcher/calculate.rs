//! Calculated fields.

use super::{CompiledField, Matcher, Value};
use crate::scan::{Kind, Moment, Span};
use std::borrow::Cow;
use tripwasm_plan::{Calculation, FieldId, Literal, Operand, Part, fold_char};

/// What a calculation gave, without copying what stands in the event or the plan.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Absent,
    /// A value of the event.
    Span(Span),
    Literal(Literal),
    Text(String),
}

impl Matcher<'_> {
    /// Calculates a field, or looks for its values, unless that is done; nothing for a path. Recursion follows the rule:
    /// operands have smaller ids.
    #[inline]
    pub(super) fn calculate(&mut self, field: FieldId) {
        match self.tables.field(field) {
            Some(CompiledField::Path { .. }) | None => {}
            Some(_) => self.make(field),
        }
    }

    fn make(&mut self, field: FieldId) {
        let tables = self.tables;
        match tables.field(field) {
            Some(CompiledField::Calculated { slot, calculation }) => {
                let event = self.buffers.event;
                if self.buffers.outcomes.get(*slot).is_some_and(|(of, _)| *of != event) {
                    let outcome = self.outcome_of(calculation);
                    if let Some(place) = self.buffers.outcomes.get_mut(*slot) {
                        *place = (event, outcome);
                    }
                }
            }
            Some(CompiledField::Sought { slot, sought }) => {
                let super::Buffers { found, scanner, event, .. } = &mut *self.buffers;
                if let Some(found) = found.get_mut(*slot)
                    && found.event != *event
                {
                    sought.find(self.line, self.spans, scanner, &mut found.spans);
                    found.event = *event;
                }
            }
            Some(CompiledField::Path { .. }) | None => {}
        }
    }

    pub(super) fn outcome(&self, field: FieldId) -> Option<&Outcome> {
        match self.tables.field(field) {
            Some(CompiledField::Calculated { slot, .. }) => {
                let (event, outcome) = self.buffers.outcomes.get(*slot)?;
                (*event == self.buffers.event).then_some(outcome)
            }
            _ => None,
        }
    }

    pub(super) fn outcome_value<'s>(&'s self, outcome: &'s Outcome) -> Option<Value<'s>> {
        match outcome {
            Outcome::Absent => None,
            Outcome::Span(span) => Some(Value::of_span(span, self.line)),
            Outcome::Literal(literal) => Some(Value::of_literal(literal)),
            Outcome::Text(text) => Some(Value::Text(Cow::Borrowed(text))),
        }
    }

    fn outcome_of(&mut self, calculation: &Calculation) -> Outcome {
        match calculation {
            Calculation::FirstPresent(operands) => self.first(operands, |_| true),
            Calculation::FirstNonNull(operands) => self.first(operands, |value| *value != Value::Null),
            Calculation::FirstTruthy(operands) => self.first(operands, |value| value.is_truthy()),
            Calculation::Cases { cases, otherwise } => {
                let value = cases.iter().find(|case| self.holds(&case.when)).map(|case| &case.value);
                value.or(otherwise.as_ref()).map_or(Outcome::Absent, |operand| self.operand(operand))
            }
            Calculation::Split { of, separator, part } => {
                let outcome = self.operand(of);
                match self.outcome_value(&outcome) {
                    Some(Value::Text(text)) => split(&text, separator, *part)
                        .map_or(Outcome::Absent, |part| Outcome::Text(part.into())),
                    _ => Outcome::Absent,
                }
            }
            Calculation::TimePart(of, part) => {
                let outcome = self.operand(of);
                let moment = match self.outcome_value(&outcome) {
                    Some(Value::Text(text)) => Moment::of_text(&text),
                    Some(Value::Number(number)) => Moment::of_number(&number),
                    _ => None,
                };
                let number = |moment: Moment| Literal::Number(moment.part(*part).to_string());
                moment.map_or(Outcome::Absent, |moment| Outcome::Literal(number(moment)))
            }
            Calculation::Lower(of) => {
                let outcome = self.operand(of);
                match self.outcome_value(&outcome) {
                    Some(Value::Text(text)) => Outcome::Text(text.chars().map(fold_char).collect()),
                    _ => Outcome::Absent,
                }
            }
        }
    }

    fn first(&mut self, operands: &[Operand], fits: impl Fn(&Value<'_>) -> bool) -> Outcome {
        for operand in operands {
            let outcome = self.operand(operand);
            if self.outcome_value(&outcome).is_some_and(|value| fits(&value)) {
                return outcome;
            }
        }
        Outcome::Absent
    }

    /// The first value of an operand that is no container, else the container.
    fn operand(&mut self, operand: &Operand) -> Outcome {
        let field = match operand {
            Operand::Literal(literal) => return Outcome::Literal(literal.clone()),
            Operand::Field(field) => *field,
        };
        self.calculate(field);
        if let Some(CompiledField::Calculated { .. }) = self.tables.field(field) {
            return self.outcome(field).cloned().unwrap_or(Outcome::Absent);
        }
        let is_scalar = |span: &&Span| !matches!(span.kind, Kind::Object | Kind::Array);
        let first = self.spans_of(field).find(is_scalar).or_else(|| self.spans_of(field).next());
        first.map_or(Outcome::Absent, |span| Outcome::Span(*span))
    }
}

fn split<'t>(text: &'t str, separator: &str, part: Part) -> Option<&'t str> {
    match part {
        Part::First => text.split(separator).next(),
        Part::Last => text.rsplit(separator).next(),
        Part::Nth(number) => text.split(separator).nth(number as usize),
    }
}
