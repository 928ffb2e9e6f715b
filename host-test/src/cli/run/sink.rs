//! Where results go: standard output and the file of alerts.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context;
use tripwasm::Module;
use tripwasm::bindings::detector::{AlertFinding, AlertState, Report};
use tripwasm::finding::FindingFormat;

use super::Mode;
use super::cut_line::{self, Opening};

/// What is longer, as a batch's events are, is written at once from where it stands.
const OUTPUT_BUFFER_BYTES: usize = 64 << 10;

/// Where results go.
pub(super) struct Sink {
    pub(super) mode: Mode,
    format: FindingFormat,
    /// Standard output, past the standard library's search for line breaks.
    output: BufWriter<File>,
    alerts: Option<Alerts>,
    /// Findings on their way out.
    lines: Vec<u8>,
    /// The last line written has no line break yet: the end of an input without one.
    open_line: bool,
}

/// Where alerts go besides.
enum Alerts {
    StandardError,
    File(BufWriter<File>),
}

impl Write for Alerts {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Alerts::StandardError => std::io::stderr().write(bytes),
            Alerts::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Alerts::StandardError => std::io::stderr().flush(),
            Alerts::File(file) => file.flush(),
        }
    }
}

impl Sink {
    /// Opens the file of alerts; `-` is standard error.
    pub(super) fn open(
        module: &Module,
        mode: Mode,
        alerts: Option<&Path>,
        opening: Opening,
    ) -> anyhow::Result<Self> {
        let alerts = match alerts {
            None => None,
            Some(path) if path == Path::new("-") => Some(Alerts::StandardError),
            Some(path) => {
                let file = cut_line::open(path, opening)
                    .with_context(|| format!("cannot create {}", path.display()))?;
                Some(Alerts::File(BufWriter::new(file)))
            }
        };
        let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Sink {
            mode,
            format: FindingFormat::new(module.info())?,
            output: BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, output),
            alerts,
            lines: Vec::new(),
            open_line: opening == Opening::GoOn && cut_line::ends_standard_output(),
        })
    }

    /// Writes events as they are; a batch that begins a line never joins the line before it.
    pub(super) fn events(&mut self, bytes: &[u8], position: LinePosition) -> anyhow::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        if self.open_line && position == LinePosition::Start {
            self.output.write_all(b"\n")?;
        }
        self.output.write_all(bytes)?;
        self.open_line = *last != b'\n';
        Ok(())
    }

    /// Writes the matches of a report in mode `findings`.
    pub(super) fn matches(&mut self, report: &Report, source: &str) -> anyhow::Result<()> {
        if report.matches.is_empty() {
            return Ok(());
        }
        self.lines.clear();
        self.format.push_matches(&mut self.lines, report, source);
        self.output_lines()
    }

    /// Writes an alert where alerts go.
    pub(super) fn alert(&mut self, alert: &AlertFinding) -> anyhow::Result<()> {
        self.lines.clear();
        self.format.push_alert(&mut self.lines, alert)?;
        if self.mode == Mode::Findings {
            self.output_lines()?;
        }
        // An open alert rides on the event that opened it.
        if alert.state != AlertState::Open
            && let Some(alerts) = &mut self.alerts
        {
            alerts.write_all(&self.lines).context("cannot write alerts")?;
        }
        Ok(())
    }

    fn output_lines(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.open_line) {
            self.output.write_all(b"\n")?;
        }
        self.output.write_all(&self.lines)?;
        Ok(())
    }

    /// Hands everything on, and has files written to the disk: state that covers it may be saved then.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        // A pipe or a terminal has no disk.
        let _ = rustix::fs::fdatasync(std::io::stdout().as_fd());
        if let Some(Alerts::File(file)) = &self.alerts {
            let _ = file.get_ref().sync_data();
        }
        Ok(())
    }

    /// Hands everything on.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.output.flush()?;
        if let Some(alerts) = &mut self.alerts {
            alerts.flush().context("cannot write alerts")?;
        }
        Ok(())
    }
}

/// Where in a line a piece of output begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinePosition {
    Start,
    Middle,
}
