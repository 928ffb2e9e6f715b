//! A folder in which Fluent Bit runs with a shipped configuration.

use crate::{RULES, module};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tripwasm_tests::corpus::project;
use tripwasm_tests::rules::compile_text;

/// The folder, removed at the end.
pub(super) struct Site {
    program: PathBuf,
    configuration: &'static str,
    folder: PathBuf,
}

impl Site {
    /// With the test's rules. Without a Fluent Bit a line says that the test is skipped.
    pub(super) fn new(name: &str, configuration: &'static str) -> Option<Site> {
        let Some(program) = std::env::var_os("FLUENT_BIT").map(PathBuf::from) else {
            println!("skipped: FLUENT_BIT names no Fluent Bit of 4.2.0 or later");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("tripwasm-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("in")).unwrap();
        for entry in project().join("pipelines/fluent-bit").read_dir().unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                std::fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
            }
        }
        let site = Site { program, configuration, folder };
        site.install(RULES);
        Some(site)
    }

    /// Puts a module of other rules in the place of the one that is there, as one step.
    pub(super) fn install(&self, rules: &str) {
        let fresh = self.folder.join("fresh.wasm");
        std::fs::write(&fresh, module(&compile_text(rules, None).unwrap())).unwrap();
        std::fs::rename(fresh, self.folder.join("cloudtrail.wasm")).unwrap();
    }

    /// Runs Fluent Bit over one file to its end, and gives back what comes out.
    pub(super) fn run_over(&self, input: &str) -> Vec<Value> {
        let path = self.folder.join(self.configuration);
        let text = std::fs::read_to_string(&path).unwrap();
        // The test ends with its file; a pipeline does not.
        let ending =
            text.replace("Read_from_Head    true", "Read_from_Head    true\n    Exit_On_Eof       true");
        assert_ne!(text, ending);
        std::fs::write(path, ending).unwrap();
        self.append(input);
        let status = self.start().wait().unwrap();
        assert!(status.success(), "Fluent Bit ended with {status}");
        self.output()
    }

    pub(super) fn append(&self, events: &str) {
        let path = self.folder.join("in/events.json");
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(events.as_bytes()).unwrap();
    }

    pub(super) fn start(&self) -> Child {
        let mut command = Command::new(&self.program);
        command.args(["-q", "-c", self.configuration]).current_dir(&self.folder);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    pub(super) fn signal(&self, child: &Child, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Ends it as a service manager does.
    pub(super) fn end(&self, mut child: Child) {
        self.signal(&child, "TERM");
        let status = child.wait().unwrap();
        assert!(status.success(), "Fluent Bit ended with {status}");
    }

    /// The records so far. A kill cuts a line short, and what is written next begins behind it.
    pub(super) fn output(&self) -> Vec<Value> {
        let bytes = std::fs::read(self.folder.join("out.ndjson")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let whole = |line: &str| serde_json::from_str(line).ok();
        let behind_cut = |line: &str| line.rfind("{\"eventName\"").and_then(|at| whole(line.get(at..)?));
        text.lines().filter_map(|line| whole(line).or_else(|| behind_cut(line))).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
