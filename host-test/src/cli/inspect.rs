//! `tripwasm inspect`

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tripwasm::bindings::detector::{Duplicates, RuleInfo, RuleKind};
use tripwasm::finding::{label, level_text};
use tripwasm::{FILTER_FUNCTION, Filter, Module, Runtime, RuntimeOptions, is_filter};

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  tripwasm inspect cloudtrail.wasm
  tripwasm inspect cloudtrail.wasm --json | jq .rules";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A module that `tripwasm build` wrote
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// Print one JSON object, with the rules' text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let path = arguments.module.display();
    let wasm = fs::read(&arguments.module).with_context(|| format!("cannot read {path}"))?;
    if is_filter(&wasm) {
        let text = for_fluent_bit(&path.to_string(), &wasm, arguments.json)?;
        std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
        return Ok(Outcome::Done);
    }
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let module = Module::load(&runtime, &wasm).with_context(|| path.to_string())?;
    let text = if arguments.json { as_json(&module)? } else { as_text(&path.to_string(), &module)? };
    std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
    Ok(Outcome::Done)
}

/// What can be told of a module that only Fluent Bit runs: its shape, and the text of its rules if it carries that.
fn for_fluent_bit(path: &str, wasm: &[u8], json: bool) -> anyhow::Result<String> {
    let Filter { sha256, imports, exports, rule_texts } = Filter::read(wasm)?;
    if json {
        let object = json!({
            "sha256": sha256, "bytes": wasm.len(), "target": "fluent-bit",
            "imports": imports, "exports": exports, "source": rule_texts,
        });
        return Ok(serde_json::to_string_pretty(&object)? + "\n");
    }
    let mut text = format!("{path}\n  sha256    {sha256}\n  size      {} bytes\n", wasm.len());
    writeln!(text, "  target    Fluent Bit's filter wasm, Function_Name {FILTER_FUNCTION}")?;
    writeln!(
        text,
        "  imports   {}",
        if imports.is_empty() { "none".to_owned() } else { imports.join(", ") }
    )?;
    writeln!(text, "  exports   {}", exports.join(", "))?;
    match rule_texts {
        Some(texts) => {
            writeln!(text, "  rules     of {} files", texts.rules.len())?;
            texts.rules.iter().try_for_each(|file| writeln!(text, "    {}", file.path))?;
        }
        None => writeln!(text, "  rules     not carried (stripped)")?,
    }
    Ok(text)
}

fn as_text(path: &str, module: &Module) -> anyhow::Result<String> {
    let info = module.info();
    let mut text = String::new();
    writeln!(text, "{path}")?;
    writeln!(text, "  sha256    {}", module.sha256())?;
    writeln!(text, "  size      {} bytes", module.bytes())?;
    writeln!(text, "  engine    {}", info.version)?;
    writeln!(
        text,
        "  imports   {}",
        if module.imports().is_empty() { "none".to_owned() } else { module.imports().join(", ") }
    )?;
    writeln!(text, "  exports   {}", module.exports().join(", "))?;
    writeln!(
        text,
        "  limits    event {} bytes, depth {}, alert {} events, state {} bytes",
        info.limits.event_bytes_max,
        info.limits.nesting_depth_max,
        info.limits.alert_events_max,
        info.options.state_bytes_max
    )?;
    writeln!(
        text,
        "  options   lateness {} s, duplicates {}",
        info.options.lateness_ms / 1000,
        duplicates_text(info.options.duplicates)
    )?;
    let tests = module.tests()?.map_or("none carried (stripped)".to_owned(), |tests| tests.len().to_string());
    writeln!(text, "  tests     {tests}")?;
    writeln!(text, "  fields    {}", info.fields.join(", "))?;
    writeln!(text, "  rules     {}", info.rules.len())?;
    for rule in &info.rules {
        let level = rule.level.map_or("-", level_text);
        let size = rule.group_bytes_max.map_or(String::new(), |bytes| format!("  ({bytes} bytes a group)"));
        writeln!(text, "    {}  [{}, {level}]  {}{size}", label(rule), kind_text(rule.kind), rule.title)?;
    }
    Ok(text)
}

fn as_json(module: &Module) -> anyhow::Result<String> {
    let info = module.info();
    let object = json!({
        "sha256": module.sha256(),
        "bytes": module.bytes(),
        "version": info.version,
        "imports": module.imports(),
        "exports": module.exports(),
        "limits": {
            "event_bytes_max": info.limits.event_bytes_max,
            "nesting_depth_max": info.limits.nesting_depth_max,
            "alert_events_max": info.limits.alert_events_max,
            "jump_events_min": info.limits.jump_events_min,
        },
        "options": {
            "lateness_ms": info.options.lateness_ms,
            "duplicates": duplicates_text(info.options.duplicates),
            "state_bytes_max": info.options.state_bytes_max,
            "learn_from": info.options.learn_from.and_then(tripwasm::rfc3339),
        },
        "levels": info.levels,
        "fields": info.fields,
        "rules": info.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "tests": module.tests()?.map(|tests| tests.len()),
        "source": module.rule_texts()?,
    });
    Ok(serde_json::to_string_pretty(&object)? + "\n")
}

fn rule_json(rule: &RuleInfo) -> serde_json::Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "level": rule.level.map(level_text),
        "tags": rule.tags,
        "author": rule.author,
        "kind": kind_text(rule.kind),
        "reported": rule.reported,
        "group_bytes_max": rule.group_bytes_max,
    })
}

fn kind_text(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Detection => "detection",
        RuleKind::Correlation => "correlation",
    }
}

fn duplicates_text(duplicates: Duplicates) -> &'static str {
    match duplicates {
        Duplicates::Once => "once",
        Duplicates::Count => "count",
    }
}
