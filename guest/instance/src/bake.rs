//! The way in for a plan, while the module is built. Both exports are gone from a finished module.
//!
//! `unsafe` because the host hands over memory by address, and because the heap is watched meanwhile.
#![allow(unsafe_code, reason = "a raw buffer crosses the border, an allocator")]

use crate::{AlreadyBaked, set};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};
use tripwasm_engine::Detector;
use tripwasm_plan::Logic;

/// The plan was taken.
const BAKED: i32 = 0;
/// The bytes are no plan of this engine.
const NOT_A_PLAN: i32 = -1;
/// The plan refers to what it does not hold.
const BAD_REFERENCE: i32 = -2;
/// The module has its rules already.
const ALREADY_BAKED: i32 = -3;
/// The plan has correlations, and this guest no windows.
const NO_WINDOWS: i32 = -4;

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
    let plan_bytes = unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(plan, bytes)) };
    let code = take(plan_bytes);
    stop_wiping();
    code
}

fn take(plan: Box<[u8]>) -> i32 {
    let Ok(plan) = tripwasm_plan::decode(&plan) else { return NOT_A_PLAN };
    if !cfg!(feature = "windows") && plan.rules.iter().any(|rule| matches!(rule.logic, Logic::Correlation(_)))
    {
        return NO_WINDOWS;
    }
    let Ok(detector) = Detector::new(plan) else { return BAD_REFERENCE };
    match set(detector) {
        Ok(()) => BAKED,
        Err(AlreadyBaked) => ALREADY_BAKED,
    }
}

#[global_allocator]
static HEAP: Heap = Heap { wipes: AtomicBool::new(true) };

/// The system's heap. Until the module has its rules it wipes what is freed: zeros are no part of a finished module, and
/// what laying out a plan leaves behind would land in it.
struct Heap {
    wipes: AtomicBool,
}

/// What is freed from now on stays as it is.
fn stop_wiping() {
    HEAP.wipes.store(false, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came, but for wiping `layout.size()` bytes at `at`, which the
// caller hands over, and for moving a block in the three steps that `realloc` is made of.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe {
            if self.wipes.load(Ordering::Relaxed) {
                at.write_bytes(0, layout.size());
            }
            System.dealloc(at, layout);
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: see above; `bytes` was checked by the caller, who may not let it overflow with this alignment.
        unsafe {
            if !self.wipes.load(Ordering::Relaxed) {
                return System.realloc(at, layout, bytes);
            }
            let moved = System.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(at, layout.size().min(bytes));
                self.dealloc(at, layout);
            }
            moved
        }
    }
}
