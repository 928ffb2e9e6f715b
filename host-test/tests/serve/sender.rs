//! The sender: what Vector's http sink does. 2xx is delivered; 408, 429, 5xx but 501, and no answer bring a batch back;
//! any other code drops it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::events::lines;
use crate::process::PATIENCE;

/// Pause between two tries, first and longest; a real sink waits longer.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a sender came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Batches acknowledged.
    pub(crate) delivered: usize,
    /// Batches that a code dropped.
    pub(crate) dropped: usize,
    /// Tries that were not the first.
    pub(crate) again: usize,
}

/// Sends a sequence of events in batches, by several connections, until all are acknowledged.
pub(crate) struct Sender {
    pub(crate) url: String,
    pub(crate) batch: u64,
    pub(crate) connections: usize,
    /// How long an answer is waited for.
    pub(crate) timeout: Duration,
}

impl Sender {
    pub(crate) fn new(url: String) -> Self {
        Sender { url, batch: 50, connections: 4, timeout: Duration::from_secs(60) }
    }

    /// Sends events with these numbers.
    pub(crate) fn send(&self, numbers: std::ops::Range<u64>) -> Sent {
        let batches: Vec<String> = numbers
            .clone()
            .step_by(usize::try_from(self.batch).unwrap())
            .map(|start| lines(start..numbers.end.min(start + self.batch)))
            .collect();
        self.send_batches(batches)
    }

    /// Sends bodies.
    pub(crate) fn send_batches(&self, batches: Vec<String>) -> Sent {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = client(self.timeout);
        let waiting = Arc::new(Mutex::new(batches.into_iter().rev().collect::<Vec<_>>()));
        let (delivered, dropped, again) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
        runtime.block_on(async {
            let lanes = (0..self.connections).map(|_| async {
                loop {
                    let Some(batch) = waiting.lock().unwrap().pop() else { return };
                    let outcome =
                        if self.deliver(&client, &batch, &again).await { &delivered } else { &dropped };
                    outcome.fetch_add(1, Ordering::Relaxed);
                }
            });
            join_all(lanes.collect()).await;
        });
        Sent { delivered: delivered.into_inner(), dropped: dropped.into_inner(), again: again.into_inner() }
    }

    async fn deliver(&self, client: &reqwest::Client, batch: &str, again: &AtomicUsize) -> bool {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let request = client.post(&self.url).header("content-type", "application/x-ndjson");
            let code = match request.body(batch.to_owned()).send().await {
                Ok(response) => Some(response.status().as_u16()),
                Err(_) => None,
            };
            match code {
                Some(200..=299) => return true,
                None | Some(408 | 429 | 500 | 502..=599) => {}
                Some(_) => return false,
            }
            assert!(began.elapsed() < PATIENCE, "a batch is not taken: {code:?}");
            again.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Waits for all of them.
async fn join_all<T: Future<Output = ()>>(futures: Vec<T>) {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pinned.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pinned.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// A client as senders have one.
pub(crate) fn client(timeout: Duration) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).build().unwrap()
}

/// One POST: the code and the body of its answer.
pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = body.into();
    runtime.block_on(async {
        let mut request = client(PATIENCE).post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    })
}
