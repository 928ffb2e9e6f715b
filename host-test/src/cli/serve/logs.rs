//! What the service says of itself: on standard error, for people or as JSON.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Debug, Clone, Args)]
pub(super) struct LogOptions {
    /// Form of the log on standard error
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
