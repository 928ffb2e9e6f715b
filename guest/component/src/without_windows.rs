//! The exported interface `sharded` of rules without correlations: they give no facts and take none.

use crate::Component;
use crate::bindings::exports::tripwasm::detect::sharded::{
    Correlated, Fact, FactError, Guest, StepResult, Timestamp,
};

impl Guest for Component {
    fn facts(events: Vec<u8>, first_event: u64, _now: Option<Timestamp>) -> Vec<Fact> {
        // The events count all the same.
        tripwasm_instance::with(|detector| _ = detector.facts(&events, first_event), || ());
        Vec::new()
    }

    fn correlate(_level: u32, facts: Vec<Fact>, _watermark: Timestamp) -> Result<Correlated, FactError> {
        none_of(&facts)?;
        Ok(Correlated { alerts: Vec::new(), facts: Vec::new() })
    }

    fn step(state: Vec<u8>, facts: Vec<Fact>, _watermark: Timestamp) -> Result<StepResult, FactError> {
        none_of(&facts)?;
        match state.is_empty() {
            true => {
                Ok(StepResult { state: Vec::new(), alerts: Vec::new(), facts: Vec::new(), next_timer: None })
            }
            false => Err(FactError::ForeignState),
        }
    }
}

fn none_of(facts: &[Fact]) -> Result<(), FactError> {
    if facts.is_empty() { Ok(()) } else { Err(FactError::ForeignFact) }
}
