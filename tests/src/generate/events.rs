//! Lines: mostly events, now and then something odd.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::fmt;

/// A generated line; failures show its text.
#[derive(Clone)]
pub struct Line {
    /// Its text, without a newline.
    pub text: Vec<u8>,
    /// The event's time, if it was given one.
    pub time: Option<i64>,
    /// How much later than due it arrives, in milliseconds.
    pub delay: i64,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (+{})", self.text.escape_ascii(), self.delay)
    }
}

/// Event times lie between 0 and this, in milliseconds.
const TIME_MAX: i64 = 60;

/// Delays are less than this, in milliseconds.
pub const DELAY_MAX: i64 = 20;

/// When a line arrives: stably sorted by this, a stream is in disorder by less than the greatest delay.
pub fn order_key(line: &Line) -> i64 {
    line.time.unwrap_or(0) + line.delay
}

/// The bytes of lines, the last one without newline or with it.
pub fn input(lines: &[Line], final_newline: bool) -> Vec<u8> {
    let mut input = lines.iter().map(|line| line.text.as_slice()).collect::<Vec<_>>().join(&b'\n');
    if final_newline {
        input.push(b'\n');
    }
    input
}

/// Any line.
pub fn line() -> impl Strategy<Value = Line> {
    prop_oneof![40 => event(), 1 => odd()]
}

/// Events for [`super::correlation_plan`]: most have an id of their own.
pub fn fact_lines() -> impl Strategy<Value = Vec<Line>> {
    let own = |(number, (line, has_id)): (usize, (Line, bool))| {
        let text = String::from_utf8_lossy(&line.text).replacen('{', &format!("{{\"id\":\"{number}\","), 1);
        if has_id { Line { text: text.into_bytes(), ..line } } else { line }
    };
    prop::collection::vec((fact_line(), prop::bool::weighted(0.8)), 0..50)
        .prop_map(move |lines| lines.into_iter().enumerate().map(own).collect())
}

/// As [`fact_lines`], some delivered again at another time. A copy is the same event.
pub fn redelivered_fact_lines() -> impl Strategy<Value = Vec<Line>> {
    let again = prop::collection::vec((any::<Index>(), 0..DELAY_MAX), 0..8);
    (fact_lines(), again).prop_map(|(mut lines, again)| {
        let single = lines.clone();
        let again = again.iter().filter(|_| !single.is_empty());
        lines.extend(again.map(|(index, delay)| Line { delay: *delay, ..index.get(&single).clone() }));
        lines
    })
}

fn fact_line() -> impl Strategy<Value = Line> {
    let kinds = prop::sample::subsequence(vec!["\"p\"", "\"q\"", "\"r\"", "\"s\""], 0..=4);
    let group = || prop::option::weighted(0.95, select(vec!["\"x\"", "\"y\"", "null"]));
    let number = select(vec!["0", "1", "1.5", "-3", "\"2\"", "10", "true", "\"v\"", "1e30", "[4,5]"]);
    let value = select(vec!["\"v\"", "\"w\"", "1", "[\"v\",\"z\"]"]);
    let time = prop::option::weighted(0.97, 0..TIME_MAX);
    let values = (prop::option::of(number), prop::option::of(value));
    (time, kinds, group(), group(), values, 0..DELAY_MAX).prop_map(|(time, kinds, g, h, (n, u), delay)| {
        let mut parts = vec![format!("\"k\":[{}]", kinds.join(","))];
        parts.extend(time.map(|time| format!("\"t\":{time}")));
        let members = [("g", g), ("h", h), ("n", n), ("u", u)];
        parts.extend(members.iter().filter_map(|(key, value)| Some(format!("\"{key}\":{}", (*value)?))));
        Line { text: format!("{{{}}}", parts.join(",")).into_bytes(), time, delay }
    })
}

fn event() -> impl Strategy<Value = Line> {
    let member = prop_oneof![
        4 => (select(vec!["a", "b"]), value()),
        1 => (select(vec!["o", "l"]), value()),
        1 => (Just("o"), object(scalar())),
        1 => (select(vec!["o.k", "o.k.m", "tripwasm", "\\u0061", "z", ""]), value()),
    ];
    let members = prop::collection::vec(member, 0..5);
    let time = prop::option::weighted(0.95, 0..TIME_MAX);
    let group = prop::option::weighted(0.9, select(vec!["\"x\"", "\"X\"", "1", "null", "[\"x\"]"]));
    let id = prop::option::weighted(0.8, select(vec!["p", "q", "r", "s", "t", "u", "v", "w", ""]));
    let as_text = any::<bool>();
    (members, time, group, id, as_text, 0..DELAY_MAX, space()).prop_map(
        |(members, time, group, id, as_text, delay, space)| {
            let mut parts: Vec<String> = Vec::new();
            if let Some(time) = time {
                parts.push(match as_text {
                    true => format!("\"t\":{space}\"1970-01-01T00:00:00.{time:03}Z\""),
                    false => format!("\"t\"{space}:{time}"),
                });
            }
            parts.extend(id.map(|id| format!("\"id\":\"{id}\"")));
            parts.extend(group.map(|group| format!("\"g\":{group}")));
            parts.extend(members.into_iter().map(|(key, value)| format!("\"{key}\"{space}:{value}")));
            let separator = format!("{space},");
            let text = format!("{space}{{{}{space}}}{space}", parts.join(&separator));
            Line { text: text.into_bytes(), time, delay }
        },
    )
}

/// Lines that are no events, or hardly.
fn odd() -> impl Strategy<Value = Line> {
    let texts: Vec<&[u8]> = vec![
        b"",
        b" \t",
        b"\r",
        b"{",
        b"{}",
        b" {} ",
        b"[]",
        b"[{\"a\":1}]",
        b"1",
        b"\"a\"",
        b"{\"a\":1",
        b"{\"a\":1}}",
        b"{\"a\":1,}",
        b"{\"a\" 1}",
        b"{\"a\":tru}",
        b"{\"a\":01}",
        b"{\"a\":\"\xff\"}",
        b"\xff",
        b"{\"a\":\"\x01\"}",
        b"{'a':1}",
        b"\xef\xbb\xbf{\"a\":\"x\"}",
        b"\xef\xbb\xbf",
        b" \xef\xbb\xbf{}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\\u12\"}",
        b"{\"\\ud800\":1}",
        b"{\"z\":[1,{\"y\":[}]}",
        b"{\"z\":[1,{\"y\":[]}]}x",
        b"{\"z\":-}",
        b"{\"z\":\"\\x\"}",
        b"{\"z\":1.e1}",
        b"{\"z\":nul}",
        b"{\"z\":{\"a\":1 \"b\":2}}",
        b"{\"z\" \"a\"}",
        b"{\"a\":1,,\"b\":1}",
        b"{\"z\":[1,]}",
        b"{\"z\":{\"q\":1,}}",
        b"{\"z\":[1}",
        b"{\"z\":{]",
        b"nulll",
        b"{1:2}",
        b"{\"a\":1}\x00",
    ];
    select(texts).prop_map(|text| Line { text: text.to_vec(), time: None, delay: 0 })
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\t \r")]
}

/// The JSON text of a value.
fn value() -> impl Strategy<Value = String> {
    let nested = array(prop_oneof![object(scalar()), array(scalar())]);
    prop_oneof![6 => scalar(), 1 => array(scalar()), 1 => object(scalar()), 1 => nested]
}

fn array(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (prop::collection::vec(item, 0..4), space())
        .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},"))))
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (select(vec!["k", "m", "k", "k\\u006b", "\\\"é"]), value, space());
    prop::collection::vec(member, 0..3).prop_map(|members| {
        let members =
            members.into_iter().map(|(key, value, space)| format!("{space}\"{key}\":{space}{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

fn scalar() -> impl Strategy<Value = String> {
    let usual =
        vec!["null", "true", "false", "0", "1", "10", "\"\"", "\"x\"", "\"X\"", "\"xy\"", "\"1\"", "\"10\""];
    let rare = vec![
        "-0",
        "1.0",
        "1e1",
        "-2.50",
        "1e400",
        "9007199254740993",
        "100000000000000000000000000000000001",
        "\"True\"",
        "\"FALSE\"",
        "\"1.0\"",
        "\"010\"",
        "\"-2.5\"",
        "\"1e1\"",
        "\"é\"",
        "\"É\"",
        "\"\\u00c9\"",
        "\"x/y/Z\"",
        "\"/\"",
        "\"x\\ny\"",
        "\"\\\\\"",
        "\"\\\"\"",
        "\"\\u0000\\u001f\\u007f\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\udc00x\"",
        "\"ſ\"",
        "\"\u{212a}\"",
        "\"ı\"",
        "\"10.0.0.1\"",
        "\"10.1.0.1\"",
        "\"010.0.0.1\"",
        "\"::ffff:10.0.0.1\"",
        "\"fe80::1%e\"",
        "\"fe80::1%\"",
        "\"1970-01-01T00:00:00Z\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "\"\\ud800\\u0078\"",
    ];
    prop_oneof![3 => select(usual), 1 => select(rare)].prop_map(str::to_owned)
}
