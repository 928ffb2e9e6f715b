//! Writes the conformance cases for packages in other languages: the built modules, the batches, and what the component
//! says to them in this project's own host. Each package runs the same batches and has to say the same.
//!
//! `cargo run -p tripwasm-tests --example export_cases -- FOLDER`

mod trapping;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tripwasm::bindings::detector::{
    AlertFinding, Duplicates, Mode, Options, Remark, RuleCounts, VerdictAction,
};
use tripwasm::build::{Carried, Target, build};
use tripwasm::finding::{FindingFormat, reason_text};
use tripwasm::{CompileCache, Detector, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_tests::case::{CaseFile, files, lines, read};
use tripwasm_tests::engines::{batches, wit_options, with_positions};
use tripwasm_tests::rules::{compile_pack, compile_text};

const MODES: [(&str, Mode); 3] = [("tag", Mode::Tag), ("filter", Mode::Filter), ("drop", Mode::Drop)];

fn main() -> Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        bail!("usage: export_cases FOLDER, which is written anew");
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut export = Export::begin(folder)?;
    for path in files(&directory)? {
        let topic = path.strip_prefix(&directory).unwrap_or(&path).with_extension("").display().to_string();
        export.file(&topic, &read(&path)?).with_context(|| format!("exporting {}", path.display()))?;
    }
    export.named_modules()?;
    let count = export.finish()?;
    println!("{count} cases");
    Ok(())
}

/// The folder that is written: `cases.ndjson`, a case a line, and beside it the bytes that cases name.
struct Export {
    runtime: Runtime,
    folder: PathBuf,
    /// Names of files by what is in them: many cases share their rules or their results.
    written: HashMap<Vec<u8>, String>,
    cases: Vec<Value>,
}

impl Export {
    fn begin(folder: PathBuf) -> Result<Self> {
        // What an earlier export left behind would be taken for a part of this one.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::PerUser })?;
        Ok(Export { runtime, folder, written: HashMap::new(), cases: Vec::new() })
    }

    fn file(&mut self, topic: &str, file: &CaseFile) -> Result<()> {
        if file.cases.is_empty() {
            return Ok(());
        }
        let plan = compile_text(&file.rules, file.config.as_deref())?;
        let component = build(&self.runtime, &plan, Target::Component, Carried::Nothing)?;
        let core = build(&self.runtime, &plan, Target::Core, Carried::Nothing)?;
        let module = Module::load(&self.runtime, &component)?;
        let (component, core) = (self.bytes(&component, "component.wasm")?, self.bytes(&core, "core.wasm")?);
        for case in &file.cases {
            let mut options = DetectorOptions::of(&module);
            options.options = wit_options(case.settings(&plan)?);
            let (history, input) = (lines(&case.history)?, lines(&case.events)?);
            let start = Start { module: &module, options, history: &history };
            let mut runs = Vec::new();
            for batch_bytes in [1, usize::MAX] {
                runs.push(self.run(&start, &batches(&input, batch_bytes)).context(case.name.clone())?);
            }
            let exported = json!({
                "name": format!("{topic}: {}", case.name),
                "component": component,
                "core": core,
                "options": options_json(&options.options),
                "history": self.bytes(&history, "ndjson")?,
                "input": self.bytes(&input, "ndjson")?,
                "runs": runs,
            });
            self.cases.push(exported);
        }
        Ok(())
    }

    /// What the component says when the input arrives in these batches.
    fn run(&mut self, start: &Start<'_>, batches: &[&[u8]]) -> Result<Value> {
        let lengths: Vec<usize> = batches.iter().map(|batch| batch.len()).collect();
        let mut run = json!({ "batches": lengths, "evaluate": self.evaluated(start, batches)? });
        for (name, mode) in MODES {
            run[name] = self.transformed(start, batches, mode)?;
        }
        Ok(run)
    }

    fn evaluated(&mut self, start: &Start<'_>, batches: &[&[u8]]) -> Result<Value> {
        let mut detector = start.detector()?;
        let mut said = Said::new(start.module)?;
        let mut verdicts = Vec::new();
        for (batch, first_event) in with_positions(batches) {
            let report = detector.evaluate(batch, first_event, None)?;
            said.format.push_matches(&mut said.findings, &report, "case");
            for verdict in &report.verdicts {
                let action = match verdict.action {
                    VerdictAction::Tag => "tag",
                    VerdictAction::Drop => "drop",
                };
                verdicts.push(json!([verdict.event, action]));
            }
            said.batch(&report.alerts, &report.remarks)?;
        }
        let snapshot = self.bytes(&detector.snapshot()?, "state")?;
        said.batch(&detector.close(i64::MAX)?, &[])?;
        let counts: Vec<Value> = detector.statistics().rules.iter().map(counts_json).collect();
        Ok(json!({
            "findings": self.bytes(&said.findings, "ndjson")?,
            "opened_by": said.opened_by,
            "remarks": said.remarks,
            "verdicts": verdicts,
            "snapshot": snapshot,
            "counts": counts,
        }))
    }

    fn transformed(&mut self, start: &Start<'_>, batches: &[&[u8]], mode: Mode) -> Result<Value> {
        let mut detector = start.detector()?;
        let mut said = Said::new(start.module)?;
        let (mut events, mut tagged, mut removed) = (Vec::new(), 0, 0);
        for (batch, first_event) in with_positions(batches) {
            let output = detector.transform(batch, first_event, None, mode)?;
            events.extend_from_slice(&output.events);
            tagged += output.tagged;
            removed += output.removed;
            said.batch(&output.alerts, &output.remarks)?;
        }
        said.batch(&detector.close(i64::MAX)?, &[])?;
        Ok(json!({
            "events": self.bytes(&events, "ndjson")?,
            "alerts": self.bytes(&said.findings, "ndjson")?,
            "remarks": said.remarks,
            "tagged": tagged,
            "removed": removed,
        }))
    }

    /// Writes bytes unless they are there; returns the name of their file.
    fn bytes(&mut self, bytes: &[u8], ending: &str) -> Result<String> {
        if let Some(name) = self.written.get(bytes) {
            return Ok(name.clone());
        }
        let name = format!("{:04}.{ending}", self.written.len());
        std::fs::write(self.folder.join(&name), bytes).with_context(|| format!("writing {name}"))?;
        self.written.insert(bytes.to_vec(), name.clone());
        Ok(name)
    }

    /// Modules that packages are tried with beside the cases: the rule pack in every form, and one that traps.
    fn named_modules(&self) -> Result<()> {
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/cloudtrail");
        let plan = compile_pack(&pack, None)?;
        let built = |target| build(&self.runtime, &plan, target, Carried::Nothing);
        let core = built(Target::Core)?;
        let modules = [
            ("pack.component.wasm", built(Target::Component)?),
            ("pack.fluent-bit.wasm", built(Target::FluentBit)?),
            ("trap.core.wasm", trapping::trapping(&core)?),
            ("pack.core.wasm", core),
        ];
        for (name, module) in modules {
            std::fs::write(self.folder.join(name), module).with_context(|| format!("writing {name}"))?;
        }
        Ok(())
    }

    /// The list of cases comes last: a folder that has it is whole.
    fn finish(self) -> Result<usize> {
        let lines: String = self.cases.iter().map(|case| format!("{case}\n")).collect();
        std::fs::write(self.folder.join("cases.ndjson"), lines).context("writing cases.ndjson")?;
        Ok(self.cases.len())
    }
}

/// What every run of a case begins with.
struct Start<'a> {
    module: &'a Module,
    options: DetectorOptions,
    history: &'a [u8],
}

impl Start<'_> {
    fn detector(&self) -> Result<Detector> {
        let mut detector = Detector::new(self.module, self.options)?;
        if !self.history.is_empty() {
            detector.learn(self.history)?;
        }
        Ok(detector)
    }
}

/// What batches had in common to say.
struct Said {
    format: FindingFormat,
    /// As `tripwasm run --mode findings` writes them.
    findings: Vec<u8>,
    /// Of the alerts among them, which the format leaves out.
    opened_by: Vec<Option<u64>>,
    remarks: Vec<Value>,
}

impl Said {
    fn new(module: &Module) -> Result<Self> {
        let format = FindingFormat::new(module.info())?;
        Ok(Said { format, findings: Vec::new(), opened_by: Vec::new(), remarks: Vec::new() })
    }

    fn batch(&mut self, alerts: &[AlertFinding], remarks: &[Remark]) -> Result<()> {
        for alert in alerts {
            self.format.push_alert(&mut self.findings, alert)?;
            self.opened_by.push(alert.opened_by);
        }
        let remarks = remarks.iter().map(|remark| json!([remark.event, reason_text(remark.reason)]));
        self.remarks.extend(remarks);
        Ok(())
    }
}

fn options_json(options: &Options) -> Value {
    json!({
        "lateness_ms": options.lateness_ms,
        "duplicates": match options.duplicates {
            Duplicates::Once => "once",
            Duplicates::Count => "count",
        },
        "state_bytes_max": options.state_bytes_max,
        "learn_from": options.learn_from,
    })
}

fn counts_json(counts: &RuleCounts) -> Value {
    json!({
        "matched": counts.matched,
        "late": counts.late,
        "ungrouped": counts.ungrouped,
        "duplicate": counts.duplicate,
        "refused": counts.refused,
        "evicted": counts.evicted,
        "groups": counts.groups,
    })
}
