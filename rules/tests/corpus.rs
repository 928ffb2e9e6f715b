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

/// What is said of public rules is true: these are dead as their authors meant them, or live by coercion alone.
#[test]
fn lints_of_public_rules_are_few_and_true() {
    let Some(mut files) = corpus("sigmahq/rules/cloud/aws/cloudtrail") else { return };
    let two_names = corpus("sigmahq/unsupported/cloud").unwrap();
    files.extend(two_names.into_iter().filter(|file| file.path == "aws_ses_messaging_enabled.yml"));
    let compiled = compile(&files, &[], None, OnError::Refuse);
    let found = compiled.diagnostics.iter();
    let shown: Vec<String> = found.map(|found| format!("{}: {}", found.file, found.message)).collect();
    assert_eq!(shown, LINTS);
}

const LINTS: [&str; 8] = [
    "aws_cloudtrail_guardduty_detector_deleted_or_updated.yml: `'false'` of `requestParameters.enable` fits the text and the boolean",
    "aws_delete_saml_provider.yml: CloudTrail's events have no field `status`",
    "aws_disable_bucket_versioning.yml: `requestParameters` is an object in CloudTrail: texts are compared with its compact JSON",
    "aws_ec2_vm_export_failure.yml: `responseElements` is an object in CloudTrail: texts are compared with its compact JSON",
    "aws_iam_s3browser_templated_s3_bucket_policy_creation.yml: `requestParameters` is an object in CloudTrail: texts are compared with its compact JSON",
    "aws_rds_public_db_restore.yml: `'true'` of `responseElements.publiclyAccessible` fits the text and the boolean",
    "aws_ses_messaging_enabled.yml: `timeframe` is obsolete and has no effect",
    "aws_ses_messaging_enabled.yml: this rule can never match: `eventName` would have to be `verifyemailidentity` and `updateaccountsendingenabled` at once",
];
