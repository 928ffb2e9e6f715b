//! What `tripwasm run` says of inputs, and its exit code.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{ok, said, tripwasm};
use crate::forms::event;
use crate::gzip;

const RULE: &str = "
title: First
name: first
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: Name0 }, condition: selection }
level: low
";

fn with_module() -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("first.yml"), RULE).unwrap();
    ok(directory.path(), &["build", "first.yml", "-o", "first.wasm"], b"");
    directory
}

fn report(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("report.json")).unwrap()).unwrap()
}

#[test]
fn a_gzip_bomb_ends_with_file_place_and_remedy_and_what_came_before_it_is_kept() {
    let directory = with_module();
    let path = directory.path();
    let lines = (event(1) + "\n").repeat(20_000);
    let bomb = path.join("bomb.json.gz");
    std::fs::write(&bomb, gzip(lines.as_bytes())).unwrap();
    let output = tripwasm(path, &["run", "first.wasm", "bomb.json.gz", "--unpacked-max", "1MiB"], b"");
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    for part in ["error: bomb.json.gz: ", "after 1048576 bytes", "--unpacked-max SIZE"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(output.stdout.len() == 1 << 20 && lines.as_bytes().starts_with(&output.stdout));
    let output = ok(path, &["run", "first.wasm", "bomb.json.gz", "--unpacked-max", "1GiB"], b"");
    assert!(output.stdout == lines.as_bytes());
    let output = ok(path, &["run", "first.wasm", "bomb.json.gz"], b"");
    assert!(output.stdout == lines.as_bytes());
}

#[test]
fn a_notification_is_an_error_that_tells_what_to_fetch() {
    let directory = with_module();
    let path = directory.path();
    let notice = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"trail"},"object":{"key":"AWSLogs/1.json.gz"}}}]}"#;
    let output = tripwasm(path, &["run", "first.wasm", "--report", "report.json"], notice.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("error: -: at byte 0 stands an S3 event notification"), "{text}");
    assert!(text.contains("aws s3 cp s3://trail/AWSLogs/1.json.gz -"), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), notice);
    assert_eq!(report(path)["remarked"]["notification"], 1);
}

#[test]
fn digests_beside_log_files_are_counted_and_no_error() {
    let directory = with_module();
    let path = directory.path();
    let logs = path.join("logs");
    std::fs::create_dir_all(logs.join("CloudTrail-Digest")).unwrap();
    std::fs::create_dir_all(logs.join("CloudTrail")).unwrap();
    let digest = br#"{"awsAccountId":"1","digestS3Object":"d","logFiles":[]}"#;
    std::fs::write(logs.join("CloudTrail-Digest/1.json.gz"), gzip(digest)).unwrap();
    let file = format!("{{\"Records\":[{},{}]}}", event(0), event(1));
    std::fs::write(logs.join("CloudTrail/1.json.gz"), gzip(file.as_bytes())).unwrap();
    let output = ok(path, &["run", "first.wasm", "logs", "--mode", "filter", "--report", "report.json"], b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with(event(0).trim_end_matches('}')) && text.lines().count() == 1, "{text}");
    assert!(said(&output).contains("digest 1"), "{}", said(&output));
    let report = report(path);
    assert_eq!((&report["events"], &report["remarked"]["digest"]), (&3.into(), &1.into()));
}
