//! Closed and withdrawn alerts on their way to a sink of their own: a file, standard output, or a service over HTTP.
//!
//! Invariant: an alert leaves the queue once it was taken. A full queue holds the module back, and with it whoever sends
//! events.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Handle;

use super::downstream::{Body, Delivery, Downstream, name_of};

/// Alerts that wait before the module has to.
const WAITING_MAX: usize = 10_000;

/// Alerts that are given on together.
const TOGETHER_MAX: usize = 200;

/// Pause before an alert is offered again: first and longest.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Where closed alerts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AlertTarget {
    StandardOutput,
    File(PathBuf),
    /// NDJSON in the body of a POST.
    Http(reqwest::Url),
}

impl std::str::FromStr for AlertTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(AlertTarget::StandardOutput),
            url if url.starts_with("http://") || url.starts_with("https://") => {
                url.parse().map(AlertTarget::Http).map_err(|error| format!("{error}"))
            }
            path => Ok(AlertTarget::File(path.into())),
        }
    }
}

/// The queue before the sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct AlertQueue(Option<Arc<Inner>>);

struct Inner {
    queue: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// The module gives its last alerts, and must not be held up any more.
    last_ones: bool,
    /// No more alerts come.
    ending: bool,
    /// Until when what waits is still offered.
    give_up_at: Option<Instant>,
}

impl AlertQueue {
    /// Closed alerts are counted and go nowhere.
    pub(super) fn nowhere() -> Self {
        AlertQueue(None)
    }

    /// Adds an alert, a whole line; waits while the queue is full. When the service ends only as long as the sink takes
    /// some: the windows are to be saved, and with them what waits.
    pub(super) fn push(&self, line: Vec<u8>) {
        let Some(inner) = &self.0 else { return };
        let mut queue = inner.lock();
        while queue.lines.len() >= WAITING_MAX && !queue.last_ones {
            queue = inner.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.lines.push_back(line);
        inner.changed.notify_all();
    }

    /// From now on nobody is held back: the service is ending, and what comes still is not much.
    pub(super) fn take_the_last_ones(&self) {
        if let Some(inner) = &self.0 {
            inner.lock().last_ones = true;
            inner.changed.notify_all();
        }
    }

    /// Waits until nothing waits, at most so long.
    pub(super) fn settle(&self, patience: Duration) {
        let Some(inner) = &self.0 else { return };
        let _ = inner.changed.wait_timeout_while(inner.lock(), patience, |queue| !queue.lines.is_empty());
    }

    /// What nobody has taken yet.
    pub(super) fn waiting(&self) -> Vec<Vec<u8>> {
        self.0.as_ref().map(|inner| inner.lock().lines.iter().cloned().collect()).unwrap_or_default()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits longest, up to so many; none at the end.
    fn first(&self, together: usize) -> Option<Vec<Vec<u8>>> {
        let mut queue = self.lock();
        while queue.lines.is_empty() {
            if queue.ending {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Some(queue.lines.iter().take(together).cloned().collect())
    }

    fn taken(&self, count: usize) {
        let mut queue = self.lock();
        let count = count.min(queue.lines.len());
        queue.lines.drain(..count);
        self.changed.notify_all();
    }

    /// Waits before the next try; says whether there is to be one.
    fn pause(&self, pause: Duration) -> bool {
        let queue = self.lock();
        let late = |queue: &Waiting| queue.give_up_at.is_some_and(|at| Instant::now() >= at);
        if late(&queue) {
            return false;
        }
        let pause =
            queue.give_up_at.map_or(pause, |at| pause.min(at.saturating_duration_since(Instant::now())));
        let (queue, _) = self
            .changed
            .wait_timeout_while(queue, pause, |queue| !late(queue))
            .unwrap_or_else(PoisonError::into_inner);
        !late(&queue)
    }
}

/// The thread that gives alerts on.
pub(super) struct AlertSink {
    inner: Arc<Inner>,
    thread: JoinHandle<()>,
}

impl AlertSink {
    /// Opens the sink, so that a place that cannot be written is known before the first event.
    pub(super) fn start(
        target: AlertTarget,
        http: Option<Downstream>,
        runtime: Handle,
    ) -> anyhow::Result<(Self, AlertQueue)> {
        let output = match &target {
            AlertTarget::StandardOutput => Output::Standard,
            AlertTarget::File(path) => {
                let file =
                    open(path).with_context(|| format!("cannot write alerts to {}", path.display()))?;
                Output::File(file)
            }
            AlertTarget::Http(url) => {
                Output::Http(http.with_context(|| format!("no client for {}", name_of(url)))?, runtime)
            }
        };
        let inner = Arc::new(Inner { queue: Mutex::new(Waiting::default()), changed: Condvar::new() });
        let given = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("tripwasm-alerts".to_owned())
            .spawn(move || give_on(&given, output))?;
        Ok((AlertSink { inner: Arc::clone(&inner), thread }, AlertQueue(Some(inner))))
    }

    /// Offers what waits until a time, and returns what nobody took.
    pub(super) fn end(self, give_up_at: Instant) -> Vec<Vec<u8>> {
        {
            let mut queue = self.inner.lock();
            queue.ending = true;
            queue.give_up_at = Some(give_up_at);
            self.inner.changed.notify_all();
        }
        if self.thread.join().is_err() {
            tracing::error!("the thread of the alerts panicked");
        }
        std::mem::take(&mut self.inner.lock().lines).into()
    }
}

enum Output {
    Standard,
    File(File),
    Http(Downstream, Handle),
}

fn give_on(inner: &Inner, mut output: Output) {
    let mut pause = PAUSE_FIRST;
    let mut together = TOGETHER_MAX;
    while let Some(lines) = inner.first(together) {
        match offer(&mut output, &lines) {
            Offered::Taken => {
                inner.taken(lines.len());
                pause = PAUSE_FIRST;
                together = (together * 2).min(TOGETHER_MAX);
                metrics::counter!("tripwasm_alerts_delivered_total").increment(lines.len() as u64);
            }
            // Too many together, or one of them is bad: the others are to arrive.
            Offered::Refused(_) if lines.len() > 1 => together = lines.len() / 2,
            Offered::Refused(status) => {
                // It will not be taken later either, and must not hold back what comes behind it.
                let alert = String::from_utf8_lossy(&lines[0]);
                tracing::error!(status, %alert, "an alert was refused");
                metrics::counter!("tripwasm_alerts_refused_total").increment(1);
                inner.taken(1);
            }
            Offered::NotNow(reason) => {
                tracing::error!(reason, alerts = lines.len(), "alerts are not taken; they are offered again");
                metrics::counter!("tripwasm_alert_sink_errors_total").increment(1);
                if !inner.pause(pause) {
                    return;
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// What became of alerts that were offered.
enum Offered {
    Taken,
    /// They are bad, with this status.
    Refused(u16),
    NotNow(String),
}

fn offer(output: &mut Output, lines: &[Vec<u8>]) -> Offered {
    let bytes = lines.concat();
    let written = match output {
        Output::Standard => {
            let mut output = std::io::stdout().lock();
            output.write_all(&bytes).and_then(|()| output.flush())
        }
        Output::File(file) => append(file, &bytes),
        Output::Http(downstream, runtime) => {
            let body = Body { bytes: bytes.into(), content_type: "application/x-ndjson" };
            return match runtime.block_on(downstream.deliver_once(&body)) {
                Delivery::Delivered => Offered::Taken,
                Delivery::Refused { status } => Offered::Refused(status),
                Delivery::Unavailable { reason, .. } => Offered::NotNow(reason),
            };
        }
    };
    written.map_or_else(|error| Offered::NotNow(error.to_string()), |()| Offered::Taken)
}

/// Opens a file to append to. A line that a kill cut off is ended, so that it does not spoil the next one.
fn open(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() && meta.len() > 0 {
        let mut last = [0];
        File::open(path)?.read_exact_at(&mut last, meta.len() - 1)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

/// Appends all or nothing: half a line would spoil the one behind it.
fn append(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    let written = file.write_all(bytes);
    if written.is_err() {
        // A pipe keeps what it was given.
        let _ = file.set_len(before);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> AlertQueue {
        AlertQueue(Some(Arc::new(Inner { queue: Mutex::default(), changed: Condvar::new() })))
    }

    #[test]
    fn a_full_queue_holds_the_module_back_until_the_service_ends() {
        let queue = queue();
        (0..WAITING_MAX).for_each(|_| queue.push(b"{}\n".to_vec()));
        let pushing = queue.clone();
        let pushed = std::thread::spawn(move || pushing.push(b"{}\n".to_vec()));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!pushed.is_finished());
        queue.take_the_last_ones();
        pushed.join().unwrap();
        assert_eq!(queue.waiting().len(), WAITING_MAX + 1);
    }

    #[test]
    fn targets_are_told_apart() {
        assert_eq!("-".parse(), Ok(AlertTarget::StandardOutput));
        assert_eq!("alerts.ndjson".parse(), Ok(AlertTarget::File("alerts.ndjson".into())));
        let url = "https://alerts.example/in";
        assert_eq!(url.parse(), Ok(AlertTarget::Http(url.parse().unwrap())));
        assert!("http://".parse::<AlertTarget>().is_err());
    }
}
