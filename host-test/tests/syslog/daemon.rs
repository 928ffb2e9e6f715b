//! A daemon that runs in a folder of its own, with time limits on all that is waited for.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer, on a busy machine either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A program that a variable names, or that is on PATH or where system programs are.
pub(crate) fn find(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no {name} on PATH, and {variable} names none");
    }
    found
}

/// A running daemon; ends with the test, however that ends.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it, with what it says in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::create(log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Daemon { child: child.spawn().unwrap(), log: log.to_owned() }
    }

    /// What it said.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until something is there.
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} while waiting for {what}: {}", self.said());
            }
            assert!(begun.elapsed() < PATIENCE, "no {what} in time: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a file holds a text, and returns what it holds.
    pub(crate) fn until_in(&mut self, path: &Path, text: &str) -> Vec<u8> {
        self.until(&format!("{text} in {}", path.display()), || {
            let held = std::fs::read(path).ok()?;
            memchr::memmem::find(&held, text.as_bytes()).map(|_| held)
        })
    }

    /// The process of tripwasm that it started.
    pub(crate) fn tripwasm(&mut self) -> u32 {
        let parent = self.child.id();
        self.until("child", || children(parent).first().copied())
    }

    /// Ends it in order, and waits for it and for what it started.
    pub(crate) fn end(mut self) {
        let started = children(self.child.id());
        signal(self.child.id(), "TERM");
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        for child in started {
            while is_running(child) {
                assert!(begun.elapsed() < PATIENCE, "the child {child} does not end");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {process}");
}

/// Processes of tripwasm that a process started.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|&process| state_of(process).is_some_and(|(_, of)| of == parent)).collect()
}

fn is_running(process: u32) -> bool {
    state_of(process).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent of a process of tripwasm.
fn state_of(process: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (name, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    name.ends_with("(tripwasm").then_some(())?;
    Some((state, fields.next()?.parse().ok()?))
}
