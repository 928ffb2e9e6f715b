//! What a matching event adds to a group of a correlation, and what it carries for the correlations above.

use super::calculate::Fields;
use super::json::Json;
use super::number::is_plain_decimal;
use std::collections::BTreeSet;
use tripwasm_plan::{
    Correlation, Decimal, Duplicates, FieldId, Logic, Measure, Onward, Plan, Reads, Timestamp,
};

/// A matching event with a usable time.
pub(super) struct Event<'e> {
    pub(super) position: u64,
    pub(super) time: Timestamp,
    pub(super) id: Option<&'e str>,
    pub(super) fields: &'e Fields<'e>,
}

/// An event, or an alert of a correlation below, in one group of one correlation.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) time: Timestamp,
    pub(super) id: Option<String>,
    pub(super) position: u64,
    /// Whether an alert of a correlation below made it.
    pub(super) is_alert: bool,
    /// Positions of the correlation's sources that matched.
    pub(super) sources: BTreeSet<u32>,
    /// As the first of the sources has it.
    pub(super) reading: Reading,
    /// The readings of the correlations above, as they lie in the correlation's `onward`; none where the event joins
    /// no group.
    onward: Vec<Option<Reading>>,
}

/// What a correlation reads of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reading {
    pub(super) group: Vec<String>,
    /// The measured fields' values, if the event has all of them.
    pub(super) tuple: Option<Vec<String>>,
    /// The measured field's value, if it is a number.
    pub(super) number: Option<Decimal>,
    /// Values by observed field, in the order they stand in the event.
    pub(super) observed: Vec<Vec<String>>,
}

impl Fact {
    /// That of an event which the correlation's source with this number matched; none if the event joins no group.
    pub(super) fn of_event(
        plan: &Plan,
        event: &Event<'_>,
        correlation: &Correlation,
        number: u32,
    ) -> Option<Fact> {
        let source = correlation.sources.get(usize::try_from(number).ok()?)?;
        let above = source.onward.iter().zip(&correlation.onward);
        let onward = above.map(|(reads, onward)| {
            let rule = plan.rules.get(usize::try_from(onward.correlation.0).ok()?)?;
            match &rule.logic {
                Logic::Correlation(above) => reading(&above.measure, reads, event.fields),
                Logic::Detection(_) => None,
            }
        });
        Some(Fact {
            time: event.time,
            id: event.id.map(str::to_owned),
            position: event.position,
            is_alert: false,
            sources: BTreeSet::from([number]),
            reading: reading(&correlation.measure, &source.reads, event.fields)?,
            onward: onward.collect(),
        })
    }

    /// What the consumers of its correlation are given when it makes an alert fire at `time`: with each direct one the
    /// fact, unless it joins no group there. `onward` is the correlation's.
    pub(super) fn handed_on(&self, onward: &[Onward], time: Timestamp) -> Vec<(Onward, Fact)> {
        let mut handed = Vec::new();
        let mut at = 0;
        while let Some(consumer) = onward.get(at) {
            let above = usize::try_from(consumer.above).unwrap_or(usize::MAX);
            if let Some(Some(reading)) = self.onward.get(at) {
                let fact = Fact {
                    time,
                    id: self.id.clone(),
                    position: self.position,
                    is_alert: true,
                    sources: BTreeSet::from([consumer.source]),
                    reading: reading.clone(),
                    onward: self.onward.iter().skip(at + 1).take(above).cloned().collect(),
                };
                handed.push((*consumer, fact));
            }
            at = at.saturating_add(above).saturating_add(1);
        }
        handed
    }

    /// The order that decides which events and values an alert tells; what is read of events without id comes before
    /// their position, which says no more than when they arrived.
    pub(super) fn order(&self) -> impl Ord {
        (self.time, self.id.as_deref(), &self.reading, &self.onward, self.position)
    }
}

/// Adds a fact to its group: the same event through another source is one fact, another delivery is none.
pub(super) fn join(facts: &mut Vec<Fact>, arrived: Fact, duplicates: Duplicates) {
    let same_time = |fact: &&mut Fact| fact.time == arrived.time;
    if let Some(fact) = facts.iter_mut().filter(same_time).find(|fact| fact.position == arrived.position) {
        let rank = |fact: &Fact| (fact.sources.first().copied(), fact.reading.clone(), fact.onward.clone());
        if rank(&arrived) < rank(fact) {
            fact.reading = arrived.reading;
            fact.onward = arrived.onward;
        }
        fact.sources.extend(arrived.sources);
        fact.is_alert &= arrived.is_alert;
        return;
    }
    let is_delivered_again = match duplicates {
        Duplicates::Once => {
            let same = |fact: &Fact| fact.time == arrived.time && fact.id == arrived.id && !fact.is_alert;
            arrived.id.is_some() && !arrived.is_alert && facts.iter().any(same)
        }
        Duplicates::Count => false,
    };
    if !is_delivered_again {
        facts.push(arrived);
    }
}

fn reading(measure: &Measure, reads: &Reads, fields: &Fields<'_>) -> Option<Reading> {
    let texts = |&field: &FieldId| -> Vec<String> {
        fields.all(field).filter_map(Json::scalar_text).map(Into::into).collect()
    };
    let (measured, summed) = match measure {
        Measure::Sum(_) | Measure::Average(_) | Measure::Percentile(..) | Measure::Median(_) => {
            (None, reads.measured.first().and_then(|&field| number(fields.first(field)?)))
        }
        Measure::ValueCount(_) => (tuple(&reads.measured, fields), None),
        Measure::EventCount | Measure::Temporal { .. } => (None, None),
    };
    Some(Reading {
        group: tuple(&reads.group_by, fields)?,
        tuple: measured,
        number: summed,
        observed: reads.observed.iter().map(texts).collect(),
    })
}

/// The first scalar value of each field as text, if each has one.
fn tuple(of: &[FieldId], fields: &Fields<'_>) -> Option<Vec<String>> {
    of.iter().map(|&field| fields.first(field)?.scalar_text().map(Into::into)).collect()
}

fn number(value: &Json) -> Option<Decimal> {
    match value {
        Json::Number(text) => Decimal::parse(text),
        Json::Text(text) if is_plain_decimal(text) => Decimal::parse(text),
        _ => None,
    }
}
