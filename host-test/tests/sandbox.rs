//! Finished modules are closed, and a trap costs one batch its verdicts.

use std::process::Command;

use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Detector, DetectorError, DetectorOptions, Module, Runtime, RuntimeOptions};
use tripwasm_plan::Plan;
use tripwasm_rules::{OnError, SourceFile, compile};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasmparser::{ExternalKind, FunctionBody, Parser, Payload};

const RULE: &str = "
title: Logging stopped
name: stop_logging
logsource: { product: aws, service: cloudtrail }
detection:
  selection: { eventName: StopLogging }
  condition: selection
";

const HIT: &[u8] = b"{\"eventName\":\"StopLogging\"}\n";

fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions { cache: CompileCache::Off }).unwrap()
}

fn plan() -> Plan {
    let rule = SourceFile { path: "rule.yml".to_owned(), text: RULE.to_owned() };
    let compiled = compile(&[rule], &[], None, OnError::Refuse);
    compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

/// Counted by the engine, not by our own check.
fn imports(target: Target, module: &[u8]) -> usize {
    let engine = wasmtime::Engine::default();
    match target {
        Target::Component => {
            let component = wasmtime::component::Component::new(&engine, module).unwrap();
            component.component_type().imports(&engine).count()
        }
        Target::Core | Target::FluentBit => wasmtime::Module::new(&engine, module).unwrap().imports().count(),
    }
}

#[test]
fn modules_are_closed_and_the_same_every_time() {
    for target in [Target::Component, Target::Core] {
        let module = build(&runtime(), &plan(), target, Carried::Nothing).unwrap();
        assert!(module == build(&runtime(), &plan(), target, Carried::Nothing).unwrap(), "{target:?}");
        let mut exports = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            if let Payload::ExportSection(section) = payload.unwrap() {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
        }
        assert!(exports.iter().any(|name| name.ends_with("#evaluate")), "{exports:?}");
        assert!(!exports.iter().any(|name| name.starts_with("bake")), "{exports:?}");
        assert_eq!(imports(target, &module), 0, "{target:?}");
        let loaded = Module::load(&runtime(), &module).unwrap();
        assert_eq!(loaded.info().rules.len(), 1);
    }
}

#[test]
fn a_module_over_its_memory_limit_traps_and_goes_on() {
    let runtime = runtime();
    let module = build(&runtime, &plan(), Target::Component, Carried::Nothing).unwrap();
    let module = Module::load(&runtime, &module).unwrap();
    let mut options = DetectorOptions::of(&module);
    options.memory_bytes_max = 16 << 20;
    let mut detector = Detector::new(&module, options).unwrap();
    assert_eq!(detector.evaluate(HIT, 0, None).unwrap().matches.len(), 1);
    let too_much = HIT.repeat((32 << 20) / HIT.len());
    match detector.evaluate(&too_much, 1, None) {
        Err(DetectorError::Trapped(trapped)) => assert!(trapped.reason.contains("16 MiB"), "{trapped}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(detector.evaluate(HIT, 2, None).unwrap().matches.len(), 1);
    assert_eq!(detector.traps(), 1);
    assert_eq!(detector.statistics().rules[0].matched, 2, "counts outlive the instance");
}

/// Makes some functions trap.
struct Trapping {
    functions: Vec<u32>,
    next: u32,
}

impl Reencode for Trapping {
    type Error = std::convert::Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let index = self.next;
        self.next += 1;
        if self.functions.contains(&index) {
            let mut trap = wasm_encoder::Function::new([]);
            trap.instructions().unreachable().end();
            code.function(&trap);
            return Ok(());
        }
        utils::parse_function_body(self, code, body)
    }
}

fn trapping(core: &[u8]) -> Vec<u8> {
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(core) {
        if let Payload::ExportSection(exports) = payload.unwrap() {
            for export in exports {
                let export = export.unwrap();
                let traps = ["#evaluate", "#transform"].iter().any(|name| export.name.ends_with(name));
                if export.kind == ExternalKind::Func && traps && !export.name.starts_with("cabi_post") {
                    functions.push(export.index);
                }
            }
        }
    }
    assert_eq!(functions.len(), 2);
    let mut module = wasm_encoder::Module::new();
    Trapping { functions, next: 0 }.parse_core_module(&mut module, Parser::new(0), core).unwrap();
    module.finish()
}

#[test]
fn batches_pass_through_a_module_that_traps() {
    let core = build(&runtime(), &plan(), Target::Core, Carried::Nothing).unwrap();
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::write(directory.path().join("trap.wasm"), trapping(&core)).unwrap();
    let input = HIT.repeat(1000);
    std::fs::write(directory.path().join("input"), &input).unwrap();
    for threads in ["1", "8"] {
        let output = Command::new(env!("CARGO_BIN_EXE_tripwasm"))
            .current_dir(directory.path())
            .args([
                "run",
                "trap.wasm",
                "input",
                "--no-cache",
                "--batch-bytes",
                "10000",
                "--report",
                "report.json",
                "--threads",
                threads,
            ])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{message}");
        assert!(output.stdout == input, "bytes were changed");
        assert!(message.contains("trapped in transform"), "{message}");
        let report = std::fs::read(directory.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert!(report["traps"].as_u64() > Some(1), "{report}");
        assert_eq!(report["events"], 1000);
    }
}
