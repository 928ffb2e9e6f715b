//! Time that a process, its threads and its children spent.

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// A point in time, on every clock.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    wall: Instant,
    process: Duration,
    thread: Duration,
}

/// What was spent between two moments, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// By all threads of the process.
    pub cpu: f64,
    /// By this thread.
    pub thread: f64,
    /// On the clock.
    pub wall: f64,
}

impl Moment {
    /// This one.
    pub fn now() -> Result<Moment> {
        let process = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into();
        let thread = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into();
        Ok(Moment { wall: Instant::now(), process, thread })
    }

    /// What was spent since.
    pub fn spent(self) -> Result<Spent> {
        let now = Moment::now()?;
        Ok(Spent {
            cpu: (now.process - self.process).as_secs_f64(),
            thread: (now.thread - self.thread).as_secs_f64(),
            wall: (now.wall - self.wall).as_secs_f64(),
        })
    }
}

/// CPU seconds and most memory in bytes of all children that have ended.
pub fn children_seconds() -> Result<(f64, u64)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok((micros as f64 / 1e6, u64::try_from(usage.max_rss()).unwrap_or(0) << 10))
}

/// Most memory that this process had, in bytes.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}
