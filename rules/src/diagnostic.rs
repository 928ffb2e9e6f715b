//! What is wrong with a rule, where, and what to do about it.

use crate::source::{Source, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters of a source line that a message shows around the place.
const EXCERPT_CHARACTERS_MAX: usize = 110;

/// Messages about one document, and from one pass over it: nobody reads more at once.
const MESSAGES_MAX: usize = 100;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot be built.
    Error,
    /// It is built, but probably not what the author meant.
    Warning,
    /// It is built, and this is worth knowing.
    Note,
}

/// One message about one place. `Display` renders it with its source line, as rustc does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file's path.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// How many characters of the line are meant.
    pub width: u32,
    /// The line, or of a long one the part around the place.
    pub source: String,
    /// How many characters of `source` stand before the place.
    pub indent: u32,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let margin = " ".repeat(self.line.to_string().len());
        writeln!(f, "{severity}: {}", self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.file, self.line, self.column)?;
        if !self.source.trim().is_empty() {
            let (indent, width) = (self.indent as usize, self.width as usize);
            writeln!(f, "{margin} |")?;
            writeln!(f, "{} | {}", self.line, self.source)?;
            writeln!(f, "{margin} | {}{}", " ".repeat(indent), "^".repeat(width))?;
        }
        match &self.remedy {
            Some(remedy) => writeln!(f, "{margin} = help: {remedy}"),
            None => Ok(()),
        }
    }
}

/// The part of a line to show for a place, how far the place is indented in it, and how wide it is there.
fn excerpt(line: &str, span: Span) -> (String, usize, usize) {
    let column = (span.column as usize).saturating_sub(1);
    let from = match line.len() > EXCERPT_CHARACTERS_MAX {
        true => column.saturating_sub(EXCERPT_CHARACTERS_MAX / 2),
        false => 0,
    };
    let mut rest = line.chars().skip(from).map(printable);
    let mut text: String = rest.by_ref().take(EXCERPT_CHARACTERS_MAX).collect();
    let shown = text.chars().count();
    let mut indent = column.saturating_sub(from).min(shown);
    let width = (span.width(line) as usize).clamp(1, (shown - indent).max(1));
    if from > 0 {
        text.insert(0, '…');
        indent += 1;
    }
    if rest.next().is_some() {
        text.push('…');
    }
    (text, indent, width)
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Collects what is found in one file.
#[derive(Debug)]
pub(crate) struct Notes<'s> {
    source: &'s Source<'s>,
    pub(crate) list: Vec<Diagnostic>,
}

impl<'s> Notes<'s> {
    pub(crate) fn new(source: &'s Source<'s>) -> Self {
        Notes { source, list: Vec::new() }
    }

    pub(crate) fn source(&self) -> &'s Source<'s> {
        self.source
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Error, span, message.into(), Some(remedy.into()));
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Warning, span, message.into(), Some(remedy.into()));
    }

    pub(crate) fn note(&mut self, span: Span, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Note, span, message.into(), Some(remedy.into()));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|found| found.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, span: Span, message: String, remedy: Option<String>) {
        // Beyond the bound, warnings are dropped, and the first error says that it stands for the rest.
        let (message, remedy) = match self.list.len() {
            0..MESSAGES_MAX => (message, remedy),
            MESSAGES_MAX if severity == Severity::Error => {
                (format!("more than {MESSAGES_MAX} problems in this document: {message}"), remedy)
            }
            _ => return,
        };
        let (source, indent, width) = excerpt(self.source.line(span.line), span);
        self.list.push(Diagnostic {
            severity,
            file: self.source.path.to_owned(),
            line: span.line,
            column: span.column,
            width: u32::try_from(width).unwrap_or(1),
            source,
            indent: u32::try_from(indent).unwrap_or(0),
            message,
            remedy: remedy.filter(|text| !text.is_empty()),
        });
    }
}
