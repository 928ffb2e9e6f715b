//! Case files: rules, events, and what has to come out.

mod input;

pub use input::lines;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tripwasm_plan::{Plan, Settings};
use tripwasm_rules::quantity::duration_ms;

use crate::engines::LATENESS_UNBOUNDED_MS;

/// A file of `cases/`: cases that share their rules, and rule sets to build.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Sigma documents.
    #[serde(default)]
    pub rules: String,
    /// What `--config` would be given.
    #[serde(default)]
    pub config: Option<String>,
    /// What comes out of the rules.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// What the compiler says about other rules.
    #[serde(default)]
    pub builds: Vec<Build>,
}

/// One input and its outcome.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows; unique in its file.
    pub name: String,
    /// How late an event may come, such as `20m`. With it the case runs on the engines that have a watermark; without it
    /// no event is late.
    #[serde(default)]
    pub lateness: Option<String>,
    /// When learning began, in milliseconds since 1970; without it that is each rule's earliest event.
    #[serde(default)]
    pub learn_from: Option<i64>,
    /// Events fed to baselines before all others. With them the case runs on the engines that have a watermark.
    #[serde(default)]
    pub history: Vec<Value>,
    /// The input, a line each; see [`lines`] for the forms of an element.
    pub events: Vec<Value>,
    /// All that comes out.
    #[serde(default)]
    pub expect: Expect,
}

impl Case {
    /// Whether it is about what an engine does while events arrive, which the reference knows nothing of.
    pub fn is_about_arrival(&self) -> bool {
        self.lateness.is_some() || !self.history.is_empty()
    }

    /// The plan's settings, as the case changes them.
    pub fn settings(&self, plan: &Plan) -> Result<Settings> {
        let mut settings = plan.settings;
        settings.lateness_ms = match &self.lateness {
            Some(text) => duration_ms(text)?,
            None => LATENESS_UNBOUNDED_MS,
        };
        settings.learn_from = self.learn_from.or(settings.learn_from);
        Ok(settings)
    }
}

/// A rule set and what the compiler says about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What it shows; unique in its file.
    pub name: String,
    /// Sigma documents.
    pub rules: String,
    /// What `--config` would be given.
    #[serde(default)]
    pub config: Option<String>,
    /// Errors, all of them; without any the rules are built.
    #[serde(default)]
    pub refused: Vec<Message>,
    /// Warnings that there have to be.
    #[serde(default)]
    pub warned: Vec<Message>,
}

/// A message of the compiler.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The 1-based line it is about.
    pub line: u32,
    /// What stands in it, or in its remedy.
    pub says: String,
}

/// All that comes out of a case; what is not mentioned does not come out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Positions of the events that each reported rule matches, by the rule's label.
    #[serde(default)]
    pub matches: BTreeMap<String, Vec<u64>>,
    /// Positions of remarkable lines, by the reason in the words of the contract.
    #[serde(default)]
    pub rejected: BTreeMap<String, Vec<u64>>,
    /// Closed alerts in order of (rule, group, start of the window).
    #[serde(default)]
    pub alerts: Vec<ExpectedAlert>,
    /// Positions of the events that opened alerts, by the correlation's label; if it stands there, all of them.
    #[serde(default)]
    pub opened: Option<BTreeMap<String, Vec<u64>>>,
    /// What an engine with a watermark counts, by the rule's label; only what is mentioned is compared.
    #[serde(default)]
    pub counts: BTreeMap<String, ExpectedCounts>,
}

/// Counts of a rule; what is not mentioned may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCounts {
    /// Events that the rule matched; alerts closed, if it is a correlation.
    pub matched: Option<u64>,
    /// Events behind the watermark.
    pub late: Option<u64>,
    /// Events that joined no group.
    pub ungrouped: Option<u64>,
    /// Duplicates that entered no window.
    pub duplicate: Option<u64>,
}

/// A closed alert; what is not mentioned may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlert {
    /// Label of the correlation.
    pub rule: String,
    /// How many events.
    pub count: Option<u64>,
    /// Group-by values by field.
    pub group: Option<BTreeMap<String, String>>,
    /// Time of the earliest event.
    pub first: Option<String>,
    /// Time of the latest event.
    pub last: Option<String>,
    /// Both ends of the window.
    pub window: Option<ExpectedWindow>,
    /// Listed values by field.
    pub values: Option<BTreeMap<String, Vec<String>>>,
    /// Numbers of distinct values by field.
    pub distinct: Option<BTreeMap<String, u64>>,
    /// Positions of the events.
    pub events: Option<Vec<u64>>,
    /// The sum, average, percentile or median, as a decimal number.
    pub measured: Option<String>,
    /// How many events its figures may lack.
    pub uncounted: Option<u64>,
    /// Whether a list was cut.
    pub truncated: Option<bool>,
}

/// A window's ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedWindow {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
}

/// Every case file below a directory, in order of path.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let found = crate::rules::below(directory)?;
    let is_case = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "yml");
    match found.iter().find(|path| !is_case(path)) {
        Some(path) => bail!("{} is no case file: name it *.yml or move it away", path.display()),
        None => Ok(found),
    }
}

/// Reads a case file.
pub fn read(path: &Path) -> Result<CaseFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    // Case files are YAML 1.2, as rules are: `y` is a text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let file = serde_saphyr::from_str_with_options(&text, options);
    let file: CaseFile = file.with_context(|| format!("in {}", path.display()))?;
    let cases = file.cases.iter().map(|case| case.name.as_str());
    let mut names: Vec<&str> = cases.chain(file.builds.iter().map(|build| build.name.as_str())).collect();
    names.sort_unstable();
    if names.is_empty() || names.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("{}: cases need to be there, under names of their own", path.display());
    }
    Ok(file)
}
