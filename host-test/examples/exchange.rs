//! Another module in the place of one that runs, its windows kept: `cargo run --example exchange -- old.wasm new.wasm events.ndjson`
//!
//! Half of the events go to the old module, half to the new one. Windows of rules that both have close with all events
//! in them; what rules that are gone had gathered is named.

use std::fs;

use tripwasm::finding::FindingFormat;
use tripwasm::{Detector, DetectorError, DetectorOptions, Module, Runtime, RuntimeOptions, StateProblem};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [old, new, events] = &arguments[..] else {
        return Err("three files, please: exchange old.wasm new.wasm events.ndjson".into());
    };
    let runtime = Runtime::new(RuntimeOptions::default())?;
    let old = Module::load_file(&runtime, old)?;
    let mut detector = Detector::new(&old, DetectorOptions::of(&old))?;
    let events = fs::read(events)?;
    let middle = events.len() / 2;
    let cut = events[..middle].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let (first, second) = events.split_at(cut);
    detector.evaluate(first, 0, None)?;

    let new = Module::load_file(&runtime, new)?;
    match detector.swap(&new, DetectorOptions::of(&new)) {
        Ok(lost) => {
            for lost in lost {
                eprintln!("{} is gone or was changed: {} groups are dropped", lost.rule, lost.groups);
            }
        }
        // The old one runs on as if nothing had been tried.
        Err(DetectorError::State(StateProblem::OtherVersion)) => {
            eprintln!("{} was built by another version of tripwasm: the old module runs on", arguments[1]);
        }
        Err(error) => return Err(error.into()),
    }

    let lines = first.iter().filter(|&&byte| byte == b'\n').count();
    detector.evaluate(second, lines as u64, None)?;
    let format = FindingFormat::new(new.info())?;
    let mut line = Vec::new();
    for alert in detector.close(i64::MAX)? {
        format.push_alert(&mut line, &alert)?;
    }
    print!("{}", String::from_utf8_lossy(&line));
    Ok(())
}
