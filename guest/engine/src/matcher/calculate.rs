//! Calculated fields.

use super::{CompileError, CompiledField, Matcher, Value};
use std::borrow::Cow;
use tripwasm_plan::{
    Calculation, Condition, FieldId, FieldSource, Literal, Logic, Operand, Part, Plan, Predicate, Test,
    fold_char,
};

/// What a calculation gave, without copying what stands in the event or the plan.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Absent,
    /// The value with this number in the event's spans.
    Span(u32),
    Literal(Literal),
    Text(String),
}

impl Matcher<'_> {
    /// Calculates a field unless that is done; nothing for a path. Recursion follows the rule: operands have
    /// smaller ids.
    pub(super) fn calculate(&mut self, field: FieldId) {
        let compiled = self.compiled;
        if let Some(CompiledField::Calculated(calculation)) = compiled.field(field)
            && let Some(None) = self.scratch.outcomes.get(field.0 as usize)
        {
            let outcome = self.outcome_of(calculation);
            if let Some(place) = self.scratch.outcomes.get_mut(field.0 as usize) {
                *place = Some(outcome);
            }
        }
    }

    pub(super) fn outcome(&self, field: FieldId) -> Option<&Outcome> {
        self.scratch.outcomes.get(field.0 as usize)?.as_ref()
    }

    pub(super) fn outcome_value<'s>(&'s self, outcome: &'s Outcome) -> Option<Value<'s>> {
        match outcome {
            Outcome::Absent => None,
            Outcome::Span(index) => self.spans.get(*index).map(|span| Value::of_span(span, self.line)),
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
            Calculation::TimePart(..) => Outcome::Absent,
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
        match self.compiled.field(field) {
            Some(CompiledField::Path { walk, literal }) => {
                let node = if self.spans.is_present(*literal) { *literal } else { *walk };
                let is_scalar = |index: u32| {
                    self.spans.get(index).is_some_and(|span| !Value::of_span(span, self.line).is_container())
                };
                let mut indices = self.spans.of(node).map(|(index, _)| index);
                let first = indices.next();
                first
                    .filter(|&index| is_scalar(index))
                    .or_else(|| indices.find(|&index| is_scalar(index)))
                    .or(first)
                    .map_or(Outcome::Absent, Outcome::Span)
            }
            Some(CompiledField::Calculated(_)) => self.outcome(field).cloned().unwrap_or(Outcome::Absent),
            Some(CompiledField::Leaves) => Outcome::Absent,
            None => Outcome::Absent,
        }
    }
}

fn split<'t>(text: &'t str, separator: &str, part: Part) -> Option<&'t str> {
    match part {
        Part::First => text.split(separator).next(),
        Part::Last => text.rsplit(separator).next(),
        Part::Nth(number) => text.split(separator).nth(number as usize),
    }
}

/// Refuses a plan whose references lead outside it or whose calculated fields read later ones: evaluation then
/// needs no bound on its recursion.
pub(super) fn check_references(plan: &Plan) -> Result<(), CompileError> {
    for (index, field) in plan.fields.iter().enumerate() {
        if let FieldSource::Calculated(calculation) = &field.source {
            check_calculation(calculation, index as u32, &plan.predicates)?;
        }
    }
    let fields = plan.fields.len() as u32;
    for predicate in &plan.predicates {
        check_predicate(predicate, fields)?;
    }
    let own = plan.time.iter().chain(&plan.event_id);
    let mut read: Vec<FieldId> = own.copied().collect();
    for rule in &plan.rules {
        match &rule.logic {
            Logic::Detection(condition) => check_condition(condition, fields, &plan.predicates)?,
            Logic::Correlation(correlation) => {
                for source in &correlation.sources {
                    read.extend(
                        source
                            .reads
                            .group_by
                            .iter()
                            .chain(&source.reads.measured)
                            .chain(&source.reads.observed),
                    );
                    let is_detection = plan
                        .rules
                        .get(source.rule.0 as usize)
                        .is_some_and(|rule| matches!(rule.logic, Logic::Detection(_)));
                    if !is_detection {
                        return Err(CompileError::Reference("detection rule"));
                    }
                }
            }
        }
    }
    read.iter().try_for_each(|&field| check_field(field, fields))
}

fn check_field(field: FieldId, below: u32) -> Result<(), CompileError> {
    if field.0 < below { Ok(()) } else { Err(CompileError::Reference("field")) }
}

fn check_predicate(predicate: &Predicate, below: u32) -> Result<(), CompileError> {
    if let Test::FieldRef { other, .. } = &predicate.test {
        check_field(*other, below)?;
    }
    check_field(predicate.field, below)
}

fn check_condition(condition: &Condition, below: u32, predicates: &[Predicate]) -> Result<(), CompileError> {
    match condition {
        Condition::Constant(_) => Ok(()),
        Condition::All(of) | Condition::Any(of) | Condition::AtLeast(_, of) => {
            of.iter().try_for_each(|one| check_condition(one, below, predicates))
        }
        Condition::Not(inner) => check_condition(inner, below, predicates),
        Condition::Holds(id) => match predicates.get(id.0 as usize) {
            Some(predicate) => check_predicate(predicate, below),
            None => Err(CompileError::Reference("predicate")),
        },
    }
}

fn check_calculation(
    calculation: &Calculation,
    below: u32,
    predicates: &[Predicate],
) -> Result<(), CompileError> {
    let check = |operand: &Operand| match operand {
        Operand::Field(field) => check_field(*field, below),
        Operand::Literal(_) => Ok(()),
    };
    match calculation {
        Calculation::FirstPresent(of) | Calculation::FirstNonNull(of) | Calculation::FirstTruthy(of) => {
            of.iter().try_for_each(check)
        }
        Calculation::Split { of, .. } | Calculation::Lower(of) | Calculation::TimePart(of, _) => check(of),
        Calculation::Cases { cases, otherwise } => {
            for case in cases {
                check_condition(&case.when, below, predicates)?;
                check(&case.value)?;
            }
            otherwise.iter().try_for_each(check)
        }
    }
}
