//! The event in a message, and what rsyslog is told to do with it.
//!
//! | reply | when |
//! |---|---|
//! | `{}` | nothing was found, or the message could not be evaluated |
//! | `{"msg":"...","$!":{"tripwasm":[...]}}` | something was found; `rawmsg` in the place of `msg` for that interface |
//! | `{"$!":{"tripwasm_drop":1}}` | the mode or a rule leaves the event out |

use std::borrow::Cow;

use serde::Deserialize;

use super::Interface;

/// Nothing is changed.
pub(super) const LEAVE_ALONE: &[u8] = b"{}\n";

/// For `if $!tripwasm_drop == 1 then stop`: a reply cannot drop a message by itself.
const DROP: &[u8] = b"{\"$!\":{\"tripwasm_drop\":1}}\n";

/// What rsyslog sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// What stands before the event: a header, `@cee:`, a space.
    before: Vec<u8>,
    /// On one line.
    pub(super) event: Vec<u8>,
}

/// What is read of a message with all properties.
#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    msg: Cow<'a, str>,
}

impl Sent {
    /// Finds the event; none in what is not of this interface.
    pub(super) fn read(interface: Interface, message: &[u8]) -> Option<Self> {
        let full = match interface {
            Interface::Fulljson => true,
            Interface::Msg => begins_as_full(message),
            Interface::Rawmsg => false,
        };
        if !full {
            return Some(Sent::of_text(message));
        }
        let properties: Properties<'_> = serde_json::from_slice(message).ok()?;
        Some(Sent::of_text(properties.msg.as_bytes()))
    }

    fn of_text(text: &[u8]) -> Self {
        let begin = memchr::memchr(b'{', text).unwrap_or(0);
        let (before, event) = text.split_at_checked(begin).unwrap_or((&[], text));
        // Between tokens a space says the same, and the module takes lines.
        let event = event.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect();
        Sent { before: before.to_vec(), event }
    }
}

/// Whether a message begins as fulljson does; no event of CloudTrail has such a member.
fn begins_as_full(message: &[u8]) -> bool {
    let inside = message.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    inside.trim_ascii_start().starts_with(b"\"msg\":")
}

/// The reply to a message, by what became of its event.
pub(super) fn reply(interface: Interface, sent: &Sent, evaluated: &[u8]) -> Vec<u8> {
    if evaluated.is_empty() {
        return DROP.to_vec();
    }
    let Some(tags) = tags(&sent.event, evaluated) else { return LEAVE_ALONE.to_vec() };
    let mut reply = Vec::with_capacity(2 * evaluated.len());
    reply.push(b'{');
    // A header that is not UTF-8 cannot be said in JSON; the tags can.
    if let Ok(text) = std::str::from_utf8(&[&sent.before, evaluated].concat()) {
        let name = if interface == Interface::Rawmsg { "rawmsg" } else { "msg" };
        reply.extend_from_slice(format!("\"{name}\":").as_bytes());
        // Writing to memory cannot fail, nor can text be no JSON.
        let _ = serde_json::to_writer(&mut reply, text);
        reply.push(b',');
    }
    reply.extend_from_slice(b"\"$!\":{\"tripwasm\":");
    reply.extend_from_slice(tags);
    reply.extend_from_slice(b"}}\n");
    reply
}

/// The value of the member that was spliced in before the last brace; none if nothing was.
fn tags<'a>(event: &[u8], evaluated: &'a [u8]) -> Option<&'a [u8]> {
    let brace = memchr::memrchr(b'}', event)?;
    let more = evaluated.len().checked_sub(event.len())?;
    let (before, rest) = evaluated.split_at_checked(brace)?;
    let (member, behind) = rest.split_at_checked(more)?;
    let same = event.split_at_checked(brace) == Some((before, behind));
    let value = memchr::memchr(b':', member)? + 1;
    member.get(value..).filter(|_| same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sent(before: &str, event: &str) -> Sent {
        Sent { before: before.into(), event: event.into() }
    }

    fn told(interface: Interface, sent: &Sent, evaluated: &str) -> Value {
        let reply = reply(interface, sent, evaluated.as_bytes());
        let (end, line) = reply.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert!(!line.contains(&b'\n'));
        serde_json::from_slice(line).unwrap()
    }

    #[test]
    fn the_event_is_found_behind_what_stands_before_it() {
        let read = |interface, text: &str| Sent::read(interface, text.as_bytes());
        for (text, before, event) in [
            (r#" {"a":1}"#, " ", r#"{"a":1}"#),
            (r#"@cee: {"a":1}"#, "@cee: ", r#"{"a":1}"#),
            ("{\"a\":1,\n\"b\":2}", "", r#"{"a":1, "b":2}"#),
            ("no event", "", "no event"),
            ("", "", ""),
        ] {
            for interface in [Interface::Msg, Interface::Rawmsg] {
                assert_eq!(read(interface, text), Some(sent(before, event)));
            }
            let full = json!({ "msg": text, "rawmsg": "x", "$!": { "a": [null, 1.5] } });
            for interface in [Interface::Msg, Interface::Fulljson] {
                assert_eq!(read(interface, &full.to_string()), Some(sent(before, event)));
            }
        }
        for text in ["{\"a\":1}", "", "{\"msg\":1}", "{\"msg\":\"{}\""] {
            assert_eq!(read(Interface::Fulljson, text), None, "{text}");
        }
    }

    #[test]
    fn replies_say_what_became_of_the_event() {
        let event = sent("@cee: ", r#"{"a":"é\u0000\n"} "#);
        let tagged = r#"{"a":"é\u0000\n","tripwasm_1":[{"name":"x:}"}]} "#;
        let tags = json!([{ "name": "x:}" }]);
        let msg = format!("@cee: {tagged}");
        assert_eq!(told(Interface::Msg, &event, tagged), json!({ "msg": msg, "$!": { "tripwasm": tags } }));
        assert_eq!(
            told(Interface::Rawmsg, &event, tagged),
            json!({ "rawmsg": msg, "$!": { "tripwasm": tags } })
        );
        assert_eq!(told(Interface::Msg, &event, r#"{"a":"é\u0000\n"} "#), json!({}));
        assert_eq!(told(Interface::Msg, &event, ""), json!({ "$!": { "tripwasm_drop": 1 } }));
        assert_eq!(told(Interface::Msg, &sent("", "{}"), r#"{"tripwasm":[]}"#)["$!"]["tripwasm"], json!([]));
    }

    #[test]
    fn a_header_that_is_no_text_stays_as_it_is() {
        let event = Sent { before: b"\xff ".to_vec(), event: b"{}".to_vec() };
        assert_eq!(
            told(Interface::Rawmsg, &event, r#"{"tripwasm":[1]}"#),
            json!({ "$!": { "tripwasm": [1] } })
        );
    }
}
