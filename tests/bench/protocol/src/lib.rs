//! What harness and contestants say to each other, and how a contestant measures itself.
//!
//! One contestant is one process. On standard input it gets one JSON line, the [`Job`], loads data and rules, and
//! answers with one JSON line, [`Ready`]. Then each line `pass` makes it run over the whole data once and answer
//! with one JSON line, [`Pass`]. The end of the input ends it. Standard error is for people.

mod clock;
mod gzipped;
mod lines;
mod serve;

pub use clock::{Moment, Spent, children_seconds};
pub use gzipped::gzipped;
pub use lines::{Lines, batches};
pub use serve::serve;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a contestant is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Which of the contestants in this program, such as `native`.
    pub variant: String,
    /// What is done with an event.
    pub work: Work,
    /// NDJSON.
    pub data: PathBuf,
    /// A folder of rules as `*.yml`, each in a file of its own; none for work without rules.
    pub rules: Option<PathBuf>,
    /// The processor core to stay on.
    pub core: usize,
    /// Another program that is run, for command lines.
    pub program: Option<PathBuf>,
}

/// What is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Rules are evaluated; what matched is handed over.
    Findings,
    /// Every event is given out again, tagged where rules matched.
    Tag,
    /// Events that rules matched are given out, tagged.
    Filter,
    /// Rules are evaluated and only counted.
    Counts,
    /// Events are read, and nothing is done with them.
    Parse,
}

/// The first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Rules that were loaded.
    pub rules: u64,
    /// Why it cannot do this job; then no pass follows.
    pub refused: Option<String>,
    /// What a reader of the table should know.
    pub notes: Vec<String>,
    /// Size of the module, where there is one.
    #[serde(default)]
    pub module_bytes: Option<u64>,
    /// The folder of its sources, where what is measured comes from this project: figures belong to a commit.
    #[serde(default)]
    pub built_from: Option<PathBuf>,
}

/// The answer to `pass`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// What it came to.
    pub tally: Tally,
    /// CPU seconds of the process, threads and children included, or of the part that is measured.
    pub cpu_seconds: f64,
    /// CPU seconds of the calling thread alone.
    pub thread_seconds: f64,
    /// Seconds on the clock.
    pub wall_seconds: f64,
    /// Most memory so far, less the data that is held for the measurement alone.
    pub rss_bytes: u64,
}

/// What one pass came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Events that were read.
    pub events: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that were given out.
    pub output_bytes: u64,
    /// Events matched, by the id of the rule; rules without a match may be left out.
    pub matches: BTreeMap<String, u64>,
    /// Alerts of correlations.
    pub alerts: u64,
    /// CPU and clock seconds, where not the whole pass is what counts.
    pub measured: Option<(f64, f64)>,
    /// Most memory, where other processes did the work.
    pub rss_bytes: Option<u64>,
}

impl Tally {
    /// Matches of all rules.
    pub fn matched(&self) -> u64 {
        self.matches.values().sum()
    }
}

/// Something that is compared.
pub trait Contestant {
    /// Whether the data is to be held in memory. Else a pass gets none and reads the file by itself.
    fn holds_data(&self) -> bool {
        true
    }

    /// How many rules were loaded, and what a reader should know.
    fn ready(&self) -> Ready;

    /// Goes back to the beginning, before every pass; not measured.
    fn renew(&mut self) -> Result<()> {
        Ok(())
    }

    /// Goes over all the data once; this is measured.
    fn pass(&mut self, data: &[u8]) -> Result<()>;

    /// What the last pass came to; not measured.
    fn tally(&mut self) -> Result<Tally>;
}

impl Ready {
    /// Ready with so many rules.
    pub fn with_rules(rules: usize) -> Ready {
        Ready { rules: rules as u64, refused: None, notes: Vec::new(), module_bytes: None, built_from: None }
    }

    /// With the size of its module.
    pub fn of_module(self, bytes: u64) -> Ready {
        Ready { module_bytes: Some(bytes), ..self.noting(format!("component of {bytes} bytes")) }
    }

    /// With a note for the reader.
    pub fn noting(mut self, note: impl Into<String>) -> Ready {
        self.notes.push(note.into());
        self
    }
}

/// The rules of a folder, in order of their names.
pub fn rule_files(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        found.push(entry?.path());
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    found.sort();
    Ok(found)
}
