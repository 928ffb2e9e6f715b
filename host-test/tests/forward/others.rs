//! Clients and a server of the protocol that others wrote: Node's `@fluent-org/logger`, Python's `fluent-logger`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::{event, is_dropped, lines};
use crate::next_service::{NextService, arrivals, assert_nothing_lost};
use crate::process::with_rules;
use crate::service::{free_address, start, start_with};

const EVENTS: u64 = 1000;

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forward/peers")
}

/// Where the libraries are; none if they cannot be had here.
fn installed() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("forward-peers");
        let installing = Command::new(peers().join("install")).arg(&folder).stdin(Stdio::null()).output();
        let is_there = installing.as_ref().is_ok_and(|output| output.status.success());
        if !is_there {
            println!("skipped: the libraries of Node and Python cannot be installed here: {installing:?}");
        }
        is_there.then_some(folder)
    };
    INSTALLED.get_or_init(install).as_deref()
}

fn node(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", folder.join("node_modules")).arg(peers().join("peer.cjs")).args(arguments);
    command
}

/// Runs a client with events as its input, and returns what it says.
fn feed(mut command: Command, events: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Node's server.
struct NodeServer {
    child: Child,
    file: PathBuf,
    address: SocketAddr,
}

impl NodeServer {
    fn start(folder: &Path, directory: &Path, key: &str) -> Self {
        let (file, address) = (directory.join("out.ndjson"), free_address());
        let arguments = ["server", &address.port().to_string(), file.to_str().unwrap(), key];
        let mut child = node(folder, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "listening\n");
        NodeServer { child, file, address }
    }

    /// What it got, once there are so many events.
    fn events(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            if text.lines().count() >= count || began.elapsed() > Duration::from_secs(30) {
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for NodeServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn node_at_both_ends_in_every_mode_and_with_a_key() {
    let Some(folder) = installed() else { return };
    let wanted = (0..EVENTS).filter(|number| !is_dropped(*number)).count();
    for (mode, key) in [
        ("Message", "-"),
        ("Forward", "-"),
        ("PackedForward", "-"),
        ("CompressedPackedForward", "-"),
        ("PackedForward", "a secret"),
    ] {
        let (_directory, path) = with_rules();
        let server = NodeServer::start(folder, &path, key);
        let address = free_address();
        let tokens = [("TRIPWASM_TOKEN", key), ("TRIPWASM_TO_TOKEN", key)];
        let tokens: &[_] = if key == "-" { &[] } else { &tokens };
        let _serve = start_with(&path, address, server.address, &[], tokens);
        let client = node(folder, &["client", &address.port().to_string(), mode, key]);
        assert_eq!(feed(client, &lines(0..EVENTS)), format!("acknowledged {EVENTS}\n"), "{mode} {key}");
        let events = server.events(wanted);
        let numbers = events.iter().map(|event| event["record"]["number"].as_u64().unwrap());
        assert_eq!(assert_nothing_lost(&arrivals(numbers), 0..EVENTS), 0, "{mode} {key}");
        for arrived in events {
            assert_eq!(arrived["tag"], "cloud.trail");
            let mut record = arrived["record"].clone();
            let tag = record.as_object_mut().unwrap().shift_remove("tripwasm");
            let number = record["number"].as_u64().unwrap();
            assert_eq!(record, serde_json::from_str::<Value>(&event(number)).unwrap());
            if number % 4 == 1 {
                assert_eq!(tag.unwrap()[0]["name"], "stopped");
            }
        }
    }
}

#[test]
fn python_sends_without_acknowledgements() {
    let Some(folder) = installed() else { return };
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let serve = start(&path, address, next.address, &[]);
    let mut client = Command::new(folder.join("venv/bin/python"));
    client.arg(peers().join("sender.py")).arg(address.port().to_string());
    feed(client, &lines(0..EVENTS));
    let began = Instant::now();
    while serve.metric("tripwasm_forward_messages_total") < EVENTS as f64
        && began.elapsed() < Duration::from_secs(30)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..EVENTS), 0);
}
