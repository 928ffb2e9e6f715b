//! A contestant's process.

use anyhow::{Context as _, Result, anyhow, bail};
use bench_protocol::{Job, Pass, Ready};
use serde::de::DeserializeOwned;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A contestant that waits for its turn.
pub(crate) struct Running {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) ready: Ready,
}

impl Running {
    /// Starts it and hands it the job.
    pub(crate) fn start(mut command: Command, job: &Job) -> Result<Running> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let requests = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let ready = Ready::with_rules(0);
        let mut running = Running { child, requests, answers, ready };
        running.ask(&serde_json::to_string(job)?)?;
        running.ready = running.answer()?;
        match &running.ready.refused {
            Some(reason) => Err(anyhow!("{reason}")),
            None => Ok(running),
        }
    }

    /// Has it go over the data once.
    pub(crate) fn pass(&mut self) -> Result<Pass> {
        self.ask("pass")?;
        self.answer()
    }

    fn ask(&mut self, request: &str) -> Result<()> {
        // An error shows in the answer that does not come.
        let _ = self.requests.write_all(request.as_bytes());
        let _ = self.requests.write_all(b"\n");
        let _ = self.requests.flush();
        Ok(())
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("it ended without an answer ({})", self.child.wait()?);
        }
        serde_json::from_str(&line).with_context(|| format!("its answer cannot be read: {line}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
