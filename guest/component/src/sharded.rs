//! The exported interface `sharded`.

use crate::bindings::exports::tripwasm::detect::sharded::{
    Correlated, Fact, FactError, Guest, StepResult, Timestamp,
};
use crate::{Component, convert};
use tripwasm_engine::Detector;

impl Guest for Component {
    fn facts(events: Vec<u8>, first_event: u64, _now: Option<Timestamp>) -> Vec<Fact> {
        tripwasm_instance::with(
            |detector| {
                let facts = detector.facts(&events, first_event);
                facts.iter().map(|fact| encode(detector, fact)).collect()
            },
            Vec::new,
        )
    }

    fn correlate(level: u32, facts: Vec<Fact>, watermark: Timestamp) -> Result<Correlated, FactError> {
        tripwasm_instance::with(
            |detector| {
                let facts = decode(detector, &facts)?;
                let correlated = detector.correlate(level, facts, watermark);
                let rules = detector.rules();
                Ok(Correlated {
                    alerts: convert::alerts(correlated.alerts, rules),
                    facts: correlated.facts.iter().map(|fact| encode(detector, fact)).collect(),
                })
            },
            || Ok(Correlated { alerts: Vec::new(), facts: Vec::new() }),
        )
    }

    fn step(state: Vec<u8>, facts: Vec<Fact>, watermark: Timestamp) -> Result<StepResult, FactError> {
        tripwasm_instance::with(
            |detector| {
                let facts = decode(detector, &facts)?;
                let step = detector.step(&state, facts, watermark).map_err(fact_error)?;
                let rules = detector.rules();
                Ok(StepResult {
                    state: step.state,
                    alerts: convert::alerts(step.alerts, rules),
                    facts: step.facts.iter().map(|fact| encode(detector, fact)).collect(),
                    next_timer: step.next_timer,
                })
            },
            || Err(FactError::ForeignState),
        )
    }
}

fn encode(detector: &Detector, fact: &tripwasm_engine::Fact) -> Fact {
    Fact {
        correlation: fact.correlation.0,
        level: detector.level(fact.correlation),
        key: fact.key(),
        time: fact.entry.time,
        payload: detector.write_fact(fact),
    }
}

fn decode(detector: &Detector, facts: &[Fact]) -> Result<Vec<tripwasm_engine::Fact>, FactError> {
    facts.iter().map(|fact| detector.read_fact(&fact.payload).map_err(fact_error)).collect()
}

fn fact_error(error: tripwasm_engine::FactError) -> FactError {
    match error {
        tripwasm_engine::FactError::ForeignState => FactError::ForeignState,
        _ => FactError::ForeignFact,
    }
}
