//! Progress on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tripwasm::input::Source;

/// How often the line is drawn anew.
const DRAWS_PER_SECOND: u8 = 5;

/// A line on the terminal that says how far it is; silent anywhere else.
pub(super) struct Progress {
    line: ProgressBar,
    wanted: bool,
}

impl Progress {
    /// Shows how many events and bytes have passed, if wanted and if somebody can see it.
    pub(super) fn new(wanted: bool, sources: &[Source]) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Progress { line: ProgressBar::hidden(), wanted };
        }
        let stored: Option<u64> = sources.iter().map(Source::stored_bytes).sum();
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let of = stored.map_or(String::new(), |bytes| format!(" of {} stored", indicatif::HumanBytes(bytes)));
        let template = format!("{{spinner}} {{msg}} events, {{bytes}}{of}, {{bytes_per_sec}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            line.set_style(style);
        }
        line.enable_steady_tick(Duration::from_millis(200));
        Progress { line, wanted }
    }

    /// So many bytes more, so many events in all.
    pub(super) fn passed(&self, bytes: usize, events: u64) {
        if !self.line.is_hidden() {
            self.line.inc(bytes as u64);
            self.line.set_message(indicatif::HumanCount(events).to_string());
        }
    }

    /// Prints a line above the progress, if any of this is wanted.
    pub(super) fn tell(&self, message: &str) {
        if self.wanted {
            self.warn(message);
        }
    }

    /// Prints a line above the progress in any case.
    pub(super) fn warn(&self, message: &str) {
        self.line.suspend(|| eprintln!("{message}"));
    }

    /// Takes the line away.
    pub(super) fn done(&self) {
        self.line.finish_and_clear();
    }
}
