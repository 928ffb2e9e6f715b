//! A thread that owns an instance: evaluates batches, closes windows when nothing comes, exchanges the module, has state
//! kept.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tripwasm::bindings::detector::{self, AlertFinding, Remark};
use tripwasm::finding::FindingFormat;
use tripwasm::input::{Batch, Evaluation};
use tripwasm::{Detector, DetectorError, Module};

use super::alerts::AlertQueue;
use super::counts::{self, Counted};
use super::evaluator::{Evaluated, Job, Queue};
use super::journal::Entry;
use super::keeper::Keeper;
use crate::cli::run::{Mode, now_ms};
use crate::cli::window_options::WindowOptions;

/// How long a thread without work waits until it looks at the clock again.
const GLANCE: Duration = Duration::from_millis(200);

/// How long the end of the service waits for alerts to be taken before it saves them with the state.
const ALERTS_PATIENCE: Duration = Duration::from_secs(5);

/// What every worker of a service is started with.
#[derive(Clone)]
pub(super) struct Duties {
    pub(super) mode: Mode,
    /// Silence after which windows are closed by the wall clock.
    pub(super) idle: Option<Duration>,
    pub(super) alerts: AlertQueue,
    pub(super) windows: WindowOptions,
}

/// A thread that owns an instance.
pub(super) struct Worker {
    /// The first one keeps windows, if there are any.
    number: usize,
    queue: Queue,
    duties: Duties,
    detector: Detector,
    format: FindingFormat,
    generation: u64,
    keeper: Option<Keeper>,
    counted: Counted,
    silent_since: Instant,
    /// Nothing came since windows were closed by the clock: closing again would find nothing.
    closed_by_clock: bool,
}

impl Worker {
    /// Starts an instance.
    pub(super) fn new(number: usize, queue: &Queue, module: &Module, duties: Duties) -> anyhow::Result<Self> {
        let mut detector = Detector::new(module, duties.windows.of(module))?;
        let counted = Counted::new(module, &mut detector);
        Ok(Worker {
            number,
            queue: queue.clone(),
            duties,
            detector,
            format: FindingFormat::new(module.info())?,
            generation: 0,
            keeper: None,
            counted,
            silent_since: Instant::now(),
            closed_by_clock: false,
        })
    }

    /// Has state kept in files: goes on where they ended.
    pub(super) fn keep(&mut self, path: &Path, module: &Module) -> anyhow::Result<()> {
        let (keeper, kept) = Keeper::open(path, &mut self.detector, module.info().levels > 0)?;
        self.queue.shared.set_position(kept.position);
        self.counted = Counted::new(module, &mut self.detector);
        for entry in kept.journal {
            match entry {
                Entry::Events { now, position, bytes } => {
                    self.queue.shared.set_position(position + count_lines(&bytes));
                    // Whoever brought them was answered, or brings them again.
                    let _ = self.lines(&bytes, position, now, "journal");
                }
                Entry::Close { watermark } => self.close(watermark),
                Entry::Alert { line } => self.duties.alerts.push(line),
            }
        }
        self.keeper = Some(keeper);
        self.save();
        Ok(())
    }

    /// Evaluates until no more batches can come.
    pub(super) fn work(&mut self) {
        loop {
            match self.queue.next(GLANCE) {
                Ok(job) => self.job(job),
                Err(RecvTimeoutError::Timeout) => self.glance(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.exchange_if_newer() == Place::Superfluous {
                return;
            }
            self.save_if_due();
        }
        self.end();
    }

    fn job(&mut self, job: Job) {
        let Job { batches, source, reply } = job;
        let mut evaluated = Evaluated::default();
        for batch in &batches {
            self.batch(batch, source, &mut evaluated);
            evaluated.ends.push(evaluated.bytes.len());
        }
        self.counted.job(&evaluated);
        // Whoever waited may have gone; the events then come again.
        let _ = reply.send(evaluated);
        self.silent_since = Instant::now();
        self.closed_by_clock = false;
        self.counted.now_and_then(&mut self.detector);
    }

    fn batch(&mut self, batch: &Batch, source: &str, evaluated: &mut Evaluated) {
        let position = self.queue.shared.take_positions(batch.lines);
        evaluated.events_in += batch.lines;
        for problem in &batch.problems {
            self.counted.input_problem();
            tracing::warn!(source, problem = %format!("{:#}", anyhow::Error::new(problem.clone())), "input");
        }
        for foreign in &batch.foreign {
            self.counted.rejected(foreign.name(), 1);
        }
        if batch.evaluation == Evaluation::PassThrough {
            self.counted.rejected("too-large", batch.lines);
            match self.duties.mode {
                Mode::Tag | Mode::Drop => evaluated.bytes.extend_from_slice(&batch.bytes),
                Mode::Filter | Mode::Findings => evaluated.removed += batch.lines,
            }
            return;
        }
        if batch.bytes.is_empty() {
            return;
        }
        let now = now_ms();
        if let Some(keeper) = &mut self.keeper {
            keeper.events(now, position, &batch.bytes, batch.lines);
        }
        match self.lines(&batch.bytes, position, now, source) {
            Lines::Findings(lines) => {
                evaluated.bytes.extend_from_slice(&lines);
                evaluated.removed += batch.lines;
            }
            Lines::Events(output) => {
                evaluated.tagged += output.tagged;
                evaluated.removed += output.removed;
                evaluated.bytes.extend_from_slice(&output.events);
            }
            Lines::Untouched if self.duties.mode == Mode::Findings => evaluated.removed += batch.lines,
            Lines::Untouched => evaluated.bytes.extend_from_slice(&batch.bytes),
        }
    }

    fn lines(&mut self, bytes: &[u8], position: u64, now: i64, source: &str) -> Lines {
        let mode = match self.duties.mode {
            Mode::Findings => return self.findings(bytes, position, now, source),
            Mode::Tag => detector::Mode::Tag,
            Mode::Filter => detector::Mode::Filter,
            Mode::Drop => detector::Mode::Drop,
        };
        match self.detector.transform(bytes, position, Some(now), mode) {
            Ok(output) => {
                self.remarks(&output.remarks);
                self.alerts(&output.alerts);
                Lines::Events(output)
            }
            Err(error) => self.failed(&error),
        }
    }

    fn findings(&mut self, bytes: &[u8], position: u64, now: i64, source: &str) -> Lines {
        match self.detector.evaluate(bytes, position, Some(now)) {
            Ok(report) => {
                self.remarks(&report.remarks);
                let mut lines = Vec::new();
                self.format.push_matches(&mut lines, &report, source);
                for alert in &report.alerts {
                    if let Err(error) = self.format.push_alert(&mut lines, alert) {
                        tracing::error!(%error, "an alert cannot be written");
                    }
                }
                self.alerts(&report.alerts);
                Lines::Findings(lines)
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The batch passes through as it came.
    fn failed(&mut self, error: &DetectorError) -> Lines {
        self.counted.trap();
        tracing::error!(%error, "a batch passes through as it came");
        Lines::Untouched
    }

    fn remarks(&mut self, remarks: &[Remark]) {
        for remark in remarks {
            self.counted.rejected(tripwasm::finding::reason_text(remark.reason), 1);
        }
    }

    /// Open alerts ride on the events that opened them; others go to a sink of their own.
    fn alerts(&mut self, alerts: &[AlertFinding]) {
        for alert in alerts {
            self.counted.alert(alert);
            if alert.state == detector::AlertState::Open {
                continue;
            }
            let mut line = Vec::new();
            match self.format.push_alert(&mut line, alert) {
                Ok(()) => self.duties.alerts.push(line),
                Err(error) => tracing::error!(%error, id = alert.id, "an alert cannot be written"),
            }
        }
    }

    /// Nothing came for a moment.
    fn glance(&mut self) {
        self.counted.now_and_then(&mut self.detector);
        let silent = self.duties.idle.is_some_and(|idle| self.silent_since.elapsed() >= idle);
        if silent && !self.closed_by_clock {
            self.closed_by_clock = true;
            let lateness = self.detector.options().options.lateness_ms;
            let watermark = now_ms().saturating_sub_unsigned(lateness);
            if let Some(keeper) = &mut self.keeper {
                keeper.close(watermark);
            }
            self.close(watermark);
        }
    }

    fn close(&mut self, watermark: i64) {
        match self.detector.close(watermark) {
            Ok(alerts) => self.alerts(&alerts),
            Err(error) => {
                let _ = self.failed(&error);
            }
        }
    }

    fn exchange_if_newer(&mut self) -> Place {
        let Some(newer) = self.queue.shared.newer_than(self.generation) else { return Place::Needed };
        self.generation = newer.generation;
        let windows = newer.module.info().levels > 0;
        if windows && self.number > 0 {
            // Windows see all events, in one instance.
            self.counted.all(&mut self.detector);
            return Place::Superfluous;
        }
        let sha256 = newer.module.sha256();
        self.counted.all(&mut self.detector);
        let swapped =
            FindingFormat::new(newer.module.info()).map_err(anyhow::Error::from).and_then(|format| {
                let lost = self.detector.swap(&newer.module, self.duties.windows.of(&newer.module))?;
                Ok((format, lost))
            });
        match swapped {
            Ok((format, lost)) => {
                self.format = format;
                self.counted.exchanged(&newer.module, &mut self.detector);
                for lost in lost {
                    tracing::warn!(
                        rule = lost.rule,
                        groups = lost.groups,
                        "the new module has no such rule: its state is dropped"
                    );
                }
                tracing::info!(sha256, "the module was exchanged");
                if let Some(keeper) = &mut self.keeper {
                    keeper.set_windows(windows);
                }
                // The journal tells of events as the old rules saw them.
                self.save();
            }
            Err(error) => {
                self.queue.shared.put_back(newer.generation, self.detector.module());
                counts::reload_refused();
                tracing::error!(sha256, error = %format!("{error:#}"), "the module cannot take the state over: the old one runs on");
            }
        }
        Place::Needed
    }

    fn save_if_due(&mut self) {
        if self.keeper.as_ref().is_some_and(Keeper::is_due) {
            self.save();
        }
    }

    fn save(&mut self) {
        let Some(keeper) = &mut self.keeper else { return };
        let waiting = self.duties.alerts.waiting();
        match keeper.save(&mut self.detector, self.queue.shared.position(), &waiting) {
            Ok(()) => self.counted.saved(),
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "state is not saved: what was saved before stays")
            }
        }
    }

    /// No more batches come: windows are closed, or saved open.
    fn end(&mut self) {
        if self.keeper.is_none() {
            self.close(i64::MAX);
        }
        // What is taken now need not be offered again by the next start.
        self.duties.alerts.settle(ALERTS_PATIENCE);
        self.save();
        self.counted.all(&mut self.detector);
    }
}

/// Whether a thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Needed,
    /// Another one keeps the windows.
    Superfluous,
}

/// What the module said to lines.
enum Lines {
    Events(detector::Output),
    Findings(Vec<u8>),
    /// Nothing: they pass as they came.
    Untouched,
}

fn count_lines(bytes: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', bytes).count() as u64;
    ends + u64::from(bytes.last().is_some_and(|last| *last != b'\n'))
}
