//! The one detector of a guest, whatever contract the guest speaks.
//!
//! A guest is built once without rules. The build writes a plan through [`bake`], takes the memory as it then is, and
//! leaves the way in out; so a finished module holds its rules and cannot be given others.

pub mod bake;

use std::cell::RefCell;
use tripwasm_engine::Detector;

thread_local! {
    static DETECTOR: RefCell<Option<Detector>> = const { RefCell::new(None) };
}

/// Puts the detector in its place, once.
fn set(detector: Detector) -> Result<(), AlreadyBaked> {
    DETECTOR.with_borrow_mut(|place| match place {
        Some(_) => Err(AlreadyBaked),
        None => {
            *place = Some(detector);
            Ok(())
        }
    })
}

/// Calls into the detector. A module without rules answers with what `unbaked` gives.
pub fn with<T>(call: impl FnOnce(&mut Detector) -> T, unbaked: impl FnOnce() -> T) -> T {
    DETECTOR.with_borrow_mut(|place| match place {
        Some(detector) => call(detector),
        None => unbaked(),
    })
}

/// Calls into the detector, for hosts that go on with an instance after a trap: where a call never came back the
/// detector is not to be relied on, and as in a module without rules there is no answer.
pub fn try_with<T>(call: impl FnOnce(&mut Detector) -> T) -> Option<T> {
    DETECTOR.with(|place| place.try_borrow_mut().ok()?.as_mut().map(call))
}

/// This module has its rules already.
#[derive(Debug)]
struct AlreadyBaked;
