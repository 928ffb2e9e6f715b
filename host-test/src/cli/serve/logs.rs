//! What the service says of itself: on standard error, for people or as JSON.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Debug, Clone, Args)]
pub(super) struct LogOptions {
    /// Append the log to a file, in the place of standard error
    #[arg(long, value_name = "FILE", help_heading = "Watching")]
    log_file: Option<PathBuf>,
    /// Form of the log
    #[arg(long, value_enum, default_value_t, value_name = "FORM", help_heading = "Watching")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter such as `info,tripwasm=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", help_heading = "Watching")]
    log_level: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Has all that is written to standard error in the log file, if there is to be one.
pub(super) fn to_file(options: &LogOptions) -> anyhow::Result<()> {
    let Some(path) = &options.log_file else { return Ok(()) };
    let failed = || format!("cannot write the log to {}", path.display());
    rustix::stdio::dup2_stderr(&open(path).with_context(failed)?).with_context(failed)
}

/// Opens a log file, which several processes may write to.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Begins to log.
pub(super) fn begin(options: &LogOptions) {
    let filter = EnvFilter::new(&options.log_level);
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match options.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
