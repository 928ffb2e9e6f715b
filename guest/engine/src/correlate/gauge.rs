//! What a correlation measures, kept up to date event by event.
//!
//! A sliding window takes events out again; a fixed one begins with a new gauge. Values whose presence is all that
//! counts are kept with their latest time, so that they leave a sliding window by themselves.

use super::distinct::Distinct;
use super::sequence::Sequence;
use super::{Entry, spec::Spec};
use crate::limits::SPREAD_VALUES_MAX;
use crate::wire::{Reader, Wire, put_varint};
use tripwasm_plan::{Decimal, Measure, Order, Timestamp};

/// The measure of one window.
#[derive(Debug, Clone)]
pub(super) enum Gauge {
    /// Number of events.
    Count(u64),
    /// Distinct tuples.
    Distinct(Box<Distinct>),
    /// Sum of numbers, and how many.
    Sum(Decimal, u64),
    /// Every number and how often it came, in order, and how many in all.
    Spread(Vec<(Decimal, u64)>, u64),
    /// Latest time of each source.
    Sources(Vec<Option<Timestamp>>),
    /// Sources in order.
    Sequence(Box<Sequence>),
}

/// Whether an event could be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// A bound was reached.
    No,
}

impl Gauge {
    pub(super) fn new(spec: &Spec) -> Gauge {
        match &spec.correlation.measure {
            Measure::EventCount => Gauge::Count(0),
            Measure::ValueCount(_) => Gauge::Distinct(Box::default()),
            Measure::Sum(_) | Measure::Average(_) => Gauge::Sum(Decimal::ZERO, 0),
            Measure::Percentile(..) | Measure::Median(_) => Gauge::Spread(Vec::new(), 0),
            Measure::Temporal { order: Order::Any, .. } => {
                Gauge::Sources(vec![None; spec.correlation.sources.len()])
            }
            Measure::Temporal { order: Order::AsListed, .. } => {
                Gauge::Sequence(Box::new(Sequence::new(spec)))
            }
        }
    }

    /// Takes in an event that is not earlier than any before.
    pub(super) fn add(&mut self, spec: &Spec, entry: &Entry) -> Taken {
        match self {
            Gauge::Count(count) => *count = count.saturating_add(1),
            Gauge::Distinct(distinct) => {
                if let Some(tuple) = &entry.values.tuple {
                    distinct.see(tuple.key(), entry.time, spec.count_max);
                }
            }
            Gauge::Sum(sum, count) => {
                if let Some(number) = entry.values.number {
                    *sum = sum.plus(number);
                    *count += 1;
                }
            }
            Gauge::Spread(values, count) => {
                if let Some(number) = entry.values.number {
                    match values.binary_search_by_key(&number, |(value, _)| *value) {
                        Ok(at) => values.get_mut(at).into_iter().for_each(|(_, times)| *times += 1),
                        Err(_) if values.len() >= SPREAD_VALUES_MAX => return Taken::No,
                        Err(at) => values.insert(at, (number, 1)),
                    }
                    *count += 1;
                }
            }
            Gauge::Sources(latest) => {
                for (place, _) in latest.iter_mut().zip(0..).filter(|(_, at)| entry.sources >> at & 1 == 1) {
                    *place = Some(entry.time);
                }
            }
            Gauge::Sequence(sequence) => sequence.see(spec, entry.sources, entry.time),
        }
        Taken::Yes
    }

    /// Whether an event's number counts.
    pub(super) fn takes_numbers(&self) -> bool {
        matches!(self, Gauge::Sum(..) | Gauge::Spread(..))
    }

    /// Takes an event out again. What is kept with its latest time needs no call.
    pub(super) fn remove(&mut self, number: Option<Decimal>) {
        match self {
            Gauge::Count(count) => *count = count.saturating_sub(1),
            Gauge::Sum(sum, count) => {
                if let Some(number) = number {
                    *sum = sum.minus(number);
                    *count = count.saturating_sub(1);
                }
            }
            Gauge::Spread(values, count) => {
                if let Some(number) = number
                    && let Ok(at) = values.binary_search_by_key(&number, |(value, _)| *value)
                    && let Some((_, times)) = values.get_mut(at)
                {
                    *times = times.saturating_sub(1);
                    *count = count.saturating_sub(1);
                    if *times == 0 {
                        values.remove(at);
                    }
                }
            }
            Gauge::Distinct(_) | Gauge::Sources(_) | Gauge::Sequence(_) => {}
        }
    }

    /// Lets go of what was last seen at `until` or before.
    pub(super) fn expire(&mut self, until: Timestamp) {
        if let Gauge::Distinct(distinct) = self {
            distinct.expire(until);
        }
    }

    /// Whether the condition holds over what was seen after `since`; `expire` has been told.
    pub(super) fn holds(&self, spec: &Spec, since: Timestamp) -> bool {
        let within = |time: &Option<Timestamp>| time.is_some_and(|time| time > since);
        match self {
            Gauge::Count(count) => spec.meets(Decimal::whole(*count), 1),
            Gauge::Distinct(distinct) => spec.meets(Decimal::whole(distinct.count()), 1),
            Gauge::Sum(_, 0) | Gauge::Spread(_, 0) => false,
            Gauge::Sum(sum, count) => match spec.correlation.measure {
                Measure::Average(_) => spec.meets(*sum, *count),
                _ => spec.meets(*sum, 1),
            },
            Gauge::Spread(values, count) => match spec.correlation.measure {
                Measure::Percentile(_, percent) => spec.meets(at_rank(values, rank(percent, *count)), 1),
                _ => spec.meets(twice_median(values, *count), 2),
            },
            Gauge::Sources(latest) => match spec.clauses() {
                None => {
                    spec.meets(Decimal::whole(latest.iter().filter(|time| within(time)).count() as u64), 1)
                }
                Some(clauses) => {
                    let seen = |source: &u32| latest.get(*source as usize).is_some_and(within);
                    clauses
                        .iter()
                        .any(|clause| clause.seen.iter().all(seen) && !clause.unseen.iter().any(seen))
                }
            },
            Gauge::Sequence(sequence) => sequence.holds(spec, since),
        }
    }

    /// The number an alert tells, of measures that are no counts.
    pub(super) fn measured(&self, spec: &Spec) -> Option<Decimal> {
        match (self, &spec.correlation.measure) {
            (Gauge::Sum(_, 0) | Gauge::Spread(_, 0), _) => None,
            (Gauge::Sum(sum, count), Measure::Average(_)) => Some(sum.divided_by(*count)),
            (Gauge::Sum(sum, _), _) => Some(*sum),
            (Gauge::Spread(values, count), Measure::Percentile(_, percent)) => {
                Some(at_rank(values, rank(*percent, *count)))
            }
            (Gauge::Spread(values, count), _) => Some(twice_median(values, *count).divided_by(2)),
            _ => None,
        }
    }

    /// Estimate of the memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Gauge::Count(_) | Gauge::Sum(..) => 0,
            Gauge::Distinct(distinct) => distinct.bytes(),
            Gauge::Spread(values, _) => values.len() as u64 * 32,
            Gauge::Sources(latest) => latest.len() as u64 * 16,
            Gauge::Sequence(sequence) => sequence.bytes(),
        }
    }
}

impl Wire for Gauge {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Gauge::Count(count) => put(out, 0, count),
            Gauge::Distinct(distinct) => put(out, 1, &**distinct),
            Gauge::Sum(sum, count) => {
                put(out, 2, sum);
                put_varint(out, *count);
            }
            Gauge::Spread(values, count) => {
                put(out, 3, values);
                put_varint(out, *count);
            }
            Gauge::Sources(latest) => put(out, 4, latest),
            Gauge::Sequence(sequence) => put(out, 5, &**sequence),
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Gauge> {
        Some(match from.byte()? {
            0 => Gauge::Count(from.varint()?),
            1 => Gauge::Distinct(Wire::read(from)?),
            2 => Gauge::Sum(Wire::read(from)?, from.varint()?),
            3 => Gauge::Spread(Wire::read(from)?, from.varint()?),
            4 => Gauge::Sources(Wire::read(from)?),
            5 => Gauge::Sequence(Wire::read(from)?),
            _ => return None,
        })
    }
}

fn put(out: &mut Vec<u8>, kind: u8, what: &impl Wire) {
    out.push(kind);
    what.write(out);
}

/// The 1-based rank of a percentile, by the nearest rank.
fn rank(percent: u8, count: u64) -> u64 {
    let rank = (u128::from(percent) * u128::from(count)).div_ceil(100);
    u64::try_from(rank).unwrap_or(u64::MAX).clamp(1, count.max(1))
}

/// The value at a 1-based rank.
fn at_rank(values: &[(Decimal, u64)], rank: u64) -> Decimal {
    let mut before = 0;
    for &(value, times) in values {
        before += times;
        if before >= rank {
            return value;
        }
    }
    values.last().map_or(Decimal::ZERO, |(value, _)| *value)
}

/// Twice the median, which is exact.
fn twice_median(values: &[(Decimal, u64)], count: u64) -> Decimal {
    at_rank(values, count.div_ceil(2)).plus(at_rank(values, count / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let values = [(1, 1), (2, 2), (9, 1)].map(|(v, n)| (Decimal::whole(v), n));
        let at = |percent| at_rank(&values, rank(percent, 4)).as_count();
        assert_eq!([1, 25, 26, 50, 75, 76, 100].map(at), [1, 1, 2, 2, 2, 9, 9]);
        assert_eq!(twice_median(&values, 4), Decimal::whole(4));
        assert_eq!(twice_median(&[(Decimal::whole(3), 1)], 1), Decimal::whole(6));
        assert_eq!(twice_median(&[(Decimal::whole(3), 1), (Decimal::whole(4), 1)], 2), Decimal::whole(7));
    }
}
