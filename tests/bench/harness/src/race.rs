//! One race: everybody goes over the data in turn, again and again, on one core.

use crate::contestant::Running;
use crate::data::Data;
use crate::roster::{Entrant, Flavour, Race};
use crate::rules::RuleFolders;
use crate::tools::Tools;
use anyhow::{Result, ensure};
use bench_protocol::{Job, Pass, Ready, Tally};

/// What became of a race.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) race: Race,
    pub(crate) data: Data,
    pub(crate) lines: Vec<Line>,
}

/// What became of one entrant.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) entrant: Entrant,
    pub(crate) result: Result<Measured, String>,
}

/// What was measured, over all passes.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) ready: Ready,
    pub(crate) tally: Tally,
    /// CPU seconds of every pass, in order of size.
    pub(crate) cpu_seconds: Vec<f64>,
    pub(crate) rss_bytes: u64,
}

impl Measured {
    /// The CPU seconds of the pass in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.cpu_seconds.len() / 2;
        match self.cpu_seconds.len() % 2 {
            0 => (self.cpu_seconds[middle - 1] + self.cpu_seconds[middle]) / 2.0,
            _ => self.cpu_seconds[middle],
        }
    }

    /// The fastest pass.
    pub(crate) fn least(&self) -> f64 {
        self.cpu_seconds.first().copied().unwrap_or(f64::NAN)
    }

    /// The slowest pass.
    pub(crate) fn most(&self) -> f64 {
        self.cpu_seconds.last().copied().unwrap_or(f64::NAN)
    }
}

impl Outcome {
    /// What was measured of an entrant.
    pub(crate) fn of(&self, name: &str) -> Option<&Measured> {
        self.lines.iter().find(|line| line.entrant.name == name)?.result.as_ref().ok()
    }

    /// Megabytes of input a CPU second. The data counts, whoever read how much of it.
    pub(crate) fn rate(&self, measured: &Measured) -> f64 {
        self.data.bytes as f64 / 1e6 / measured.median()
    }

    /// How many times as fast one entrant is as another.
    pub(crate) fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        Some(self.of(to)?.median() / self.of(of)?.median())
    }
}

/// Runs a race.
pub(crate) fn run(
    race: Race,
    entrants: &[Entrant],
    folders: &RuleFolders,
    data: &Data,
    tools: &Tools,
    repeat: usize,
) -> Outcome {
    let mut places: Vec<Place> =
        entrants.iter().map(|entrant| Place::start(*entrant, folders, data, tools)).collect();
    for round in 1..=repeat {
        eprintln!("{}: round {round} of {repeat}", race.name);
        places.iter_mut().for_each(Place::pass);
    }
    let lines = places.into_iter().map(Place::into_line).collect();
    Outcome { race, data: data.clone(), lines }
}

struct Place {
    entrant: Entrant,
    running: Result<Running>,
    passes: Vec<Pass>,
}

impl Place {
    fn start(entrant: Entrant, folders: &RuleFolders, data: &Data, tools: &Tools) -> Place {
        let job = Job {
            variant: entrant.variant.to_owned(),
            work: entrant.work,
            data: data.path.clone(),
            rules: match entrant.rules {
                Flavour::Without => None,
                Flavour::Ours => Some(folders.ours.clone()),
                Flavour::Plain => Some(folders.plain.clone()),
            },
            core: tools.core,
            program: tools.program(entrant.variant),
        };
        let running =
            tools.command(&entrant).and_then(|command| Running::start(command, &job)).and_then(|running| {
                let stranger =
                    running.ready.built_from.as_ref().filter(|folder| !folder.starts_with(&tools.root));
                ensure!(
                    stranger.is_none(),
                    "its program was built from another checkout than the one that is measured"
                );
                Ok(running)
            });
        Place { entrant, running, passes: Vec::new() }
    }

    fn pass(&mut self) {
        let Ok(running) = &mut self.running else { return };
        match running.pass() {
            Ok(pass) if self.passes.last().is_none_or(|last| same(&last.tally, &pass.tally)) => {
                self.passes.push(pass);
            }
            Ok(_) => {
                self.running = Err(anyhow::anyhow!("two passes over the same data gave different counts"))
            }
            Err(error) => self.running = Err(error),
        }
    }

    fn into_line(self) -> Line {
        let Place { entrant, running, passes } = self;
        let result = running.map_err(|error| format!("{error:#}")).and_then(|running| {
            let last = passes.last().ok_or_else(|| "there was no pass".to_owned())?;
            let mut cpu_seconds: Vec<f64> = passes.iter().map(|pass| pass.cpu_seconds).collect();
            cpu_seconds.sort_by(f64::total_cmp);
            let rss_bytes = passes.iter().map(|pass| pass.rss_bytes).max().unwrap_or(0);
            Ok(Measured { ready: running.ready.clone(), tally: last.tally.clone(), cpu_seconds, rss_bytes })
        });
        if let Err(reason) = &result {
            eprintln!("{}: not measured: {reason}", entrant.name);
        }
        Line { entrant, result }
    }
}

fn same(one: &Tally, other: &Tally) -> bool {
    (one.events, &one.matches, one.alerts) == (other.events, &other.matches, other.alerts)
}
