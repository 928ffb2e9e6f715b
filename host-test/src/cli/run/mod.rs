//! `tripwasm run`

mod cut_line;
mod progress;
mod rule_lines;
mod saving;
mod sink;
mod stream;
mod summary;
mod workers;

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tripwasm::input::{SourceReader, Unpacking, find_sources};
use tripwasm::{CompileCache, Detector, Module, Runtime, RuntimeOptions};

use super::build::write_whole;
use super::serve::journal;
use super::state::{self, Restored, StateFile};
use super::window_options::{WindowOptions, duration, size};
use super::{Outcome, is_closed_pipe};
use cut_line::Opening;
use saving::Saver;
use sink::Sink;
use stream::{Ending, Stream};
use summary::ClosedAlerts;
use workers::Threads;

const EXAMPLES: &str = "\
Examples:
  tripwasm run cloudtrail.wasm events.ndjson                         tag events
  tripwasm run cloudtrail.wasm logs/ --mode filter --alerts alerts.ndjson
  tripwasm run cloudtrail.wasm 2023.json.gz --mode findings | jq .rule.name
  tail -F events.ndjson | tripwasm run cloudtrail.wasm --idle 5m --state windows.state

Inputs are NDJSON, CloudTrail files, JSON arrays, and what EventBridge, CloudWatch Logs, SQS, SNS, Kinesis
and Firehose wrap around events, plain or gzip, told apart by content.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A module that `tripwasm build` wrote
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// Files, directories (read recursively in path order), or `-`; standard input if none is given
    #[arg(value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Write closed and withdrawn alerts to a file, one JSON object a line; `-` is standard error. The file is
    /// written anew, but gone on with after a run that `--state` knows as not finished
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    #[command(flatten)]
    windows: WindowOptions,
    /// Keep open windows in a file, and how far the inputs were read: a run that was ended, however, goes
    /// on where it was when it is started again; after a finished run the next one brings new input
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Save state after so many events, but spend no more than 3 % of the time on it
    #[arg(long, value_name = "EVENTS", requires = "state", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    state_every: u64,
    /// When standard input is silent for so long, close windows by the wall clock
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    idle: Option<Duration>,
    /// Write the statistics to a file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Let the gzip of an input unpack to so much; if not given, to 250 times its size, or 1 GiB if that is more: far
    /// beyond any events, so that only a gzip bomb meets it
    #[arg(long, value_name = "SIZE", value_parser = size)]
    unpacked_max: Option<u64>,
    /// Evaluate so many batches at a time; the processors there are, if not given. Rules with windows are evaluated by
    /// one thread, whatever this says: reading and writing go on beside it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// No progress and no statistics on standard error
    #[arg(long)]
    quiet: bool,
    /// Do not keep or use compiled code in the user's cache directory
    #[arg(long)]
    no_cache: bool,
    /// Bytes handed to the module at a time; results do not depend on it
    #[arg(long, value_name = "N", hide = true, default_value_t = BATCH_BYTES)]
    batch_bytes: usize,
}

/// Bytes handed to the module at a time: what is copied in and out of the sandbox stays in a processor's own cache.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// More threads than one reader feeds.
const THREADS_MAX: usize = 16;

impl Arguments {
    fn unpacking(&self) -> Unpacking {
        self.unpacked_max.map_or(Unpacking::LikeEvents, Unpacking::AtMost)
    }

    fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
        self.threads.map_or_else(processors, usize::from).min(THREADS_MAX)
    }
}

/// What goes to standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Every event, findings added as member `tripwasm`
    #[default]
    Tag,
    /// Only tagged events
    Filter,
    /// As tag, without events that a rule with `action: drop` matched
    Drop,
    /// Matches and alerts, one JSON object a line
    Findings,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let cache = if arguments.no_cache { CompileCache::Off } else { CompileCache::PerUser };
    let runtime = Runtime::new(RuntimeOptions { cache })?;
    let module = load(&runtime, &arguments.module)?;
    let sources = find_sources(&arguments.inputs)?;
    let mut detector = Detector::new(&module, arguments.windows.of(&module))?;
    let restored = match &arguments.state {
        Some(path) => {
            journal::refuse_unread(path)?;
            Some(StateFile::open(path, &mut detector)?)
        }
        None => None,
    };
    let opening = match &restored {
        Some(Restored { progress: state::Progress::Unfinished, .. }) => Opening::GoOn,
        _ => Opening::Anew,
    };
    let sink = Sink::open(&module, arguments.mode, arguments.alerts.as_deref(), opening)?;
    let progress = progress::Progress::new(!arguments.quiet, &sources);
    let batch_bytes = arguments.batch_bytes.max(1);
    let (saver, reader) = match restored {
        Some(Restored { file, record, lost, .. }) => {
            state::warn_of_lost(&lost);
            let (saver, sources) = Saver::new(file, record, sources, arguments.state_every);
            (Some(saver), SourceReader::resume(sources, batch_bytes))
        }
        None => (None, SourceReader::new(sources, batch_bytes)),
    };
    let reader = reader.with_unpacking(arguments.unpacking());
    let mut detectors = vec![detector];
    let events_stand_alone = module.info().levels == 0 && saver.is_none();
    while events_stand_alone && detectors.len() < arguments.threads() {
        detectors.push(Detector::new(&module, arguments.windows.of(&module))?);
    }
    let threads = if arguments.threads() == 1 { Threads::Callers } else { Threads::Own };
    match pass(Stream::new(detectors, threads, sink, progress, saver)?, reader, &module, &arguments) {
        // Everything was in order until the stream began.
        Err(error) if !is_closed_pipe(&error) => {
            eprintln!("error: {error:#}");
            Ok(Outcome::Failed)
        }
        Err(error) => Err(error),
        Ok((outcome, state)) => {
            drop((module, runtime));
            // The last thing of all: after it the next run skips nothing.
            state.map_or(Ok(()), StateFile::finish)?;
            Ok(outcome)
        }
    }
}

/// The state file comes back when the run is finished, so that it can be marked so.
fn pass(
    mut stream: Stream,
    reader: SourceReader,
    module: &Module,
    arguments: &Arguments,
) -> anyhow::Result<(Outcome, Option<StateFile>)> {
    let ending = stream.pass(reader, arguments.idle)?;
    stream.end()?;
    let (summary, saver) = stream.finish()?;
    for warning in summary.warnings(module) {
        eprintln!("{warning}");
    }
    if !arguments.quiet {
        let written = arguments.alerts.is_some() || arguments.mode == Mode::Findings;
        let alerts = if written { ClosedAlerts::Written } else { ClosedAlerts::Dropped };
        eprint!("{}", summary.text(module, alerts));
    }
    if let Some(path) = &arguments.report {
        write_whole(path, summary.json(module)?.as_bytes())?;
    }
    if summary.failed() {
        return Ok((Outcome::Failed, None));
    }
    let finished = saver.filter(|_| ending == Ending::Complete).map(Saver::into_file);
    Ok((Outcome::Done, finished))
}

/// Loads a module from a file.
pub(super) fn load(runtime: &Runtime, path: &Path) -> anyhow::Result<Module> {
    let wasm = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Module::load(runtime, &wasm).with_context(|| path.display().to_string())
}

/// The wall clock, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
