//! The one detector of this instance.

use std::cell::RefCell;
use tripwasm_engine::Detector;

thread_local! {
    static DETECTOR: RefCell<Option<Detector>> = const { RefCell::new(None) };
}

/// Puts the detector in its place, once.
pub(crate) fn set(detector: Detector) -> Result<(), AlreadyBaked> {
    DETECTOR.with_borrow_mut(|place| match place {
        Some(_) => Err(AlreadyBaked),
        None => {
            *place = Some(detector);
            Ok(())
        }
    })
}

/// Calls into the detector. A module without rules answers with what `unbaked` gives.
pub(crate) fn with<T>(call: impl FnOnce(&mut Detector) -> T, unbaked: impl FnOnce() -> T) -> T {
    DETECTOR.with_borrow_mut(|place| match place {
        Some(detector) => call(detector),
        None => unbaked(),
    })
}

/// This module has its rules already.
#[derive(Debug)]
pub(crate) struct AlreadyBaked;
