//! The correlations of the Sigma specification: its examples and the documents its schema is tested with.

use std::{collections::BTreeSet, path::PathBuf};
use tripwasm_plan::{Logic, Plan};
use tripwasm_rules::{OnError, SourceFile, compile};

/// Log sources of the specification's examples.
const CONFIG: &str = "logsources: [{ product: windows }]";

fn specification() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/rules/sigma-spec");
    if !root.is_dir() {
        println!("skipped: the Sigma specification does not lie beside the project");
        return None;
    }
    Some(root)
}

/// The text with a detection for each rule that its correlations refer to and that is not among its documents.
fn with_bases(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut referred = BTreeSet::new();
    let mut named = BTreeSet::new();
    let mut inside = false;
    for line in &lines {
        let trimmed = line.trim();
        if let Some(item) = trimmed.strip_prefix("- ").filter(|_| inside) {
            referred.insert(item.split('#').next().unwrap_or_default().trim());
        } else {
            inside = trimmed == "rules:";
        }
        for key in ["name:", "id:"] {
            named.extend(line.strip_prefix(key).map(str::trim));
        }
    }
    let mut whole = text.trim_end().to_owned();
    for name in referred.difference(&named) {
        let key = if name.len() == 36 { "id" } else { "name" };
        whole.push_str(&format!(
            "\n---\ntitle: {name}\n{key}: {name}\ndetection: {{ s: {{ a: b }}, condition: s }}"
        ));
    }
    whole
}

fn build(text: &str) -> Result<Plan, Vec<String>> {
    let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
    let config = file("config.yml", CONFIG.to_owned());
    let compiled = compile(&[file("rule.yml", with_bases(text))], &[], Some(&config), OnError::Refuse);
    compiled.plan.ok_or_else(|| compiled.diagnostics.iter().map(|found| found.message.clone()).collect())
}

#[test]
fn documents_of_the_schema_tests_build() {
    let Some(root) = specification() else { return };
    let folder = root.join("tests/schema/correlation");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let plan = build(&std::fs::read_to_string(&path).unwrap());
        let plan = plan.unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()));
        assert!(plan.rules.iter().any(|rule| matches!(rule.logic, Logic::Correlation(_))));
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn examples_of_the_text_build_or_say_what_they_lack() {
    let Some(root) = specification() else { return };
    let text =
        std::fs::read_to_string(root.join("specification/sigma-correlation-rules-specification.md")).unwrap();
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let examples: Vec<&str> =
        blocks.map(|(_, body)| body).filter(|body| body.lines().any(|line| line == "correlation:")).collect();
    assert_eq!(examples.len(), 10);
    let mut refused = Vec::new();
    for example in examples {
        // The shorter examples show a correlation alone.
        let titled = match example.starts_with("title:") {
            true => example.to_owned(),
            false => format!("title: An example\n{example}"),
        };
        // A dash stands for a title and an id that do not matter.
        let titled = titled.replace("title: —", "title: An example").replace("id: —\n", "");
        if let Err(errors) = build(&titled) {
            refused.push(errors);
        }
    }
    let expected = [vec!["`correlation` without `type`", "`correlation` without `timespan`"]];
    assert_eq!(refused, expected, "only the example of `rules` alone is no whole correlation");
}
