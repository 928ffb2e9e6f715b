//! The way to the module: a short queue of batches before the threads that own the instances.
//!
//! Invariant: what waits is bounded. A full queue is told at once, so that whoever brought the batch can say "later".

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::sync::oneshot;
use tripwasm::Module;
use tripwasm::input::Batch;

use super::worker::Worker;

/// Jobs that wait for an instance. Their memory is bounded by the budget of requests; this bounds their number.
const WAITING_MAX: usize = 1024;

/// Events that came together and leave together.
pub(super) struct Job {
    /// Their lines, cut to what the module takes at a time.
    pub(super) batches: Vec<Batch>,
    /// How findings name where they came from.
    pub(super) source: &'static str,
    pub(super) reply: oneshot::Sender<Evaluated>,
}

/// What became of the events of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evaluated {
    /// Lines to be given on: events, or findings in mode `findings`.
    pub(super) bytes: Vec<u8>,
    /// Where in them what came of each batch ends.
    pub(super) ends: Vec<usize>,
    pub(super) events_in: u64,
    pub(super) tagged: u64,
    /// Events that are not given on because the mode or a rule says so.
    pub(super) removed: u64,
}

/// Why a batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("too many batches wait for the module")]
    Busy,
    #[error("the service is ending")]
    Ending,
}

/// The module that is to run, and how often it was exchanged.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) module: Module,
    pub(super) generation: u64,
}

/// What the threads share.
pub(super) struct Shared {
    current: Mutex<Current>,
    generation: AtomicU64,
    /// Position of the next event in all that came in, where several threads count.
    position: AtomicU64,
}

impl Shared {
    /// The module, if it is another than that of `generation`.
    pub(super) fn newer_than(&self, generation: u64) -> Option<Current> {
        // Read behind every batch, so it must not take a lock.
        if self.generation.load(Ordering::Acquire) == generation {
            return None;
        }
        Some(self.current.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// A thread cannot go on with the module of `generation`: the one it runs stays, until there is another one.
    pub(super) fn put_back(&self, generation: u64, module: &Module) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation == generation {
            current.module = module.clone();
        }
    }

    /// Takes the positions of so many events.
    pub(super) fn take_positions(&self, events: u64) -> u64 {
        self.position.fetch_add(events, Ordering::Relaxed)
    }

    /// Position of the next event.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Goes on counting where saved state ended.
    pub(super) fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }
}

/// Hands batches to the threads that evaluate. Cheap to clone.
#[derive(Clone)]
pub(super) struct Evaluator {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

/// The threads, until they have ended.
pub(super) struct Workers(Vec<JoinHandle<()>>);

impl Workers {
    /// Waits until all that was given was evaluated and state is saved. Every [`Evaluator`] has to be gone before.
    pub(super) fn join(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("a thread of the module panicked");
            }
        }
    }
}

impl Evaluator {
    /// Begins with a module, before there are threads.
    pub(super) fn new(module: Module) -> (Self, Queue) {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared {
            current: Mutex::new(Current { module, generation: 0 }),
            generation: AtomicU64::new(0),
            position: AtomicU64::new(0),
        });
        let queue = Queue { jobs: Arc::new(Mutex::new(waiting)), shared: Arc::clone(&shared) };
        (Evaluator { jobs, shared }, queue)
    }

    /// Has events evaluated, once it is their turn.
    pub(super) fn enqueue(
        &self,
        batches: Vec<Batch>,
        source: &'static str,
    ) -> Result<oneshot::Receiver<Evaluated>, NotTaken> {
        let (reply, evaluated) = oneshot::channel();
        match self.jobs.try_send(Job { batches, source, reply }) {
            Ok(()) => Ok(evaluated),
            Err(TrySendError::Full(_)) => Err(NotTaken::Busy),
            Err(TrySendError::Disconnected(_)) => Err(NotTaken::Ending),
        }
    }

    /// Has events evaluated, and waits for that. For threads that may wait.
    pub(super) fn evaluate_blocking(
        &self,
        batches: Vec<Batch>,
        source: &'static str,
    ) -> Result<Evaluated, NotTaken> {
        let (reply, evaluated) = oneshot::channel();
        self.jobs.send(Job { batches, source, reply }).map_err(|_| NotTaken::Ending)?;
        evaluated.blocking_recv().map_err(|_| NotTaken::Ending)
    }

    /// Has the threads go on with another module, each behind the batch it is at.
    pub(super) fn exchange(&self, module: Module) {
        let mut current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Current { module, generation: current.generation + 1 };
        self.shared.generation.store(current.generation, Ordering::Release);
    }

    /// SHA-256 of the module that is to run.
    pub(super) fn module_sha256(&self) -> String {
        let current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.module.sha256().to_owned()
    }
}

/// Where threads take batches from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue {
    jobs: Arc<Mutex<Receiver<Job>>>,
    pub(super) shared: Arc<Shared>,
}

impl Queue {
    /// The next batch, waited for as long as `wait`; the error says whether there can be another one.
    pub(super) fn next(&self, wait: std::time::Duration) -> Result<Job, std::sync::mpsc::RecvTimeoutError> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(wait)
    }

    /// Starts a thread for each worker.
    pub(super) fn start(&self, workers: Vec<Worker>) -> anyhow::Result<Workers> {
        let started = workers.into_iter().map(|mut worker| {
            let thread = std::thread::Builder::new().name("tripwasm-module".to_owned());
            thread.spawn(move || worker.work()).context("cannot start a thread")
        });
        started.collect::<anyhow::Result<_>>().map(Workers)
    }
}
