//! The main job on a small sample: rules in, component out, events tagged.

use crate::process::{cargo, install_target, target_dir, visibly};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Builds the command line tool, the pack, and tags `xtask/sample/cloudtrail.ndjson`.
pub(crate) fn demo(root: &Path) -> Result<()> {
    install_target(root)?;
    visibly(cargo(root).args(["build", "--package", "tripwasm"]))?;
    let tool = target_dir(root).join("debug").join("tripwasm");
    let folder = target_dir(root).join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let module = folder.join("cloudtrail.wasm");
    let tagged = folder.join("tagged.ndjson");
    visibly(Command::new(&tool).current_dir(root).args(["build", "rules/cloudtrail", "-o"]).arg(&module))?;
    visibly(Command::new(&tool).current_dir(root).arg("inspect").arg(&module))?;
    let output =
        std::fs::File::create(&tagged).with_context(|| format!("cannot write {}", tagged.display()))?;
    let mut run = Command::new(&tool);
    run.current_dir(root).arg("run").arg(&module).args(["xtask/sample/cloudtrail.ndjson", "--alerts", "-"]);
    visibly(run.stdout(output))?;
    show(&tagged)
}

/// Prints the tagged events: what was spliced in, behind the event's own name.
fn show(tagged: &Path) -> Result<()> {
    let text =
        std::fs::read_to_string(tagged).with_context(|| format!("cannot read {}", tagged.display()))?;
    println!("\nThe sample's events, with what the rules spliced in (whole events: {}):", tagged.display());
    for (number, line) in text.lines().enumerate() {
        let name = between(line, "\"eventName\":\"", "\"").unwrap_or("?");
        let tags = line.rfind(",\"tripwasm\":").and_then(|at| line.get(at + 1..line.len() - 1));
        println!("{number:>3}  {name:<32} {}", tags.unwrap_or("-"));
    }
    Ok(())
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}
