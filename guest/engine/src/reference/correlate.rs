//! Correlations over whole inputs: every fact is kept, and each group's facts are looked at together.

use super::fact::{Event, Fact, join};
use super::measure;
use super::windows::{Stretch, stretches};
use crate::alert_id;
use crate::finding::{Alert, AlertState, EventRef, Observation};
use crate::limits::{ALERT_EVENTS_MAX, ALERT_VALUES_MAX};
use std::collections::BTreeMap;
use tripwasm_plan::{Correlation, Duplicates, Logic, Observed, Plan, Rule, RuleIndex, Timestamp, Window};

/// The facts of every correlation of a plan.
pub(super) struct Facts<'p> {
    plan: &'p Plan,
    duplicates: Duplicates,
    /// By rule, in the order in which they came.
    arrived: BTreeMap<RuleIndex, Vec<Fact>>,
}

/// A correlation of the plan.
#[derive(Clone, Copy)]
struct Spec<'p> {
    index: RuleIndex,
    rule: &'p Rule,
    correlation: &'p Correlation,
}

/// An alert, and the fact with which its condition began to hold.
struct Fired<'f> {
    alert: Alert,
    time: Timestamp,
    fact: &'f Fact,
}

impl<'p> Facts<'p> {
    /// None so far.
    pub(super) fn new(plan: &'p Plan, duplicates: Duplicates) -> Self {
        Facts { plan, duplicates, arrived: BTreeMap::new() }
    }

    /// Adds what an event for which these rules hold means to correlations.
    pub(super) fn add(&mut self, event: &Event<'_>, holding: &[RuleIndex]) {
        for spec in specs(self.plan) {
            for (source, number) in spec.correlation.sources.iter().zip(0..) {
                if holding.contains(&source.rule)
                    && let Some(fact) = Fact::of_event(self.plan, event, spec.correlation, number)
                {
                    self.arrived.entry(spec.index).or_default().push(fact);
                }
            }
        }
    }

    /// The alerts, as if no more events could come.
    pub(super) fn close(mut self) -> Vec<Alert> {
        let mut closed = Vec::new();
        let mut upwards: Vec<Spec<'_>> = specs(self.plan).collect();
        upwards.sort_by_key(|spec| spec.correlation.level);
        for spec in upwards {
            let groups = self.groups(spec.index);
            let learned = self.learned(spec.correlation, &groups);
            for (group, facts) in &groups {
                for fired in alerts(spec, group, facts, learned) {
                    for (consumer, fact) in fired.fact.handed_on(&spec.correlation.onward, fired.time) {
                        self.arrived.entry(consumer.correlation).or_default().push(fact);
                    }
                    if spec.rule.reported {
                        closed.push(fired.alert);
                    }
                }
            }
        }
        closed.sort_by(|one, other| {
            let key = |alert: &Alert| (alert.rule, alert.group.clone(), alert.window_start);
            key(one).cmp(&key(other))
        });
        closed
    }

    /// The facts of a correlation by group, in order.
    fn groups(&mut self, correlation: RuleIndex) -> BTreeMap<Vec<String>, Vec<Fact>> {
        let mut groups: BTreeMap<Vec<String>, Vec<Fact>> = BTreeMap::new();
        let mut arrived = self.arrived.remove(&correlation).unwrap_or_default();
        // Of two deliveries of an event, that which came first counts.
        arrived.sort_by_key(|fact| fact.position);
        for fact in arrived {
            join(groups.entry(fact.reading.group.clone()).or_default(), fact, self.duplicates);
        }
        for facts in groups.values_mut() {
            facts.sort_by(|one, other| one.order().cmp(&other.order()));
        }
        groups
    }

    /// When a correlation's learning ends; none if it does not learn.
    fn learned(
        &self,
        correlation: &Correlation,
        groups: &BTreeMap<Vec<String>, Vec<Fact>>,
    ) -> Option<Timestamp> {
        let learn = Timestamp::try_from(correlation.learn_ms?).unwrap_or(Timestamp::MAX);
        let earliest = || groups.values().flatten().map(|fact| fact.time).min();
        Some(self.plan.settings.learn_from.or_else(earliest)?.saturating_add(learn))
    }
}

fn specs(plan: &Plan) -> impl Iterator<Item = Spec<'_>> {
    plan.rules.iter().zip(0..).filter_map(|(rule, index)| match &rule.logic {
        Logic::Correlation(correlation) => Some(Spec { index: RuleIndex(index), rule, correlation }),
        Logic::Detection(_) => None,
    })
}

/// The alerts of a group, whose facts are in order, but those that are suppressed or fell into the time of learning.
fn alerts<'f>(
    spec: Spec<'_>,
    group: &[String],
    facts: &'f [Fact],
    learned: Option<Timestamp>,
) -> Vec<Fired<'f>> {
    let correlation = spec.correlation;
    let condition = |events| measure::holds(correlation, facts.get(events).unwrap_or(&[]));
    let is_learning = |stretch: &Stretch| match correlation.window {
        Window::FirstSeen { .. } => learned.is_some_and(|end| stretch.start < end),
        _ => false,
    };
    let suppress = correlation.suppress_ms.map(|ms| Timestamp::try_from(ms).unwrap_or(Timestamp::MAX));
    let mut all: Vec<Fired<'f>> = Vec::new();
    for stretch in stretches(correlation, facts, &condition) {
        let Some((time, fact)) = firing(correlation, &stretch, facts, &condition) else { continue };
        let last = all.last().map(|fired| fired.time);
        let is_suppressed =
            suppress.zip(last).is_some_and(|(suppress, last)| time < last.saturating_add(suppress));
        if !is_learning(&stretch) && !is_suppressed {
            all.push(Fired { alert: alert(spec, group, &stretch, facts), time, fact });
        }
    }
    all
}

/// When, and with which fact, the condition of a stretch that satisfies it began to hold.
fn firing<'f>(
    correlation: &Correlation,
    stretch: &Stretch,
    facts: &'f [Fact],
    condition: &dyn Fn(core::ops::Range<usize>) -> bool,
) -> Option<(Timestamp, &'f Fact)> {
    let events = stretch.events.clone();
    match correlation.window {
        Window::Sliding | Window::FirstSeen { .. } => {
            facts.get(stretch.held.clone())?.last().map(|fact| (fact.time, fact))
        }
        _ if measure::is_growing(correlation) => {
            let at = events.clone().find(|&at| condition(events.start..at + 1))?;
            facts.get(at).map(|fact| (fact.time, fact))
        }
        _ => facts.get(events)?.last().map(|fact| (stretch.end, fact)),
    }
}

/// The closed alert over a stretch of a group's facts.
fn alert(spec: Spec<'_>, group: &[String], stretch: &Stretch, facts: &[Fact]) -> Alert {
    let events = facts.get(stretch.events.clone()).unwrap_or(&[]);
    let held = facts.get(stretch.held.clone()).unwrap_or(&[]);
    let (observations, is_cut) = observations(&spec.correlation.observed, events);
    let reference = |fact: &Fact| EventRef { event: fact.position, event_id: fact.id.clone() };
    Alert {
        state: AlertState::Closed,
        id: alert_id(spec.rule, group, stretch.start),
        rule: spec.index,
        group: group.to_vec(),
        window_start: stretch.start,
        window_end: stretch.end,
        count: u64::try_from(events.len()).unwrap_or(u64::MAX),
        first: events.first().map_or(stretch.start, |fact| fact.time),
        last: events.last().map_or(stretch.end, |fact| fact.time),
        events: events.iter().take(ALERT_EVENTS_MAX).map(reference).collect(),
        observations,
        truncated: is_cut || events.len() > ALERT_EVENTS_MAX,
        measured: measure::measured(&spec.correlation.measure, held),
        uncounted: 0,
        opened_by: None,
    }
}

/// The observed values, and whether some list of them was cut.
fn observations(observed: &[Observed], events: &[Fact]) -> (Vec<Observation>, bool) {
    let mut is_cut = false;
    let observations = observed.iter().enumerate().map(|(at, observed)| {
        let mut distinct = Vec::new();
        for value in events.iter().filter_map(|fact| fact.reading.observed.get(at)).flatten() {
            if !distinct.contains(value) {
                distinct.push(value.clone());
            }
        }
        let mut values = if observed.values { distinct.clone() } else { Vec::new() };
        is_cut |= values.len() > ALERT_VALUES_MAX;
        values.truncate(ALERT_VALUES_MAX);
        values.sort();
        Observation { values, distinct: u64::try_from(distinct.len()).unwrap_or(u64::MAX) }
    });
    (observations.collect(), is_cut)
}

#[cfg(test)]
mod tests;
