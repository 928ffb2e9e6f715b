//! What a correlation measures over the facts of a window, and whether its condition holds of it.

use super::fact::Fact;
use super::number::satisfies;
use core::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Clause, Comparison, Correlation, Decimal, Measure, Operator, Order, Timestamp};

/// Whether the condition holds over the facts, which are in order of time.
pub(super) fn holds(correlation: &Correlation, facts: &[Fact]) -> bool {
    let numbers = sorted_numbers(facts);
    // How what is measured compares with a bound; none if there is nothing to measure.
    let count = |count: usize, bound: Decimal| Some(whole(count).cmp(&bound));
    let compare = |bound: Decimal| -> Option<Ordering> {
        match &correlation.measure {
            Measure::EventCount => count(facts.len(), bound),
            Measure::ValueCount(_) => {
                let tuples: BTreeSet<_> =
                    facts.iter().filter_map(|fact| fact.reading.tuple.as_ref()).collect();
                count(tuples.len(), bound)
            }
            Measure::Temporal { order: Order::Any, .. } => count(sources_seen(facts).len(), bound),
            Measure::Temporal { order: Order::AsListed, .. } => count(longest_chain(facts), bound),
            Measure::Sum(_) => (!numbers.is_empty()).then(|| sum(&numbers).cmp(&bound)),
            // Compared without a division, which would round.
            Measure::Average(_) => {
                (!numbers.is_empty()).then(|| sum(&numbers).cmp(&bound.times(size(&numbers))))
            }
            Measure::Percentile(_, percent) => Some(ranked(&numbers, *percent)?.cmp(&bound)),
            Measure::Median(_) => {
                let (lower, upper) = middle(&numbers)?;
                Some(lower.plus(upper).cmp(&bound.times(2)))
            }
        }
    };
    match &correlation.measure {
        Measure::Temporal { order, clauses: Some(clauses) } => {
            clauses.iter().any(|clause| clause_holds(clause, *order, facts))
        }
        measure if measure.is_numeric() && numbers.is_empty() => false,
        _ => correlation.condition.iter().all(|Comparison { operator, value }| {
            compare(*value).is_some_and(|ordering| satisfies(ordering, *operator))
        }),
    }
}

/// Whether more facts cannot unmake the condition.
pub(super) fn is_growing(correlation: &Correlation) -> bool {
    let has_lower_bounds_only =
        correlation.condition.iter().all(|one| matches!(one.operator, Operator::Gt | Operator::Gte));
    match &correlation.measure {
        Measure::Temporal { clauses: Some(clauses), .. } => {
            clauses.iter().all(|clause| clause.unseen.is_empty())
        }
        Measure::EventCount | Measure::ValueCount(_) | Measure::Temporal { .. } => has_lower_bounds_only,
        Measure::Sum(_) | Measure::Average(_) | Measure::Percentile(..) | Measure::Median(_) => false,
    }
}

/// The number that an alert tells, of measures that are numbers.
pub(super) fn measured(measure: &Measure, facts: &[Fact]) -> Option<Decimal> {
    let numbers = sorted_numbers(facts);
    match measure {
        Measure::EventCount | Measure::ValueCount(_) | Measure::Temporal { .. } => None,
        _ if numbers.is_empty() => None,
        Measure::Sum(_) => Some(sum(&numbers)),
        Measure::Average(_) => Some(sum(&numbers).divided_by(size(&numbers))),
        Measure::Percentile(_, percent) => ranked(&numbers, *percent),
        Measure::Median(_) => {
            let (lower, upper) = middle(&numbers)?;
            Some(if lower == upper { lower } else { lower.plus(upper).divided_by(2) })
        }
    }
}

fn whole(count: usize) -> Decimal {
    Decimal::whole(u64::try_from(count).unwrap_or(u64::MAX))
}

fn size(numbers: &[Decimal]) -> u64 {
    u64::try_from(numbers.len()).unwrap_or(u64::MAX)
}

fn sorted_numbers(facts: &[Fact]) -> Vec<Decimal> {
    let mut numbers: Vec<Decimal> = facts.iter().filter_map(|fact| fact.reading.number).collect();
    numbers.sort();
    numbers
}

fn sum(numbers: &[Decimal]) -> Decimal {
    numbers.iter().fold(Decimal::ZERO, |sum, number| sum.plus(*number))
}

/// The least number that so many percent of the numbers do not exceed.
fn ranked(sorted: &[Decimal], percent: u8) -> Option<Decimal> {
    let rank = (usize::from(percent) * sorted.len()).div_ceil(100).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied()
}

/// The two numbers in the middle, or twice the one.
fn middle(sorted: &[Decimal]) -> Option<(Decimal, Decimal)> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some((*lower, *upper))
}

fn sources_seen(facts: &[Fact]) -> BTreeSet<u32> {
    facts.iter().flat_map(|fact| fact.sources.iter().copied()).collect()
}

/// The times at which a source matched, ascending.
fn times_of(source: u32, facts: &[Fact]) -> impl Iterator<Item = Timestamp> {
    facts.iter().filter(move |fact| fact.sources.contains(&source)).map(|fact| fact.time)
}

/// The greatest number of different sources that matched one after the other, in ascending order.
fn longest_chain(facts: &[Fact]) -> usize {
    // The longest chain that ends at a time, through the sources looked at so far.
    let mut ending: BTreeMap<Timestamp, usize> = BTreeMap::new();
    for source in sources_seen(facts) {
        let longer: Vec<(Timestamp, usize)> = times_of(source, facts)
            .map(|time| (time, ending.range(..=time).map(|(_, length)| length + 1).max().unwrap_or(1)))
            .collect();
        for (time, length) in longer {
            let longest = ending.entry(time).or_default();
            *longest = length.max(*longest);
        }
    }
    ending.into_values().max().unwrap_or(0)
}

fn clause_holds(clause: &Clause, order: Order, facts: &[Fact]) -> bool {
    let seen = sources_seen(facts);
    let is_sequence = || {
        // Whoever takes each source as early as possible leaves the most room for those behind it.
        let earliest = |from: Option<Timestamp>, source: &u32| {
            times_of(*source, facts).find(|time| from.is_none_or(|from| from <= *time)).map(Some)
        };
        clause.seen.iter().try_fold(None, earliest).is_some()
    };
    !clause.unseen.iter().any(|source| seen.contains(source))
        && clause.seen.iter().all(|source| seen.contains(source))
        && match order {
            Order::Any => true,
            Order::AsListed => is_sequence(),
        }
}
