//! The stream: batches from a reading thread through the module to the sink.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tripwasm::bindings::detector::{self, AlertFinding, Counts, Reason, Remark};
use tripwasm::input::{Evaluation, Pace, SourceBatch, SourceReader};
use tripwasm::{Detector, DetectorError};

use super::super::is_closed_pipe;
use super::Mode;
use super::progress::Progress;
use super::saving::Saver;
use super::sink::{LinePosition, Sink};
use super::summary::Summary;

/// Batches that reading may be ahead of the module.
const BATCHES_AHEAD: usize = 4;

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED_EXIT_CODE: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What the stream waits for.
enum Arrival {
    Batch(SourceBatch),
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
    detector: Detector,
    sink: Sink,
    progress: Progress,
    saver: Option<Saver>,
    summary: Summary,
    /// Position of the next event in the whole input; goes on where saved state ended.
    position: u64,
    /// The module's counts at the start.
    before: Counts,
    in_long_line: bool,
    started: Instant,
}

impl Stream {
    pub(super) fn new(detector: Detector, sink: Sink, progress: Progress, saver: Option<Saver>) -> Self {
        let before = detector.statistics();
        Stream {
            detector,
            sink,
            progress,
            position: saver.as_ref().map_or(0, Saver::position),
            saver,
            summary: Summary::default(),
            before,
            in_long_line: false,
            started: Instant::now(),
        }
    }

    /// Passes all inputs through.
    pub(super) fn pass(&mut self, reader: SourceReader, idle: Option<Duration>) -> anyhow::Result<Ending> {
        let (sender, arrivals) = sync_channel(BATCHES_AHEAD);
        let interrupts = sender.clone();
        // Without a handler Ctrl-C ends the process at once, as ever.
        let _ = ctrlc::set_handler(move || {
            // The second one does not wait for the batches before it.
            if INTERRUPTED.swap(true, Ordering::Relaxed) || interrupts.send(Arrival::Interrupt).is_err() {
                std::process::exit(INTERRUPTED_EXIT_CODE);
            }
        });
        std::thread::Builder::new().name("tripwasm-input".to_owned()).spawn(move || {
            for batch in reader {
                if sender.send(Arrival::Batch(batch)).is_err() {
                    return;
                }
            }
            let _ = sender.send(Arrival::End);
        })?;
        let mut silent_since = Instant::now();
        loop {
            let silence = idle.map(|idle| idle.saturating_sub(silent_since.elapsed()));
            let saving = self.saver.as_ref().and_then(Saver::due_in);
            match next(&arrivals, silence.into_iter().chain(saving).min()) {
                Arrival::Batch(batch) => {
                    self.batch(&batch)?;
                    silent_since = Instant::now();
                }
                Arrival::Silence if idle.is_some_and(|idle| silent_since.elapsed() >= idle) => {
                    self.silence()?;
                    silent_since = Instant::now();
                }
                Arrival::Silence => {}
                Arrival::End => return Ok(Ending::Complete),
                Arrival::Interrupt => return Ok(Ending::Interrupted),
            }
            let due = self.saver.as_ref().and_then(Saver::due_in).is_some_and(|wait| wait.is_zero());
            // Within a line there is no position to go on from.
            if due && !self.in_long_line {
                self.save_or_warn()?;
            }
        }
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
        let began = Instant::now();
        // State that covers results which nobody got would lose them.
        self.sink.settle()?;
        saver.save(self.detector.checkpoint()?, began)
    }

    /// Hands the last output on and sums up. What kept the state is left for the last word.
    pub(super) fn finish(mut self) -> anyhow::Result<(Summary, Option<Saver>)> {
        self.sink.flush()?;
        self.progress.done();
        self.summary.seconds = self.started.elapsed().as_secs_f64();
        self.summary.traps = self.detector.traps();
        self.summary.counts = Some(tripwasm::combine_statistics(
            &self.detector.statistics(),
            &self.before,
            u64::saturating_sub,
        ));
        Ok((self.summary, self.saver))
    }

    fn batch(&mut self, arrival: &SourceBatch) -> anyhow::Result<()> {
        let SourceBatch { source, batch, pace, skipped, .. } = arrival;
        if *skipped > 0 {
            self.summary.skipped += skipped;
            self.progress.tell(&format!("{source}: {skipped} events were counted before and are skipped"));
        }
        for problem in &batch.problems {
            self.summary.input_problems += 1;
            self.progress.warn(&format!("error: {source}: {:#}", anyhow::Error::new(problem.clone())));
        }
        match batch.evaluation {
            Evaluation::PassThrough => self.piece_of_long_line(&batch.bytes, batch.lines)?,
            Evaluation::Evaluate if batch.bytes.is_empty() => {}
            Evaluation::Evaluate => self.evaluate(&batch.bytes, source, *pace)?,
        }
        self.position += batch.lines;
        if let Some(saver) = &mut self.saver {
            saver.took(arrival, self.position);
        }
        self.summary.events += batch.lines;
        self.summary.bytes += batch.bytes.len() as u64;
        self.progress.passed(batch.bytes.len(), self.summary.events);
        if *pace == Pace::Live {
            self.sink.flush()?;
        }
        Ok(())
    }

    fn evaluate(&mut self, events: &[u8], source: &str, pace: Pace) -> anyhow::Result<()> {
        // A replay has no clock: its events are as old as they are.
        let now = (pace == Pace::Live).then(now_ms);
        let mode = match self.sink.mode {
            Mode::Tag => detector::Mode::Tag,
            Mode::Filter => detector::Mode::Filter,
            Mode::Drop => detector::Mode::Drop,
            Mode::Findings => {
                return match self.detector.evaluate(events, self.position, now) {
                    Ok(report) => {
                        self.remarks(&report.remarks);
                        self.summary.tagged += report.verdicts.len() as u64;
                        self.sink.matches(&report, source)?;
                        self.alerts(&report.alerts)
                    }
                    Err(error) => self.trapped(error),
                };
            }
        };
        match self.detector.transform(events, self.position, now, mode) {
            Ok(output) => {
                self.remarks(&output.remarks);
                self.summary.tagged += output.tagged;
                self.summary.removed += output.removed;
                self.sink.events(&output.events, LinePosition::Start)?;
                self.alerts(&output.alerts)
            }
            Err(error) => {
                self.trapped(error)?;
                self.sink.events(events, LinePosition::Start)
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
            self.remarks(&[Remark { event: self.position, reason: Reason::TooLarge }]);
        }
        Ok(())
    }

    /// Nothing arrived for a while: the wall clock stands in for later events.
    fn silence(&mut self) -> anyhow::Result<()> {
        let lateness = self.detector.options().options.lateness_ms;
        self.close(now_ms().saturating_sub_unsigned(lateness))?;
        self.sink.flush()
    }

    fn close(&mut self, watermark: i64) -> anyhow::Result<()> {
        match self.detector.close(watermark) {
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

fn next(arrivals: &Receiver<Arrival>, wait: Option<Duration>) -> Arrival {
    match wait {
        None => arrivals.recv().unwrap_or(Arrival::End),
        Some(wait) => match arrivals.recv_timeout(wait) {
            Ok(arrival) => arrival,
            Err(RecvTimeoutError::Timeout) => Arrival::Silence,
            Err(RecvTimeoutError::Disconnected) => Arrival::End,
        },
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Empty => "empty",
        Reason::NotUtf8 => "not-utf8",
        Reason::Malformed => "malformed",
        Reason::NotAnObject => "not-an-object",
        Reason::TooLarge => "too-large",
        Reason::TooDeep => "too-deep",
        Reason::DuplicateKey => "duplicate-key",
        Reason::TaggedBefore => "tagged-before",
    }
}
