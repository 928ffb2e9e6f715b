//! Documents step by step: values that wrap events, and arrays of them that are read element by element.

use super::EventReader;
use super::envelope::{Lines, first_value, unwrap};
use super::head::{Head, head};
use super::json::{Scan, ScanStop, skip_separator, skip_space, string_end, value_end};
use super::reader::{LINE_BYTES_MAX, LONG_VALUE_BYTES};
use super::telling::Within;

/// Where in a sequence of documents the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Between,
    /// Inside an array.
    Elements(Holder, Within),
    /// After the array that is a member of an object.
    AfterMember,
}

/// What holds an array that is read element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nothing.
    Top,
    /// An object, such as `{"Records":[...]}`.
    Member,
}

/// What one step over documents came to.
pub(super) enum Step {
    Advanced,
    NeedsMore,
    /// Not what it seemed to be: the rest is lines.
    Broken,
}

/// Whether a document is taken as a whole, though its array could be read element by element.
enum Taking {
    Whole,
    Elements,
    NeedsMore,
}

impl EventReader {
    /// Takes the next value, or goes into the next array.
    pub(super) fn step(&mut self, lines: &mut Lines) -> Step {
        if let Some(scan) = &mut self.long_value {
            let rest = self.buffer.get(self.start..self.filled).unwrap_or_default();
            if scan.value_end(rest) == Err(ScanStop::Incomplete) && !self.ended {
                return Step::NeedsMore;
            }
            self.long_value = None;
        }
        self.start = match self.place {
            Place::Elements(..) => self.start + skip_separator(self.rest(), 0),
            Place::Between | Place::AfterMember => self.start + skip_space(self.rest(), 0),
        };
        lines.at = self.position();
        let Some(&byte) = self.rest().first() else { return Step::NeedsMore };
        match (self.place, byte) {
            (Place::Elements(holder, _), b']') => {
                self.start += 1;
                self.place = if holder == Holder::Top { Place::Between } else { Place::AfterMember };
                Step::Advanced
            }
            (Place::Elements(_, within), _) => self.element(within, lines),
            (Place::AfterMember, b'}') => {
                self.start += 1;
                self.place = Place::Between;
                Step::Advanced
            }
            (Place::AfterMember, _) => self.member_after_array(lines),
            (Place::Between, b'[') => {
                self.start += 1;
                self.place = Place::Elements(Holder::Top, Within::Anything);
                Step::Advanced
            }
            (Place::Between, b'{') => self.object(lines),
            (Place::Between, _) => self.foreign_line(lines),
        }
    }

    fn element(&mut self, within: Within, lines: &mut Lines) -> Step {
        match first_value(self.rest()) {
            // A number at the end of the buffer may go on.
            Ok(value) if value.len() == self.rest().len() && !self.ended => Step::NeedsMore,
            Ok(value) => {
                let end = value.len();
                value.unwrap(within, lines);
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => self.needs_more(0),
            Err(ScanStop::Malformed(_)) => Step::Broken,
        }
    }

    /// The value at `start` has not ended. A long one is scanned on as it comes, not from its beginning each time.
    fn needs_more(&mut self, start: usize) -> Step {
        if self.rest().len() > LONG_VALUE_BYTES {
            self.long_value = Some(Scan::begin(start));
        }
        Step::NeedsMore
    }

    fn object(&mut self, lines: &mut Lines) -> Step {
        match head(self.rest()) {
            Head::Is(length, within) => match self.taking(length) {
                Taking::Elements => {
                    self.start += length;
                    self.place = Place::Elements(Holder::Member, within);
                    return Step::Advanced;
                }
                Taking::NeedsMore => return Step::NeedsMore,
                Taking::Whole => {}
            },
            Head::Short if !self.ended => return Step::NeedsMore,
            Head::Short | Head::IsNot => {}
        }
        match first_value(self.rest()) {
            Ok(value) => {
                let end = value.len();
                value.unwrap(Within::Anything, lines);
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => self.needs_more(0),
            // One bad line between good documents costs nothing but itself.
            Err(ScanStop::Malformed(at)) => match memchr::memchr(b'\n', self.rest()) {
                Some(line_end) if line_end < at => Step::Broken,
                _ => self.foreign_line(lines),
            },
        }
    }

    /// How to take an object whose array begins behind so many bytes. A notification passes as the one document it is;
    /// what the first element is tells.
    fn taking(&self, length: usize) -> Taking {
        let rest = self.rest();
        let may_grow = !self.ended && rest.len() < LINE_BYTES_MAX;
        let elements = rest.get(skip_space(rest, length)..).unwrap_or_default();
        match first_value(elements) {
            Ok(value) if value.is_message() => match value_end(rest, 0) {
                Ok(_) => Taking::Whole,
                Err(ScanStop::Incomplete) if may_grow => Taking::NeedsMore,
                Err(_) => Taking::Elements,
            },
            Err(ScanStop::Incomplete) if may_grow => Taking::NeedsMore,
            _ => Taking::Elements,
        }
    }

    /// `, "key": value` after the array.
    fn member_after_array(&mut self, lines: &mut Lines) -> Step {
        let rest = self.rest();
        let key = skip_separator(rest, 0);
        let value = string_end(rest, key).and_then(|key_end| {
            let colon = skip_space(rest, key_end);
            match rest.get(colon) {
                Some(b':') => Ok((key_end, value_end(rest, colon + 1)?, skip_space(rest, colon + 1))),
                Some(_) => Err(ScanStop::Malformed(colon)),
                None => Err(ScanStop::Incomplete),
            }
        });
        match value {
            Ok((_, end, _)) if end == rest.len() && !self.ended => Step::NeedsMore,
            Ok((key_end, end, start)) => {
                let value = rest.get(start..end).unwrap_or_default();
                if rest.get(key..key_end) == Some(b"\"Records\"") {
                    unwrap(value, lines);
                }
                self.start += end;
                Step::Advanced
            }
            Err(ScanStop::Incomplete) => Step::NeedsMore,
            Err(ScanStop::Malformed(_)) => Step::Broken,
        }
    }

    fn foreign_line(&mut self, lines: &mut Lines) -> Step {
        let line_end = memchr::memchr(b'\n', self.rest());
        match line_end {
            Some(at) => {
                lines.bytes.extend_from_slice(self.rest().get(..=at).unwrap_or_default());
                self.start += at + 1;
                Step::Advanced
            }
            None if self.rest().len() >= LINE_BYTES_MAX => Step::Broken,
            None => Step::NeedsMore,
        }
    }
}
