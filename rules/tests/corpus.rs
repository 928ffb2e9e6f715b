//! Public rules: what has to build builds, what this engine cannot run is refused.

use std::path::{Path, PathBuf};
use tripwasm_rules::{Compiled, OnError, Severity, SourceFile, compile};

fn corpus(folder: &str) -> Option<Vec<SourceFile>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/rules");
    if !root.is_dir() {
        println!("skipped: no corpus of public rules beside the project");
        return None;
    }
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    Some(
        paths
            .iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
            .map(|path| SourceFile { path: name(path), text: std::fs::read_to_string(path).unwrap() })
            .collect(),
    )
}

fn errors(compiled: &Compiled) -> Vec<String> {
    let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    errors.map(|error| format!("{}: {}", error.file, error.message)).collect()
}

#[test]
fn every_cloudtrail_rule_of_sigmahq_builds() {
    let Some(files) = corpus("sigmahq/rules/cloud/aws/cloudtrail") else { return };
    assert_eq!(files.len(), 57);
    let compiled = compile(&files, &[], None, OnError::Refuse);
    assert_eq!(errors(&compiled), Vec::<String>::new());
    let plan = compiled.plan.unwrap();
    assert_eq!(plan.rules.len(), 57);
    let again = compile(&files, &[], None, OnError::Refuse).plan.unwrap();
    assert_eq!(tripwasm_plan::encode(&plan), tripwasm_plan::encode(&again));
    assert!(plan.rules.iter().all(|rule| rule.author.is_some() && rule.reported));
}

#[test]
fn aggregations_and_unfilled_placeholders_are_refused() {
    let Some(mut files) = corpus("sigmahq/unsupported/cloud") else { return };
    files.extend(corpus("sigmahq/rules-placeholder/cloud/aws/cloudtrail").unwrap());
    let refused: Vec<&SourceFile> = files
        .iter()
        .filter(|file| compile(&[(*file).clone()], &[], None, OnError::Refuse).plan.is_none())
        .collect();
    assert_eq!(refused.len(), 8);
    let compiled = compile(&files, &[], None, OnError::KeepGoing);
    assert_eq!(compiled.left_out.len(), 8);
    let kept: Vec<String> = compiled.plan.unwrap().rules.into_iter().map(|rule| rule.title).collect();
    assert_eq!(kept, ["Potential AWS Cloud Email Service Abuse"]);
    let reasons: Vec<&str> = compiled.left_out.iter().map(|left| left.reason.as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("placeholder")), "{reasons:?}");
}

#[test]
fn fixtures_of_the_specification_give_plans_or_reasons() {
    let Some(files) = corpus("sigma-spec/tests/schema/correlation") else { return };
    for file in files {
        let compiled = compile(std::slice::from_ref(&file), &[], None, OnError::Refuse);
        assert!(!errors(&compiled).is_empty(), "{} refers to rules that are not there", file.path);
    }
}
