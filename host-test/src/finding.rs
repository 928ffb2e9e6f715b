//! Findings as JSON: the format that other programs read.

use std::ops::Range;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::bindings::detector::{
    AlertFinding, AlertState, Level, MatchFinding, ModuleInfo, Reason, Report, RuleInfo,
};
use crate::rfc3339;
use crate::time::push_rfc3339;

/// Writes findings of one module. Each is one JSON object on one line.
pub struct FindingFormat {
    rules: Vec<Box<RawValue>>,
}

impl FindingFormat {
    /// Of a module that describes itself so.
    pub fn new(info: &ModuleInfo) -> Result<Self, serde_json::Error> {
        let rules = info.rules.iter().map(|rule| serde_json::value::to_raw_value(&RuleView(rule)));
        Ok(FindingFormat { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Appends the matches of a report, one a line. `source` is the input the events came from, as it was named.
    pub fn push_matches(&self, lines: &mut Vec<u8>, report: &Report, source: &str) {
        let source = Value::from(source).to_string();
        let mut before: Option<(&MatchFinding, Range<usize>)> = None;
        for found in &report.matches {
            let start = lines.len();
            match &before {
                Some((other, head)) if same_event(other, found) => lines.extend_from_within(head.clone()),
                _ => push_event(lines, found, report, &source),
            }
            before = Some((found, start..lines.len()));
            let rule = self.rule(found.rule).map_or("null", RawValue::get);
            lines.extend_from_slice(rule.as_bytes());
            lines.extend_from_slice(b"}\n");
        }
    }

    /// Appends an alert and a line break.
    pub fn push_alert(&self, line: &mut Vec<u8>, alert: &AlertFinding) -> Result<(), serde_json::Error> {
        serde_json::to_writer(&mut *line, &AlertView { alert, rule: self.rule(alert.rule) })?;
        line.push(b'\n');
        Ok(())
    }

    fn rule(&self, index: u32) -> Option<&RawValue> {
        self.rules.get(index as usize).map(Box::as_ref)
    }
}

/// What people call a rule: its name, else its id, else its title.
pub fn label(rule: &RuleInfo) -> &str {
    rule.name.as_deref().or(rule.id.as_deref()).unwrap_or(&rule.title)
}

/// Sigma's word for a level.
pub fn level_text(level: Level) -> &'static str {
    match level {
        Level::Informational => "informational",
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    }
}

/// The word for how far an alert is.
pub fn state_text(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "open",
        AlertState::Closed => "closed",
        AlertState::Withdrawn => "withdrawn",
    }
}

/// The word for what is remarkable about a line.
pub fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Empty => "empty",
        Reason::NotUtf8 => "not-utf8",
        Reason::Malformed => "malformed",
        Reason::NotAnObject => "not-an-object",
        Reason::TooLarge => "too-large",
        Reason::TooDeep => "too-deep",
        Reason::DuplicateKey => "duplicate-key",
        Reason::TaggedBefore => "tagged-before",
    }
}

/// The id of the event that a match of the report is about: UTF-8, unless the module breaks its contract.
pub fn event_id<'r>(found: &MatchFinding, report: &'r Report) -> Option<&'r [u8]> {
    let id = report.texts.get(found.id_start as usize..found.id_end as usize);
    id.filter(|id| !id.is_empty())
}

fn same_event(one: &MatchFinding, other: &MatchFinding) -> bool {
    let event = |found: &MatchFinding| (found.event, found.time, found.id_start, found.id_end);
    event(one) == event(other)
}

/// What all matches of an event begin with. `source` is a JSON string.
fn push_event(line: &mut Vec<u8>, found: &MatchFinding, report: &Report, source: &str) {
    line.extend_from_slice(b"{\"kind\":\"match\",\"event\":");
    line.extend_from_slice(itoa::Buffer::new().format(found.event).as_bytes());
    line.extend_from_slice(b",\"event_id\":");
    match event_id(found, report) {
        Some(id) => push_text(line, id),
        None => line.extend_from_slice(b"null"),
    }
    line.extend_from_slice(b",\"time\":");
    push_time(line, found.time);
    line.extend_from_slice(b",\"source\":");
    line.extend_from_slice(source.as_bytes());
    line.extend_from_slice(b",\"rule\":");
}

fn push_text(line: &mut Vec<u8>, text: &[u8]) {
    let plain = text.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    if plain {
        line.push(b'"');
        line.extend_from_slice(text);
        line.push(b'"');
    } else {
        line.extend_from_slice(Value::from(String::from_utf8_lossy(text)).to_string().as_bytes());
    }
}

fn push_time(line: &mut Vec<u8>, time: Option<i64>) {
    let start = line.len();
    line.push(b'"');
    if time.is_some_and(|time| push_rfc3339(line, time)) {
        line.push(b'"');
    } else {
        line.truncate(start);
        line.extend_from_slice(b"null");
    }
}

/// A rule as findings and `inspect` name it.
pub(crate) struct RuleView<'a>(pub(crate) &'a RuleInfo);

impl Serialize for RuleView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rule = self.0;
        let mut object = serializer.serialize_struct("rule", 6)?;
        object.serialize_field("id", &rule.id)?;
        object.serialize_field("name", &rule.name)?;
        object.serialize_field("title", &rule.title)?;
        object.serialize_field("level", &rule.level.map(level_text))?;
        object.serialize_field("tags", &rule.tags)?;
        object.serialize_field("author", &rule.author)?;
        object.end()
    }
}

struct AlertView<'a> {
    alert: &'a AlertFinding,
    rule: Option<&'a RawValue>,
}

impl Serialize for AlertView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alert = self.alert;
        let ids: Vec<_> = alert.event_ids.iter().map(|id| Some(id).filter(|id| !id.is_empty())).collect();
        let group = alert.group.iter().map(|member| (member.field.as_str(), member.value.as_str()));
        let seen = alert.observations.iter();
        let values = seen.clone().filter_map(|seen| Some((seen.field.as_str(), seen.values.as_ref()?)));
        let distinct = seen.filter_map(|seen| Some((seen.field.as_str(), seen.distinct?)));
        let mut object = serializer.serialize_struct("alert", 17)?;
        object.serialize_field("kind", "alert")?;
        object.serialize_field("state", state_text(alert.state))?;
        object.serialize_field("id", &alert.id)?;
        object.serialize_field("rule", &self.rule)?;
        object.serialize_field("group", &Pairs(group))?;
        object.serialize_field("window", &Window(alert.window_start, alert.window_end))?;
        object.serialize_field("count", &alert.count)?;
        object.serialize_field("first", &rfc3339(alert.first))?;
        object.serialize_field("last", &rfc3339(alert.last))?;
        object.serialize_field("events", &alert.events)?;
        object.serialize_field("event_ids", &ids)?;
        object.serialize_field("values", &Pairs(values))?;
        object.serialize_field("distinct", &Pairs(distinct))?;
        if let Some(measured) = alert.measured.as_deref().and_then(number) {
            object.serialize_field("measured", measured)?;
        }
        if alert.truncated {
            object.serialize_field("truncated", &true)?;
        }
        if alert.uncounted > 0 {
            object.serialize_field("exact", &false)?;
            object.serialize_field("uncounted", &alert.uncounted)?;
        }
        object.end()
    }
}

/// A decimal number as it stands: as binary floating point it would lose digits. None if the module's text is none.
fn number(text: &str) -> Option<&RawValue> {
    let numeric = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    numeric.then(|| serde_json::from_str(text).ok()).flatten()
}

struct Window(i64, i64);

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(2))?;
        object.serialize_entry("start", &rfc3339(self.0))?;
        object.serialize_entry("end", &rfc3339(self.1))?;
        object.end()
    }
}

/// An object with its members in the order given.
struct Pairs<I>(I);

impl<K: Serialize, V: Serialize, I: Iterator<Item = (K, V)> + Clone> Serialize for Pairs<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::detector::{Duplicates, RuleKind};
    use crate::bindings::detector::{Limits, Options};

    fn info() -> ModuleInfo {
        let rule = RuleInfo {
            id: None,
            name: Some("r".to_owned()),
            title: "R".to_owned(),
            level: None,
            tags: Vec::new(),
            author: None,
            kind: RuleKind::Correlation,
            action: crate::bindings::detector::Action::Tag,
            reported: true,
            group_bytes_max: None,
        };
        let options =
            Options { lateness_ms: 0, duplicates: Duplicates::Once, state_bytes_max: 0, learn_from: None };
        let limits =
            Limits { event_bytes_max: 0, nesting_depth_max: 0, alert_events_max: 0, jump_events_min: 0 };
        ModuleInfo {
            version: String::new(),
            rules: vec![rule],
            levels: 1,
            fields: Vec::new(),
            limits,
            options,
        }
    }

    fn line(measured: Option<&str>, uncounted: u64) -> String {
        let alert = AlertFinding {
            state: AlertState::Closed,
            id: "0".to_owned(),
            rule: 0,
            group: Vec::new(),
            window_start: 0,
            window_end: 0,
            count: 1,
            first: 0,
            last: 0,
            events: Vec::new(),
            event_ids: Vec::new(),
            observations: Vec::new(),
            truncated: false,
            measured: measured.map(str::to_owned),
            uncounted,
            opened_by: None,
        };
        let mut line = Vec::new();
        FindingFormat::new(&info()).unwrap().push_alert(&mut line, &alert).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn matches_say_what_the_module_said_and_are_json_whatever_that_was() {
        let texts = b"id-1\"\\\x01\xff\xc3\xa9".to_vec();
        let at = |event, time, rule, id: Range<u32>| MatchFinding {
            event,
            time,
            rule,
            id_start: id.start,
            id_end: id.end,
        };
        let matches = vec![
            at(7, Some(1_688_989_320_120), 0, 0..4),
            at(7, Some(1_688_989_320_120), 0, 0..4),
            at(7, Some(1_688_989_320_120), 1, 4..7),
            at(8, None, 0, 2..2),
            at(9, Some(i64::MAX), 0, 7..10),
            at(10, None, 0, 3..99),
        ];
        let report = Report { verdicts: Vec::new(), matches, texts, alerts: Vec::new(), remarks: Vec::new() };
        let mut lines = Vec::new();
        FindingFormat::new(&info()).unwrap().push_matches(&mut lines, &report, "a\"b");
        let rule = r#"{"id":null,"name":"r","title":"R","level":null,"tags":[],"author":null}"#;
        let line = |event: u64, id: &str, time: &str, rule: &str| {
            format!(
                "{{\"kind\":\"match\",\"event\":{event},\"event_id\":{id},\"time\":{time},\"source\":\"a\\\"b\",\"rule\":{rule}}}\n"
            )
        };
        let expected = [
            line(7, "\"id-1\"", "\"2023-07-10T11:42:00.12Z\"", rule),
            line(7, "\"id-1\"", "\"2023-07-10T11:42:00.12Z\"", rule),
            line(7, r#""\"\\\u0001""#, "\"2023-07-10T11:42:00.12Z\"", "null"),
            line(8, "null", "null", rule),
            line(9, "\"\u{fffd}é\"", "null", rule),
            line(10, "null", "null", rule),
        ];
        assert_eq!(String::from_utf8(lines).unwrap(), expected.concat());
    }

    #[test]
    fn measures_keep_their_digits_and_inexact_figures_say_so() {
        let cases = [
            (None, 0, "\"distinct\":{}}\n"),
            (Some("-12345678901234567890.123456789"), 0, "\"measured\":-12345678901234567890.123456789}\n"),
            (Some("7"), 3, "\"measured\":7,\"exact\":false,\"uncounted\":3}\n"),
            (Some("NaN"), 0, "\"distinct\":{}}\n"),
        ];
        for (measured, uncounted, end) in cases {
            let line = line(measured, uncounted);
            assert!(line.ends_with(end), "{line}");
        }
    }
}
