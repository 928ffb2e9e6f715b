//! The condition over the selections of a detection.

use super::builder::{all, any, not};
use crate::{check::selects, diagnostic::Notes, source::Span};
use rsigma_parser::{ConditionExpr, Quantifier, SelectorPattern};
use tripwasm_plan::Condition;

/// Deepest nesting of a condition in the plan; the engine evaluates by recursion.
pub(crate) const CONDITION_DEPTH_MAX: usize = 64;

/// Nodes of one condition: a condition that repeats large selections grows with both.
const CONDITION_NODES_MAX: usize = 100_000;

/// A named selection in the order of the document.
pub(crate) type Named<'d> = (&'d str, Condition);

/// The condition of a detection; several are joined with or. Identifiers were checked before.
pub(crate) fn lower(
    expressions: &[ConditionExpr],
    selections: &[Named<'_>],
    span: Span,
    notes: &mut Notes<'_>,
) -> Option<Condition> {
    let mut expansion = Expansion { selections, nodes: 0 };
    let conditions: Option<Vec<_>> =
        expressions.iter().map(|expression| expansion.expression(expression)).collect();
    let Some(condition) = conditions.map(any) else {
        let message = format!("a condition of more than {CONDITION_NODES_MAX} tests");
        notes.error(span, message, "name large selections once in the condition");
        return None;
    };
    bounded(condition, span, notes)
}

/// The condition, unless it is nested too deep for the engine.
pub(crate) fn bounded(condition: Condition, span: Span, notes: &mut Notes<'_>) -> Option<Condition> {
    if depth(&condition) <= CONDITION_DEPTH_MAX {
        return Some(condition);
    }
    let message = format!("a condition nested deeper than {CONDITION_DEPTH_MAX} levels");
    notes.error(span, message, "split it into selections");
    None
}

struct Expansion<'d> {
    selections: &'d [Named<'d>],
    nodes: usize,
}

impl Expansion<'_> {
    /// `None` once the condition has grown too large.
    fn expression(&mut self, expression: &ConditionExpr) -> Option<Condition> {
        match expression {
            ConditionExpr::And(parts) => self.expressions(parts).map(all),
            ConditionExpr::Or(parts) => self.expressions(parts).map(any),
            ConditionExpr::Not(part) => self.expression(part).map(not),
            ConditionExpr::Identifier(name) => self.selected(|known| known == name).map(any),
            ConditionExpr::Selector { quantifier, pattern } => {
                let pattern = match pattern {
                    SelectorPattern::Them => "them",
                    SelectorPattern::Pattern(pattern) => pattern,
                };
                let selected = self.selected(|known| selects(pattern, known))?;
                Some(match quantifier {
                    Quantifier::Any => any(selected),
                    Quantifier::All => all(selected),
                    Quantifier::Count(count) => {
                        Condition::AtLeast(u32::try_from(*count).unwrap_or(u32::MAX), selected)
                    }
                })
            }
        }
    }

    fn expressions(&mut self, parts: &[ConditionExpr]) -> Option<Vec<Condition>> {
        parts.iter().map(|part| self.expression(part)).collect()
    }

    fn selected(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Vec<Condition>> {
        let mut selected = Vec::new();
        for (_, condition) in self.selections.iter().filter(|(name, _)| wanted(name)) {
            self.nodes += size(condition);
            if self.nodes > CONDITION_NODES_MAX {
                return None;
            }
            selected.push(condition.clone());
        }
        Some(selected)
    }
}

fn size(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) | Condition::AtLeast(_, parts) => {
            1 + parts.iter().map(size).sum::<usize>()
        }
        Condition::Not(part) => 1 + size(part),
        Condition::Constant(_) | Condition::Holds(_) => 1,
    }
}

fn depth(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) | Condition::AtLeast(_, parts) => {
            1 + parts.iter().map(depth).max().unwrap_or(0)
        }
        Condition::Not(part) => 1 + depth(part),
        Condition::Constant(_) | Condition::Holds(_) => 1,
    }
}
