//! The component's halves with a shuffle between them: what a cluster does with the module.

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use tripwasm::bindings::LogFilter;
use tripwasm::bindings::exports::tripwasm::detect::sharded::{Fact, FactError, Guest};
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Runtime, RuntimeOptions};
use tripwasm_engine::finding::Alert;
use tripwasm_plan::{Logic, Plan, Timestamp};
use tripwasm_tests::case::{Case, files, lines, read};
use tripwasm_tests::engines::{
    Engine, LATENESS_UNBOUNDED_MS, Native, alert, batches, closed, with_positions,
};
use tripwasm_tests::rules::compile_text;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine as Wasmtime, OptLevel, Store};

/// An instance of the module.
struct Instance {
    store: Store<()>,
    filter: LogFilter,
}

impl Instance {
    fn new(engine: &Wasmtime, component: &Component) -> Result<Instance> {
        let mut store = Store::new(engine, ());
        let filter = LogFilter::instantiate(&mut store, component, &Linker::new(engine))?;
        Ok(Instance { store, filter })
    }

    fn sharded(&mut self) -> (&mut Store<()>, &Guest) {
        (&mut self.store, self.filter.tripwasm_detect_sharded())
    }
}

/// What a keyed store holds of a group: its level, state and timer.
type Group = (u32, Vec<u8>, Option<Timestamp>);

/// A module, its instances, and the groups whose state lies outside.
struct Cluster {
    matching: Vec<Instance>,
    correlating: Vec<Instance>,
    groups: BTreeMap<Vec<u8>, Group>,
    levels: u32,
}

impl Cluster {
    fn new(engine: &Wasmtime, component: &Component) -> Result<Cluster> {
        let start = |count| (0..count).map(|_| Instance::new(engine, component)).collect::<Result<Vec<_>>>();
        let mut matching = start(2)?;
        let Instance { store, filter } = &mut matching[0];
        let levels = filter.tripwasm_detect_detector().call_describe(store)?.levels;
        Ok(Cluster { matching, correlating: start(2)?, groups: BTreeMap::new(), levels })
    }

    fn facts(&mut self, batch: &[u8], first_event: u64) -> Result<Vec<Fact>> {
        let (store, sharded) = self.matching[usize::try_from(first_event % 2)?].sharded();
        Ok(sharded.call_facts(store, batch, first_event, None)?)
    }

    /// One level to one watermark over instances with state; alerts and facts for higher levels come back.
    fn correlate(
        &mut self,
        level: u32,
        facts: &[Fact],
        watermark: Timestamp,
    ) -> Result<(Vec<Alert>, Vec<Fact>)> {
        let (mut alerts, mut onward) = (Vec::new(), Vec::new());
        for (number, instance) in self.correlating.iter_mut().enumerate() {
            let own =
                |fact: &&Fact| fact.key.iter().map(|&byte| usize::from(byte)).sum::<usize>() % 2 == number;
            let facts: Vec<Fact> = facts.iter().filter(own).cloned().collect();
            let (store, sharded) = instance.sharded();
            let correlated = sharded.call_correlate(store, level, &facts, watermark)?;
            let correlated = correlated.map_err(|error| anyhow::anyhow!("facts are refused: {error:?}"))?;
            alerts.extend(correlated.alerts.into_iter().map(alert));
            onward.extend(correlated.facts);
        }
        Ok((alerts, onward))
    }

    /// The same with state outside: groups are called that have facts, or asked to be.
    fn step(&mut self, level: u32, facts: &[Fact], watermark: Timestamp) -> Result<(Vec<Alert>, Vec<Fact>)> {
        let mut due: BTreeMap<Vec<u8>, Vec<Fact>> = BTreeMap::new();
        for fact in facts {
            due.entry(fact.key.clone()).or_default().push(fact.clone());
        }
        let asked = |group: &Group| group.0 == level && group.2.is_some_and(|timer| timer <= watermark);
        let timers = self.groups.iter().filter(|(_, group)| asked(group));
        timers.for_each(|(key, _)| {
            due.entry(key.clone()).or_default();
        });
        let (mut alerts, mut onward) = (Vec::new(), Vec::new());
        for (key, facts) in due {
            let group = self.groups.entry(key).or_insert((level, Vec::new(), None));
            let (store, sharded) = self.correlating[0].sharded();
            let step = sharded.call_step(store, &group.1, &facts, watermark)?;
            let step = step.map_err(|error| anyhow::anyhow!("a step is refused: {error:?}"))?;
            *group = (level, step.state, step.next_timer);
            alerts.extend(step.alerts.into_iter().map(alert));
            onward.extend(step.facts);
        }
        Ok((alerts, onward))
    }
}

/// Which half correlates.
#[derive(Debug, Clone, Copy)]
enum Half {
    Correlate,
    Step,
}

fn closed_alerts(cluster: &mut Cluster, half: Half, input: &[u8]) -> Result<Vec<Alert>> {
    let mut alerts = Vec::new();
    let batches = batches(input, 1);
    let ends = [(&b""[..], u64::MAX)];
    for (batch, first_event) in with_positions(&batches).into_iter().chain(ends) {
        let is_end = first_event == u64::MAX;
        let watermark = if is_end { Timestamp::MAX } else { Timestamp::MIN };
        let mut waiting = if is_end { Vec::new() } else { cluster.facts(batch, first_event)? };
        for level in 0..cluster.levels {
            let (facts, higher): (Vec<Fact>, Vec<Fact>) =
                waiting.into_iter().partition(|fact| fact.level == level);
            let (found, onward) = match half {
                Half::Correlate => cluster.correlate(level, &facts, watermark)?,
                Half::Step => cluster.step(level, &facts, watermark)?,
            };
            alerts.extend(found);
            waiting = higher.into_iter().chain(onward).collect();
        }
        ensure!(waiting.is_empty(), "facts for no level");
    }
    closed(alerts)
}

/// The component tells numbers of distinct values only where the rule asks for them.
fn leave_out_what_is_not_asked(alert: &mut Alert, plan: &Plan) {
    let rule = usize::try_from(alert.rule.0).ok().and_then(|at| plan.rules.get(at));
    let Some(Logic::Correlation(correlation)) = rule.map(|rule| &rule.logic) else { return };
    for (asked, told) in correlation.observed.iter().zip(&mut alert.observations) {
        if !asked.distinct {
            told.distinct = 0;
        }
    }
}

fn check(engine: &Wasmtime, runtime: &Runtime, plan: &Plan, cases: &[Case]) -> Result<()> {
    let wasm = build(runtime, plan, Target::Component, Carried::Nothing)?;
    let component = Component::new(engine, &wasm)?;
    for case in cases.iter().filter(|case| !case.is_about_arrival()) {
        let input = lines(&case.events)?;
        let mut settings = plan.settings;
        settings.lateness_ms = LATENESS_UNBOUNDED_MS;
        let mut expected = Native.run(plan, settings, &[&input])?.closed;
        expected.iter_mut().for_each(|alert| leave_out_what_is_not_asked(alert, plan));
        for half in [Half::Correlate, Half::Step] {
            let found = closed_alerts(&mut Cluster::new(engine, &component)?, half, &input);
            let found = found.with_context(|| format!("{half:?} in case {:?}", case.name))?;
            ensure!(found == expected, "{half:?} in case {:?}: {found:#?}", case.name);
        }
    }
    Ok(())
}

fn wasmtime() -> (Wasmtime, Runtime) {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None);
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::PerUser }).unwrap();
    (Wasmtime::new(&config).unwrap(), runtime)
}

#[test]
fn shards_and_steps_of_the_component_give_what_one_engine_gives() {
    let (engine, runtime) = wasmtime();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    for topic in ["chains", "correlations"] {
        for path in files(&cases.join(topic)).unwrap() {
            let file = read(&path).unwrap();
            if file.cases.is_empty() {
                continue;
            }
            let plan = compile_text(&file.rules, file.config.as_deref()).unwrap();
            check(&engine, &runtime, &plan, &file.cases).with_context(|| path.display().to_string()).unwrap();
        }
    }
}

#[test]
fn foreign_facts_and_state_are_refused() {
    let (engine, runtime) = wasmtime();
    let rules = "
title: A
name: a
detection: { selection: { k: a }, condition: selection }
---
title: Two
name: two
correlation: { type: event_count, rules: [a], group-by: [g], timespan: 1m, condition: { gte: 2 } }
";
    let plan = compile_text(rules, None).unwrap();
    let wasm = build(&runtime, &plan, Target::Component, Carried::Nothing).unwrap();
    let component = Component::new(&engine, &wasm).unwrap();
    let mut cluster = Cluster::new(&engine, &component).unwrap();
    let facts = cluster
        .facts(b"{\"time\":1000,\"k\":\"a\",\"g\":1}\n{\"time\":1000,\"k\":\"a\",\"g\":2}\n", 0)
        .unwrap();
    assert_eq!(facts.len(), 2);
    let (store, sharded) = cluster.correlating[0].sharded();
    let damaged = Fact { payload: facts[0].payload[1..].to_vec(), ..facts[0].clone() };
    let refused = sharded.call_correlate(&mut *store, 0, std::slice::from_ref(&damaged), 0).unwrap();
    assert!(matches!(refused, Err(FactError::ForeignFact)));
    let refused = sharded.call_step(&mut *store, &[], &[damaged], 0).unwrap();
    assert!(matches!(refused, Err(FactError::ForeignFact)));
    let refused = sharded.call_step(&mut *store, &[], &facts, 0).unwrap();
    assert!(matches!(refused, Err(FactError::ForeignFact)), "facts of two groups in one step");
    let refused = sharded.call_step(&mut *store, b"state", &facts[..1], 0).unwrap();
    assert!(matches!(refused, Err(FactError::ForeignState)));
    let state = sharded.call_step(&mut *store, &[], &facts[..1], 0).unwrap().unwrap().state;
    let refused = sharded.call_step(&mut *store, &state, &facts[1..], 0).unwrap();
    assert!(refused.is_err(), "state of one group with facts of another");
}
