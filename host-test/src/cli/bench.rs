//! `tripwasm bench`

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use tripwasm::bindings::detector;
use tripwasm::input::{Evaluation, SourceReader, find_sources};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};

use super::Outcome;
use super::run::{BATCH_BYTES, load};

/// Copied at a time: more than caches hold, so that the figure is that of memory.
const COPY_BYTES: usize = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  tripwasm bench cloudtrail.wasm events.ndjson
  tripwasm bench cloudtrail.wasm logs/ --mode tag --repeat 9

The events are read into memory first. Every pass begins with a new instance; copying and looking for line
breaks, in the same bytes and in turn with the module, say what this machine's memory allows.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A module that `tripwasm build` wrote
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// Files, directories (read recursively in path order), or `-` for standard input; all that `run` reads
    #[arg(required = true, value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// What is asked of the module
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Passes over the events; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Do not keep or use compiled code in the user's cache directory
    #[arg(long)]
    no_cache: bool,
}

/// What is asked of the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Matches and alerts
    #[default]
    Findings,
    /// Every event, findings added as member `tripwasm`
    Tag,
    /// Only tagged events
    Filter,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let cache = if arguments.no_cache { CompileCache::Off } else { CompileCache::PerUser };
    let runtime = Runtime::new(RuntimeOptions { cache })?;
    let module = load(&runtime, &arguments.module)?;
    let events = Events::read(&arguments.inputs)?;
    ensure!(events.lines > 0, "there are no events in the input");
    let (mut passes, mut copies, mut scans) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = Found::default();
    let mut target = vec![1; events.bytes.min(COPY_BYTES)];
    for _ in 0..arguments.repeat {
        let (took, result) = pass(&module, &events, arguments.mode)?;
        found = result;
        passes.push(took);
        copies.push(timed(|| events.batches.iter().for_each(|batch| copy(batch, &mut target))));
        scans.push(timed(|| events.batches.iter().for_each(|batch| count_lines(batch))));
    }
    let text = Table { events: &events, found, mode: arguments.mode }.text(passes, copies, scans)?;
    std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
    Ok(Outcome::Done)
}

/// The whole input, taken out of its envelopes, in the batches that `run` would make of it.
struct Events {
    batches: Vec<Vec<u8>>,
    /// Events of each batch.
    counts: Vec<u64>,
    lines: u64,
    bytes: usize,
}

impl Events {
    fn read(inputs: &[PathBuf]) -> anyhow::Result<Events> {
        let mut events = Events { batches: Vec::new(), counts: Vec::new(), lines: 0, bytes: 0 };
        for arrival in SourceReader::new(find_sources(inputs)?, BATCH_BYTES) {
            if let Some(problem) = arrival.batch.problems.into_iter().next() {
                return Err(anyhow::Error::new(problem).context(arrival.source.to_string()));
            }
            // A line beyond any event's length is not for the module.
            if arrival.batch.evaluation == Evaluation::Evaluate && !arrival.batch.bytes.is_empty() {
                events.lines += arrival.batch.lines;
                events.bytes += arrival.batch.bytes.len();
                events.counts.push(arrival.batch.lines);
                events.batches.push(arrival.batch.bytes);
            }
        }
        Ok(events)
    }
}

/// What a pass came to.
#[derive(Debug, Default)]
struct Found {
    matches: u64,
    rejected: u64,
}

/// One pass of a new instance.
fn pass(module: &Module, events: &Events, mode: Mode) -> anyhow::Result<(Duration, Found)> {
    let mut running = Detector::new(module, DetectorOptions::of(module))?;
    let (mut first, mut rejected, mut outcome) = (0, 0, Ok(()));
    let took = timed(|| {
        for (batch, count) in events.batches.iter().zip(&events.counts) {
            match hand_over(&mut running, batch, first, mode) {
                Ok(remarks) => rejected += remarks,
                Err(error) => outcome = Err(error),
            }
            first += count;
        }
        if let Err(error) = running.close(i64::MAX) {
            outcome = Err(error);
        }
    });
    outcome.context("the module could not be measured")?;
    let counts = running.statistics();
    let rules = module.info().rules.iter().zip(&counts.rules);
    let matches = rules.filter(|(rule, _)| rule.kind == detector::RuleKind::Detection);
    Ok((took, Found { matches: matches.map(|(_, counts)| counts.matched).sum(), rejected }))
}

/// Hands a batch to the module; returns how many lines it had remarks about.
fn hand_over(
    running: &mut Detector,
    batch: &[u8],
    first: u64,
    mode: Mode,
) -> Result<u64, tripwasm::DetectorError> {
    let mode = match mode {
        Mode::Findings => {
            return Ok(black_box(running.evaluate(batch, first, None)?).remarks.len() as u64);
        }
        Mode::Tag => detector::Mode::Tag,
        Mode::Filter => detector::Mode::Filter,
    };
    Ok(black_box(running.transform(batch, first, None, mode)?).remarks.len() as u64)
}

fn copy(batch: &[u8], target: &mut [u8]) {
    for piece in batch.chunks(target.len().max(1)) {
        if let Some(target) = target.get_mut(..piece.len()) {
            target.copy_from_slice(piece);
        }
        black_box(&mut *target);
    }
}

fn count_lines(batch: &[u8]) {
    black_box(memchr::memchr_iter(b'\n', black_box(batch)).count());
}

/// The CPU time of this thread that some work takes.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let begin = now();
    work();
    now().saturating_sub(begin)
}

struct Table<'e> {
    events: &'e Events,
    found: Found,
    mode: Mode,
}

impl Table<'_> {
    fn text(
        &self,
        passes: Vec<Duration>,
        copies: Vec<Duration>,
        scans: Vec<Duration>,
    ) -> Result<String, std::fmt::Error> {
        let Events { lines, bytes, .. } = self.events;
        let mode = self.mode.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        let mut text = String::new();
        writeln!(text, "{lines} events, {bytes} bytes; median of {}, CPU time of one core", passes.len())?;
        writeln!(text, "{:<20} {:>12} {:>10} {:>10}", "", "events/s", "MB/s", "ns/event")?;
        let rows =
            [(format!("module, {mode}"), passes), ("memcpy".into(), copies), ("newline scan".into(), scans)];
        for (name, times) in rows {
            let seconds = median(times).as_secs_f64().max(1e-9);
            let (events, megabytes) = (*lines as f64 / seconds, *bytes as f64 / 1e6 / seconds);
            writeln!(text, "{name:<20} {events:>12.0} {megabytes:>10.0} {:>10.0}", 1e9 / events)?;
        }
        let (matches, rejected) = (self.found.matches, self.found.rejected);
        writeln!(text, "{matches} matches; remarks about {rejected} lines")?;
        Ok(text)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
