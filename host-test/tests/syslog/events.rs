//! Rules and events that the tests send.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::ok;

/// One rule tags, one drops, one counts.
pub(crate) const RULES: &str = "\
title: Logging stopped
name: stopped
level: high
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: StopLogging }, condition: selection }
---
title: Health check
name: health
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: Ping }, condition: selection }
tripwasm: { action: drop }
---
title: Stopped again and again
name: again
correlation:
  type: event_count
  rules: [stopped]
  group-by: [user]
  timespan: 30d
  condition: { gte: 3 }
  generate: true
tripwasm: { window: tumbling }
";

/// A folder with `cloudtrail.wasm`.
pub(crate) fn built() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    // Daemons are told whole paths, and a folder behind a link has two.
    let path = folder.path().canonicalize().unwrap();
    std::fs::write(path.join("rules.yml"), RULES).unwrap();
    ok(&path, &["build", "rules.yml"], b"");
    (folder, path)
}

/// Names in turn: every third event is tagged, every third dropped.
pub(crate) const NAMES: [&str; 3] = ["GetObject", "StopLogging", "Ping"];

/// An event, a minute after the one before.
pub(crate) fn event(number: usize) -> String {
    let filler = "ü".repeat(if number == 500 { 100_000 } else { 600 });
    let (day, hour, minute) = (number / 1440 % 28 + 1, number / 60 % 24, number % 60);
    format!(
        r#"{{"eventTime":"2023-07-{day:02}T{hour:02}:{minute:02}:00Z","eventID":"e-{number}","eventName":"{}","user":"alice","filler":"{filler}"}}"#,
        NAMES[number % 3]
    )
}

/// So many events, a line each.
pub(crate) fn events(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| event(number).into_bytes().into_iter().chain(*b"\n")).collect()
}

/// Lines that are no events, or hardly. None is blank: rsyslog and syslog-ng skip those.
pub(crate) fn hostile() -> Vec<Vec<u8>> {
    let text = [
        "not json",
        "{",
        "{}",
        "[1,2]",
        r#"{"eventName":"StopLogging""#,
        r#"{"eventName":"StopLogging"} and more"#,
        r#"{"eventName":"StopLogging","eventName":"Other"}"#,
        r#"{"eventName":"StopLogging","tripwasm":1,"x":"\u0000\n\"}\\"}"#,
        r#"{"eventName":"StopLogging","x":"日本 \ud83d\ude00 🙂"}"#,
        "{\"eventName\":\"StopLogging\"}\r",
        "\t {\"eventName\":\"StopLogging\"} \t",
    ];
    let mut lines: Vec<Vec<u8>> = text.iter().map(|line| line.as_bytes().to_vec()).collect();
    lines.push(b"{\"eventName\":\"StopLogging\",\"x\":\"\xff\xfe\"}".to_vec());
    lines.push(b"\xc3{\"eventName\":\"StopLogging\"}".to_vec());
    lines.push(format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes());
    lines.push(long(5 << 20));
    lines
}

/// What only a child that is talked to directly sees whole.
pub(crate) fn with_nul() -> Vec<u8> {
    b"{\"eventName\":\"StopLogging\",\"x\":\"\0\"}".to_vec()
}

/// An event of so many bytes and some.
pub(crate) fn long(bytes: usize) -> Vec<u8> {
    format!(r#"{{"eventName":"StopLogging","x":"{}"}}"#, "y".repeat(bytes)).into_bytes()
}

/// The last line of an input.
pub(crate) const LAST: &str = r#"{"eventName":"Last"}"#;

/// Events, and what is none between them.
pub(crate) fn mixed() -> Vec<u8> {
    let bad = hostile().into_iter().flat_map(|line| [line, b"\n".to_vec()].concat());
    [events(500), bad.collect(), events(1000).split_off(events(500).len()), LAST.into(), b"\n".into()]
        .concat()
}

/// Output whose events are counted by name: in the order they came, none twice.
pub(crate) fn ledger(output: &[u8]) -> [Vec<Value>; 3] {
    let mut by_name: [Vec<Value>; 3] = Default::default();
    let mut last = None;
    for line in output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).unwrap();
        let Some(id) = event["eventID"].as_str() else { continue };
        let number: usize = id.trim_start_matches("e-").parse().unwrap();
        assert!(last < Some(number), "{id} came out of order or twice");
        last = Some(number);
        by_name[number % 3].push(event);
    }
    by_name
}

/// How many events the window counts that the state in a folder holds.
pub(crate) fn counted(folder: &Path) -> usize {
    // A hundred events say that it is later: one alone might lie.
    let later =
        |number| format!("{{\"eventTime\":\"2024-07-01T00:00:00Z\",\"eventID\":\"late-{number}\"}}\n");
    std::fs::write(folder.join("later"), (0..120).map(later).collect::<String>()).unwrap();
    let run = ["run", "cloudtrail.wasm", "later", "--state", "windows.state", "--alerts", "closed"];
    ok(folder, &run, b"");
    let closed: Value = serde_json::from_slice(&std::fs::read(folder.join("closed")).unwrap()).unwrap();
    closed["count"].as_u64().unwrap().try_into().unwrap()
}
