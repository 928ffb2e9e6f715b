//! The halves of the engine with a shuffle between them.

use super::native::new_detector;
use super::{Engine, Input, Native, Run, closed, with_positions};
use anyhow::Result;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use tripwasm_engine::finding::Alert;
use tripwasm_engine::{Detector, Fact};
use tripwasm_plan::{Plan, Settings, Timestamp};

/// Facts of two matching instances, spread by key over three correlating ones.
#[derive(Debug)]
pub struct Sharded;

/// Every group's state is bytes kept outside, and a group is called again when it said so.
#[derive(Debug)]
pub struct Stepped;

impl Engine for Sharded {
    fn name(&self) -> &'static str {
        "sharded"
    }

    fn has_watermark(&self) -> bool {
        false
    }

    fn sees_every_event(&self) -> bool {
        false
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        let shards = (0..3).map(|_| new_detector(plan, settings)).collect::<Result<Vec<_>>>()?;
        shuffle(plan, settings, input, Shards(shards))
    }
}

impl Engine for Stepped {
    fn name(&self) -> &'static str {
        "stepped"
    }

    fn has_watermark(&self) -> bool {
        false
    }

    fn sees_every_event(&self) -> bool {
        false
    }

    fn observe(&self, plan: &Plan, settings: Settings, input: &Input<'_>) -> Result<Run> {
        let groups = Groups { reducer: new_detector(plan, settings)?, groups: BTreeMap::new() };
        shuffle(plan, settings, input, groups)
    }
}

/// What stands behind the shuffle.
trait Correlating {
    /// Takes in facts of one level, then pushes the watermark of that level.
    fn correlate(&mut self, level: u32, facts: Vec<Fact>, watermark: Timestamp) -> Result<Correlated>;
}

/// Alerts, and facts for higher levels.
type Correlated = (Vec<Alert>, Vec<Fact>);

/// Instances that each hold some of the groups.
struct Shards(Vec<Detector>);

impl Correlating for Shards {
    fn correlate(&mut self, level: u32, facts: Vec<Fact>, watermark: Timestamp) -> Result<Correlated> {
        let mut parts = vec![Vec::new(); self.0.len()];
        for fact in facts {
            let mut hasher = DefaultHasher::new();
            fact.key().hash(&mut hasher);
            let shard = usize::try_from(hasher.finish() % 3).unwrap_or_default();
            parts[shard].push(fact);
        }
        let (mut alerts, mut onward) = (Vec::new(), Vec::new());
        for (shard, facts) in self.0.iter_mut().zip(parts) {
            let correlated = shard.correlate(level, facts, watermark);
            alerts.extend(correlated.alerts);
            onward.extend(correlated.facts);
        }
        Ok((alerts, onward))
    }
}

/// Groups as an engine's keyed store holds them.
struct Groups {
    reducer: Detector,
    /// Level, state and timer by key.
    groups: BTreeMap<Vec<u8>, (u32, Vec<u8>, Option<Timestamp>)>,
}

impl Correlating for Groups {
    fn correlate(&mut self, level: u32, facts: Vec<Fact>, watermark: Timestamp) -> Result<Correlated> {
        let mut due: BTreeMap<Vec<u8>, Vec<Fact>> = BTreeMap::new();
        for fact in facts {
            due.entry(fact.key()).or_default().push(fact);
        }
        for (key, (of, _, timer)) in &self.groups {
            if *of == level && timer.is_some_and(|timer| timer <= watermark) {
                due.entry(key.clone()).or_default();
            }
        }
        let (mut alerts, mut onward) = (Vec::new(), Vec::new());
        for (key, facts) in due {
            let group = self.groups.entry(key).or_insert((level, Vec::new(), None));
            let step = self.reducer.step(&group.1, facts, watermark)?;
            *group = (level, step.state, step.next_timer);
            alerts.extend(step.alerts);
            onward.extend(step.facts);
        }
        Ok((alerts, onward))
    }
}

/// Matches in turn on two instances, and hands facts on level by level for every watermark.
fn shuffle(
    plan: &Plan,
    settings: Settings,
    input: &Input<'_>,
    mut correlating: impl Correlating,
) -> Result<Run> {
    let mut outcome = Native.observe(plan, settings, input)?.outcome;
    let mut matching = [new_detector(plan, settings)?, new_detector(plan, settings)?];
    let levels = matching[0].levels();
    let lateness = Timestamp::try_from(settings.lateness_ms)?;
    let mut watermark = Timestamp::MIN;
    let mut alerts = Vec::new();
    let mut push = |mut waiting: Vec<Fact>, watermark: Timestamp, reader: &Detector| -> Result<()> {
        for level in 0..levels {
            let facts = waiting.extract_if(.., |fact| reader.level(fact.correlation) == level).collect();
            let (found, onward) = correlating.correlate(level, facts, watermark)?;
            alerts.extend(found);
            for fact in onward {
                waiting.push(reader.read_fact(&reader.write_fact(&fact))?);
            }
        }
        anyhow::ensure!(waiting.is_empty(), "facts for no level: {waiting:?}");
        Ok(())
    };
    for (number, (batch, first_event)) in with_positions(input.batches).into_iter().enumerate() {
        let facts = matching[number % 2].facts(batch, first_event);
        let greatest = facts.iter().map(|fact| fact.entry.time).max();
        push(facts, watermark, &matching[0])?;
        watermark = watermark.max(greatest.map_or(watermark, |time| time.saturating_sub(lateness)));
    }
    push(Vec::new(), Timestamp::MAX, &matching[0])?;
    outcome.closed = closed(alerts)?;
    Ok(Run { outcome, arrival: None })
}
