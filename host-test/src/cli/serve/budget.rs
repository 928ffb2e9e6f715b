//! Memory that requests may take together.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in pieces of this size.
const PIECE_BYTES: u64 = 1 << 10;

/// Memory that requests may take together. Cheap to clone.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// What one request takes of it, until the last clone is dropped.
#[derive(Clone)]
pub(super) struct Share(Arc<Held>);

struct Held {
    budget: Budget,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: u64,
    pieces: Option<OwnedSemaphorePermit>,
}

/// Others take all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("requests take all the memory they may take together")]
pub(super) struct Exhausted;

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        let pieces = usize::try_from(bytes / PIECE_BYTES).unwrap_or(usize::MAX);
        Budget(Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))))
    }

    /// A share of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share(Arc::new(Held { budget: self.clone(), taken: Mutex::default() }))
    }
}

impl Share {
    /// Takes more, or says that there is no more.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), Exhausted> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = taken.bytes.saturating_add(bytes as u64);
        // Bytes that come one by one fill a piece before they take another one.
        let lacking = sum.div_ceil(PIECE_BYTES) - taken.bytes.div_ceil(PIECE_BYTES);
        let lacking = u32::try_from(lacking).map_err(|_| Exhausted)?;
        let more = Arc::clone(&self.0.budget.0).try_acquire_many_owned(lacking).map_err(|_| Exhausted)?;
        match &mut taken.pieces {
            Some(pieces) => pieces.merge(more),
            None => taken.pieces = Some(more),
        }
        taken.bytes = sum;
        Ok(())
    }

    /// Gives back what it has beyond so many bytes.
    pub(super) fn shrink_to(&self, bytes: u64) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let beyond = taken.bytes.div_ceil(PIECE_BYTES).saturating_sub(bytes.div_ceil(PIECE_BYTES));
        if let Some(pieces) = &mut taken.pieces {
            drop(usize::try_from(beyond).ok().and_then(|beyond| pieces.split(beyond)));
        }
        taken.bytes = taken.bytes.min(bytes);
    }

    /// How much it has.
    pub(super) fn bytes(&self) -> u64 {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_where_the_budget_ends_and_come_back() {
        let budget = Budget::new(10 << 10);
        let one = budget.share();
        one.grow(6 << 10).unwrap();
        one.grow(1).unwrap();
        let other = budget.share();
        assert_eq!(other.grow(4 << 10), Err(Exhausted));
        other.grow(3 << 10).unwrap();
        drop(one);
        other.grow(7 << 10).unwrap();
    }

    #[test]
    fn bytes_that_come_one_by_one_take_no_piece_each() {
        let budget = Budget::new(10 << 10);
        let one = budget.share();
        for _ in 0..10 << 10 {
            one.grow(1).unwrap();
        }
        assert_eq!(one.grow(1), Err(Exhausted));
        one.shrink_to(3 << 10);
        assert_eq!(one.bytes(), 3 << 10);
        let other = budget.share();
        other.grow(7 << 10).unwrap();
        assert_eq!(other.grow(1), Err(Exhausted));
    }
}
