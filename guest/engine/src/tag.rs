//! Events given back: tagged, filtered, or without what a rule drops.

use crate::detector::Detector;
use crate::finding::{Alert, Remark};
use crate::line::LineOutcome;
use crate::scan::{line_object_end, push_json_string};
use std::borrow::Cow;
use tripwasm_plan::{Level, Rule, Timestamp};

/// Which events come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every event, findings spliced in.
    Tag,
    /// Only events that are tagged.
    Filter,
    /// As `Tag`, without events that an `action: drop` rule matched.
    Drop,
}

/// What becomes of one event that a shipper hands over alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes on as it came.
    Passes,
    /// An `action: drop` rule matched it.
    Drops,
    /// It goes on with a member more.
    Tagged(Tag),
    /// It holds a line feed, and nothing was evaluated: a line feed ends an event.
    Broken,
}

/// The member that is spliced into an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its key, which the event does not have.
    pub key: Cow<'static, str>,
    /// Its value as JSON: one object a finding.
    pub findings: Vec<u8>,
}

impl Tag {
    /// Appends an event to `out`, this member before its last brace.
    pub fn splice(&self, event: &[u8], out: &mut Vec<u8>) {
        let (before, behind) = event.split_at(line_object_end(event).unwrap_or(event.len()));
        out.reserve(event.len() + self.key.len() + self.findings.len() + 4);
        out.extend_from_slice(before);
        write_key(before, &self.key, out);
        out.extend_from_slice(&self.findings);
        out.extend_from_slice(behind);
    }
}

/// The outcome of [`Detector::transform`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// NDJSON.
    pub events: Vec<u8>,
    /// Alerts that opened, closed or were withdrawn.
    pub alerts: Vec<Alert>,
    /// Lines that the host should count.
    pub remarks: Vec<Remark>,
    /// How many events were tagged.
    pub tagged: u64,
    /// How many events were left out.
    pub removed: u64,
}

impl Detector {
    /// Evaluates a batch as [`Detector::evaluate`] does, and gives its events back. A line changes only where the
    /// member `tripwasm` is spliced in before its last brace; a line that was not evaluated comes back as it is,
    /// except in mode `filter`.
    pub fn transform(
        &mut self,
        events: &[u8],
        first_event: u64,
        now: Option<Timestamp>,
        mode: Mode,
    ) -> Output {
        let mut output = Output::default();
        if mode != Mode::Filter {
            output.events.reserve(events.len() + events.len() / 8);
        }
        let mut outcome = LineOutcome::default();
        // Where the line begins, and up to where events were given back: what lies between goes back in one piece.
        let (mut begin, mut given) = (0, 0);
        let piece = |from: usize, to: usize| events.get(from..to).unwrap_or_default();
        self.for_each_line(events, first_event, |detector, line, event| {
            detector.process(line, event, now, &mut outcome);
            output.remarks.extend(outcome.remarks.iter().map(|&reason| Remark { event, reason }));
            let end = begin + line.bytes.len() + line.feed.len();
            let is_tagged = !outcome.reported.is_empty() || outcome.opened(event).next().is_some();
            let stays = match mode {
                Mode::Tag => true,
                Mode::Filter => is_tagged,
                Mode::Drop => !outcome.drop,
            };
            if !stays {
                output.events.extend_from_slice(piece(given, begin));
                output.removed += 1;
                given = end;
            } else if is_tagged {
                let brace = begin + line_object_end(line.bytes).unwrap_or(line.bytes.len());
                output.events.extend_from_slice(piece(given, brace));
                output.tagged += 1;
                detector.write_tag(piece(begin, brace), event, &outcome, &mut output.events);
                given = brace;
            }
            begin = end;
            output.alerts.append(&mut outcome.alerts);
        });
        output.events.extend_from_slice(piece(given, events.len()));
        output
    }

    /// What becomes of one event that came alone, as in mode `drop` of [`Detector::transform`]. `position` is its place in
    /// the whole input. What was to be told of alerts that close is not.
    pub fn judge(&mut self, event: &[u8], position: u64, now: Option<Timestamp>) -> Fate {
        let mut fate = Fate::Passes;
        let mut outcome = LineOutcome::default();
        self.for_each_line(event, position, |detector, line, position| {
            if !line.feed.is_empty() || fate == Fate::Broken {
                fate = Fate::Broken;
                return;
            }
            detector.process(line, position, now, &mut outcome);
            if outcome.drop {
                fate = Fate::Drops;
            } else if !outcome.reported.is_empty() || outcome.opened(position).next().is_some() {
                let mut findings = Vec::new();
                detector.write_findings(position, &outcome, &mut findings);
                let reserved = detector.reserved_keys();
                let key = free_key(|key| reserved.iter().any(|taken| taken == key));
                fate = Fate::Tagged(Tag { key, findings });
            }
        });
        fate
    }

    /// The member that goes before the last brace of an event. `before` is the event up to there.
    fn write_tag(&self, before: &[u8], event: u64, outcome: &LineOutcome, out: &mut Vec<u8>) {
        let reserved = self.reserved_keys();
        let key = free_key(|key| reserved.iter().any(|taken| taken == key));
        write_key(before, &key, out);
        self.write_findings(event, outcome, out);
    }

    /// The member's value.
    fn write_findings(&self, event: u64, outcome: &LineOutcome, out: &mut Vec<u8>) {
        out.push(b'[');
        let matches = outcome.reported.iter().map(|rule| (rule, None));
        let opened = outcome.opened(event).map(|alert| (&alert.rule, Some(alert.id.as_str())));
        for (number, (rule, alert)) in matches.chain(opened).enumerate() {
            if number > 0 {
                out.push(b',');
            }
            if let Some(tag) = self.tags.get(rule.0 as usize) {
                out.extend_from_slice(tag.as_bytes());
                if let Some(id) = alert {
                    // Hexadecimal digits need no escapes.
                    out.extend_from_slice(b",\"alert\":\"");
                    out.extend_from_slice(id.as_bytes());
                    out.push(b'"');
                }
                out.push(b'}');
            }
        }
        out.push(b']');
    }
}

/// The member's key, with a comma where the object up to here, `before`, has members.
fn write_key(before: &[u8], key: &str, out: &mut Vec<u8>) {
    let is_empty_object = before.trim_ascii_end().ends_with(b"{");
    out.extend_from_slice(if is_empty_object { b"\"" } else { b",\"" });
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A rule's tag as JSON, without the closing brace.
pub(crate) fn tag_of(rule: &Rule) -> String {
    let mut tag = "{\"name\":".to_owned();
    push_json_string(rule.label(), &mut tag);
    for (key, value) in [("level", rule.level.map(Level::as_str)), ("author", rule.author.as_deref())] {
        tag.push_str(",\"");
        tag.push_str(key);
        tag.push_str("\":");
        match value {
            Some(text) => push_json_string(text, &mut tag),
            None => tag.push_str("null"),
        }
    }
    tag
}

/// The key that findings stand under: `tripwasm`, or the first `tripwasm_N` that is not taken.
pub fn free_key(is_taken: impl Fn(&str) -> bool) -> Cow<'static, str> {
    if !is_taken("tripwasm") {
        return Cow::Borrowed("tripwasm");
    }
    let mut names = (1..).map(|number| format!("tripwasm_{number}"));
    Cow::Owned(names.find(|name| !is_taken(name)).unwrap_or_default())
}
