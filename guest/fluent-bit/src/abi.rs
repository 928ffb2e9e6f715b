//! Fluent Bit's contract: a heap that its runtime puts tag and record in, and the filter's function.
//!
//! `unsafe` because the host hands over memory by address.
#![allow(unsafe_code, reason = "records come by address, an allocator of C")]

use crate::{Answer, Filter};
use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;

/// Stands before each block: its whole size, and room so that the block is aligned as C wants it.
const HEADER_BYTES: usize = 16;

thread_local! {
    static FILTER: RefCell<Filter> = const { RefCell::new(Filter::new()) };
}

/// C's `malloc`. A runtime that finds it keeps no heap of its own, which a large record would not fit in.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut u8 {
    let Some(whole) = bytes.checked_add(HEADER_BYTES) else { return core::ptr::null_mut() };
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
    unsafe {
        let block = at.sub(HEADER_BYTES);
        let whole = block.cast::<usize>().read();
        dealloc(block, Layout::from_size_align_unchecked(whole, HEADER_BYTES));
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
