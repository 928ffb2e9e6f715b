//! The stream: batches from a reading thread through the module's threads to the sink, in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use tripwasm::bindings::detector::{AlertFinding, Counts, Reason, Remark};
use tripwasm::finding::reason_text;
use tripwasm::input::{Evaluation, Pace, SourceBatch, SourceReader, SpareBuffers};
use tripwasm::{Detector, DetectorError};

use super::super::is_closed_pipe;
use super::Mode;
use super::progress::Progress;
use super::saving::Saver;
use super::sink::{LinePosition, Sink};
use super::summary::Summary;
use super::workers::{Done, Job, Outcome, Threads, Workers};

/// Batches on their way beside those that are being evaluated: one is read, one waits, one is written.
const BATCHES_AHEAD: usize = 3;

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED_EXIT_CODE: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What the stream waits for.
enum Event {
    Arrived(SourceBatch),
    Evaluated(Done),
    /// Nothing came for a while.
    Silence,
    /// No input is left.
    End,
    /// Someone wants the run to end: as at the end of the input, so that results and state are whole.
    Interrupt,
}

/// How the inputs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All were read.
    Complete,
    /// Someone ended the run.
    Interrupted,
}

/// Everything that passes between input and output.
pub(super) struct Stream {
    workers: Workers,
    sink: Sink,
    progress: Progress,
    saver: Option<Saver>,
    summary: Summary,
    lateness_ms: u64,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// Events that came while only evaluated batches were waited for.
    waiting: VecDeque<Event>,
    /// Where the next batch to be evaluated begins.
    given: Place,
    /// Where the next batch to be written begins.
    written: Place,
    /// Evaluated before their turn, by number.
    early: BTreeMap<u64, Done>,
    /// The module's counts at the start.
    before: Option<Counts>,
    in_long_line: bool,
    started: Instant,
}

/// A place between two batches.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Number of the batch behind it.
    batch: u64,
    /// Position of its first event in the whole input; goes on where saved state ended.
    position: u64,
}

impl Place {
    fn pass(&mut self, lines: u64) {
        self.batch += 1;
        self.position += lines;
    }
}

impl Stream {
    /// Several detectors evaluate batches at a time; where windows keep state there has to be one.
    pub(super) fn new(
        detectors: Vec<Detector>,
        threads: Threads,
        sink: Sink,
        progress: Progress,
        saver: Option<Saver>,
    ) -> anyhow::Result<Self> {
        let lateness_ms = detectors.first().map_or(0, |detector| detector.options().options.lateness_ms);
        let (sender, events) = channel();
        let workers = Workers::start(detectors, threads, sink.mode, &sender, Event::Evaluated)?;
        let begin = Place { batch: 0, position: saver.as_ref().map_or(0, Saver::position) };
        Ok(Stream {
            before: workers.statistics(),
            workers,
            sink,
            progress,
            saver,
            summary: Summary::default(),
            lateness_ms,
            events,
            sender,
            waiting: VecDeque::new(),
            given: begin,
            written: begin,
            early: BTreeMap::new(),
            in_long_line: false,
            started: Instant::now(),
        })
    }

    /// Passes all inputs through.
    pub(super) fn pass(&mut self, reader: SourceReader, idle: Option<Duration>) -> anyhow::Result<Ending> {
        let interrupts = self.sender.clone();
        // Without a handler Ctrl-C ends the process at once, as ever.
        let _ = ctrlc::set_handler(move || {
            // The second one does not wait for the batches before it.
            if INTERRUPTED.swap(true, Ordering::Relaxed) || interrupts.send(Event::Interrupt).is_err() {
                std::process::exit(INTERRUPTED_EXIT_CODE);
            }
        });
        let spare = reader.spare_buffers();
        let (ahead, passed) = sync_channel(self.workers.count() + BATCHES_AHEAD);
        let arrivals = self.sender.clone();
        std::thread::Builder::new()
            .name("tripwasm-input".to_owned())
            .spawn(move || read(reader, &ahead, &arrivals))?;
        let mut silent_since = Instant::now();
        loop {
            let silence = idle.map(|idle| idle.saturating_sub(silent_since.elapsed()));
            let saving = self.saver.as_ref().and_then(Saver::due_in);
            match self.next(silence.into_iter().chain(saving).min()) {
                Event::Arrived(arrival) => {
                    if let Some(done) = self.give(arrival) {
                        self.evaluated(done, &passed, &spare)?;
                    }
                    silent_since = Instant::now();
                }
                Event::Evaluated(done) => self.evaluated(done, &passed, &spare)?,
                Event::Silence if idle.is_some_and(|idle| silent_since.elapsed() >= idle) => {
                    self.finish_given(&passed, &spare)?;
                    self.silence()?;
                    silent_since = Instant::now();
                }
                Event::Silence => {}
                Event::End => {
                    self.finish_given(&passed, &spare)?;
                    return Ok(Ending::Complete);
                }
                Event::Interrupt => {
                    self.finish_given(&passed, &spare)?;
                    return Ok(Ending::Interrupted);
                }
            }
            if self.saver.as_ref().and_then(Saver::due_in).is_some_and(|wait| wait.is_zero()) {
                self.finish_given(&passed, &spare)?;
                // Within a line there is no position to go on from.
                if !self.in_long_line {
                    self.save_or_warn()?;
                }
            }
        }
    }

    fn next(&mut self, wait: Option<Duration>) -> Event {
        if let Some(event) = self.waiting.pop_front() {
            return event;
        }
        match wait {
            None => self.events.recv().unwrap_or(Event::End),
            Some(wait) => match self.events.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => Event::Silence,
                Err(RecvTimeoutError::Disconnected) => Event::End,
            },
        }
    }

    /// Has a batch evaluated; what is evaluated at once comes back.
    fn give(&mut self, arrival: SourceBatch) -> Option<Done> {
        let Place { batch: number, position } = self.given;
        self.given.pass(arrival.batch.lines);
        self.workers.evaluate(Job { number, position, arrival })
    }

    /// Waits for all batches that were given to the module: what was written is then all that its state covers.
    fn finish_given(&mut self, passed: &Receiver<()>, spare: &SpareBuffers) -> anyhow::Result<()> {
        while self.written.batch < self.given.batch {
            match self.events.recv()? {
                Event::Evaluated(done) => self.evaluated(done, passed, spare)?,
                later => self.waiting.push_back(later),
            }
        }
        Ok(())
    }

    /// Writes all batches whose turn it is.
    fn evaluated(&mut self, done: Done, passed: &Receiver<()>, spare: &SpareBuffers) -> anyhow::Result<()> {
        self.early.insert(done.job.number, done);
        while let Some(done) = self.early.remove(&self.written.batch) {
            let Done { job: Job { mut arrival, .. }, outcome } = done;
            self.batch(&arrival, outcome)?;
            spare.give(std::mem::take(&mut arrival.batch.bytes));
            let _ = passed.try_recv();
        }
        Ok(())
    }

    /// Ends the input: closes every window, or saves those that are open.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        match self.saver {
            Some(_) => self.save(),
            None => self.close(i64::MAX),
        }
    }

    /// A disk that is full now must not stop the stream; what is lost if it stays full is said.
    fn save_or_warn(&mut self) -> anyhow::Result<()> {
        match self.save() {
            Err(error) if !is_closed_pipe(&error) => {
                self.progress.warn(&format!("warning: {error:#}; the state saved before it stays"));
                Ok(())
            }
            saved => saved,
        }
    }

    fn save(&mut self) -> anyhow::Result<()> {
        let Some(saver) = &mut self.saver else { return Ok(()) };
        let Some(mut detector) = self.workers.state() else { return Ok(()) };
        let began = Instant::now();
        // State that covers results which nobody got would lose them.
        self.sink.settle()?;
        saver.save(detector.checkpoint()?, began)
    }

    /// Hands the last output on and sums up. What kept the state is left for the last word.
    pub(super) fn finish(mut self) -> anyhow::Result<(Summary, Option<Saver>)> {
        self.sink.flush()?;
        self.progress.done();
        self.summary.seconds = self.started.elapsed().as_secs_f64();
        self.summary.traps = self.workers.traps();
        let counts = self.workers.statistics().zip(self.before);
        self.summary.counts =
            counts.map(|(now, before)| tripwasm::combine_statistics(&now, &before, u64::saturating_sub));
        Ok((self.summary, self.saver))
    }

    fn batch(&mut self, arrival: &SourceBatch, outcome: Outcome) -> anyhow::Result<()> {
        let SourceBatch { source, batch, pace, skipped, .. } = arrival;
        if *skipped > 0 {
            self.summary.skipped += skipped;
            self.progress.tell(&format!("{source}: {skipped} events were counted before and are skipped"));
        }
        for problem in &batch.problems {
            self.summary.input_problems += 1;
            self.progress.warn(&format!("error: {source}: {:#}", anyhow::Error::new(problem.clone())));
        }
        for foreign in &batch.foreign {
            *self.summary.remarks.entry(foreign.name()).or_default() += 1;
        }
        match batch.evaluation {
            Evaluation::PassThrough => self.piece_of_long_line(&batch.bytes, batch.lines)?,
            Evaluation::Evaluate => self.results(outcome, &batch.bytes, source)?,
        }
        self.written.pass(batch.lines);
        if let Some(saver) = &mut self.saver {
            saver.took(arrival, self.written.position);
        }
        self.summary.events += batch.lines;
        self.summary.bytes += batch.bytes.len() as u64;
        self.progress.passed(batch.bytes.len(), self.summary.events);
        if *pace == Pace::Live {
            self.sink.flush()?;
        }
        Ok(())
    }

    fn results(&mut self, outcome: Outcome, events: &[u8], source: &str) -> anyhow::Result<()> {
        match outcome {
            Outcome::NotEvaluated => Ok(()),
            Outcome::Findings(report) => {
                self.remarks(&report.remarks);
                self.summary.tagged += report.verdicts.len() as u64;
                self.sink.matches(&report, source)?;
                self.alerts(&report.alerts)
            }
            Outcome::Events(output) => {
                self.remarks(&output.remarks);
                self.summary.tagged += output.tagged;
                self.summary.removed += output.removed;
                self.sink.events(&output.events, LinePosition::Start)?;
                self.alerts(&output.alerts)
            }
            Outcome::Failed(error) => {
                self.trapped(error)?;
                match self.sink.mode {
                    Mode::Findings => Ok(()),
                    Mode::Tag | Mode::Filter | Mode::Drop => self.sink.events(events, LinePosition::Start),
                }
            }
        }
    }

    /// A line beyond any event's length, in pieces; `lines` is 1 with the last.
    fn piece_of_long_line(&mut self, bytes: &[u8], lines: u64) -> anyhow::Result<()> {
        // Filtering keeps tagged events only, and nobody can tag this one.
        if matches!(self.sink.mode, Mode::Tag | Mode::Drop) {
            let position = if self.in_long_line { LinePosition::Middle } else { LinePosition::Start };
            self.sink.events(bytes, position)?;
        }
        self.in_long_line = lines == 0;
        if lines > 0 {
            self.remarks(&[Remark { event: self.written.position, reason: Reason::TooLarge }]);
        }
        Ok(())
    }

    /// Nothing arrived for a while: the wall clock stands in for later events.
    fn silence(&mut self) -> anyhow::Result<()> {
        self.close(super::now_ms().saturating_sub_unsigned(self.lateness_ms))?;
        self.sink.flush()
    }

    fn close(&mut self, watermark: i64) -> anyhow::Result<()> {
        let Some(closed) = self.workers.state().map(|mut detector| detector.close(watermark)) else {
            return Ok(());
        };
        match closed {
            Ok(alerts) => self.alerts(&alerts),
            Err(error) => self.trapped(error),
        }
    }

    fn alerts(&mut self, alerts: &[AlertFinding]) -> anyhow::Result<()> {
        for alert in alerts {
            self.summary.alert(alert.state);
            self.sink.alert(alert)?;
        }
        Ok(())
    }

    fn remarks(&mut self, remarks: &[Remark]) {
        for remark in remarks {
            *self.summary.remarks.entry(reason_text(remark.reason)).or_default() += 1;
        }
    }

    /// A trap is named and counted, and the stream goes on; without any instance it cannot.
    fn trapped(&mut self, error: DetectorError) -> anyhow::Result<()> {
        match error {
            DetectorError::Trapped(trapped) => {
                self.progress.warn(&format!("warning: {trapped}"));
                Ok(())
            }
            other => Err(other.into()),
        }
    }
}

/// Reads ahead of the module as far as `ahead` has room.
fn read(reader: SourceReader, ahead: &SyncSender<()>, arrivals: &Sender<Event>) {
    for arrival in reader {
        if ahead.send(()).is_err() || arrivals.send(Event::Arrived(arrival)).is_err() {
            return;
        }
    }
    let _ = arrivals.send(Event::End);
}
