//! `tripwasm bench`: what it prints is counted right, whatever form the events have.

mod command;

use command::{ok, said, tripwasm};
use std::io::Write;
use tempfile::TempDir;

const RULE: &str = "\
title: CloudTrail logging was stopped
name: stop_logging
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: StopLogging }, condition: selection }
level: high
---
title: Twice
name: twice
correlation: { type: event_count, rules: [stop_logging], group-by: [user], timespan: 1h, condition: { gte: 2 } }
";

const HIT: &str = r#"{"eventName":"StopLogging","eventTime":"2023-07-10T11:42:00Z","user":"u"}"#;
const MISS: &str = r#"{"eventName":"ListUsers","eventTime":"2023-07-10T11:43:00Z","user":"u"}"#;

#[test]
fn events_and_matches_are_counted_in_every_mode_and_form() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    std::fs::write(path.join("rule.yml"), RULE).unwrap();
    ok(path, &["build", "rule.yml"], b"");
    let lines = format!("{HIT}\n{MISS}\n{HIT}\nnot json\n");
    std::fs::write(path.join("events.ndjson"), &lines).unwrap();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zip.write_all(format!("{{\"Records\":[{HIT},{MISS},{HIT}]}}").as_bytes()).unwrap();
    std::fs::write(path.join("events.json.gz"), zip.finish().unwrap()).unwrap();
    for mode in ["findings", "tag", "filter"] {
        for (file, events, rejected) in [("events.ndjson", 4, 1), ("events.json.gz", 3, 0)] {
            let output = ok(
                path,
                &["bench", "cloudtrail.wasm", file, "--mode", mode, "--repeat", "2", "--no-cache"],
                b"",
            );
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.starts_with(&format!("{events} events, ")), "{text}");
            assert!(text.contains(&format!("2 matches; remarks about {rejected} lines")), "{text}");
            let rates = |name: &str| -> Vec<f64> {
                let line =
                    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
                line.split_whitespace().map(|figure| figure.parse().unwrap()).collect()
            };
            let (module, copy) = (rates(&format!("module, {mode}")), rates("memcpy"));
            assert_eq!(module.len(), 3, "{text}");
            assert!(module[0] > 0.0 && module[0] < copy[0], "a module is slower than memcpy: {text}");
            assert_eq!(rates("newline scan").len(), 3, "{text}");
        }
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    std::fs::write(path.join("rule.yml"), RULE).unwrap();
    ok(path, &["build", "rule.yml"], b"");
    std::fs::write(path.join("empty"), "").unwrap();
    for (arguments, says) in [
        (["bench", "cloudtrail.wasm", "absent"], "absent"),
        (["bench", "cloudtrail.wasm", "empty"], "there are no events"),
        (["bench", "rule.yml", "empty"], "rule.yml"),
    ] {
        let output = tripwasm(path, &arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    }
}
