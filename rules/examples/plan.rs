//! Rules to the bytes of a plan, without the sandbox around it; for measurements of the engine alone.
//!
//!     cargo run -p tripwasm-rules --example plan -- OUT RULE.yml|pack.yml|--config FILE|--detections ...
//!
//! `--detections` leaves correlations out: of every rule file the first document counts.

use std::error::Error;
use tripwasm_rules::{OnError, SourceFile, compile};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: OUT FILE...")?;
    let (mut rules, mut packs, mut config, mut detections) = (Vec::new(), Vec::new(), None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--config" => config = Some(source(&arguments.next().ok_or("--config needs a file")?)?),
            "--detections" => detections = true,
            path if path.ends_with("pack.yml") => packs.push(source(path)?),
            path => rules.push(source(path)?),
        }
    }
    if detections {
        for rule in &mut rules {
            let end = rule.text.find("\n---\n").map_or(rule.text.len(), |at| at + 1);
            rule.text.truncate(end);
        }
    }
    let compiled = compile(&rules, &packs, config.as_ref(), OnError::Refuse);
    let Some(plan) = compiled.plan else {
        compiled.diagnostics.iter().for_each(|diagnostic| eprintln!("{diagnostic}"));
        return Err("the rules do not compile".into());
    };
    std::fs::write(&out, tripwasm_plan::encode(&plan))?;
    Ok(())
}

fn source(path: &str) -> Result<SourceFile, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(SourceFile { path: path.to_owned(), text })
}
