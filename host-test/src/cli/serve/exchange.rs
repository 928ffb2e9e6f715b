//! Answers that whoever asked did not get, kept for when they ask again: a batch that comes a second time because the next
//! service was down, or because a connection broke, is not evaluated and not delivered a second time.
//!
//! A batch is told by its bytes, and only if nobody waits for an answer to the same bytes: two senders may well send
//! the same events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::downstream::{Body, Delivery};

/// How long an answer is kept: longer than shippers wait between two tries.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// What a batch came to.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) delivery: Delivery,
    /// What was to be delivered.
    pub(super) body: Body,
    pub(super) counts: EventCounts,
}

/// What became of the events of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EventCounts {
    pub(super) events_in: u64,
    pub(super) tagged: u64,
    pub(super) removed: u64,
}

/// What a batch is coming to; none until it is settled.
pub(super) type Settling = watch::Receiver<Option<Settled>>;

/// Answers that nobody got. Cheap to clone.
#[derive(Clone)]
pub(super) struct Exchange {
    kept: Arc<Mutex<VecDeque<Entry>>>,
    bytes_max: usize,
}

struct Entry {
    key: [u8; 32],
    settling: Settling,
    bytes: usize,
    since: Instant,
}

impl Exchange {
    /// Keeps answers of so many bytes together.
    pub(super) fn new(bytes_max: usize) -> Self {
        Exchange { kept: Arc::default(), bytes_max }
    }

    /// The answer to a batch that came before and that nobody got.
    pub(super) fn claim(&self, batch: &[u8]) -> Option<Settling> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashing costs; nearly always nothing is kept.
        if kept.is_empty() {
            return None;
        }
        let key: [u8; 32] = Sha256::digest(batch).into();
        let at = kept.iter().position(|entry| entry.key == key)?;
        kept.remove(at).map(|entry| entry.settling)
    }

    /// Keeps an answer that nobody got. The oldest ones are given up for it.
    pub(super) fn keep(&self, batch: &[u8], settling: Settling) {
        let bytes = batch.len() * 2;
        let entry = Entry { key: Sha256::digest(batch).into(), settling, bytes, since: Instant::now() };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(entry);
        let mut sum: usize = kept.iter().map(|entry| entry.bytes).sum();
        while let Some(oldest) = kept.front()
            && (sum > self.bytes_max || oldest.since.elapsed() > KEPT_FOR)
        {
            sum -= oldest.bytes;
            kept.pop_front();
            metrics::counter!("tripwasm_answers_given_up_total").increment(1);
        }
        metrics::gauge!("tripwasm_answers_kept").set(kept.len() as f64);
    }

    /// Watches over an answer that somebody waits for.
    pub(super) fn waiting(&self, batch: Bytes, settling: Settling) -> Waiting {
        Waiting { exchange: self.clone(), batch, settling, answered: false }
    }
}

/// Somebody who waits for an answer. Dropped without an answer, as when a connection breaks, it keeps the answer.
pub(super) struct Waiting {
    exchange: Exchange,
    batch: Bytes,
    settling: Settling,
    answered: bool,
}

impl Waiting {
    /// Waits for the answer. An answer that will make the sender come again is kept; none if nobody will ever give one.
    pub(super) async fn answer(mut self) -> Option<Settled> {
        let settled = match self.settling.wait_for(Option::is_some).await {
            Ok(settled) => settled.clone(),
            Err(_) => None,
        };
        // Unavailable: dropping keeps it.
        let again = matches!(&settled, Some(Settled { delivery: Delivery::Unavailable { .. }, .. }));
        self.answered = !again;
        settled
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.exchange.keep(&self.batch, self.settling.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(delivery: Delivery) -> Option<Settled> {
        let body = Body { bytes: Bytes::from_static(b"{}\n"), content_type: "application/x-ndjson" };
        Some(Settled { delivery, body, counts: EventCounts::default() })
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_whoever_did_not_get_it() {
        let exchange = Exchange::new(1 << 20);
        let batch = Bytes::from_static(b"{\"eventName\":\"A\"}\n");
        let (sender, settling) = watch::channel(None);
        let waiting = exchange.waiting(batch.clone(), settling.clone());
        // Somebody waits: the same bytes from another sender are another batch.
        assert!(exchange.claim(&batch).is_none());
        drop(waiting);
        sender.send(settled(Delivery::Delivered)).unwrap();
        let claimed = exchange.claim(&batch).unwrap();
        assert_eq!(claimed.borrow().as_ref().unwrap().delivery, Delivery::Delivered);
        assert!(exchange.claim(&batch).is_none());
    }

    #[tokio::test]
    async fn only_an_answer_that_brings_the_sender_back_is_kept() {
        let exchange = Exchange::new(1 << 20);
        let unavailable = Delivery::Unavailable { reason: "it is down".to_owned(), busy: false };
        for (delivery, kept) in
            [(Delivery::Delivered, false), (Delivery::Refused { status: 400 }, false), (unavailable, true)]
        {
            let (_sender, settling) = watch::channel(settled(delivery));
            let batch = Bytes::from_static(b"batch");
            assert!(exchange.waiting(batch.clone(), settling).answer().await.is_some());
            assert_eq!(exchange.claim(&batch).is_some(), kept);
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let exchange = Exchange::new(100);
        let (_sender, settling) = watch::channel(None);
        for number in 0..10u8 {
            exchange.keep(&[number; 20], settling.clone());
        }
        assert!(exchange.claim(&[7; 20]).is_none());
        assert!(exchange.claim(&[8; 20]).is_some() && exchange.claim(&[9; 20]).is_some());
    }
}
