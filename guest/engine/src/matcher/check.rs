//! Refuses a plan whose references lead outside it, backwards or in a circle: evaluation then needs no bound on its
//! recursion, and no bytes can make it fail.

mod correlation;

use super::CompileError;
use crate::limits::RULE_DEPTH_MAX;
use tripwasm_plan::{
    Calculation, Condition, FieldId, FieldSource, Logic, Operand, Plan, Predicate, Scope, Test,
};

/// Checks every reference of a plan.
pub(crate) fn check_plan(plan: &Plan) -> Result<(), CompileError> {
    let scopes = scope_heights(&plan.scopes)?;
    let mut fields = Vec::with_capacity(plan.fields.len());
    for field in &plan.fields {
        let reach = Reach { predicates: &plan.predicates, fields: &fields, scopes: &scopes };
        let height = match &field.source {
            FieldSource::Calculated(calculation) => bounded(reach.calculation(calculation)?)?,
            FieldSource::Path(_) | FieldSource::Leaves => 0,
        };
        fields.push(height);
    }
    let reach = Reach { predicates: &plan.predicates, fields: &fields, scopes: &scopes };
    for predicate in &plan.predicates {
        reach.predicate(predicate)?;
    }
    for &field in plan.time.iter().chain(&plan.event_id) {
        reach.field(field)?;
    }
    for (index, rule) in plan.rules.iter().enumerate() {
        match &rule.logic {
            Logic::Detection(condition) => {
                bounded(reach.condition(condition, 0)?)?;
            }
            Logic::Correlation(correlation) => correlation::check(plan, index, correlation, &reach)?,
        }
    }
    Ok(())
}

/// What something may refer to, with the heights of the recursion that evaluates it.
struct Reach<'p> {
    predicates: &'p [Predicate],
    /// Heights of the fields that may be read.
    fields: &'p [u32],
    /// Heights of the scopes that may be referred to.
    scopes: &'p [u32],
}

impl Reach<'_> {
    fn field(&self, field: FieldId) -> Result<u32, CompileError> {
        self.fields.get(field.0 as usize).copied().ok_or(CompileError::Reference("field"))
    }

    fn predicate(&self, predicate: &Predicate) -> Result<u32, CompileError> {
        let other = match &predicate.test {
            Test::FieldRef { other, .. } => self.field(*other)?,
            Test::Members { scope, .. } => {
                let scope = self.scopes.get(*scope as usize);
                scope.copied().ok_or(CompileError::Reference("scope"))?
            }
            _ => 0,
        };
        Ok(self.field(predicate.field)?.max(other).saturating_add(1))
    }

    /// `depth` conditions are around it.
    fn condition(&self, condition: &Condition, depth: u32) -> Result<u32, CompileError> {
        let depth = bounded(depth.saturating_add(1))?;
        let inner = match condition {
            Condition::Constant(_) => 0,
            Condition::All(of) | Condition::Any(of) | Condition::AtLeast(_, of) => {
                of.iter().try_fold(0, |height: u32, one| Ok(height.max(self.condition(one, depth)?)))?
            }
            Condition::Not(inner) => self.condition(inner, depth)?,
            Condition::Holds(id) => {
                let predicate = self.predicates.get(id.0 as usize);
                self.predicate(predicate.ok_or(CompileError::Reference("predicate"))?)?
            }
        };
        Ok(inner.saturating_add(1))
    }

    fn calculation(&self, calculation: &Calculation) -> Result<u32, CompileError> {
        let operand = |height: u32, operand: &Operand| match operand {
            Operand::Field(field) => Ok(height.max(self.field(*field)?)),
            Operand::Literal(_) => Ok(height),
        };
        let inner = match calculation {
            Calculation::FirstPresent(of) | Calculation::FirstNonNull(of) | Calculation::FirstTruthy(of) => {
                of.iter().try_fold(0, operand)?
            }
            Calculation::Split { of, .. } | Calculation::Lower(of) | Calculation::TimePart(of, _) => {
                operand(0, of)?
            }
            Calculation::Cases { cases, otherwise } => {
                let mut height = otherwise.iter().try_fold(0, operand)?;
                for case in cases {
                    height = operand(height, &case.value)?.max(self.condition(&case.when, 0)?);
                }
                height
            }
        };
        Ok(inner.saturating_add(1))
    }
}

fn bounded(height: u32) -> Result<u32, CompileError> {
    if height <= RULE_DEPTH_MAX { Ok(height) } else { Err(CompileError::Depth) }
}

/// The height of every scope, which sees its own fields and the scopes before it.
fn scope_heights(scopes: &[Scope]) -> Result<Vec<u32>, CompileError> {
    let mut heights = Vec::with_capacity(scopes.len());
    for scope in scopes {
        if scope.fields.iter().any(|field| !matches!(field.source, FieldSource::Path(_))) {
            return Err(CompileError::Reference("path inside a member"));
        }
        let fields = vec![0; scope.fields.len()];
        let reach = Reach { predicates: &scope.predicates, fields: &fields, scopes: &heights };
        for predicate in &scope.predicates {
            reach.predicate(predicate)?;
        }
        let height = bounded(reach.condition(&scope.condition, 0)?)?;
        heights.push(height);
    }
    Ok(heights)
}

#[cfg(test)]
mod tests;
