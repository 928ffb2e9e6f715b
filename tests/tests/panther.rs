//! Rules imported from Panther hold for the events that their own tests say: the tests come along, and the reference
//! evaluator runs them.

use std::{fs, path::PathBuf};
use tripwasm_engine::reference;
use tripwasm_plan::Duplicates;
use tripwasm_rules::{ExpectedMatches, OnError, SourceFile, TestCase, compile, panther};

fn examples() -> Vec<SourceFile> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/panther");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<SourceFile> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| SourceFile {
            path: path.file_name().unwrap().to_string_lossy().into_owned(),
            text: fs::read_to_string(path).unwrap(),
        })
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn expects_a_match(case: &TestCase) -> bool {
    match case.expect.matches {
        Some(ExpectedMatches::All) => true,
        Some(ExpectedMatches::None) => false,
        ref other => panic!("{}: {other:?} is not what an import writes", case.name),
    }
}

#[test]
fn imported_rules_pass_their_own_tests() {
    let mut cases = 0;
    for file in examples() {
        let Ok(imported) = panther::import(&file) else { continue };
        let rule = SourceFile { path: imported.file_name, text: imported.text };
        let compiled = compile(&[rule], &[], None, OnError::Refuse);
        let mut plan = compiled.plan.unwrap();
        // What a correlation counts is no finding of its own, but it is what Panther's tests are about.
        plan.rules.iter_mut().for_each(|rule| rule.reported = true);
        for case in &compiled.tests {
            let events = case.events.join("\n");
            let found = reference::evaluate(&plan, events.as_bytes(), 0, Duplicates::Once);
            let matched = found.matches.iter().any(|found| found.rule == case.rule_index);
            assert_eq!(matched, expects_a_match(case), "{}: {}", file.path, case.name);
            cases += 1;
        }
    }
    assert!(cases > 30, "{cases} cases");
}
