//! What a Panther rule says besides its logic.

use super::{
    case::{Case, cases},
    expression::expressions,
    key::{Key, key},
    logic::Logic,
    selection::Selections,
};
use crate::{
    diagnostic::Notes,
    shape,
    source::Span,
    spelling::{near_miss, suggestion},
    yaml::{Map, Node},
};

/// Panther's default for `DedupPeriodMinutes`.
const DEDUP_MINUTES_DEFAULT: u64 = 60;

/// Keys whose value goes into the rule made.
const USED: [&str; 20] = [
    "AnalysisType",
    "RuleID",
    "DisplayName",
    "Enabled",
    "LogTypes",
    "Severity",
    "CreateAlert",
    "Description",
    "Reference",
    "Runbook",
    "Reports",
    "Tags",
    "SummaryAttributes",
    "Detection",
    "InlineFilters",
    "GroupBy",
    "AlertTitle",
    "DedupPeriodMinutes",
    "Threshold",
    "Tests",
];

/// A Panther rule, read.
#[derive(Debug)]
pub(super) struct Rule<'r> {
    /// Panther's `RuleID`.
    pub(super) id: &'r str,
    /// The id as a name of ours.
    pub(super) name: String,
    pub(super) title: &'r str,
    pub(super) level: &'static str,
    pub(super) description: Option<&'r str>,
    pub(super) reference: Option<&'r str>,
    pub(super) runbook: Option<&'r str>,
    pub(super) tags: Vec<String>,
    /// Keys that help whoever looks at a match.
    pub(super) summary: Vec<&'r str>,
    pub(super) logic: Logic,
    pub(super) selections: Selections,
    pub(super) counting: Option<Counting>,
    pub(super) tests: Vec<Case>,
}

/// When matches of a rule become an alert.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) group_by: Vec<Key>,
    pub(super) threshold: u64,
    pub(super) window_minutes: u64,
}

/// Reads a rule; every reason against it is reported.
pub(super) fn read<'r>(root: &'r Map, notes: &mut Notes<'_>) -> Option<Rule<'r>> {
    is_importable(root, notes)?;
    let text = |key: &str, notes: &mut Notes<'_>| {
        root.get(key).and_then(|node| shape::text(node, &format!("`{key}`"), notes)).map(str::trim)
    };
    other_keys(root, notes);
    let id = required(root, "RuleID", notes).filter(|id| {
        let usable = !name(id).is_empty();
        if !usable {
            let span = root.get("RuleID").map_or(Span::START, |node| node.span);
            notes.error(
                span,
                "`RuleID` without letters and digits makes no name",
                "give the rule an id of ASCII letters",
            );
        }
        usable
    });
    let level = level(root, notes);
    let mut selections = Selections::default();
    let logic = logic(root, &mut selections, notes);
    let counting = counting(root, notes);
    let tests = root.get("Tests").map_or_else(|| Some(Vec::new()), |node| cases(node, notes));
    let id = id?;
    let rule = Rule {
        id,
        name: name(id),
        title: text("DisplayName", notes).unwrap_or(id),
        level: level?,
        description: text("Description", notes),
        reference: text("Reference", notes),
        runbook: text("Runbook", notes),
        tags: tags(root, notes),
        summary: summary(root, notes),
        logic: logic?,
        selections,
        counting: counting?,
        tests: tests?,
    };
    Some(rule)
}

/// Whether the file holds a rule about CloudTrail events whose logic is declared.
fn is_importable(root: &Map, notes: &mut Notes<'_>) -> Option<()> {
    let kind = required(root, "AnalysisType", notes)?;
    if kind != "rule" {
        let span = root.get("AnalysisType").map_or(Span::START, |node| node.span);
        let remedy = match kind {
            "scheduled_rule" | "scheduled_query" | "saved_query" => {
                "it queries stored logs on a schedule; write what it looks for as a rule about events"
            }
            "correlation_rule" => {
                "import the rules it names, then write a Sigma correlation of type `temporal` or `temporal_ordered` over them"
            }
            _ => "import files that say `AnalysisType: rule`",
        };
        notes.error(span, format!("a Panther `{kind}`, which is no rule about single events"), remedy);
        return None;
    }
    if let Some(entry) = root.entry("Filename") {
        let file = entry.node.scalar_text().unwrap_or_default();
        let message = format!("the logic of this rule is Python, in `{file}`");
        notes.error(
            entry.node.span,
            message,
            "write it as `Detection:` with match expressions, or as a Sigma rule",
        );
        return None;
    }
    let Some(types) = root.entry("LogTypes") else {
        notes.error(Span::START, "a rule without `LogTypes`", "add `LogTypes: [AWS.CloudTrail]`");
        return None;
    };
    let found = shape::texts(&types.node, "`LogTypes`", notes)?;
    let mut others = found.iter().filter(|(kind, _)| *kind != "AWS.CloudTrail").peekable();
    if found.is_empty() || others.peek().is_some() {
        for (other, span) in others {
            let message = format!("a rule about `{other}`, which are no CloudTrail events");
            notes.error(*span, message, "import rules about `AWS.CloudTrail` alone");
        }
        if found.is_empty() {
            notes.error(types.node.span, "`LogTypes` is empty", "write `LogTypes: [AWS.CloudTrail]`");
        }
        return None;
    }
    Some(())
}

fn other_keys(root: &Map, notes: &mut Notes<'_>) {
    for entry in root.entries.iter().filter(|entry| !USED.contains(&entry.key.as_str())) {
        match entry.key.as_str() {
            "DynamicSeverities" => {
                let message = "severities that depend on the event cannot be imported exactly";
                notes.error(entry.key_span, message, "write one rule for each severity, with its conditions");
            }
            key if near_miss(key, &USED).is_some() => {
                notes.error(entry.key_span, format!("unknown key `{key}`"), suggestion(key, &USED));
            }
            key => {
                let message = format!("`{key}` has no counterpart and is left out");
                notes.warning(entry.key_span, message, "");
            }
        }
    }
    for (key, remedy) in [
        ("Enabled", "leave the rule out of the build if it is to stay so"),
        ("CreateAlert", "leave the correlation out if nobody is to be told"),
    ] {
        let Some(entry) = root.entry(key) else { continue };
        if shape::boolean(&entry.node, &format!("`{key}`"), notes) == Some(false) {
            notes.warning(entry.key_span, format!("`{key}: false` has no counterpart"), remedy);
        }
    }
}

fn required<'r>(root: &'r Map, key: &str, notes: &mut Notes<'_>) -> Option<&'r str> {
    let Some(node) = root.get(key) else {
        notes.error(Span::START, format!("a Panther rule without `{key}`"), format!("add `{key}:`"));
        return None;
    };
    let text = shape::text(node, &format!("`{key}`"), notes)?.trim();
    if text.is_empty() {
        notes.error(node.span, format!("`{key}` is empty"), "write it");
        return None;
    }
    Some(text)
}

fn level(root: &Map, notes: &mut Notes<'_>) -> Option<&'static str> {
    required(root, "Severity", notes)?;
    let words = [
        ("Info", "informational"),
        ("Low", "low"),
        ("Medium", "medium"),
        ("High", "high"),
        ("Critical", "critical"),
    ];
    shape::one_of(root.get("Severity")?, "`Severity`", &words, notes)
}

fn logic(root: &Map, selections: &mut Selections, notes: &mut Notes<'_>) -> Option<Logic> {
    let Some(detection) = root.get("Detection") else {
        notes.error(Span::START, "a rule without `Detection`", "add `Detection:` with match expressions");
        return None;
    };
    let own = expressions(detection, "`Detection`", selections, notes);
    let filters = match root.get("InlineFilters") {
        Some(node) => expressions(node, "`InlineFilters`", selections, notes)?,
        None => Logic::Constant(true),
    };
    let logic = Logic::all(vec![own?, filters]);
    if let Logic::Constant(value) = logic {
        let message = match value {
            true => "this rule matches every event",
            false => "this rule can never match",
        };
        notes.error(detection.span, message, "add an expression about the event's keys");
        return None;
    }
    Some(logic)
}

/// The outer `None` is an error, the inner one a rule whose every match counts.
fn counting(root: &Map, notes: &mut Notes<'_>) -> Option<Option<Counting>> {
    let before = notes.list.len();
    let mut number = |key: &str, default: u64| match root.get(key) {
        Some(node) => {
            let number = shape::natural(node, &format!("`{key}`"), notes)?;
            if number == 0 {
                notes.error(node.span, format!("`{key}` is zero"), "write a number above zero");
                return None;
            }
            Some(number)
        }
        None => Some(default),
    };
    let (threshold, window_minutes) =
        (number("Threshold", 1), number("DedupPeriodMinutes", DEDUP_MINUTES_DEFAULT));
    let group_by = match root.get("GroupBy") {
        Some(node) => keys(node, notes),
        None => Vec::new(),
    };
    if notes.list.len() > before {
        return None;
    }
    let (threshold, window_minutes) = (threshold?, window_minutes?);
    if threshold == 1 && group_by.is_empty() {
        return Some(None);
    }
    if let Some(title) = root.entry("AlertTitle").filter(|_| group_by.is_empty())
        && title.node.as_text().is_some_and(|text| text.contains('{'))
    {
        let message =
            "without `GroupBy`, Panther counts per `AlertTitle`, which holds keys of the event here";
        notes.error(title.key_span, message, "name these keys in `GroupBy`");
        return None;
    }
    Some(Some(Counting { group_by, threshold, window_minutes }))
}

fn keys(node: &Node, notes: &mut Notes<'_>) -> Vec<Key> {
    let mut keys = Vec::new();
    for item in shape::list(node, "`GroupBy`", notes).unwrap_or_default() {
        let Some(map) = shape::map(item, "an element of `GroupBy`", notes) else { continue };
        let before = notes.list.len();
        match key(map, notes) {
            Some(key) if key.is_list || key.path.contains('[') => {
                notes.error(key.span, "`GroupBy` of an element of a list", "group by a key with one value");
            }
            Some(key) => keys.push(key),
            None if notes.list.len() == before => {
                notes.error(item.span, "an element of `GroupBy` without a key", "add `KeyPath:`");
            }
            None => {}
        }
    }
    keys
}

/// Tactics and techniques as Sigma tags them, other reports and tags under their own names.
fn tags(root: &Map, notes: &mut Notes<'_>) -> Vec<String> {
    let mut tags = Vec::new();
    for entry in root.get("Reports").and_then(Node::as_map).iter().flat_map(|map| &map.entries) {
        let mitre = entry.key.to_lowercase().contains("mitre");
        let name = if mitre { "attack".to_owned() } else { name(&entry.key) };
        let items = shape::list(&entry.node, &format!("`{}`", entry.key), notes).unwrap_or_default();
        for value in items.iter().filter_map(Node::scalar_text) {
            tags.extend(
                value
                    .split(if mitre { ":" } else { "\n" })
                    .map(|part| format!("{name}.{}", slug(part, "._-"))),
            );
        }
    }
    for tag in root.get("Tags").and_then(|node| shape::texts(node, "`Tags`", notes)).unwrap_or_default() {
        tags.push(format!("panther.{}", slug(tag.0, "._-")));
    }
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags
}

fn summary<'r>(root: &'r Map, notes: &mut Notes<'_>) -> Vec<&'r str> {
    let found =
        root.get("SummaryAttributes").and_then(|node| shape::texts(node, "`SummaryAttributes`", notes));
    let found = found.unwrap_or_default().into_iter().map(|(name, _)| name);
    found.filter(|name| !name.starts_with("p_")).collect()
}

/// A text as a name that conditions can hold.
fn name(text: &str) -> String {
    slug(text, "_").replace('-', "_")
}

fn slug(text: &str, kept: &str) -> String {
    let plain = text.trim().to_lowercase();
    let plain = plain.chars().map(|c| if c.is_ascii_alphanumeric() || kept.contains(c) { c } else { '-' });
    let plain: String = plain.collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
