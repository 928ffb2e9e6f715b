//! The service as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{command, ok};
use crate::events::RULES;

/// Longest wait for something that takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a module in it.
pub(crate) fn with_module(rules: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    build(&path, rules);
    (directory, path)
}

/// A directory with the module of the usual rules.
pub(crate) fn with_rules() -> (TempDir, PathBuf) {
    with_module(RULES)
}

/// Builds `cloudtrail.wasm`, replacing it whole.
pub(crate) fn build(directory: &Path, rules: &str) {
    std::fs::write(directory.join("rules.yml"), rules).unwrap();
    ok(directory, &["build", "rules.yml", "-o", "cloudtrail.wasm"], b"");
}

/// A running service.
pub(crate) struct Serve {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Value>>>,
}

impl Serve {
    /// Starts it at a free port and waits until it listens.
    pub(crate) fn start(directory: &Path, options: &[&str]) -> Self {
        Self::start_at(directory, "127.0.0.1:0", options)
    }

    /// Starts it at an address.
    pub(crate) fn start_at(directory: &Path, address: &str, options: &[&str]) -> Self {
        Self::start_with(directory, address, options, &[])
    }

    /// Starts it with variables in its environment.
    pub(crate) fn start_with(
        directory: &Path,
        address: &str,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let arguments =
            [&["serve", "cloudtrail.wasm", "--http", address, "--log-format", "json"], options].concat();
        let mut child = command(directory, &arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (told, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                told.lock().unwrap().push(line);
            }
        });
        let mut serve = Serve { child, address: "127.0.0.1:0".parse().unwrap(), log };
        let said = serve.wait_for("ready");
        assert!(said, "the service does not start: {:?}", serve.log());
        let listening = serve.log().into_iter().find(|line| line["message"] == "listening").unwrap();
        serve.address = listening["address"].as_str().unwrap().parse().unwrap();
        serve
    }

    /// A URL of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it logged until now.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it logs a message; false if it ended before.
    pub(crate) fn wait_for(&mut self, message: &str) -> bool {
        let began = Instant::now();
        loop {
            if self
                .log()
                .iter()
                .any(|line| line["message"].as_str().is_some_and(|said| said.contains(message)))
            {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "it never said {message:?}: {:?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {:?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A count of `/metrics`, summed over labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = reqwest_get(&self.url("/metrics"));
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines().filter(of_name).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// Descriptors it has open, and its resident memory in bytes.
    pub(crate) fn holds(&self) -> (usize, u64) {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let descriptors = std::fs::read_dir(process.join("fd")).unwrap().count();
        let pages = std::fs::read_to_string(process.join("statm")).unwrap();
        let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
        (descriptors, resident * 4096)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer to a plain GET.
pub(crate) fn reqwest_get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    std::io::Write::write_all(&mut stream, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
