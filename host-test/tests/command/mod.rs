//! The command under test.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command in a directory, its compiled code kept apart from the user's.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripwasm"));
    command
        .current_dir(directory)
        .env("XDG_CACHE_HOME", std::env::temp_dir().join("tripwasm-test-cache"))
        .args(arguments);
    command
}

/// Runs the command with this input.
pub(crate) fn tripwasm(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(directory, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

/// As [`tripwasm`], and it has to succeed.
pub(crate) fn ok(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let output = tripwasm(directory, arguments, input);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the command said.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
