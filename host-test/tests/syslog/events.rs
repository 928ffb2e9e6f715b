//! Rules and events that the tests send.

use std::path::PathBuf;

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
