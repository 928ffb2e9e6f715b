//! Whatever the number of threads, a run writes the same bytes.

mod command;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command::{command, ok, said};
use serde_json::Value;
use tempfile::TempDir;

const RULE: &str = "\
title: CloudTrail logging was stopped
name: stop_logging
logsource: { product: aws, service: cloudtrail }
detection:
  selection: { eventName: StopLogging }
  condition: selection
level: high
";

const WINDOWS: &str = "\
---
title: Logging is stopped again and again
name: stop_again
correlation:
  type: event_count
  rules: [stop_logging]
  group-by: [user]
  timespan: 10m
  condition: { gte: 2 }
  generate: true
";

fn built(rules: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    std::fs::write(path.join("rule.yml"), rules).unwrap();
    ok(&path, &["build", "rule.yml"], b"");
    (directory, path)
}

fn event(number: u64) -> String {
    let name = if number.is_multiple_of(3) { "StopLogging" } else { "StartLogging" };
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        "{{\"eventTime\":\"2023-07-10T11:{minute:02}:{second:02}Z\",\"eventID\":\"e-{number}\",\"eventName\":\"{name}\",\"user\":\"u{}\"}}\n",
        number % 7
    )
}

/// Lines of every kind, one of them longer than is kept in memory whole.
fn input() -> Vec<u8> {
    let mut input: Vec<u8> = Vec::new();
    for number in 0..3000 {
        input.extend_from_slice(event(number).as_bytes());
        match number {
            700 => input.extend_from_slice(b"\n{\"cut\n[1]\n\xff\xfe\n"),
            1500 => {
                input.extend(std::iter::repeat_n(b'x', 17 << 20));
                input.push(b'\n');
            }
            2500 => input.extend_from_slice(b"{\"eventName\":\"StopLogging\",\"tripwasm\":1}\r\n"),
            _ => {}
        }
    }
    input.pop();
    input
}

fn run(path: &Path, threads: &str, arguments: &[&str]) -> (Vec<u8>, Value) {
    let all = ["run", "cloudtrail.wasm", "input", "--report", "report.json", "--threads", threads];
    let output = ok(path, &[&all[..], arguments].concat(), b"");
    let report = std::fs::read(path.join("report.json")).unwrap();
    let mut report: Value = serde_json::from_slice(&report).unwrap();
    report["seconds"] = Value::Null;
    // Where no rule has a window, each thread's watermark goes its own way.
    report["watermark"] = Value::Null;
    (output.stdout, report)
}

#[test]
fn any_number_of_threads_writes_the_same() {
    for (rules, alerts) in [(RULE.to_owned(), false), ([RULE, WINDOWS].concat(), true)] {
        let (_directory, path) = built(&rules);
        std::fs::write(path.join("input"), input()).unwrap();
        for mode in ["tag", "filter", "drop", "findings"] {
            let arguments = ["--batch-bytes", "4096", "--mode", mode];
            let (output, report) = run(&path, "1", &arguments);
            assert_eq!(report["events"], 3006, "{report}");
            assert!(report["tagged"].as_u64() > Some(1000), "{report}");
            assert_eq!(report["alerts"]["closed"].as_u64() > Some(0), alerts, "{report}");
            for threads in ["2", "8"] {
                let (other, same) = run(&path, threads, &arguments);
                assert!(other == output, "{mode}: {threads} threads write something else");
                assert_eq!(same, report, "{mode}: {threads} threads count otherwise");
            }
        }
    }
}

#[test]
fn what_was_read_before_an_interrupt_is_written_whole() {
    let (_directory, path) = built(RULE);
    for threads in ["1", "8"] {
        let mut child = command(&path, &["run", "cloudtrail.wasm", "--threads", threads])
            .args(["--batch-bytes", "1", "--mode", "filter"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let events: String = (0..300).map(event).collect();
        stdin.write_all(events.as_bytes()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The input stays open: only the interrupt ends the run.
        let first: Vec<String> = lines.by_ref().take(100).map(Result::unwrap).collect();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(lines.count(), 0, "{threads} threads");
        for (line, number) in first.iter().zip((0..300).step_by(3)) {
            assert!(line.contains(&format!("\"e-{number}\"")), "{threads} threads: {line}");
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("events     300 "), "{}", said(&output));
        drop(stdin);
    }
}
