//! Who evaluates batches: one thread where windows keep state, several where every batch stands for itself, and the
//! stream's own thread where there is one processor, since handing over would only cost.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tripwasm::bindings::detector::{self, Counts, Output, Report};
use tripwasm::input::{Evaluation, Pace, SourceBatch};
use tripwasm::{Detector, DetectorError};

use super::Mode;

/// A batch on its way, with its place among all.
pub(super) struct Job {
    /// Batches before it.
    pub(super) number: u64,
    /// Position of its first event in the whole input.
    pub(super) position: u64,
    pub(super) arrival: SourceBatch,
}

/// A batch that has been evaluated, if it was to be.
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) outcome: Outcome,
}

/// What the module said to a batch.
pub(super) enum Outcome {
    /// Nothing: it is not for the module.
    NotEvaluated,
    Findings(Report),
    Events(Output),
    Failed(DetectorError),
}

/// The instances, and the threads that call them.
pub(super) struct Workers {
    detectors: Vec<Arc<Mutex<Detector>>>,
    mode: Mode,
    /// None where the stream's own thread evaluates.
    jobs: Option<Sender<Job>>,
}

/// Whose thread evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// One for each detector.
    Own,
    /// The caller's.
    Callers,
}

impl Workers {
    /// Several detectors share the batches; where windows keep state there is one.
    pub(super) fn start<T: Send + 'static>(
        detectors: Vec<Detector>,
        threads: Threads,
        mode: Mode,
        results: &Sender<T>,
        as_result: fn(Done) -> T,
    ) -> std::io::Result<Self> {
        let detectors: Vec<_> =
            detectors.into_iter().map(|detector| Arc::new(Mutex::new(detector))).collect();
        if threads == Threads::Callers {
            return Ok(Workers { detectors, mode, jobs: None });
        }
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for detector in &detectors {
            let detector = Arc::clone(detector);
            let (waiting, results) = (Arc::clone(&waiting), results.clone());
            std::thread::Builder::new().name("tripwasm-module".to_owned()).spawn(move || {
                while let Some(job) = next(&waiting) {
                    let outcome = evaluate(&mut locked(&detector), &job, mode);
                    if results.send(as_result(Done { job, outcome })).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok(Workers { detectors, mode, jobs: Some(jobs) })
    }

    /// How many batches are evaluated at a time.
    pub(super) fn count(&self) -> usize {
        self.detectors.len()
    }

    /// Has a batch evaluated: by a thread, which sends the result, or at once.
    pub(super) fn evaluate(&self, job: Job) -> Option<Done> {
        match (&self.jobs, self.detectors.first()) {
            (None, Some(detector)) => {
                let outcome = evaluate(&mut locked(detector), &job, self.mode);
                Some(Done { job, outcome })
            }
            (Some(jobs), _) => {
                // The threads end with this sender, not before.
                let _ = jobs.send(job);
                None
            }
            (None, None) => None,
        }
    }

    /// The instance that keeps windows; to be asked for while no batch is on its way.
    pub(super) fn state(&self) -> Option<MutexGuard<'_, Detector>> {
        self.detectors.first().map(|detector| locked(detector))
    }

    /// The counts of all instances.
    pub(super) fn statistics(&self) -> Option<Counts> {
        let counts = self.detectors.iter().map(|detector| locked(detector).statistics());
        counts.reduce(|sum, more| {
            let watermark = sum.watermark.max(more.watermark);
            Counts { watermark, ..tripwasm::combine_statistics(&sum, &more, u64::saturating_add) }
        })
    }

    /// How many calls trapped.
    pub(super) fn traps(&self) -> u64 {
        self.detectors.iter().map(|detector| locked(detector).traps()).sum()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    locked(waiting).recv().ok()
}

fn evaluate(detector: &mut Detector, job: &Job, mode: Mode) -> Outcome {
    let SourceBatch { batch, pace, .. } = &job.arrival;
    if batch.evaluation == Evaluation::PassThrough || batch.bytes.is_empty() {
        return Outcome::NotEvaluated;
    }
    // A replay has no clock: its events are as old as they are.
    let now = (*pace == Pace::Live).then(super::now_ms);
    let events = batch.bytes.as_slice();
    let transformed = match mode {
        Mode::Tag => detector::Mode::Tag,
        Mode::Filter => detector::Mode::Filter,
        Mode::Drop => detector::Mode::Drop,
        Mode::Findings => {
            let report = detector.evaluate(events, job.position, now);
            return report.map_or_else(Outcome::Failed, Outcome::Findings);
        }
    };
    let output = detector.transform(events, job.position, now, transformed);
    output.map_or_else(Outcome::Failed, Outcome::Events)
}
