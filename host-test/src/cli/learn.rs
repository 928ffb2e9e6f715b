//! `tripwasm learn`

use std::path::PathBuf;

use clap::Args;
use tripwasm::input::{Evaluation, SourceReader, Unpacking, find_sources};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};

use super::Outcome;
use super::rule_files::counted;
use super::run::{BATCH_BYTES, load};
use super::serve::journal;
use super::state::{self, Restored, StateFile};
use super::window_options::size;

const EXAMPLES: &str = "\
Examples:
  tripwasm learn cloudtrail.wasm history/ --state windows.state
  tripwasm run cloudtrail.wasm today.ndjson --state windows.state

Inputs are what `tripwasm run` reads. Learning the same events twice changes nothing.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A module that `tripwasm build` wrote
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// Files, directories (read recursively), or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// The state file to learn into; it is made if it does not exist
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Bound on the memory of state, such as 256MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Let the gzip of an input unpack to so much, as in `run`
    #[arg(long, value_name = "SIZE", value_parser = size)]
    unpacked_max: Option<u64>,
    /// Do not keep or use compiled code in the user's cache directory
    #[arg(long)]
    no_cache: bool,
}

/// What was read.
#[derive(Debug, Default)]
struct Totals {
    lines: u64,
    learned: u64,
    /// Lines that could not be evaluated, and remarks about lines that could.
    remarks: u64,
    problems: u64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let cache = if arguments.no_cache { CompileCache::Off } else { CompileCache::PerUser };
    let runtime = Runtime::new(RuntimeOptions { cache })?;
    let module = load(&runtime, &arguments.module)?;
    let sources = find_sources(&arguments.inputs)?;
    let mut detector = Detector::new(&module, options(&module, arguments.memory))?;
    journal::refuse_unread(&arguments.state)?;
    let Restored { mut file, record, progress, lost } = StateFile::open(&arguments.state, &mut detector)?;
    state::warn_of_lost(&lost);
    let unpacking = arguments.unpacked_max.map_or(Unpacking::LikeEvents, Unpacking::AtMost);
    let reader = SourceReader::new(sources, BATCH_BYTES).with_unpacking(unpacking);
    let totals = match read_all(&mut detector, reader) {
        Ok(totals) => totals,
        Err(error) => {
            eprintln!("error: {error:#}; {} was left as it is", arguments.state.display());
            return Ok(Outcome::Failed);
        }
    };
    file.save(progress, &record, detector.checkpoint()?)?;
    eprintln!(
        "{} of {} entered baselines in {}",
        totals.learned,
        counted(usize::try_from(totals.lines).unwrap_or(usize::MAX), "event"),
        arguments.state.display()
    );
    if totals.remarks > 0 {
        eprintln!("{} lines could not be read, or not without doubt", totals.remarks);
    }
    Ok(if totals.problems > 0 { Outcome::Failed } else { Outcome::Done })
}

fn options(module: &Module, memory: Option<u64>) -> DetectorOptions {
    let options = DetectorOptions::of(module);
    memory.map_or(options, |bytes| options.with_state_bytes_max(bytes))
}

fn read_all(detector: &mut Detector, reader: SourceReader) -> anyhow::Result<Totals> {
    let mut totals = Totals::default();
    for arrival in reader {
        for problem in arrival.batch.problems {
            totals.problems += 1;
            eprintln!("error: {}: {:#}", arrival.source, anyhow::Error::new(problem));
        }
        totals.lines += arrival.batch.lines;
        match arrival.batch.evaluation {
            Evaluation::Evaluate if arrival.batch.bytes.is_empty() => {}
            Evaluation::Evaluate => {
                let lesson = detector.learn(&arrival.batch.bytes)?;
                totals.learned += lesson.learned;
                totals.remarks += lesson.remarks.len() as u64;
            }
            // A line longer than any event.
            Evaluation::PassThrough => totals.remarks += arrival.batch.lines,
        }
    }
    Ok(totals)
}
