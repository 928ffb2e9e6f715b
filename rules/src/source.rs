//! Source text and places in it.

use serde::{Deserialize, Serialize};

/// A file as the caller read it; nothing in this crate opens one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// The path that messages show; `/` separates folders.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// A source file cut into lines.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
        Source { path: &file.path, lines: text.lines().collect() }
    }

    /// Every line, without line breaks.
    pub(crate) fn lines(&self) -> &[&'a str] {
        &self.lines
    }

    /// A 1-based line; empty beyond the end.
    pub(crate) fn line(&self, number: u32) -> &'a str {
        (number as usize).checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or("")
    }

    /// Where the `nth` (from 0) occurrence of `word` as a whole word stands inside `span`, else the span itself.
    pub(crate) fn word(&self, span: Span, word: &str, nth: usize) -> Span {
        let occurrences = (span.line..=span.end_line.max(span.line)).flat_map(|number| {
            let line = self.line(number);
            whole_words(line, word).map(move |offset| (number, line, offset)).filter(
                move |&(number, line, at)| {
                    let column = column_of(line, at);
                    (number, column) >= (span.line, span.column)
                        && (number, column) < (span.end_line, span.end_column)
                },
            )
        });
        let found = occurrences.map(|(number, line, at)| {
            Span::on_line(number, column_of(line, at), word.chars().count().try_into().unwrap_or(1))
        });
        found.into_iter().nth(nth).unwrap_or(span)
    }

    /// Where `text` stands verbatim on the first line of `span`, moved by `offset` characters; else the span itself.
    pub(crate) fn inside(&self, span: Span, text: &str, offset: usize) -> Span {
        let line = self.line(span.line);
        let start = line
            .char_indices()
            .nth((span.column as usize).saturating_sub(1))
            .map_or(line.len(), |(at, _)| at);
        match line.get(start..).and_then(|rest| rest.find(text)) {
            Some(at) if !text.is_empty() => {
                Span::on_line(span.line, column_of(line, start + at) + u32::try_from(offset).unwrap_or(0), 1)
            }
            _ => span,
        }
    }
}

/// A piece of a source file; lines and columns are 1-based, columns count characters, the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) end_line: u32,
    pub(crate) end_column: u32,
}

impl Span {
    /// The beginning of a file.
    pub(crate) const START: Span = Span { line: 1, column: 1, end_line: 1, end_column: 2 };

    pub(crate) fn on_line(line: u32, column: u32, width: u32) -> Self {
        Span { line, column, end_line: line, end_column: column + width }
    }

    /// Characters that a caret underlines on the first line of `span`.
    pub(crate) fn width(self, line: &str) -> u32 {
        let end = match self.end_line == self.line {
            true => self.end_column,
            false => line.trim_end().chars().count() as u32 + 1,
        };
        end.saturating_sub(self.column).max(1)
    }
}

fn column_of(line: &str, byte: usize) -> u32 {
    line.get(..byte).map_or(1, |before| before.chars().count() as u32 + 1)
}

fn whole_words<'l>(line: &'l str, word: &'l str) -> impl Iterator<Item = usize> + 'l {
    let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*');
    line.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}
