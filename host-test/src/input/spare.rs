//! Buffers of batches, used again: a fresh one costs the kernel more than reading into it.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept; a run has no more batches on their way.
const BUFFERS_MAX: usize = 32;

/// A larger one held a long line: its memory is given back.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// Buffers that hold no batch now. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SpareBuffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl SpareBuffers {
    /// Takes back the buffer of a batch that is done with.
    pub fn give(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < BUFFERS_MAX && (1..=BUFFER_BYTES_MAX).contains(&buffer.capacity()) {
            buffers.push(buffer);
        }
    }

    /// A buffer with anything in it, or a new one.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}
