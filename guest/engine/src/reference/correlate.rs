//! Facts of matching events, kept to the end, and the alerts they come to.

use super::calculate::Fields;
use super::json::Json;
use super::windows::{Stretch, stretches};
use crate::alert_id;
use crate::finding::{Alert, AlertState, EventRef, Observation};
use crate::limits::{ALERT_EVENTS_MAX, ALERT_VALUES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{
    Correlation, Duplicates, FieldId, Logic, Measure, Observed, Plan, Rule, RuleIndex, Source, Timestamp,
};

/// A matching event with a usable time.
pub(super) struct Event<'e> {
    pub(super) position: u64,
    pub(super) time: Timestamp,
    pub(super) id: Option<&'e str>,
    pub(super) fields: &'e Fields<'e>,
}

/// What one event adds to one group of one correlation.
struct Fact {
    time: Timestamp,
    id: Option<String>,
    position: u64,
    /// The tuple of counted values, if the event has all of them.
    counted: Option<Vec<String>>,
    /// Values by observed field, in the order they stand in the event.
    observed: Vec<Vec<String>>,
}

/// The facts of every correlation of a plan.
pub(super) struct Facts<'p> {
    duplicates: Duplicates,
    correlations: Vec<Groups<'p>>,
}

struct Groups<'p> {
    index: RuleIndex,
    rule: &'p Rule,
    correlation: &'p Correlation,
    groups: BTreeMap<Vec<String>, Vec<Fact>>,
}

impl<'p> Facts<'p> {
    /// None so far.
    pub(super) fn new(plan: &'p Plan, duplicates: Duplicates) -> Self {
        let correlations = plan.rules.iter().zip(0..).filter_map(|(rule, index)| match &rule.logic {
            Logic::Correlation(correlation) => {
                Some(Groups { index: RuleIndex(index), rule, correlation, groups: BTreeMap::new() })
            }
            Logic::Detection(_) => None,
        });
        Facts { duplicates, correlations: correlations.collect() }
    }

    /// Adds what an event for which these rules hold means to correlations. An event enters a group once,
    /// through the first of the correlation's sources that holds and gives the group.
    pub(super) fn add(&mut self, event: &Event<'_>, holding: &[RuleIndex]) {
        for groups in &mut self.correlations {
            for source in groups.correlation.sources.iter().filter(|source| holding.contains(&source.rule)) {
                let Some(group) = tuple(&source.reads.group_by, event.fields) else { continue };
                let facts = groups.groups.entry(group).or_default();
                let again = |fact: &Fact| match self.duplicates {
                    Duplicates::Once => event.id.is_some() && is_same(fact, event),
                    Duplicates::Count => false,
                };
                if !facts.iter().any(|fact| fact.position == event.position || again(fact)) {
                    facts.push(fact(event, source));
                }
            }
        }
    }

    /// The alerts, as if no more events could come.
    pub(super) fn close(self) -> Vec<Alert> {
        let mut closed = Vec::new();
        for Groups { index, rule, correlation, groups } in self.correlations {
            for (group, mut facts) in groups {
                facts.sort_by(|one, other| order(one).cmp(&order(other)));
                let times: Vec<_> = facts.iter().map(|fact| fact.time).collect();
                let positions: Vec<_> = facts.iter().map(|fact| fact.position).collect();
                let condition = |events| holds(correlation, facts.get(events).unwrap_or(&[]));
                let found =
                    stretches(correlation.window, correlation.timespan_ms, &times, &positions, &condition);
                closed.extend(found.into_iter().map(|stretch| {
                    let events = facts.get(stretch.events.clone()).unwrap_or(&[]);
                    alert(index, rule, &correlation.observed, &group, &stretch, events)
                }));
            }
        }
        closed
    }
}

fn is_same(fact: &Fact, event: &Event<'_>) -> bool {
    fact.time == event.time && fact.id.as_deref() == event.id
}

/// The order that decides which events and values an alert tells.
fn order(fact: &Fact) -> (Timestamp, Option<&str>, u64) {
    (fact.time, fact.id.as_deref(), fact.position)
}

fn fact(event: &Event<'_>, source: &Source) -> Fact {
    let texts = |&field: &FieldId| -> Vec<String> {
        event.fields.all(field).filter_map(Json::scalar_text).map(Into::into).collect()
    };
    Fact {
        time: event.time,
        id: event.id.map(str::to_owned),
        position: event.position,
        counted: tuple(&source.reads.measured, event.fields),
        observed: source.reads.observed.iter().map(texts).collect(),
    }
}

/// The first scalar value of each field as text, if each has one.
fn tuple(of: &[FieldId], fields: &Fields<'_>) -> Option<Vec<String>> {
    of.iter().map(|&field| fields.first(field)?.scalar_text().map(Into::into)).collect()
}

fn holds(correlation: &Correlation, facts: &[Fact]) -> bool {
    let measured = match correlation.measure {
        Measure::EventCount => facts.len(),
        _ => facts.iter().filter_map(|fact| fact.counted.as_ref()).collect::<BTreeSet<_>>().len(),
    };
    let measured = u64::try_from(measured).unwrap_or(u64::MAX);
    correlation.condition.iter().all(|comparison| {
        super::number::satisfies(
            tripwasm_plan::Decimal::whole(measured).cmp(&comparison.value),
            comparison.operator,
        )
    })
}

/// The closed alert over a stretch of a group's events, which are in order.
fn alert(
    index: RuleIndex,
    rule: &Rule,
    observed: &[Observed],
    group: &[String],
    stretch: &Stretch,
    events: &[Fact],
) -> Alert {
    let mut truncated = events.len() > ALERT_EVENTS_MAX;
    let observations = observed.iter().enumerate().map(|(at, observed)| {
        let mut distinct = Vec::new();
        for value in events.iter().filter_map(|fact| fact.observed.get(at)).flatten() {
            if !distinct.contains(value) {
                distinct.push(value.clone());
            }
        }
        let mut values = if observed.values { distinct.clone() } else { Vec::new() };
        truncated |= values.len() > ALERT_VALUES_MAX;
        values.truncate(ALERT_VALUES_MAX);
        values.sort();
        Observation { values, distinct: u64::try_from(distinct.len()).unwrap_or(u64::MAX) }
    });
    let observations = observations.collect();
    let reference = |fact: &Fact| EventRef { event: fact.position, event_id: fact.id.clone() };
    Alert {
        state: AlertState::Closed,
        id: alert_id(rule, group, stretch.start),
        rule: index,
        group: group.to_vec(),
        window_start: stretch.start,
        window_end: stretch.end,
        count: u64::try_from(events.len()).unwrap_or(u64::MAX),
        first: events.first().map_or(stretch.start, |fact| fact.time),
        last: events.last().map_or(stretch.end, |fact| fact.time),
        events: events.iter().take(ALERT_EVENTS_MAX).map(reference).collect(),
        observations,
        truncated,
        measured: None,
        uncounted: 0,
        opened_by: None,
    }
}

#[cfg(test)]
mod tests;
