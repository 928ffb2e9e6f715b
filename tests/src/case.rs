//! Case files: rules, events, and what has to come out.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file of `cases/`: cases that share their rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Sigma documents.
    pub rules: String,
    /// What `--config` would be given.
    #[serde(default)]
    pub config: Option<String>,
    /// At least one.
    pub cases: Vec<Case>,
}

/// One input and its outcome.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows; unique in its file.
    pub name: String,
    /// The input, a line each; see [`lines`] for the forms of an element.
    pub events: Vec<Value>,
    /// All that comes out.
    #[serde(default)]
    pub expect: Expect,
}

/// All that comes out of a case; what is not mentioned does not come out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Positions of the events that each reported rule matches, by the rule's label.
    #[serde(default)]
    pub matches: BTreeMap<String, Vec<u64>>,
    /// Positions of remarkable lines, by the reason in the words of the contract.
    #[serde(default)]
    pub rejected: BTreeMap<String, Vec<u64>>,
    /// Closed alerts in order of (rule, group, start of the window).
    #[serde(default)]
    pub alerts: Vec<ExpectedAlert>,
}

/// A closed alert; what is not mentioned may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedAlert {
    /// Label of the correlation.
    pub rule: String,
    /// How many events.
    pub count: Option<u64>,
    /// Group-by values by field.
    pub group: Option<BTreeMap<String, String>>,
    /// Time of the earliest event.
    pub first: Option<String>,
    /// Time of the latest event.
    pub last: Option<String>,
    /// Both ends of the window.
    pub window: Option<ExpectedWindow>,
    /// Listed values by field.
    pub values: Option<BTreeMap<String, Vec<String>>>,
    /// Numbers of distinct values by field.
    pub distinct: Option<BTreeMap<String, u64>>,
    /// Positions of the events.
    pub events: Option<Vec<u64>>,
    /// Whether a list was cut.
    pub truncated: Option<bool>,
}

/// A window's ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedWindow {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
}

/// Every case file below a directory, in order of path.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut ahead = vec![directory.to_owned()];
    while let Some(directory) = ahead.pop() {
        let entries =
            std::fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                found.push(path);
            } else {
                bail!("{} is no case file: name it *.yml or move it away", path.display());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a case file.
pub fn read(path: &Path) -> Result<CaseFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    // Case files are YAML 1.2, as rules are: `y` is a text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let file = serde_saphyr::from_str_with_options(&text, options);
    let file: CaseFile = file.with_context(|| format!("in {}", path.display()))?;
    let mut names: Vec<&str> = file.cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    if names.is_empty() || names.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("{}: cases need to be there, under names of their own", path.display());
    }
    Ok(file)
}

/// The bytes of an input. An element of `events` is an event as a map, or a map with one of these keys only:
/// - `raw: text`, a line as it stands;
/// - `bytes: text`, a line whose characters U+0000 to U+00FF stand for bytes;
/// - `nested: n`, an event of nesting depth `n`; `padded: n`, an event of `n` bytes;
/// - `repeat: n` and `event: map`, copies in which `#` in strings is the copy's number, `000` at first.
pub fn lines(events: &[Value]) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    for event in events {
        for line in line(event)? {
            input.extend_from_slice(&line);
            input.push(b'\n');
        }
    }
    Ok(input)
}

fn line(event: &Value) -> Result<Vec<Vec<u8>>> {
    let Value::Object(members) = event else { bail!("event {event} is no map") };
    let keys: Vec<&str> = members.keys().map(String::as_str).collect();
    let size = |value: &Value| {
        value
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .with_context(|| format!("{value} is no size"))
    };
    Ok(match (keys.as_slice(), members.values().next()) {
        (["raw"], Some(Value::String(text))) => vec![text.clone().into_bytes()],
        (["bytes"], Some(Value::String(text))) => {
            let bytes: Result<Vec<u8>, _> = text.chars().map(|byte| u8::try_from(u32::from(byte))).collect();
            vec![bytes.with_context(|| format!("{text:?} has a character that is no byte"))?]
        }
        (["nested"], Some(depth)) => {
            let arrays = size(depth)?.saturating_sub(1);
            vec![format!(r#"{{"a":{}{}}}"#, "[".repeat(arrays), "]".repeat(arrays)).into_bytes()]
        }
        (["padded"], Some(bytes)) => {
            let padding = size(bytes)?.saturating_sub(r#"{"pad":""}"#.len());
            vec![format!(r#"{{"pad":"{}"}}"#, "x".repeat(padding)).into_bytes()]
        }
        (["repeat", "event"], Some(copies)) => {
            let template = serde_json::to_string(&members["event"])?;
            (0..size(copies)?).map(|copy| template.replace('#', &format!("{copy:03}")).into_bytes()).collect()
        }
        _ => vec![serde_json::to_vec(event)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_an_event_becomes_lines() {
        let cases = [
            (json!({"b": 1, "a": [null]}), "{\"b\":1,\"a\":[null]}\n"),
            (json!({"raw": " {"}), " {\n"),
            (json!({"raw": 1, "a": 2}), "{\"raw\":1,\"a\":2}\n"),
            (json!({"nested": 3}), "{\"a\":[[]]}\n"),
            (json!({"padded": 12}), "{\"pad\":\"xx\"}\n"),
            (json!({"repeat": 2, "event": {"a": "n#"}}), "{\"a\":\"n000\"}\n{\"a\":\"n001\"}\n"),
        ];
        for (event, expected) in cases {
            let input = lines(std::slice::from_ref(&event)).unwrap();
            assert_eq!(String::from_utf8_lossy(&input), expected, "{event}");
        }
        assert_eq!(lines(&[json!({"bytes": "\u{ff}"})]).unwrap(), b"\xff\n");
        assert!(lines(&[json!(1)]).is_err());
    }
}
