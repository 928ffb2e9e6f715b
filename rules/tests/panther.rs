//! Panther's rules to ours: `panther/NAME.yml` gives `NAME.txt`, the rule made or why there is none.
//! `UPDATE_EXPECT=1` writes them anew.

use proptest::prelude::*;
use std::{fs, path::PathBuf};
use tripwasm_plan::{Logic, Window};
use tripwasm_rules::{Compiled, ExpectedMatches, OnError, SourceFile, compile, panther};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn built(imported: &panther::Imported) -> Compiled {
    let compiled = compile(&[file(&imported.file_name, &imported.text)], &[], None, OnError::Refuse);
    // Short names stand for fields here.
    let is_told = |shown: &String| !shown.contains("CloudTrail's events have no field");
    let shown = compiled.diagnostics.iter().map(ToString::to_string).filter(is_told);
    assert_eq!(shown.collect::<Vec<_>>(), Vec::<String>::new(), "{}", imported.text);
    compiled
}

#[test]
fn rules_come_out_as_expected_and_build() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/panther");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yml")) {
        let name = path.file_name().unwrap().to_string_lossy();
        let result = panther::import(&file(&name, &fs::read_to_string(path).unwrap()));
        let shown = match &result {
            Ok(imported) => {
                built(imported);
                let notes: Vec<String> = imported.notes.iter().map(|note| format!("\n{note}")).collect();
                format!("{}\n\n{}{}", imported.file_name, imported.text, notes.concat())
            }
            Err(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rule(detection: &str) -> SourceFile {
    let head = "AnalysisType: rule\nRuleID: R\nLogTypes: [AWS.CloudTrail]\nSeverity: Low\n";
    file("r.yml", &format!("{head}Detection: {detection}\n"))
}

/// The selections and the condition of a rule with this `Detection`, on one line.
fn detection(detection: &str) -> String {
    let imported =
        panther::import(&rule(detection)).unwrap_or_else(|found| panic!("{detection}: {}", found[0]));
    built(&imported);
    let lines = imported.text.lines().skip_while(|line| *line != "detection:").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' ') || *line == "tripwasm:");
    lines.map(str::trim).collect::<Vec<_>>().join("; ")
}

#[test]
fn conditions() {
    let one = |rest: &str| detection(&format!("[{{ KeyPath: a.b, {rest} }}]"));
    let cases = [
        ("Condition: Equals, Value: X", "selection:; a.b|cased: X; condition: selection"),
        ("Condition: Equals, Value: true", "selection:; a.b: true; condition: selection"),
        ("Condition: Equals, Value: 5", "selection:; a.b: 5; condition: selection"),
        ("Condition: Equals, Value: 'true'", "selection:; a.b|cased: 'true'; condition: selection"),
        ("Condition: DoesNotEqual, Value: X", "selection:; a.b|cased: X; condition: not selection"),
        ("Condition: IEquals, Value: X", "selection:; a.b: X; condition: selection"),
        ("Condition: StartsWith, Value: X", "selection:; a.b|startswith|cased: X; condition: selection"),
        ("Condition: IDoesNotEndWith, Value: X", "selection:; a.b|endswith: X; condition: not selection"),
        ("Condition: IContains, Value: 'X*'", r"selection:; a.b|contains: 'X\*'; condition: selection"),
        ("Condition: IsIn, Values: [X, Z]", "selection:; a.b|cased: [X, Z]; condition: selection"),
        ("Condition: IsNotIn, Values: [X]", "selection:; a.b|cased: X; condition: not selection"),
        ("Condition: IsIn, Values: [X, 5]", "selection:; - a.b|cased: X; - a.b: 5; condition: selection"),
        ("Condition: IsGreaterThanOrEquals, Value: 1.5", "selection:; a.b|gte: 1.5; condition: selection"),
        ("Condition: Exists", "selection:; a.b|exists: true; condition: selection"),
        ("Condition: DoesNotExist", "selection:; a.b|exists: false; condition: selection"),
        ("Condition: IsNotNull", "selection:; a.b: null; condition: not selection"),
        (
            "Condition: IsNullOrEmpty",
            "selection:; a_b_if_any|exists: false; selection_2:; a.b: [false, 0]; condition: selection and not selection_2",
        ),
        ("Condition: IsIPv6Address", "selection:; a.b|cidr: ['::/0']; condition: selection"),
        (
            "Condition: IsIPAddressNotInCIDR, Value: 10.0.0.0/8",
            "selection:; a.b|cidr: '10.0.0.0/8'; condition: not selection",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(one(rest), expected, "{rest}");
    }
}

#[test]
fn combinators() {
    let leaf = |key: &str| format!("{{ KeyPath: {key}, Condition: Exists }}");
    let (a, b, c) = (leaf("a"), leaf("b"), leaf("c"));
    let condition = |text: &str| {
        let whole = detection(text);
        whole.split("condition: ").nth(1).unwrap().trim_matches('\'').to_owned()
    };
    let cases = [
        (format!("[{a}, {b}]"), "selection"),
        (format!("[{a}, {{ Any: [{b}, {c}] }}]"), "selection and (selection_2 or selection_3)"),
        (format!("[{{ None: [{a}, {b}] }}]"), "not (selection or selection_2)"),
        (
            format!("[{{ OnlyOne: [{a}, {b}] }}]"),
            "(selection and not selection_2) or (not selection and selection_2)",
        ),
        (format!("[{a}, {{ Any: [{b}, {{ Condition: AlwaysFalse }}] }}]"), "selection"),
        (format!("[{{ Any: [{a}, {{ Condition: AlwaysFalse }}] }}, {{ None: [] }}]"), "selection"),
        (format!("[{{ None: [{{ None: [{a}] }}] }}]"), "selection"),
        (format!("[{a}, {a}]"), "selection"),
    ];
    for (text, expected) in cases {
        assert_eq!(condition(&text), expected, "{text}");
    }
    let many = vec![a; 40].join(", ");
    assert!(panther::import(&rule(&format!("[{{ OnlyOne: [{many}] }}]"))).is_err());
}

#[test]
fn tests_and_counting_survive() {
    let read = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/panther").join(name);
        panther::import(&file(name, &fs::read_to_string(path).unwrap())).unwrap()
    };
    let plain = built(&read("plain.yml"));
    let cases: Vec<_> =
        plain.tests.iter().map(|case| (case.name.as_str(), case.expect.matches.clone())).collect();
    assert_eq!(
        cases,
        [("Stopped", Some(ExpectedMatches::All)), ("Stopped (2)", Some(ExpectedMatches::None))]
    );
    assert_eq!(
        plain.tests[0].events,
        [concat!(
            r#"{"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","#,
            r#""requestParameters":{"name":"prod*\\x?1"},"recipientAccountId":"1"}"#
        )]
    );
    let counted = built(&read("counted.yml"));
    let plan = counted.plan.unwrap();
    assert_eq!(plan.rules.iter().map(|rule| rule.reported).collect::<Vec<_>>(), [false, true]);
    let Logic::Correlation(correlation) = &plan.rules[1].logic else { panic!("no correlation") };
    assert_eq!((correlation.window, correlation.timespan_ms), (Window::Anchored, 24 * 60 * 60 * 1000));
    assert_eq!(counted.tests[0].rule_index.0, 0);
}

proptest! {
    #[test]
    fn nothing_makes_the_import_panic(
        name in prop::sample::select(vec!["plain", "counted", "refused", "list_comprehension"]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9, "[\\[\\]{}:,'\"*#&\n a-f0-9-]{0,3}"), 1..5),
    ) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/panther/{name}.yml"));
        let mut text: Vec<char> = fs::read_to_string(path).unwrap().chars().collect();
        for (at, removed, added) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        match panther::import(&file("r.yml", &text.into_iter().collect::<String>())) {
            Ok(imported) => prop_assert!(!imported.text.is_empty()),
            Err(found) => prop_assert!(!found.is_empty()),
        }
    }
}
