//! Panther's declarative rules to Sigma rules of ours.
//!
//! A rule in YAML whose logic is `Detection:` becomes a detection document with the rule's tests; `Threshold` above one, or
//! `GroupBy`, adds a correlation over it with one alert a group in each window of `DedupPeriodMinutes`, begun by the
//! group's first match, as Panther's engine does. Comparisons keep letter case, that of keys
//! too, and JSON types. A key that is absent, or
//! null, fits no positive condition, and so fits every negated one (`DoesNot...`, `IsNotIn`).
//!
//! What has no exact counterpart is refused with its place: logic in Python, rules about other logs, scheduled and
//! correlation rules, severities that depend on the event, mocks in tests.
//!
//! ```
//! use tripwasm_rules::{SourceFile, panther};
//!
//! let text = "
//! AnalysisType: rule
//! RuleID: AWS.Trail.Stopped
//! LogTypes: [AWS.CloudTrail]
//! Severity: High
//! Detection:
//!   - KeyPath: eventName
//!     Condition: IsIn
//!     Values: [StopLogging, DeleteTrail]
//! ";
//! let file = SourceFile { path: "trail_stopped.yml".to_owned(), text: text.to_owned() };
//! let imported = panther::import(&file).unwrap();
//! assert_eq!(imported.file_name, "aws_trail_stopped.yml");
//! assert!(imported.text.contains("eventName|cased"));
//! ```

mod case;
mod condition;
mod expression;
mod key;
mod logic;
mod rule;
mod selection;
mod sigma;
mod text;

use crate::{
    compile::{OnError, compile},
    diagnostic::{Diagnostic, Notes, Severity},
    source::{Source, SourceFile, Span},
    yaml::{self, Map, Value},
};
use serde::{Deserialize, Serialize};

/// A rule of ours made from one of Panther's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// A name for its file, from Panther's `RuleID`.
    pub file_name: String,
    /// Its documents. They build without errors.
    pub text: String,
    /// What the reader should know: keys without counterpart, points where the two languages see events differently.
    pub notes: Vec<Diagnostic>,
}

/// Reads a Panther rule in YAML. Errors name the place and what to do instead; nothing is approximated.
pub fn import(file: &SourceFile) -> Result<Imported, Vec<Diagnostic>> {
    let source = Source::new(file);
    let mut notes = Notes::new(&source);
    let Some(imported) = translate(&source, &mut notes).filter(|_| !notes.has_errors()) else {
        return Err(notes.list);
    };
    let (file_name, text) = imported;
    let made = SourceFile { path: file_name.clone(), text: text.clone() };
    let compiled = compile(&[made], &[], None, OnError::Refuse);
    for found in compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error) {
        let message = format!("what this rule comes to does not build: {}", found.message);
        notes.error(Span::START, message, found.remedy.clone().unwrap_or_default());
    }
    if notes.has_errors() {
        return Err(notes.list);
    }
    Ok(Imported { file_name, text, notes: notes.list })
}

fn translate(source: &Source<'_>, notes: &mut Notes<'_>) -> Option<(String, String)> {
    let root = read(source, notes)?;
    let rule = rule::read(&root, notes)?;
    let documents = sigma::documents(&rule, notes)?;
    let texts: Vec<String> = documents.iter().map(text::block).collect();
    Some((format!("{}.yml", rule.name), texts.join("---\n")))
}

fn read(source: &Source<'_>, notes: &mut Notes<'_>) -> Option<Map> {
    let chunks = yaml::split(source);
    if let Some(second) = chunks.get(1) {
        let span = Span::on_line(second.line, 1, 1);
        notes.error(span, "a Panther file holds one rule, here begins a second", "split the file");
        return None;
    }
    let Some(chunk) = chunks.first() else {
        notes.error(Span::START, "an empty file", "import a Panther rule in YAML");
        return None;
    };
    let node = yaml::read(chunk, notes)?;
    match node.value {
        Value::Map(map) => Some(map),
        _ => {
            let message = format!("a Panther rule has to be a map, this is {}", node.kind());
            notes.error(node.span, message, "begin with `AnalysisType: rule`");
            None
        }
    }
}
