//! The command line, end to end, with real modules.

mod command;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command::{command, ok, said, tripwasm};
use serde_json::Value;
use tempfile::TempDir;

const RULE: &str = "\
title: CloudTrail logging was stopped
id: 5f0a4c8e-6a58-4a0c-9a70-7a3a3c1d0001
name: stop_logging
author: Test
logsource: { product: aws, service: cloudtrail }
detection:
  selection: { eventName: StopLogging }
  condition: selection
level: high
tags: [attack.t1562.008]
tripwasm:
  tests:
    - name: found
      event: { eventName: StopLogging }
      expect: match
    - name: not found
      event: { eventName: StartLogging }
      expect: none
";

const HIT: &str = r#"{"eventTime":"2023-07-10T11:42:00Z","eventID":"e-1","eventName":"StopLogging"}"#;
const MISS: &str = r#"{"eventTime":"2023-07-10T11:42:01Z","eventID":"e-2","eventName":"StartLogging"}"#;

/// A directory with `rule.yml` and the module built from it.
fn built() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    std::fs::write(path.join("rule.yml"), RULE).unwrap();
    ok(&path, &["build", "rule.yml"], b"");
    (directory, path)
}

fn run_report(path: &Path, arguments: &[&str], input: &[u8]) -> (Vec<u8>, Value) {
    std::fs::write(path.join("input"), input).unwrap();
    let all = [&["run", "cloudtrail.wasm", "input", "--report", "report.json"], arguments].concat();
    let output = ok(path, &all, b"");
    let report = serde_json::from_slice(&std::fs::read(path.join("report.json")).unwrap()).unwrap();
    (output.stdout, report)
}

#[test]
fn a_first_round_works() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let greeting = ok(path, &[], b"");
    assert!(String::from_utf8_lossy(&greeting.stdout).contains("tripwasm new"));
    ok(path, &["new", "stop_logging"], b"");
    assert_eq!(tripwasm(path, &["new", "stop_logging"], b"").status.code(), Some(2), "never overwrites");
    ok(path, &["check", "stop_logging.yml"], b"");
    let tests = ok(path, &["test", "stop_logging.yml"], b"");
    assert!(String::from_utf8_lossy(&tests.stdout).contains("2 passed, 0 failed"));
    ok(path, &["build", "stop_logging.yml"], b"");
    ok(path, &["test", "cloudtrail.wasm"], b"");
    let inspected = ok(path, &["inspect", "cloudtrail.wasm"], b"");
    assert!(String::from_utf8_lossy(&inspected.stdout).contains("imports   none"));
    ok(path, &["inspect", "cloudtrail.wasm", "--json"], b"");
}

#[test]
fn the_same_rules_give_the_same_bytes_wherever_they_lie() {
    let (_first, left) = built();
    let (_second, right) = built();
    let left_bytes = std::fs::read(left.join("cloudtrail.wasm")).unwrap();
    assert!(left_bytes == std::fs::read(right.join("cloudtrail.wasm")).unwrap());
    let rule = left.join("rule.yml").display().to_string();
    ok(&right, &["build", &rule, "-o", "other.wasm"], b"");
    assert!(left_bytes == std::fs::read(right.join("other.wasm")).unwrap());
}

#[test]
fn a_bad_rule_is_named_and_nothing_is_written() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let cases = [
        ("eventName: StopLogging", "eventName|startwith: StopLogging"),
        ("condition: selection", "condition: selectoin"),
        ("eventName: StopLogging", "eventName|re: '('"),
        ("title: CloudTrail logging was stopped", "title: ["),
    ];
    for (from, to) in cases {
        std::fs::write(path.join("bad.yml"), RULE.replacen(from, to, 1)).unwrap();
        let output = tripwasm(path, &["build", "bad.yml", "-o", "out.wasm"], b"");
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{to}: {message}");
        assert!(message.contains("bad.yml:"), "{to}: no place in {message}");
        assert!(!path.join("out.wasm").exists(), "{to}");
    }
    for arguments in
        [&["build", "absent.yml"][..], &["run", "absent.wasm"], &["run"], &["inspect", "bad.yml"]]
    {
        assert_eq!(tripwasm(path, arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_failing_test_shows_what_differs() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    std::fs::write(path.join("rule.yml"), RULE.replacen("expect: match", "expect: none", 1)).unwrap();
    let output = tripwasm(path, &["test", "rule.yml"], b"");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("- matches: []") && text.contains("+ matches: [0]"), "{text}");
    assert!(
        text.contains("FAIL  stop_logging: found") && text.contains("PASS  stop_logging: not found"),
        "{text}"
    );
    assert!(text.lines().last().unwrap().starts_with("1 passed, 1 failed"), "{text}");
}

#[test]
fn results_are_written_as_junit() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let rule = RULE.replacen("expect: match", "expect: none", 1);
    std::fs::write(path.join("rule.yml"), rule.replacen("name: found", "name: '\"<&>\u{1}'", 1)).unwrap();
    let output = tripwasm(path, &["test", "rule.yml", "--junit", "results.xml", "--quiet"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("PASS"));
    let xml = std::fs::read_to_string(path.join("results.xml")).unwrap();
    for part in [
        "<testsuites name=\"tripwasm\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.",
        "<testsuite name=\"stop_logging\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.",
        "<testcase name=\"&quot;&lt;&amp;&gt;\u{fffd}\" classname=\"stop_logging\" file=\"rule.yml\" line=\"13\" time=",
        "<failure message=\"the module found something else (- expected, + found)\">- matches: []\n+ matches: [0]\n</failure>",
        "<testcase name=\"not found\"",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

#[test]
fn rules_that_tests_show_only_in_part_are_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let (positive, _) = RULE.split_once("    - name: not found").unwrap();
    std::fs::write(path.join("rule.yml"), positive).unwrap();
    ok(path, &["build", "rule.yml"], b"");
    for input in ["rule.yml", "cloudtrail.wasm"] {
        let output = ok(path, &["test", input], b"");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("      stop_logging: no test shows what it leaves alone\n"), "{input}: {text}");
        assert!(text.ends_with("; 1 rule lacks a positive or a negative test\n"), "{input}: {text}");
    }
    let (bare, _) = RULE.split_once("tripwasm:").unwrap();
    std::fs::write(path.join("rule.yml"), bare).unwrap();
    let output = ok(path, &["test", "rule.yml"], b"");
    assert!(String::from_utf8_lossy(&output.stdout).contains("and none what it leaves alone"));
}

#[test]
fn what_is_left_out_is_named_and_the_rest_is_built() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let bad =
        RULE.replace("condition: selection", "condition: selectoin").replace("stop_logging", "bad_rule");
    let bad = bad.replace("5f0a4c8e", "5f0a4c8f");
    std::fs::write(path.join("rules.yml"), format!("{bad}---\n{RULE}")).unwrap();
    assert_eq!(tripwasm(path, &["build", "rules.yml"], b"").status.code(), Some(2));
    assert!(!path.join("cloudtrail.wasm").exists());
    let output = ok(path, &["build", "rules.yml", "--keep-going"], b"");
    let message = said(&output);
    assert!(message.contains("left out: bad_rule (rules.yml:1): "), "{message}");
    assert!(message.contains("1 error, 0 warnings, 1 document left out"), "{message}");
    assert!(message.contains("cloudtrail.wasm: 1 rule, "), "{message}");
}

#[test]
fn bad_lines_pass_once_in_order_and_are_counted() {
    let (_directory, path) = built();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"eventName\":\"StartLogging\",\"a\":\"{}\"}}", "x".repeat(5 << 20));
    let lines: Vec<&[u8]> = vec![
        MISS.as_bytes(),
        b"not json",
        br#"{"eventName":"StartLogging","a":"#,
        long.as_bytes(),
        deep.as_bytes(),
        b"{\"eventName\":\"\xff\xfe\"}",
        b"",
        b"[1,2]",
        br#"{"eventName":"StopTrail","eventName":"StartLogging"}"#,
        b"{\"eventName\":\"StartLogging\"}\r",
        MISS.as_bytes(),
    ];
    for end in ["\n", ""] {
        let mut input = lines.join(&b'\n');
        input.extend_from_slice(end.as_bytes());
        for batch in ["1", "65536", "4194304"] {
            let (output, report) = run_report(&path, &["--batch-bytes", batch], &input);
            assert!(output == input, "batches of {batch}: bytes were changed");
            assert_eq!(report["events"], 11);
            let rejected = &report["rejected"];
            for (reason, count) in [
                ("malformed", 2),
                ("too-large", 1),
                ("too-deep", 1),
                ("not-utf8", 1),
                ("empty", 1),
                ("not-an-object", 1),
            ] {
                assert_eq!(rejected[reason], count, "batches of {batch}, {reason}: {report}");
            }
            assert_eq!(report["remarked"]["duplicate-key"], 1, "{report}");
            let with_hit = [&input[..], b"\n", HIT.as_bytes()].concat();
            let (findings, _) = run_report(&path, &["--batch-bytes", batch, "--mode", "findings"], &with_hit);
            let finding: Value = serde_json::from_slice(&findings).unwrap();
            let line = with_hit.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(finding["event"], line, "batches of {batch}");
        }
    }
}

#[test]
fn tags_are_all_that_is_added() {
    let (_directory, path) = built();
    let input = format!("{HIT}\n{MISS}\r\n{HIT}");
    let (tagged, report) = run_report(&path, &[], input.as_bytes());
    let tag = r#","tripwasm":[{"name":"stop_logging","level":"high","author":"Test"}]"#;
    let tagged = String::from_utf8(tagged).unwrap();
    assert_eq!(tagged.matches(tag).count(), 2, "{tagged}");
    assert_eq!(tagged.replace(tag, ""), input);
    assert_eq!(report["tagged"], 2);
    let (filtered, _) = run_report(&path, &["--mode", "filter"], input.as_bytes());
    assert_eq!(String::from_utf8(filtered).unwrap().lines().count(), 2);
}

#[test]
fn findings_have_the_public_form() {
    let (_directory, path) = built();
    let input = format!("{{\"Records\":[{MISS},\n{HIT}]}}");
    let (findings, _) = run_report(&path, &["--mode", "findings"], input.as_bytes());
    assert_eq!(
        String::from_utf8(findings).unwrap(),
        "{\"kind\":\"match\",\"event\":1,\"event_id\":\"e-1\",\"time\":\"2023-07-10T11:42:00Z\",\"source\":\"input\",\
         \"rule\":{\"id\":\"5f0a4c8e-6a58-4a0c-9a70-7a3a3c1d0001\",\"name\":\"stop_logging\",\
         \"title\":\"CloudTrail logging was stopped\",\"level\":\"high\",\"tags\":[\"attack.t1562.008\"],\
         \"author\":\"Test\"}}\n"
    );
    let live = ok(&path, &["run", "cloudtrail.wasm", "--mode", "findings", "-"], input.as_bytes());
    assert!(String::from_utf8_lossy(&live.stdout).contains("\"source\":\"-\""));
}

#[test]
fn the_position_goes_on_with_the_state() {
    let (_directory, path) = built();
    let arguments = ["--mode", "findings", "--state", "windows.state"];
    for expected in [1, 3] {
        let (findings, report) = run_report(&path, &arguments, format!("{MISS}\n{HIT}\n").as_bytes());
        let finding: Value = serde_json::from_slice(&findings).unwrap();
        assert_eq!(finding["event"], expected);
        assert_eq!(report["events"], 2);
        assert_eq!(report["rules"][0]["matched"], 1);
    }
    std::fs::write(path.join("windows.state"), b"damaged").unwrap();
    let output = tripwasm(&path, &["run", "cloudtrail.wasm", "input", "--state", "windows.state"], b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_unreadable_input_fails_the_run_after_the_others_have_passed() {
    let (_directory, path) = built();
    std::fs::write(path.join("good"), HIT).unwrap();
    let output = tripwasm(&path, &["run", "cloudtrail.wasm", "absent", "good", "good"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "inputs share no line");
    assert!(said(&output).contains("cannot open absent"));
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let events = (0..5000).map(|number| format!("{{\"eventName\":\"{number}\"}}\n")).collect::<String>();
    zip.write_all(events.as_bytes()).unwrap();
    let zipped = zip.finish().unwrap();
    std::fs::write(path.join("cut.gz"), &zipped[..zipped.len() / 2]).unwrap();
    let output = tripwasm(&path, &["run", "cloudtrail.wasm", "cut.gz"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty() && events.as_bytes().starts_with(&output.stdout));
    assert!(said(&output).contains("cut.gz: reading stopped"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let (_directory, path) = built();
    std::fs::write(path.join("input"), format!("{HIT}\n").repeat(50_000)).unwrap();
    let mut child = command(&path, &["run", "cloudtrail.wasm", "input", "--quiet", "--no-cache"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

const FILTER: &str = "\
title: Known automation
id: 5f0a4c8e-6a58-4a0c-9a70-7a3a3c1d0002
name: known_automation
logsource: { product: aws, service: cloudtrail }
filter:
  rules: [stop_logging]
  automation: { userAgent: terraform }
  condition: not automation
";

#[test]
fn a_filter_that_hides_a_rules_own_positive_test_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let inverted = FILTER.replace("condition: not automation", "condition: automation");
    let failing = RULE.replacen("expect: none", "expect: match", 1);
    // Files, what `build` says, and with which code it ends.
    let cases = [
        (
            vec![("rule.yml", RULE.to_owned()), ("filter.yml", FILTER.to_owned())],
            "cloudtrail.wasm: 1 rule",
            0,
        ),
        (
            vec![("rule.yml", RULE.to_owned()), ("filter.yml", inverted.clone())],
            "error: filter `known_automation` (filter.yml:1) hides what rule `stop_logging` is to find: its test `found` \
             (rule.yml:13) fails with it",
            2,
        ),
        (
            vec![("both.yml", format!("{inverted}---\n{RULE}"))],
            "filter `known_automation` (both.yml:1) hides what rule `stop_logging` is to find",
            2,
        ),
        (
            vec![("rule.yml", format!("{RULE}---\n{inverted}"))],
            "filter `known_automation` (rule.yml:20) hides what rule `stop_logging` is to find",
            2,
        ),
        // Not the filter's fault: the test fails without it, too.
        (vec![("rule.yml", failing), ("filter.yml", FILTER.to_owned())], "cloudtrail.wasm: 1 rule", 0),
    ];
    for (files, message, code) in cases {
        let folder = TempDir::new_in(path).unwrap();
        let mut arguments = vec!["build"];
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
            arguments.push(name);
        }
        let output = tripwasm(folder.path(), &arguments, b"");
        assert!(said(&output).contains(message), "{message}\n{}", said(&output));
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert_eq!(folder.path().join("cloudtrail.wasm").exists(), code == 0, "{message}");
    }
}

const PANTHER: &str = "\
AnalysisType: rule
RuleID: AWS.Trail.Stopped
LogTypes: [AWS.CloudTrail]
Severity: High
Detection:
  - KeyPath: eventName
    Condition: IsIn
    Values: [StopLogging, DeleteTrail]
Tests:
  - Name: stopped
    ExpectedResult: true
    Log: { eventName: StopLogging }
  - Name: started
    ExpectedResult: false
    Log: { eventName: StartLogging }
";

#[test]
fn panther_rules_are_imported_all_or_none() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let exists = |name: &str| path.join(name).exists();
    std::fs::write(path.join("a.yml"), PANTHER).unwrap();
    std::fs::write(path.join("b.yml"), PANTHER.replace("Trail.Stopped", "Trail.Deleted")).unwrap();
    std::fs::write(path.join("python.py"), "def rule(event):\n    return True\n").unwrap();
    let refused = |arguments: &[&str], message: &str| {
        let output = tripwasm(path, &[&["import", "panther"], arguments].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(message), "{arguments:?}: {}", said(&output));
    };
    refused(&["a.yml", "python.py", "-o", "out"], "python.py");
    refused(&["a.yml", "a.yml", "-o", "out"], "would both be written to out/aws_trail_stopped.yml");
    refused(&["absent.yml", "-o", "out"], "cannot read absent.yml");
    assert!(!exists("out"), "nothing was written");
    ok(path, &["import", "panther", "a.yml", "b.yml", "-o", "out"], b"");
    let tested = ok(path, &["test", "out"], b"");
    assert!(String::from_utf8_lossy(&tested.stdout).contains("4 passed, 0 failed"));
    std::fs::remove_file(path.join("out/aws_trail_deleted.yml")).unwrap();
    refused(&["a.yml", "b.yml", "-o", "out"], "nothing was written");
    assert!(
        exists("out/aws_trail_stopped.yml") && !exists("out/aws_trail_deleted.yml"),
        "what was there stays"
    );
}
