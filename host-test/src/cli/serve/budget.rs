//! Memory that requests may take together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in pieces of this size.
const PIECE_BYTES: u64 = 1 << 10;

/// Memory that requests may take together. Cheap to clone.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// What one request takes of it, until it is dropped.
pub(super) struct Share {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
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
        Share { budget: self.clone(), held: None }
    }
}

impl Share {
    /// Takes more, or says that there is no more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let pieces = u32::try_from((bytes as u64).div_ceil(PIECE_BYTES)).map_err(|_| Exhausted)?;
        let more = Arc::clone(&self.budget.0).try_acquire_many_owned(pieces).map_err(|_| Exhausted)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_where_the_budget_ends_and_come_back() {
        let budget = Budget::new(10 << 10);
        let mut one = budget.share();
        one.grow(6 << 10).unwrap();
        one.grow(1).unwrap();
        let mut other = budget.share();
        assert_eq!(other.grow(4 << 10), Err(Exhausted));
        other.grow(3 << 10).unwrap();
        drop(one);
        other.grow(7 << 10).unwrap();
    }
}
