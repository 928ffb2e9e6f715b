//! The slow, obvious evaluator: says what is right.
//!
//! It parses each line into a tree, looks every field up, tries every rule and keeps every fact until the
//! end. It shares nothing with the fast path but the plan and the findings, so that agreement of the two
//! means something.

mod calculate;
mod correlate;
mod date;
mod fact;
mod fold;
mod json;
mod matcher;
mod measure;
mod number;
mod pattern;
mod time;
mod value;
mod windows;

use crate::finding::{Alert, Match, Reason, Remark};
use crate::limits::EVENT_BYTES_MAX;
use tripwasm_plan::{Duplicates, Logic, Plan, RuleIndex};

/// What an input as a whole comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of reported detection rules, in order of (event, rule).
    pub matches: Vec<Match>,
    /// At most one of a kind per line, in order of line.
    pub remarks: Vec<Remark>,
    /// Every alert, closed, in order of (rule, group, start of the window).
    pub closed: Vec<Alert>,
}

/// Evaluates newline-separated JSON events as one whole: as if the lateness were infinite and the input had
/// ended. `first_event` is the position of the first line.
pub fn evaluate(plan: &Plan, input: &[u8], first_event: u64, duplicates: Duplicates) -> Outcome {
    let mut outcome = Outcome { matches: Vec::new(), remarks: Vec::new(), closed: Vec::new() };
    let mut facts = correlate::Facts::new(plan, duplicates);
    for (line, position) in lines(input).zip(first_event..) {
        let remark = |reason| Remark { event: position, reason };
        let event = match read(line) {
            Ok(event) => event,
            Err(reason) => {
                outcome.remarks.push(remark(reason));
                continue;
            }
        };
        if value::has_duplicate_key(&event, plan) {
            outcome.remarks.push(remark(Reason::DuplicateKey));
        }
        if event.member("tripwasm").is_some() {
            outcome.remarks.push(remark(Reason::TaggedBefore));
        }
        evaluate_event(plan, &event, position, &mut outcome.matches, &mut facts);
    }
    outcome.closed = facts.close();
    outcome
}

fn evaluate_event<'p>(
    plan: &'p Plan,
    event: &json::Json,
    position: u64,
    matches: &mut Vec<Match>,
    facts: &mut correlate::Facts<'p>,
) {
    let fields = calculate::fields(plan, event);
    let time = plan.time.iter().find_map(|&field| fields.all(field).find_map(time::of));
    let id_of = |value: &json::Json| match value {
        json::Json::Text(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let event_id = plan.event_id.iter().find_map(|&field| fields.all(field).find_map(id_of));
    let mut holding = Vec::new();
    for (rule, index) in plan.rules.iter().zip(0..) {
        let Logic::Detection(condition) = &rule.logic else { continue };
        if !matcher::holds(condition, matcher::Tests::of(plan), &fields) {
            continue;
        }
        let index = RuleIndex(index);
        holding.push(index);
        if rule.reported {
            matches.push(Match { event: position, rule: index, time, event_id: event_id.clone() });
        }
    }
    if let Some(time) = time {
        facts.add(&fact::Event { position, time, id: event_id.as_deref(), fields: &fields }, &holding);
    }
}

/// The lines of an input: an empty piece after a final newline is none.
fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = input.strip_suffix(b"\n").unwrap_or(input);
    let empty = input.is_empty();
    body.split(|&byte| byte == b'\n').filter(move |_| !empty)
}

/// The event of a line, or why it is none.
fn read(line: &[u8]) -> Result<json::Json, Reason> {
    if line.len() > EVENT_BYTES_MAX {
        return Err(Reason::TooLarge);
    }
    let text = core::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
        return Err(Reason::Empty);
    }
    match json::parse(text) {
        Ok(event @ json::Json::Object(_)) => Ok(event),
        Ok(_) => Err(Reason::NotAnObject),
        Err(json::Fault::Malformed) => Err(Reason::Malformed),
        Err(json::Fault::TooDeep) => Err(Reason::TooDeep),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_cut_into_lines_at_newlines_only() {
        let cut = |input: &'static str| -> Vec<&str> {
            lines(input.as_bytes()).map(|line| core::str::from_utf8(line).unwrap()).collect()
        };
        assert_eq!(cut(""), [""; 0]);
        assert_eq!(cut("\n"), [""]);
        assert_eq!(cut("a"), ["a"]);
        assert_eq!(cut("a\n"), ["a"]);
        assert_eq!(cut("a\n\n"), ["a", ""]);
        assert_eq!(cut("a\r\n\nb\rc"), ["a\r", "", "b\rc"]);
    }

    #[test]
    fn a_line_is_refused_for_the_first_reason_that_applies() {
        let huge = vec![b'x'; EVENT_BYTES_MAX + 1];
        let wide = [b"{\"a\":\"", vec![b'x'; EVENT_BYTES_MAX - 8].as_slice(), b"\"}"].concat();
        let deep = [b"{\"a\":".to_vec(), vec![b'['; 1024]].concat();
        let cases: [(&[u8], Option<Reason>); 15] = [
            (&huge, Some(Reason::TooLarge)),
            (&wide, None),
            (b"\xff", Some(Reason::NotUtf8)),
            (b"", Some(Reason::Empty)),
            (b" \t\r", Some(Reason::Empty)),
            (b"\xef\xbb\xbf", Some(Reason::Empty)),
            (b"\xef\xbb\xbf{}", None),
            (b" \xef\xbb\xbf{}", Some(Reason::Malformed)),
            (b"\x0b", Some(Reason::Malformed)),
            (b"{\"a\":1", Some(Reason::Malformed)),
            (b"{} {}", Some(Reason::Malformed)),
            (b"[{}]", Some(Reason::NotAnObject)),
            (b"null", Some(Reason::NotAnObject)),
            (&deep, Some(Reason::TooDeep)),
            (b" {} \r", None),
        ];
        for (line, expected) in cases {
            let shown = String::from_utf8_lossy(&line[..line.len().min(20)]);
            assert_eq!(read(line).err(), expected, "line {shown:?}");
        }
    }
}
