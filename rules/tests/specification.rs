//! The specification's own examples and fixtures of rules and filters, where they lie: each builds, or is refused for
//! the reason given here.

use std::path::PathBuf;
use tripwasm_rules::{Compiled, OnError, Severity, SourceFile, compile};

/// What an example has to be told to build: its log sources, and values for its placeholders.
const CONFIG: &str = "
logsources: [{ product: windows }, { category: process_creation }, { category: network, service: dns }]
placeholders: { name: [x], servers: [x] }
";

/// The rules that the filters of the specification name.
const FILTERED: &str = "
title: Data compressed
id: 6f3e2987-db24-4c78-a860-b4f4095a7095
logsource: LOGSOURCE
detection: { selection: { User: x }, condition: selection }
---
title: Login on jump host
id: df0841c0-9846-4e9f-ad8a-7df91571771b
logsource: LOGSOURCE
detection: { selection: { User: x }, condition: selection }
";

fn specification() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/rules/sigma-spec");
    if !root.is_dir() {
        println!("skipped: no Sigma specification beside the project");
        return None;
    }
    Some(root)
}

fn compiled(text: &str, mode: OnError) -> Compiled {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    compile(&[file("rule.yml", text)], &[], Some(&file("config.yml", CONFIG)), mode)
}

fn messages(compiled: &Compiled, severity: Severity) -> Vec<&str> {
    let found = compiled.diagnostics.iter().filter(|found| found.severity == severity);
    found.map(|found| found.message.as_str()).collect()
}

/// The YAML examples of a page that hold a member of this name.
fn examples(page: &str, member: &str) -> Vec<String> {
    let root = specification().unwrap();
    let text = std::fs::read_to_string(root.join("specification").join(page)).unwrap();
    let mut blocks: Vec<String> = Vec::new();
    let mut open = None;
    for line in text.lines() {
        match (open.take(), line.trim_end()) {
            (None, "```yml" | "```yaml") => open = Some(String::new()),
            (None, _) => {}
            (Some(block), "```") => blocks.push(block),
            (Some(block), line) => open = Some(format!("{block}{line}\n")),
        }
    }
    blocks.retain(|block| block.lines().any(|line| line == format!("{member}:")));
    blocks
}

/// An example with the title and the condition that excerpts leave out.
fn completed(example: &str) -> String {
    let mut text = example.to_owned();
    if !text.lines().any(|line| line.starts_with("title:")) {
        text.insert_str(0, "title: Excerpt\n");
    }
    if !text.contains("condition:") {
        text.push_str("    condition: 1 of them\n");
    }
    text
}

#[test]
fn examples_of_rules_build() {
    if specification().is_none() {
        return;
    }
    let examples = examples("sigma-rules-specification.md", "detection");
    assert_eq!(examples.len(), 11);
    for example in &examples {
        let text = completed(example);
        let compiled = compiled(&text, OnError::Refuse);
        assert_eq!(messages(&compiled, Severity::Error), Vec::<&str>::new(), "{text}");
        assert_eq!(compiled.plan.unwrap().rules.len(), 1);
    }
    // `null` in a list is called invalid because tools disagree on it; here it is one more alternative.
    assert!(examples.iter().any(|example| example.contains("- null")));
}

#[test]
fn every_modifier_of_the_appendix_is_known() {
    let Some(root) = specification() else { return };
    let text = std::fs::read_to_string(root.join("specification/sigma-appendix-modifiers.md")).unwrap();
    let listed = text.lines().filter_map(|line| line.trim_start().strip_prefix("- `"));
    let names: Vec<&str> = listed.filter_map(|rest| rest.split_once("`:").map(|(name, _)| name)).collect();
    // `neq` stands in two groups.
    assert_eq!(names.len(), 32, "{names:?}");
    for name in names {
        let (key, value) = match name {
            "i" | "m" | "s" => (format!("re|{name}"), "x"),
            "utf16le" | "utf16be" | "utf16" | "wide" => (format!("{name}|base64"), "x"),
            "exists" => (name.to_owned(), "true"),
            "all" => (name.to_owned(), "[x, y]"),
            "lt" | "lte" | "gt" | "gte" | "minute" | "hour" | "day" | "week" | "month" | "year" => {
                (name.to_owned(), "1")
            }
            "cidr" => (name.to_owned(), "10.0.0.0/8"),
            "expand" => (name.to_owned(), "'%name%'"),
            _ => (name.to_owned(), "eventName"),
        };
        let text =
            format!("title: T\ndetection: {{ s: {{ 'requestParameters.a|{key}': {value} }}, condition: s }}");
        let compiled = compiled(&text, OnError::Refuse);
        assert_eq!(messages(&compiled, Severity::Error), Vec::<&str>::new(), "{name}");
        assert_eq!(messages(&compiled, Severity::Warning), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn fixtures_of_rules_build() {
    let Some(root) = specification() else { return };
    for name in ["rule_1.yml", "rule_ecs.yml"] {
        let text = std::fs::read_to_string(root.join("tests/schema/rules").join(name)).unwrap();
        let accepted = compiled(&text, OnError::Refuse);
        assert_eq!(messages(&accepted, Severity::Error), Vec::<&str>::new(), "{name}");
        let file = SourceFile { path: name.to_owned(), text };
        let refused = compile(&[file], &[], None, OnError::Refuse);
        let reason = messages(&refused, Severity::Error).concat();
        assert!(reason.starts_with("a rule for other events than CloudTrail's"), "{reason}");
    }
}

/// A bare selection keeps what it describes, as other tools have it, and says so.
#[test]
fn fixtures_and_examples_of_filters_build_beside_their_rules() {
    let Some(root) = specification() else { return };
    let fixture = |name: &str| std::fs::read_to_string(root.join("tests/schema/filter").join(name)).unwrap();
    let windows = "{ category: process_creation, product: windows }";
    let mut filters = vec![
        (fixture("filter_1.yml"), windows),
        (fixture("filter_ecs.yml"), "{ category: network, service: dns }"),
    ];
    let examples = examples("sigma-filters-specification.md", "filter");
    assert_eq!(examples.len(), 1);
    filters.extend(examples.into_iter().map(|example| (example, windows)));
    for (filter, log_source) in filters {
        let alone = compiled(&filter, OnError::Refuse);
        assert_eq!(
            messages(&alone, Severity::Error),
            [
                "no rule has the name or id `6f3e2987-db24-4c78-a860-b4f4095a7095`",
                "no rule has the name or id `df0841c0-9846-4e9f-ad8a-7df91571771b`",
            ]
        );
        let rules = FILTERED.replace("LOGSOURCE", log_source);
        let together = compiled(&format!("{rules}---\n{filter}\n"), OnError::Refuse);
        assert_eq!(messages(&together, Severity::Error), Vec::<&str>::new());
        assert_eq!(
            messages(&together, Severity::Warning),
            ["the filtered rules match only where `selection` holds"]
        );
        assert_eq!(together.filters.len(), 1);
        assert_eq!(together.filters[0].rules.len(), 2);
    }
}
