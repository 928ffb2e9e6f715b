//! The way in for a plan, while the module is built. Both exports are gone from a finished module.
//!
//! `unsafe` because the host hands over memory by address.
#![allow(unsafe_code, reason = "a raw buffer crosses the border")]

use crate::instance;
use tripwasm_engine::Detector;

/// The plan was taken.
const BAKED: i32 = 0;
/// The bytes are no plan of this engine.
const NOT_A_PLAN: i32 = -1;
/// The plan refers to what it does not hold.
const BAD_REFERENCE: i32 = -2;
/// The module has its rules already.
const ALREADY_BAKED: i32 = -3;

/// Memory for a plan of so many bytes, to be written by the host and handed to [`bake`].
#[unsafe(no_mangle)]
pub extern "C" fn bake_alloc(bytes: usize) -> *mut u8 {
    Box::into_raw(vec![0u8; bytes].into_boxed_slice()).cast()
}

/// Lays out the plan that the host wrote; negative when it was refused.
///
/// # Safety
/// `plan` and `bytes` are of one call of [`bake_alloc`], and handed over once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bake(plan: *mut u8, bytes: usize) -> i32 {
    // SAFETY: the buffer came from `bake_alloc` with this length, and nobody else frees it.
    let mut plan_bytes = unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(plan, bytes)) };
    let plan = tripwasm_plan::decode(&plan_bytes);
    // What is freed stays in memory and would land in the module.
    plan_bytes.fill(0);
    let Ok(plan) = plan else { return NOT_A_PLAN };
    let Ok(detector) = Detector::new(plan) else { return BAD_REFERENCE };
    match instance::set(detector) {
        Ok(()) => BAKED,
        Err(instance::AlreadyBaked) => ALREADY_BAKED,
    }
}
