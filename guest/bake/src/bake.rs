//! The sequence: instrument, run, snapshot, strip, validate, encode, check; Fluent Bit's module is guarded before it is
//! stripped, and not encoded.

use crate::guard::guard_stack;
use crate::snapshot::snapshot;
use crate::strip::{keeps_export, strip};
use crate::{BakeError, BakeInstance, HostError, check};

/// A finished module in both of its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baked {
    /// The component: no imports, the contract's interfaces exported.
    pub component: Vec<u8>,
    /// The component's one core module, for hosts that call the canonical ABI themselves.
    pub core: Vec<u8>,
}

/// Bakes `plan` into the generic guest `core`.
///
/// `instantiate` gets the module to run (the guest with its state made visible) and returns the running instance.
pub fn bake<I: BakeInstance>(
    core: &[u8],
    plan: &[u8],
    instantiate: impl FnOnce(&[u8]) -> Result<I, HostError>,
) -> Result<Baked, BakeError> {
    let core = strip(&with_plan(core, plan, instantiate)?)?;
    let component = encode_component(&core)?;
    Ok(Baked { component, core })
}

/// Bakes `plan` into the generic guest for Fluent Bit: the core module that its filter loads.
///
/// `instantiate` as in [`bake`].
pub fn bake_filter<I: BakeInstance>(
    core: &[u8],
    plan: &[u8],
    instantiate: impl FnOnce(&[u8]) -> Result<I, HostError>,
) -> Result<Vec<u8>, BakeError> {
    let filter = strip(&guard_stack(&with_plan(core, plan, instantiate)?, keeps_export)?)?;
    check::closed_filter(&filter)?;
    Ok(filter)
}

/// The guest with the plan in its memory; its init is still there.
fn with_plan<I: BakeInstance>(
    core: &[u8],
    plan: &[u8],
    instantiate: impl FnOnce(&[u8]) -> Result<I, HostError>,
) -> Result<Vec<u8>, BakeError> {
    // Wizer's own removal of init functions is not used: `strip` drops the exports and what only they reach.
    let wizer = wasmtime_wizer::Wizer::new();
    let (context, instrumented) =
        wizer.instrument(core).map_err(|error| BakeError::Instrument(error.into()))?;
    let mut instance = instantiate(&instrumented).map_err(BakeError::Host)?;
    give_plan(&mut instance, plan)?;
    snapshot(&wizer, &context, &mut instance)
}

/// Encodes a baked core module as a component and checks that it is closed.
pub fn encode_component(core: &[u8]) -> Result<Vec<u8>, BakeError> {
    check::closed_core(core)?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(core)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| BakeError::Encode(format!("{error:#}")))?;
    check::closed_component(&component)?;
    Ok(component)
}

fn give_plan(instance: &mut impl BakeInstance, plan: &[u8]) -> Result<(), BakeError> {
    let len = i32::try_from(plan.len()).map_err(|_| BakeError::PlanTooLarge(plan.len()))?.unsigned_abs();
    let at = instance.alloc(len).map_err(BakeError::Host)?;
    if at == 0 {
        return Err(BakeError::PlanTooLarge(plan.len()));
    }
    instance.write(at, plan).map_err(BakeError::Host)?;
    match instance.bake(at, len).map_err(BakeError::Host)? {
        code if code < 0 => Err(BakeError::Refused(code)),
        _ => Ok(()),
    }
}
