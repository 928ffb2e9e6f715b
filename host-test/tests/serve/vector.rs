//! A real Vector at both ends, given by the environment variable `VECTOR`, with the configuration that the project ships.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::events::{arrivals, assert_at_least_once, assert_exactly_once, event, is_dropped};
use crate::next_service::NextService;
use crate::process::{PATIENCE, Serve, with_rules};

/// Records in one of CloudTrail's files.
const FILE: u64 = 1000;

/// Vector and the folder that it works in: `in/*.json` to `out.ndjson`.
struct Pipeline {
    _directory: TempDir,
    path: PathBuf,
    program: PathBuf,
    /// Address of Vector's source.
    tagged: String,
    vector: Child,
}

impl Pipeline {
    /// None where there is no Vector. `sinks` come behind those of the shipped configuration.
    fn start(serve: &str, sinks: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("VECTOR").map(PathBuf::from) else {
            println!("skipped: VECTOR names no Vector");
            return None;
        };
        let (directory, path) = with_rules();
        let tagged = free_address();
        for folder in ["data", "in"] {
            std::fs::create_dir_all(path.join(folder)).unwrap();
        }
        std::fs::write(path.join("vector.yaml"), configuration(&path, serve, &tagged) + sinks).unwrap();
        let vector = start_vector(&program, &path);
        Some(Pipeline { _directory: directory, path, program, tagged, vector })
    }

    /// The service's options.
    fn serve(&self, address: &str, options: &[&str]) -> Serve {
        let to = format!("http://{}/", self.tagged);
        Serve::start_at(&self.path, address, &[&["--mode", "drop", "--to", to.as_str()], options].concat())
    }

    /// Puts files of CloudTrail's form in place.
    fn put(&self, numbers: std::ops::Range<u64>) {
        for start in numbers.clone().step_by(FILE as usize) {
            let records: Vec<String> = (start..numbers.end.min(start + FILE)).map(event).collect();
            let text = format!("{{\"Records\":[{}]}}\n", records.join(","));
            std::fs::write(self.path.join("half"), text).unwrap();
            std::fs::rename(self.path.join("half"), self.path.join(format!("in/{start}.json"))).unwrap();
        }
    }

    fn out(&self) -> Vec<u8> {
        std::fs::read(self.path.join("out.ndjson")).unwrap_or_default()
    }

    /// Waits until all of them are there, or nothing more comes.
    fn wait_for(&self, numbers: std::ops::Range<u64>) -> Vec<u8> {
        let wanted = numbers.filter(|number| !is_dropped(*number)).count();
        let (mut size, mut since) = (0, Instant::now());
        while since.elapsed() < PATIENCE {
            let out = self.out();
            if out.len() != size {
                (size, since) = (out.len(), Instant::now());
            }
            let lines = out.iter().filter(|byte| **byte == b'\n').count();
            if lines >= wanted && out.ends_with(b"\n") && arrivals(&[out]).len() >= wanted {
                break;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        self.out()
    }

    /// Ends Vector at once and starts it again.
    fn kill_vector(&mut self) {
        self.vector.kill().unwrap();
        self.vector.wait().unwrap();
        self.vector = start_vector(&self.program, &self.path);
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.vector.kill();
        let _ = self.vector.wait();
    }
}

fn start_vector(program: &Path, path: &Path) -> Child {
    Command::new(program)
        .args(["--config", "vector.yaml", "--quiet"])
        .current_dir(path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The shipped configuration, at ports and in folders of its own.
fn configuration(folder: &Path, serve: &str, tagged: &str) -> String {
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("pipelines/vector/vector.yaml");
    let text = std::fs::read_to_string(shipped).unwrap();
    text.replace("127.0.0.1:8080", serve)
        .replace("127.0.0.1:8081", tagged)
        .replace("/var/lib/vector", &folder.join("data").to_string_lossy())
        .replace("/var/log/cloudtrail", &folder.join("in").to_string_lossy())
        .replace("/var/log/tagged.ndjson", &folder.join("out.ndjson").to_string_lossy())
}

/// An address of this machine that nobody has.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// One more sink, whose acknowledgement the source waits for, too.
fn slow_sink(next: &NextService) -> String {
    format!(
        "  slow: {{ type: http, inputs: [tagged], uri: '{}', encoding: {{ codec: json }}, \
         framing: {{ method: newline_delimited }}, batch: {{ max_events: 100, timeout_secs: 1 }}, \
         acknowledgements: {{ enabled: true }} }}\n",
        next.url()
    )
}

#[test]
fn a_real_vector_loses_nothing() {
    let address = free_address();
    let Some(pipeline) = Pipeline::start(&address, "") else { return };
    let serve = pipeline.serve(&address, &[]);
    pipeline.put(0..1000);
    let out = pipeline.wait_for(0..1000);
    assert_exactly_once(std::slice::from_ref(&out), 0..1000);
    // What came out is what went in, and the tag.
    let mut tagged = 0;
    for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut is: Value = serde_json::from_slice(line).unwrap();
        let tags = is.as_object_mut().unwrap().remove("tripwasm").unwrap_or_default();
        let is_stopped = tags.as_array().is_some_and(|tags| tags.iter().any(|tag| tag["name"] == "stopped"));
        assert_eq!(is_stopped, is["eventName"] == "StopLogging");
        tagged += usize::from(is_stopped);
        let was: Value = serde_json::from_str(&event(is["number"].as_u64().unwrap())).unwrap();
        assert_eq!(is, was);
    }
    assert_eq!(tagged, 250);
    assert_eq!(serve.metric("tripwasm_events_in_total"), 1000.0);
}

#[test]
fn a_real_vector_with_a_slow_sink_loses_nothing_while_the_service_is_killed() {
    const EVENTS: u64 = 100_000;
    let next = NextService::start();
    next.take_long(Duration::from_millis(50));
    let address = free_address();
    let Some(pipeline) = Pipeline::start(&address, &slow_sink(&next)) else { return };
    let mut serve = pipeline.serve(&address, &["--state", "windows.state"]);
    pipeline.put(0..EVENTS);
    for kill in 1..=5 {
        let began = Instant::now();
        while arrivals(&next.bodies()).len() < kill * EVENTS as usize / 10 {
            assert!(began.elapsed() < PATIENCE, "nothing moves");
            std::thread::sleep(Duration::from_millis(50));
        }
        serve.kill();
        std::thread::sleep(Duration::from_millis(500));
        serve = pipeline.serve(&address, &["--state", "windows.state"]);
    }
    let out = pipeline.wait_for(0..EVENTS);
    let doubled = assert_at_least_once(&[out], 0..EVENTS);
    println!("{doubled} of {EVENTS} events came twice");
    let began = Instant::now();
    while arrivals(&next.bodies()).len() < EVENTS as usize / 4 * 3 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_at_least_once(&next.bodies(), 0..EVENTS);
}

#[test]
fn a_real_vector_is_killed_itself() {
    const EVENTS: u64 = 20_000;
    let address = free_address();
    let Some(mut pipeline) = Pipeline::start(&address, "") else { return };
    let _serve = pipeline.serve(&address, &["--to-patience", "5s"]);
    pipeline.put(0..EVENTS);
    for kill in 1..=3 {
        let began = Instant::now();
        let wanted = kill * EVENTS as usize / 8;
        while pipeline.out().iter().filter(|byte| **byte == b'\n').count() < wanted {
            assert!(began.elapsed() < PATIENCE, "nothing moves");
            std::thread::sleep(Duration::from_millis(20));
        }
        pipeline.kill_vector();
    }
    let out = pipeline.wait_for(0..EVENTS);
    let doubled = assert_at_least_once(&[out], 0..EVENTS);
    println!("{doubled} of {EVENTS} events came twice");
}
