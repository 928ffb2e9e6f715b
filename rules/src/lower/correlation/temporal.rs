//! Conditions of `temporal` and `temporal_ordered`.

use super::{
    Parts,
    clauses::{CLAUSES_MAX, Formula, clauses},
    threshold::{check_counts, comparisons},
};
use crate::{
    check::{check_condition, selects},
    diagnostic::Notes,
    document::Document,
    source::Span,
    yaml::Value,
};
use rsigma_parser::{ConditionExpr, CorrelationType, Quantifier, SelectorPattern, parse_condition};
use std::collections::BTreeSet;
use tripwasm_plan::{Clause, Comparison, Decimal, Measure, Operator, Order, TEMPORAL_SOURCES_MAX};

/// A rule listed: what the correlation calls it first, then its other names.
struct Listed<'d> {
    names: Vec<&'d str>,
    bit: u32,
}

/// The measure and the comparisons of a temporal correlation; `documents` are those of its `rules`, in order.
pub(super) fn measure<'d>(
    parts: &Parts<'d>,
    documents: &[&'d Document<'d>],
    notes: &mut Notes<'_>,
) -> Option<(Measure, Vec<Comparison>)> {
    let order = match parts.rule.correlation_type {
        CorrelationType::TemporalOrdered => Order::AsListed,
        _ => Order::Any,
    };
    if documents.len() > TEMPORAL_SOURCES_MAX {
        let span = parts.map.entry("rules").map_or(parts.draft.document.span, |entry| entry.key_span);
        let message = format!(
            "a temporal correlation over {} rules, the most are {TEMPORAL_SOURCES_MAX}",
            documents.len()
        );
        notes.error(span, message, "put rules that mean the same into one");
        return None;
    }
    let count = documents.len() as u64;
    let Some(entry) = parts.map.entry("condition") else {
        let every = Comparison { operator: Operator::Gte, value: Decimal::whole(count) };
        return Some((Measure::Temporal { order, clauses: None }, vec![every]));
    };
    match &entry.node.value {
        Value::Map(map) => {
            let condition = comparisons(map)?;
            check_counts(&condition, count, entry.key_span, notes)?;
            Some((Measure::Temporal { order, clauses: None }, condition))
        }
        Value::Text(text) => {
            let listed = listed(parts, documents);
            let clauses = boolean(text, entry.node.span, &listed, order, notes)?;
            Some((Measure::Temporal { order, clauses: Some(clauses) }, Vec::new()))
        }
        _ => None,
    }
}

fn listed<'d>(parts: &Parts<'d>, documents: &[&'d Document<'d>]) -> Vec<Listed<'d>> {
    let references = parts.draft.document.references();
    let bits = (0..u32::BITS).map(|bit| 1 << bit);
    let named = references.into_iter().zip(documents).zip(bits);
    named
        .map(|(((reference, _), document), bit)| {
            let others = [document.text("name"), document.text("id")].into_iter().flatten();
            let names = std::iter::once(reference).chain(others.filter(|name| *name != reference)).collect();
            Listed { names, bit }
        })
        .collect()
}

fn boolean(
    text: &str,
    span: Span,
    listed: &[Listed<'_>],
    order: Order,
    notes: &mut Notes<'_>,
) -> Option<Vec<Clause>> {
    let mut names: Vec<&str> = listed.iter().filter_map(|rule| rule.names.first().copied()).collect();
    // A rule listed by id may be called by name, and the other way about.
    let others = listed.iter().flat_map(|rule| rule.names.iter().skip(1).copied());
    names.extend(others.filter(|name| is_used(text, name)));
    let before = notes.list.len();
    let mut used = BTreeSet::new();
    check_condition(text, span, &names, &mut used, notes);
    if notes.list.len() > before {
        return None;
    }
    let formula = formula(&parse_condition(text).ok()?, listed);
    for rule in listed.iter().filter(|rule| !rule.names.iter().any(|name| used.contains(name))) {
        let name = rule.names.first().copied().unwrap_or_default();
        let message = format!("the condition says nothing about `{name}`, which `rules` lists");
        notes.warning(span, message, "use it in the condition, or remove it from `rules`");
    }
    let Ok(clauses) = clauses(&formula, order) else {
        let message = format!("this condition comes to more than {CLAUSES_MAX} alternatives");
        notes.error(span, message, "split it into several correlations");
        return None;
    };
    if clauses.is_empty() {
        notes.error(span, "this condition can never hold", "correct it");
        return None;
    }
    if clauses.iter().any(|clause| clause.seen.is_empty()) {
        let message = "this condition holds where none of the rules matched, and silence starts no window";
        notes.error(span, message, "ask for some rule beside each `not`, as in `a and not b`");
        return None;
    }
    Some(clauses)
}

fn is_used(text: &str, name: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*');
    text.split(|c| !part_of_name(c)).any(|word| word == name)
}

/// Recursion is bounded with the nesting of conditions.
fn formula(expression: &ConditionExpr, listed: &[Listed<'_>]) -> Formula {
    let inner = |parts: &[ConditionExpr]| parts.iter().map(|part| formula(part, listed)).collect();
    match expression {
        ConditionExpr::And(parts) => Formula::All(inner(parts)),
        ConditionExpr::Or(parts) => Formula::Any(inner(parts)),
        ConditionExpr::Not(part) => Formula::Not(Box::new(formula(part, listed))),
        ConditionExpr::Identifier(name) => {
            Formula::Any(sources(listed, |rule| rule.names.contains(&name.as_str())))
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let pattern = match pattern {
                SelectorPattern::Them => "them",
                SelectorPattern::Pattern(pattern) => pattern,
            };
            let selected =
                sources(listed, |rule| rule.names.first().is_some_and(|name| selects(pattern, name)));
            match quantifier {
                Quantifier::Any => Formula::Any(selected),
                Quantifier::All => Formula::All(selected),
                Quantifier::Count(count) => {
                    Formula::AtLeast(usize::try_from(*count).unwrap_or(usize::MAX), selected)
                }
            }
        }
    }
}

fn sources(listed: &[Listed<'_>], wanted: impl Fn(&Listed<'_>) -> bool) -> Vec<Formula> {
    listed.iter().filter(|rule| wanted(rule)).map(|rule| Formula::Source(rule.bit)).collect()
}
