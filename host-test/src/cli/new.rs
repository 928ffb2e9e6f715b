//! `tripwasm new`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  tripwasm new stop_logging          writes stop_logging.yml
  tripwasm new rules/stop_logging    writes rules/stop_logging.yml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The rule's name, also its file's: lower case letters, digits and `_`
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let name = arguments.name.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        bail!("{name:?} is no rule name: write lower case letters, digits and `_`, such as stop_logging");
    }
    let path = arguments.name.with_extension("yml");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(template(&name, &today()).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {0}, next: tripwasm test {0}", path.display());
    Ok(Outcome::Done)
}

fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

fn template(name: &str, date: &str) -> String {
    let id = uuid::Uuid::new_v4();
    format!(
        "title: CloudTrail logging was stopped
id: {id}
name: {name}
status: experimental
description: Say what the rule finds, and why someone should look at it.
author: Your name
date: {date}
tags:
  - attack.t1562.008
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
    eventSource: cloudtrail.amazonaws.com
    eventName: StopLogging
  condition: selection
falsepositives:
  - Planned maintenance of the trail
level: high
tripwasm:
  tests:
    - name: a stopped trail is found
      event: {{ eventSource: cloudtrail.amazonaws.com, eventName: StopLogging }}
      expect: match
    - name: a started trail is not
      event: {{ eventSource: cloudtrail.amazonaws.com, eventName: StartLogging }}
      expect: none
"
    )
}
