//! A real Fluent Bit, given by the environment variable `FLUENT_BIT`, with the configuration that the project ships.

use crate::module;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tripwasm_tests::corpus::project;
use tripwasm_tests::rules::compile_text;

/// Runs a shipped configuration over an input file, and gives back what comes out, a record each.
fn run(program: &Path, configuration: &str, input: &str) -> Vec<Value> {
    let folder = std::env::temp_dir().join(format!("tripwasm-{configuration}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let shipped = project().join("pipelines/fluent-bit");
    for file in ["parsers.conf", "split.lua"] {
        std::fs::copy(shipped.join(file), folder.join(file)).unwrap();
    }
    let text = std::fs::read_to_string(shipped.join(configuration)).unwrap();
    // The test ends with its file; a pipeline does not.
    let text = text.replace("Read_from_Head   true", "Read_from_Head   true\n    Exit_On_Eof      true");
    std::fs::write(folder.join(configuration), text).unwrap();
    std::fs::write(folder.join("cloudtrail.wasm"), module(&compile_text(crate::RULES, None).unwrap()))
        .unwrap();
    std::fs::create_dir_all(folder.join("in")).unwrap();
    std::fs::write(folder.join("in/events.json"), input).unwrap();
    let status = Command::new(program).arg("-c").arg(configuration).current_dir(&folder).status().unwrap();
    assert!(status.success(), "Fluent Bit ended with {status}");
    let output = std::fs::read_to_string(folder.join("out.ndjson")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_real_fluent_bit_tags_and_loses_nothing() {
    let Some(program) = std::env::var_os("FLUENT_BIT").map(PathBuf::from) else {
        println!("skipped: FLUENT_BIT names no Fluent Bit of 4.2.0 or later");
        return;
    };
    let names = ["GetObject", "StopLogging", "Ping"];
    let record = |number: usize| {
        let filler = "x".repeat(if number == 500 { 200_000 } else { 1_000 });
        format!(r#"{{"eventName":"{}","number":{number},"filler":"{filler}"}}"#, names[number % 3])
    };
    let all: Vec<String> = (0..999).map(record).collect();
    let inputs = [
        ("fluent-bit.conf", all.join("\n") + "\n"),
        ("records.conf", format!("{{\"Records\":[{}]}}\n", all.join(","))),
    ];
    for (configuration, input) in inputs {
        let out = run(&program, configuration, &input);
        assert_eq!(out.len(), 666, "a third is dropped by a rule, with {configuration}");
        let tagged = out.iter().filter(|record| record["tripwasm"][0]["name"] == "stopped");
        assert_eq!(tagged.count(), 333, "{configuration}");
        let untagged = out.iter().filter(|record| record.get("tripwasm").is_none());
        assert_eq!(untagged.count(), 333, "{configuration}");
    }
}
