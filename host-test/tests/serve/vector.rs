//! A real Vector at both ends, given by the environment variable `VECTOR`, with the configuration that the project ships.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::{event, is_dropped};
use crate::process::{Serve, with_rules};

/// The shipped configuration, at ports of its own.
fn configuration(folder: &Path, http: &str) -> String {
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("pipelines/vector/vector.yaml");
    let text = std::fs::read_to_string(shipped).unwrap();
    text.replace("127.0.0.1:8080", http)
        .replace("127.0.0.1:8081", "127.0.0.1:18381")
        .replace("/var/lib/vector", &folder.join("data").to_string_lossy())
        .replace("/var/log/cloudtrail", &folder.join("in").to_string_lossy())
        .replace("/var/log/tagged.ndjson", &folder.join("out.ndjson").to_string_lossy())
}

#[test]
fn a_real_vector_loses_nothing() {
    let Some(program) = std::env::var_os("VECTOR").map(PathBuf::from) else {
        println!("skipped: VECTOR names no Vector");
        return;
    };
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop", "--to", "http://127.0.0.1:18381/"]);
    for folder in ["data", "in"] {
        std::fs::create_dir_all(path.join(folder)).unwrap();
    }
    std::fs::write(path.join("vector.yaml"), configuration(&path, &serve.address.to_string())).unwrap();
    let mut vector = Command::new(program)
        .args(["--config", "vector.yaml"])
        .current_dir(&path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let records: Vec<String> = (0..1000).map(event).collect();
    std::fs::write(path.join("in/a.json"), format!("{{\"Records\":[{}]}}\n", records.join(","))).unwrap();
    let wanted = (0..1000).filter(|number| !is_dropped(*number)).count();
    let began = Instant::now();
    let out = loop {
        let out = std::fs::read_to_string(path.join("out.ndjson")).unwrap_or_default();
        if out.lines().count() >= wanted || began.elapsed() > Duration::from_secs(60) {
            break out;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    vector.kill().unwrap();
    vector.wait().unwrap();
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), wanted);
    let tagged = events.iter().filter(|event| event["tripwasm"][0]["name"] == "stopped").count();
    assert_eq!(tagged, 250);
}
