//! What a matching event adds to a group of a correlation, and what it carries for the correlations above.

use super::calculate::Fields;
use super::json::Json;
use super::number::is_plain_decimal;
use std::collections::BTreeSet;
use tripwasm_plan::{Decimal, Duplicates, FieldId, Onward, Reads, Source, Timestamp};

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
    /// Positions of the correlation's sources that matched.
    pub(super) sources: BTreeSet<u32>,
    /// As the first of the sources has it.
    pub(super) reading: Reading,
    /// The readings of the correlations above, as they lie in the correlation's `onward`; none where the event joins
    /// no group.
    onward: Vec<Option<Reading>>,
}

/// What a correlation reads of an event.
#[derive(Debug, Clone)]
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
    /// That of an event which the source with this number matched; none if the event joins no group.
    pub(super) fn of_event(event: &Event<'_>, number: u32, source: &Source) -> Option<Fact> {
        Some(Fact {
            time: event.time,
            id: event.id.map(str::to_owned),
            position: event.position,
            sources: BTreeSet::from([number]),
            reading: reading(&source.reads, event.fields)?,
            onward: source.onward.iter().map(|reads| reading(reads, event.fields)).collect(),
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

    /// The order that decides which events and values an alert tells.
    pub(super) fn order(&self) -> (Timestamp, Option<&str>, u64) {
        (self.time, self.id.as_deref(), self.position)
    }
}

/// Adds a fact to its group: the same event through another source is one fact, another delivery is none.
pub(super) fn join(facts: &mut Vec<Fact>, arrived: Fact, duplicates: Duplicates) {
    let same_time = |fact: &&mut Fact| fact.time == arrived.time;
    if let Some(fact) = facts.iter_mut().filter(same_time).find(|fact| fact.position == arrived.position) {
        if arrived.sources.first() < fact.sources.first() {
            fact.reading = arrived.reading;
            fact.onward = arrived.onward;
        }
        fact.sources.extend(arrived.sources);
        return;
    }
    let is_delivered_again = match duplicates {
        Duplicates::Once => {
            arrived.id.is_some()
                && facts.iter().any(|fact| fact.time == arrived.time && fact.id == arrived.id)
        }
        Duplicates::Count => false,
    };
    if !is_delivered_again {
        facts.push(arrived);
    }
}

fn reading(reads: &Reads, fields: &Fields<'_>) -> Option<Reading> {
    let texts = |&field: &FieldId| -> Vec<String> {
        fields.all(field).filter_map(Json::scalar_text).map(Into::into).collect()
    };
    Some(Reading {
        group: tuple(&reads.group_by, fields)?,
        tuple: tuple(&reads.measured, fields),
        number: reads.measured.first().and_then(|&field| number(fields.first(field)?)),
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
