//! Command lines, as a user runs them: from the start of the process to its end, output thrown away.

use anyhow::{Context as _, Result, bail, ensure};
use bench_protocol::{Contestant, Job, Ready, Tally, Work, children_seconds, gzipped, rule_files, serve};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

struct CommandLine {
    program: PathBuf,
    arguments: Vec<String>,
    rules: usize,
    /// What it finds in the data, counted beforehand from what it prints.
    found: Tally,
    /// CPU seconds, clock seconds and memory of the last pass.
    spent: (f64, f64, u64),
}

impl Contestant for CommandLine {
    fn holds_data(&self) -> bool {
        false
    }

    fn ready(&self) -> Ready {
        Ready::with_rules(self.rules)
    }

    fn pass(&mut self, _: &[u8]) -> Result<()> {
        let (before, _) = children_seconds()?;
        let begin = Instant::now();
        let mut command = Command::new(&self.program);
        let status = command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{} failed ({status})", self.program.display());
        let (after, rss_bytes) = children_seconds()?;
        self.spent = (after - before, begin.elapsed().as_secs_f64(), rss_bytes);
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally> {
        let (cpu, wall, rss_bytes) = self.spent;
        Ok(Tally { measured: Some((cpu, wall)), rss_bytes: Some(rss_bytes), ..self.found.clone() })
    }
}

fn prepare(job: &Job) -> Result<CommandLine> {
    let program =
        job.program.clone().with_context(|| format!("there is no program for `{}`", job.variant))?;
    let folder = job.rules.as_deref().context("it needs rules")?;
    let data = std::fs::read(&job.data)?;
    let events = data.iter().filter(|&&byte| byte == b'\n').count() as u64;
    let found = Tally { events, bytes: data.len() as u64, ..Tally::default() };
    drop(data);
    match job.variant.as_str() {
        "tripwasm" => tripwasm(program, folder, job, &job.data, found),
        "tripwasm-gzip" => tripwasm(program, folder, job, &gzipped(&job.data)?, found),
        "tripwasm-build" => tripwasm_build(program, folder),
        "tripwasm-start" => tripwasm_start(program, folder, job),
        "rsigma" => rsigma(program, folder, job, found),
        other => bail!("no command line `{other}` here"),
    }
}

fn rsigma(program: PathBuf, folder: &Path, job: &Job, mut found: Tally) -> Result<CommandLine> {
    let words = ["engine", "eval", "--quiet", "--output-format", "ndjson", "-r"];
    let mut arguments: Vec<String> = words.map(str::to_owned).to_vec();
    arguments.extend([folder.display().to_string(), "-e".to_owned(), format!("@{}", job.data.display())]);
    let printed = printed(&program, &arguments)?;
    found.output_bytes = printed.len() as u64;
    for line in printed.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let result: Value =
            serde_json::from_slice(line).context("rsigma printed something else than JSON")?;
        match result["rule_id"].as_str() {
            Some(id) => *found.matches.entry(id.to_owned()).or_default() += 1,
            None => bail!("rsigma printed a result without `rule_id`"),
        }
    }
    Ok(CommandLine { program, arguments, rules: rule_files(folder)?.len(), found, spent: (0.0, 0.0, 0) })
}

/// How a module is built, and where.
fn building(folder: &Path) -> Result<(Vec<String>, String)> {
    let module = folder.with_file_name("cloudtrail.wasm").display().to_string();
    let mut build = ["build", "--keep-going", "--strip", "-o", &module].map(str::to_owned).to_vec();
    for path in rule_files(folder)? {
        if path.file_name().is_some_and(|name| name == "config.yml") {
            build.push("--config".to_owned());
        }
        build.push(path.display().to_string());
    }
    Ok((build, module))
}

/// Builds a module each time; the first time has left the compiled guest in the cache.
fn tripwasm_build(program: PathBuf, folder: &Path) -> Result<CommandLine> {
    let (arguments, _) = building(folder)?;
    printed(&program, &arguments)?;
    let rules = rule_files(folder)?.len();
    Ok(CommandLine { program, arguments, rules, found: Tally::default(), spent: (0.0, 0.0, 0) })
}

/// Starts, reads one event and ends; the first start has left the compiled module in the cache.
fn tripwasm_start(program: PathBuf, folder: &Path, job: &Job) -> Result<CommandLine> {
    let (build, module) = building(folder)?;
    printed(&program, &build)?;
    let event = folder.with_file_name("event.ndjson");
    let mut line = Vec::new();
    BufReader::new(File::open(&job.data)?).read_until(b'\n', &mut line)?;
    std::fs::write(&event, line)?;
    let arguments = ["run", &module, &event.display().to_string(), "--quiet"].map(str::to_owned).to_vec();
    printed(&program, &arguments)?;
    let found = Tally { events: 1, ..Tally::default() };
    Ok(CommandLine { program, arguments, rules: rule_files(folder)?.len(), found, spent: (0.0, 0.0, 0) })
}

fn tripwasm(
    program: PathBuf,
    folder: &Path,
    job: &Job,
    data: &Path,
    mut found: Tally,
) -> Result<CommandLine> {
    let (build, module) = building(folder)?;
    let report = folder.with_file_name("report.json").display().to_string();
    printed(&program, &build)?;
    let mode = match job.work {
        Work::Tag => "tag",
        Work::Filter => "filter",
        Work::Findings | Work::Counts | Work::Parse => "findings",
    };
    let words = ["run", &module, &data.display().to_string(), "--mode", mode, "--quiet"];
    let arguments: Vec<String> = words.map(str::to_owned).to_vec();
    let reporting = [arguments.clone(), vec!["--report".to_owned(), report.clone()]].concat();
    found.output_bytes = printed(&program, &reporting)?.len() as u64;
    let inspected = printed(&program, &["inspect".to_owned(), module, "--json".to_owned()])?;
    let (rules, matches) = matches(&inspected, &std::fs::read(&report)?)?;
    found.matches = matches;
    Ok(CommandLine { program, arguments, rules, found, spent: (0.0, 0.0, 0) })
}

/// Matches by the rules' ids; the report names rules in the order of the module.
fn matches(inspected: &[u8], report: &[u8]) -> Result<(usize, BTreeMap<String, u64>)> {
    let (module, report): (Value, Value) =
        (serde_json::from_slice(inspected)?, serde_json::from_slice(report)?);
    let rules = module["rules"].as_array().context("the module names no rules")?;
    let counts = report["rules"].as_array().context("the report names no rules")?;
    let both = rules.iter().zip(counts).filter_map(|(rule, counted)| {
        let id = rule["id"].as_str().or(rule["title"].as_str())?;
        Some((id.to_owned(), counted["matched"].as_u64()?))
    });
    Ok((rules.len(), both.filter(|(_, matched)| *matched > 0).collect()))
}

fn printed(program: &Path, arguments: &[String]) -> Result<Vec<u8>> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed ({}): {said}", program.display(), output.status);
    Ok(output.stdout)
}

fn main() -> ExitCode {
    serve(prepare)
}
