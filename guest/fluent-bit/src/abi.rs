//! Fluent Bit's contract: a heap that its runtime puts tag and record in, and the filter's function.
//!
//! `unsafe` because the host hands over memory by address.
#![allow(unsafe_code, reason = "records come by address, an allocator of C")]

use crate::{Answer, Filter};
use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell};

/// Stands before each block: its whole size, and room so that the block is aligned as C wants it.
const HEADER_BYTES: usize = 16;

/// Blocks are multiples of that, so that they fit the next record, too.
const STEP_BYTES: usize = 1 << 12;

/// Largest block that is kept when it is freed; few records are larger.
const KEPT_BYTES_MAX: usize = 1 << 16;

/// A block that was freed, of a size without its header; null if there is none.
#[derive(Debug, Clone, Copy)]
struct Kept {
    at: *mut u8,
    bytes: usize,
}

thread_local! {
    static FILTER: RefCell<Filter> = const { RefCell::new(Filter::new()) };
    /// For each call there are a tag and a record.
    static KEPT: Cell<[Kept; 2]> = const { Cell::new([Kept { at: core::ptr::null_mut(), bytes: 0 }; 2]) };
}

/// C's `malloc`. A runtime that finds it keeps no heap of its own, which a large record would not fit in.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut u8 {
    let mut kept = KEPT.get();
    if let Some(block) = kept.iter_mut().find(|block| block.bytes >= bytes && !block.at.is_null()) {
        let at = core::mem::replace(block, Kept { at: core::ptr::null_mut(), bytes: 0 }).at;
        KEPT.set(kept);
        return at;
    }
    let rounded =
        bytes.checked_next_multiple_of(STEP_BYTES).and_then(|bytes| bytes.checked_add(HEADER_BYTES));
    let Some(whole) = rounded else { return core::ptr::null_mut() };
    let Ok(layout) = Layout::from_size_align(whole, HEADER_BYTES) else { return core::ptr::null_mut() };
    // SAFETY: the size is not 0. A block that is there is larger than its header.
    unsafe {
        let block = alloc(layout);
        if block.is_null() {
            return block;
        }
        block.cast::<usize>().write(whole);
        block.add(HEADER_BYTES)
    }
}

/// C's `free`.
///
/// # Safety
/// `at` is null or came from [`malloc`], and is handed over once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(at: *mut u8) {
    if at.is_null() {
        return;
    }
    // SAFETY: before what `malloc` gave stands the size that it asked for.
    let whole = unsafe { at.sub(HEADER_BYTES).cast::<usize>().read() };
    let mut freed = Kept { at, bytes: whole - HEADER_BYTES };
    if whole <= KEPT_BYTES_MAX {
        let mut kept = KEPT.get();
        // The larger ones stay.
        if let Some(least) = kept.iter_mut().min_by_key(|block| block.bytes)
            && least.bytes < freed.bytes
        {
            core::mem::swap(least, &mut freed);
            KEPT.set(kept);
        }
    }
    if freed.at.is_null() {
        return;
    }
    // SAFETY: it came from `malloc`, too, with this size.
    unsafe {
        let layout = Layout::from_size_align_unchecked(freed.bytes + HEADER_BYTES, HEADER_BYTES);
        dealloc(freed.at.sub(HEADER_BYTES), layout);
    }
}

/// The filter: the address of the record that goes on, with a 0 behind it; null drops it. A record that is left alone
/// comes back by its own address, which is null if the host had no room for it.
///
/// # Safety
/// `record` is null, or `record_bytes` stand there and nobody changes them meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tripwasm_filter(
    _tag: *const u8,
    _tag_bytes: usize,
    seconds: u32,
    nanoseconds: u32,
    record: *const u8,
    record_bytes: usize,
) -> *const u8 {
    if record.is_null() {
        return record;
    }
    // SAFETY: see above.
    let event = unsafe { core::slice::from_raw_parts(record, record_bytes) };
    // A record without a time has the first second of 1970, which nothing may be compared with.
    let now = (seconds > 0).then(|| i64::from(seconds) * 1000 + i64::from(nanoseconds / 1_000_000));
    FILTER.with(|filter| {
        // A call that trapped never gave it back.
        let Ok(mut filter) = filter.try_borrow_mut() else { return record };
        match filter.answer(event, now) {
            Answer::AsItCame => record,
            Answer::Nothing => core::ptr::null(),
            Answer::Output => filter.output.as_ptr(),
        }
    })
}
