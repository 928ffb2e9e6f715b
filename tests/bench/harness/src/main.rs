//! Runs the contestants in turn on one core and prints one table. `cargo xtask bench` builds all and calls it.

mod contestant;
mod counts;
mod data;
mod machine;
mod made_up;
mod picture;
mod race;
mod report;
mod roster;
mod rules;
mod targets;
mod tools;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use data::Data;
use roster::{DataSet, Entrant, RACES, ROSTER, Race};
use std::fs::File;
use std::path::{Path, PathBuf};
use tools::Tools;

/// Events of the full data and of `--quick`.
const EVENTS: (u32, u32) = (200_000, 20_000);
const SEED: u32 = 42;
const REPEAT: (usize, usize) = (5, 3);

/// Compares tripwasm with its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// The project
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// What lies beside the project: the corpus and the generator of events; default `../shared` from the root
    #[arg(long)]
    shared: Option<PathBuf>,
    /// Where data and rules are kept between runs
    #[arg(long)]
    cache: PathBuf,
    /// Folder of the contestants' programs
    #[arg(long)]
    programs: PathBuf,
    /// A Python that has DuckDB
    #[arg(long)]
    python: Option<PathBuf>,
    /// A command line that a contestant runs, as NAME=PATH
    #[arg(long = "command-line", value_name = "NAME=PATH", value_parser = pair)]
    command_lines: Vec<(String, String)>,
    /// A program that could not be made, as NAME=REASON; it is shown as not measured
    #[arg(long, value_name = "NAME=REASON", value_parser = pair)]
    missing: Vec<(String, String)>,
    /// Few events, and only the main race
    #[arg(long)]
    quick: bool,
    /// Only these contestants, by name or by the start of it
    #[arg(long, value_delimiter = ',')]
    contestants: Vec<String>,
    /// Only these races: both, sigmahq, quiet, seeds, correlations, figures, generated-100, ..., real
    #[arg(long = "rules", value_delimiter = ',')]
    races: Vec<String>,
    /// Passes of each contestant
    #[arg(long)]
    repeat: Option<usize>,
    /// The core that everybody stays on
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Write the report here, too
    #[arg(long)]
    report: Option<PathBuf>,
    /// Draw the main race here
    #[arg(long)]
    picture: Option<PathBuf>,
    /// What the report calls the command
    #[arg(long, default_value = "cargo xtask bench")]
    called: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let races = races(&arguments)?;
    let repeat = arguments.repeat.unwrap_or(if arguments.quick { REPEAT.1 } else { REPEAT.0 });
    ensure!(repeat > 0, "--repeat 0 measures nothing");
    let shared = arguments.shared.clone().unwrap_or_else(|| arguments.root.join("../shared"));
    std::fs::create_dir_all(&arguments.cache)
        .with_context(|| format!("cannot create {}", arguments.cache.display()))?;
    let _alone = alone(&arguments.cache)?;
    let sources = rules::Sources { root: &arguments.root, shared: &shared };
    let tools = tools(&arguments)?;
    let mut outcomes = Vec::new();
    for race in races {
        let data = data(&arguments, race, &shared)?;
        let folders = sources.write(race.rules, &arguments.cache)?;
        let entrants = entrants(&arguments, &race);
        let outcome = race::run(race, &entrants, &folders, &data, &tools, repeat);
        // At once: a long benchmark that is ended early has said what it knew.
        println!("{}", report::race(&outcome));
        outcomes.push(outcome);
    }
    let targets = targets::targets(&outcomes);
    println!("{}", report::targets_table(&targets));
    let text = report::report(&head(&arguments, repeat)?, &outcomes, &targets);
    if let Some(path) = &arguments.report {
        std::fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some((path, outcome)) = arguments.picture.as_ref().zip(outcomes.first()) {
        std::fs::write(path, picture::picture(outcome))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Waits until no other benchmark uses the cache: two at a time would measure each other.
fn alone(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("another benchmark is running in {}; waiting for it", cache.display());
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

fn races(arguments: &Arguments) -> Result<Vec<Race>> {
    for name in &arguments.races {
        let names: Vec<&str> = RACES.iter().map(|race| race.name).collect();
        ensure!(names.contains(&name.as_str()), "no rules `{name}`; there are {}", names.join(", "));
    }
    let is_wanted = |race: &&Race| match arguments.races.is_empty() {
        true => !arguments.quick || race.name == "both",
        false => arguments.races.iter().any(|name| name == race.name),
    };
    Ok(RACES.iter().filter(is_wanted).copied().collect())
}

fn entrants(arguments: &Arguments, race: &Race) -> Vec<Entrant> {
    let is_wanted = |entrant: &&Entrant| {
        let wanted = &arguments.contestants;
        race.has(entrant)
            && (wanted.is_empty() || wanted.iter().any(|name| entrant.name.starts_with(name.as_str())))
    };
    ROSTER.iter().filter(is_wanted).copied().collect()
}

fn data(arguments: &Arguments, race: Race, shared: &Path) -> Result<Data> {
    match race.data {
        DataSet::Real => data::real(shared, &arguments.cache),
        DataSet::Generated => {
            let events = if arguments.quick { EVENTS.1 } else { EVENTS.0 };
            data::generated(shared, &arguments.cache, events, SEED)
        }
    }
}

fn tools(arguments: &Arguments) -> Result<Tools> {
    Ok(Tools {
        root: arguments.root.canonicalize().context("there is no project")?,
        programs: arguments.programs.clone(),
        duckdb_script: arguments.root.join("tests/bench/contestants/duckdb/contestant.py"),
        python: arguments.python.clone(),
        command_lines: arguments
            .command_lines
            .iter()
            .map(|(name, path)| (name.clone(), PathBuf::from(path)))
            .collect(),
        missing: arguments.missing.iter().cloned().collect(),
        core: arguments.core,
    })
}

fn head(arguments: &Arguments, repeat: usize) -> Result<report::Head> {
    let root = arguments.root.canonicalize().context("there is no project")?;
    let line = |program: &str, words: &[&str]| machine::first_line(program, words, &root).unwrap_or_default();
    Ok(report::Head {
        processor: machine::processor(),
        compiler: line("rustc", &["--version"]),
        commit: machine::commit(&root),
        command: arguments.called.clone(),
        date: line("date", &["-u", "+%Y-%m-%d"]),
        core: arguments.core,
        repeat,
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}
