//! Conditions that compare a measure with numbers.

use super::Parts;
use crate::{
    check::{OPERATORS, bound, percentile},
    diagnostic::Notes,
    source::Span,
    yaml::{Map, Node, Value},
};
use rsigma_parser::CorrelationType;
use tripwasm_plan::{Comparison, Decimal, Measure, Operator};

/// The percentile of a condition that names none, as in the specification's own example.
const PERCENTILE_DEFAULT: u8 = 50;

/// The measure and the comparisons of a correlation that is not temporal.
pub(super) fn measure(parts: &Parts<'_>, notes: &mut Notes<'_>) -> Option<(Measure, Vec<Comparison>)> {
    let entry = parts.map.entry("condition")?;
    let map = entry.node.as_map()?;
    let field = || parts.names.measured.first().map(|&name| name.to_owned());
    let measure = match parts.rule.correlation_type {
        CorrelationType::ValueCount => {
            Measure::ValueCount(parts.names.measured.iter().map(|&name| name.to_owned()).collect())
        }
        CorrelationType::ValueSum => Measure::Sum(field()?),
        CorrelationType::ValueAvg => Measure::Average(field()?),
        CorrelationType::ValueMedian => Measure::Median(field()?),
        CorrelationType::ValuePercentile => {
            Measure::Percentile(field()?, map.get("percentile").map_or(Some(PERCENTILE_DEFAULT), percentile)?)
        }
        CorrelationType::EventCount | CorrelationType::Temporal | CorrelationType::TemporalOrdered => {
            Measure::EventCount
        }
    };
    let condition = comparisons(map)?;
    match measure.is_numeric() {
        true => check_numbers(&condition, entry.key_span, notes)?,
        false => check_counts(&condition, u64::MAX, entry.key_span, notes)?,
    }
    Some((measure, condition))
}

/// The comparisons of a condition; `None` if one is no number, which was reported.
pub(super) fn comparisons(condition: &Map) -> Option<Vec<Comparison>> {
    let operators = [Operator::Lt, Operator::Lte, Operator::Gt, Operator::Gte, Operator::Eq, Operator::Neq];
    let given =
        OPERATORS.iter().zip(operators).filter_map(|(word, operator)| Some((operator, condition.get(word)?)));
    given.map(|(operator, node)| Some(Comparison { operator, value: bound(node).ok()? })).collect()
}

/// Refuses conditions over a count that silence fulfils, or that no count up to `most` does.
pub(super) fn check_counts(
    condition: &[Comparison],
    most: u64,
    span: Span,
    notes: &mut Notes<'_>,
) -> Option<()> {
    let one = Decimal::whole(1);
    if holds(condition, Decimal::ZERO) {
        let message = "this condition holds where nothing happens, and silence starts no window";
        notes.error(span, message, "add a lower bound such as `gte: 1`");
        return None;
    }
    let near =
        condition.iter().flat_map(|&Comparison { value, .. }| [value.minus(one), value, value.plus(one)]);
    let possible = |count: &Decimal| *count >= Decimal::ZERO && *count <= Decimal::whole(most);
    if near.filter(possible).any(|count| holds(condition, count)) {
        return Some(());
    }
    notes.error(span, "this condition can never hold", "correct its bounds");
    None
}

/// Refuses conditions over a number that no number fulfils. A mean lies between two billionths, so all is doubled.
fn check_numbers(condition: &[Comparison], span: Span, notes: &mut Notes<'_>) -> Option<()> {
    let doubled: Vec<Comparison> = condition
        .iter()
        .map(|comparison| Comparison { value: comparison.value.times(2), ..*comparison })
        .collect();
    let least = Decimal::whole(1).divided_by(1_000_000_000);
    let near =
        doubled.iter().flat_map(|&Comparison { value, .. }| [value.minus(least), value, value.plus(least)]);
    if near.into_iter().any(|value| holds(&doubled, value)) {
        return Some(());
    }
    notes.error(span, "this condition can never hold", "correct its bounds");
    None
}

fn holds(condition: &[Comparison], measured: Decimal) -> bool {
    condition.iter().all(|comparison| match comparison.operator {
        Operator::Lt => measured < comparison.value,
        Operator::Lte => measured <= comparison.value,
        Operator::Gt => measured > comparison.value,
        Operator::Gte => measured >= comparison.value,
        Operator::Eq => measured == comparison.value,
        Operator::Neq => measured != comparison.value,
    })
}

/// Whether the condition is `eq: 1` alone.
pub(in crate::lower) fn is_first(condition: &Node) -> bool {
    let Value::Map(map) = &condition.value else { return false };
    comparisons(map)
        .is_some_and(|found| found == [Comparison { operator: Operator::Eq, value: Decimal::whole(1) }])
}
