//! Options that change how a module keeps windows.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tripwasm::bindings::detector::Duplicates;
use tripwasm::{DetectorOptions, Module};
use tripwasm_rules::quantity::{self, DurationError};

/// What was built into a module stands where an option is not given.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct WindowOptions {
    /// How far behind the latest event an event may come and still enter windows, such as 20m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lateness: Option<Duration>,
    /// Whether an event delivered again enters windows again
    #[arg(long, value_enum)]
    duplicates: Option<DuplicateRule>,
    /// Bound on the memory of open windows, such as 256MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// When first-seen rules with `learn` began to learn, such as 2024-01-31T00:00:00Z; else each rule's first event
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    learn_from: Option<i64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DuplicateRule {
    /// It enters no window a second time
    Once,
    /// It counts again
    Count,
}

impl WindowOptions {
    /// What an instance of a module is started with.
    pub(super) fn of(self, module: &Module) -> DetectorOptions {
        let mut options = DetectorOptions::of(module);
        if let Some(bytes) = self.memory {
            options = options.with_state_bytes_max(bytes);
        }
        if let Some(begin) = self.learn_from {
            options.options.learn_from = Some(begin);
        }
        if let Some(lateness) = self.lateness {
            options.options.lateness_ms = u64::try_from(lateness.as_millis()).unwrap_or(u64::MAX);
        }
        match self.duplicates {
            Some(DuplicateRule::Once) => options.options.duplicates = Duplicates::Once,
            Some(DuplicateRule::Count) => options.options.duplicates = Duplicates::Count,
            None => {}
        }
        options
    }
}

/// Reads a duration, such as 5m.
pub(super) fn duration(text: &str) -> Result<Duration, DurationError> {
    quantity::duration_ms(text).map(Duration::from_millis)
}

/// Reads a number of bytes, such as 64MiB.
pub(super) fn size(text: &str) -> Result<u64, &'static str> {
    quantity::size_bytes(text)
        .ok_or("write a whole number and one of KiB, MiB, GiB, KB, MB, GB, such as 64MiB")
}

fn timestamp(text: &str) -> Result<i64, &'static str> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_millisecond)
        .map_err(|_| "write an RFC 3339 time with its zone, such as 2024-01-31T00:00:00Z")
}
