//! The rule pack through the command line: its own tests, and exactly the results that an independent program computed
//! over real events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// No event is late, as in the expected results.
const SORTED: [&str; 2] = ["--lateness", "4000d"];

fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

fn tripwasm(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_tripwasm"))
        .current_dir(root())
        .env("XDG_CACHE_HOME", std::env::temp_dir().join("tripwasm-test-cache"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The pack built with a configuration or without, in a directory of its own.
fn built(config: Option<&str>) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let module = directory.path().join("cloudtrail.wasm").to_string_lossy().into_owned();
    let mut arguments = vec!["build", "rules/cloudtrail", "-o", &module];
    arguments.extend(config.iter().flat_map(|config| ["--config", config]));
    tripwasm(&arguments);
    (directory, module)
}

/// The event files of the corpus with their expected results; none, with a line that says so, where it is absent.
fn corpus() -> Vec<(PathBuf, Value)> {
    let corpus = root().join("../shared/corpus");
    let Ok(entries) = std::fs::read_dir(corpus.join("events")) else {
        println!("skipped: the corpus is not at {}", corpus.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let with_expected = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let expected = std::fs::read(corpus.join(format!("expected/seeds-{name}.json"))).unwrap();
        (path, serde_json::from_slice(&expected).unwrap())
    };
    files.into_iter().map(with_expected).collect()
}

fn findings(module: &str, input: &Path, options: &[&str]) -> Vec<Value> {
    let input = input.to_string_lossy();
    let output = tripwasm(&[&["run", module, &input, "--mode", "findings", "--quiet"], options].concat());
    output.stdout.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn matches(findings: &[Value], name: &str) -> Vec<u64> {
    let of_rule = findings.iter().filter(|one| one["kind"] == "match" && one["rule"]["name"] == name);
    of_rule.map(|one| one["event"].as_u64().unwrap()).collect()
}

/// Closed alerts of a rule, each as the values at these JSON pointers, sorted as text.
fn closed(findings: &[Value], name: &str, pointers: &[&str]) -> Vec<String> {
    let of_rule = findings
        .iter()
        .filter(|one| one["kind"] == "alert" && one["state"] == "closed" && one["rule"]["name"] == name);
    sorted(of_rule.map(|alert| {
        pointers.iter().map(|pointer| alert.pointer(pointer).cloned().unwrap_or_default()).collect()
    }))
}

fn sorted(rows: impl Iterator<Item = Vec<Value>>) -> Vec<String> {
    let mut rows: Vec<String> = rows.map(|row| Value::Array(row).to_string()).collect();
    rows.sort();
    rows
}

fn rows(list: &Value, keys: &[&str]) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    sorted(list.map(|row| keys.iter().map(|key| row.pointer(key).cloned().unwrap_or_default()).collect()))
}

fn positions(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|position| position.as_u64().unwrap()).collect()
}

/// The windows of the 24 hour rule that reached its threshold.
fn threshold_alerts(expected: &Value) -> Vec<String> {
    let groups = expected["unauthorized_api_call"]["groups"].as_object().unwrap();
    sorted(groups.iter().flat_map(|(actor, group)| {
        let windows = group["windows"].as_array().unwrap().iter();
        let reached = windows.filter(|window| !window["alert_at"].is_null());
        reached.map(move |window| vec![json!(actor), window["start"].clone(), window["count"].clone()])
    }))
}

#[test]
fn the_pack_is_small_imports_nothing_and_passes_its_tests() {
    let (_directory, module) = built(None);
    assert!(std::fs::metadata(&module).unwrap().len() < 440_000);
    let shown: Value = serde_json::from_slice(&tripwasm(&["inspect", &module, "--json"]).stdout).unwrap();
    assert_eq!(shown["imports"], json!([]), "{shown}");
    let tested = tripwasm(&["test", &module]);
    assert!(String::from_utf8_lossy(&tested.stdout).contains("100 passed, 0 failed"), "{tested:?}");
}

#[test]
fn every_event_file_gives_exactly_the_expected_results() {
    let (_directory, module) = built(None);
    for (path, expected) in corpus() {
        let found = findings(&module, &path, &[&SORTED[..], &["--duplicates", "count"]].concat());
        let place = path.display();
        for (rule, key) in [
            ("unauthorized_api_call", "/unauthorized_api_call/matches"),
            ("user_access_key_auth", "/access_key_auth/matches"),
            ("unused_region", "/unused_region/matches"),
        ] {
            assert_eq!(matches(&found, rule), positions(expected.pointer(key).unwrap()), "{place}: {rule}");
        }
        for (rule, key) in [
            ("iam_access_denied", "/splunk_accessdenied_hourly/matches"),
            ("successful_role_call", "/new_api_calls_per_role/candidates"),
        ] {
            assert_eq!(Some(&json!(matches(&found, rule).len())), expected.pointer(key), "{place}: {rule}");
        }
        let pointers = ["/group/actor_user", "/window/start", "/count"];
        let alerts = closed(&found, "unauthorized_api_call_threshold", &pointers);
        assert_eq!(alerts, threshold_alerts(&expected), "{place}");
        let pointers = [
            "/group/sourceIPAddress",
            "/group/userIdentity.arn",
            "/window/start",
            "/count",
            "/first",
            "/last",
            "/distinct/eventName",
            "/distinct/eventSource",
        ];
        let alerts = closed(&found, "iam_access_denied_discovery", &pointers);
        let keys =
            ["/key/0", "/key/1", "/hour", "/failures", "/firstTime", "/lastTime", "/methods", "/sources"];
        assert_eq!(alerts, rows(&expected["splunk_accessdenied_hourly"]["alerts"], &keys), "{place}");
        let pointers = ["/events/0", "/group/user_name", "/group/eventName"];
        let alerts = closed(&found, "new_api_call_from_user_role", &pointers);
        let first_seen = &expected["new_api_calls_per_role"]["first_seen"];
        assert_eq!(alerts, rows(first_seen, &["/i", "/user", "/eventName"]), "{place}");
    }
}

#[test]
fn the_ocsf_rule_runs_on_raw_events_under_its_configuration() {
    let (_directory, module) = built(Some("pipelines/ocsf/raw-cloudtrail.yml"));
    for (path, expected) in corpus() {
        let found = findings(&module, &path, &[&SORTED[..], &["--duplicates", "count"]].concat());
        let expected = &expected["asl_accessdenied_hourly"];
        assert_eq!(
            json!(matches(&found, "asl_access_denied").len()),
            expected["matches"],
            "{}",
            path.display()
        );
        let pointers = [
            "/group/actor.user.uid",
            "/window/start",
            "/count",
            "/first",
            "/last",
            "/distinct/api.operation",
            "/distinct/api.service.name",
            "/values/cloud.region",
            "/values/src_endpoint.ip",
        ];
        let alerts = closed(&found, "asl_access_denied_discovery", &pointers);
        let keys = [
            "/key/0",
            "/hour",
            "/failures",
            "/firstTime",
            "/lastTime",
            "/methods",
            "/sources",
            "/regions",
            "/src_ips",
        ];
        assert_eq!(alerts, rows(&expected["alerts"], &keys), "{}", path.display());
    }
}

/// Matches by event id and rule, and closed alerts without positions: what no order or batch may change.
fn lasting(findings: &[Value]) -> (Vec<String>, BTreeSet<String>) {
    let of_kind = |kind: &'static str| findings.iter().filter(move |one| one["kind"] == kind);
    let matches =
        sorted(of_kind("match").map(|one| vec![one["event_id"].clone(), one["rule"]["name"].clone()]));
    let alerts = of_kind("alert").filter(|one| one["state"] == "closed").map(|alert| {
        let mut alert: Map<String, Value> = alert.as_object().unwrap().clone();
        alert.remove("events");
        // Among events of one second, the one that a first-seen alert names is not fixed.
        if alert["rule"]["name"] == "new_api_call_from_user_role" {
            alert.remove("event_ids");
        }
        Value::Object(alert).to_string()
    });
    (matches, alerts.collect())
}

/// A fixed shuffle: by the hash of each line and its number.
fn shuffled(lines: &[&[u8]]) -> Vec<u8> {
    let mut numbered: Vec<(usize, &[u8])> = lines.iter().copied().enumerate().collect();
    numbered.sort_by_key(|(number, _)| (*number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbered.iter().flat_map(|(_, line)| line.iter().copied()).collect()
}

#[test]
fn batches_order_redelivery_and_a_forged_date_change_nothing() {
    let (directory, module) = built(None);
    let input = directory.path().join("input.ndjson");
    let outcome = |events: &[u8], options: &[&str]| {
        std::fs::write(&input, events).unwrap();
        let options =
            if options.contains(&"--lateness") { options.to_vec() } else { [&SORTED[..], options].concat() };
        lasting(&findings(&module, &input, &options))
    };
    for (path, _) in corpus() {
        let text = std::fs::read(&path).unwrap();
        let place = path.display();
        let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let (matches, alerts) = outcome(&text, &[]);
        for bytes in ["1", "65536", "4194304"] {
            let cut = outcome(&text, &["--batch-bytes", bytes]);
            assert_eq!(cut, (matches.clone(), alerts.clone()), "{place} in batches of {bytes}");
        }
        assert_eq!(outcome(&shuffled(&lines), &[]), (matches.clone(), alerts.clone()), "{place} shuffled");
        let twice: Vec<u8> = lines.iter().flat_map(|line| [*line, *line].concat()).collect();
        let (twice_matches, twice_alerts) = outcome(&twice, &[]);
        let mut doubled = [matches.clone(), matches.clone()].concat();
        doubled.sort();
        assert_eq!((twice_matches, twice_alerts), (doubled, alerts.clone()), "{place} delivered twice");
        let mut forged: Value = serde_json::from_slice(lines[0]).unwrap();
        forged["eventTime"] = json!("2099-01-01T00:00:00Z");
        forged["eventID"] = json!("forged");
        let forged = format!("{forged}\n").into_bytes();
        for lateness in ["20m", "4000d"] {
            let (_, honest) = outcome(&text, &["--lateness", lateness][..]);
            for at in [0, lines.len() / 2, lines.len()] {
                let with_forged = [&lines[..at].concat()[..], &forged, &lines[at..].concat()].concat();
                let (_, found) = outcome(&with_forged, &["--lateness", lateness]);
                assert!(
                    found.is_superset(&honest),
                    "{place}: a forged date at line {at}, lateness {lateness}"
                );
            }
        }
    }
}

#[test]
fn tags_taken_out_the_output_is_the_input() {
    let (_directory, module) = built(None);
    for (path, _) in corpus() {
        let output = tripwasm(&["run", &module, &path.to_string_lossy(), "--quiet"]).stdout;
        let back: Vec<u8> = output.split_inclusive(|&byte| byte == b'\n').flat_map(untagged).collect();
        assert!(back == std::fs::read(&path).unwrap(), "{}", path.display());
    }
}

fn untagged(line: &[u8]) -> Vec<u8> {
    const MEMBER: &[u8] = b",\"tripwasm\":[";
    match line.windows(MEMBER.len()).rposition(|window| window == MEMBER) {
        Some(at) => [&line[..at], b"}\n"].concat(),
        None => line.to_vec(),
    }
}

#[test]
fn security_lake_events_of_both_dialects_reach_the_rules() {
    let (directory, module) = built(Some("pipelines/ocsf/security-lake.yml"));
    let arn = "arn:aws:iam::111122223333:user/alice";
    let event = |dialect: &str, number: u64| {
        let user = match dialect {
            "1.1.0" => {
                json!({"type": "IAMUser", "name": "alice", "uid": arn, "uid_alt": "AIDA", "credential_uid": "AKIAEXAMPLE"})
            }
            _ => {
                json!({"type": "IAMUser", "name": "alice", "uid": "AIDA", "uuid": arn, "credential_uid": "AKIAEXAMPLE"})
            }
        };
        let class = if dialect == "1.1.0" { 6003 } else { 3005 };
        json!({
            "metadata": {"version": dialect, "uid": format!("{dialect}-{number}")},
            "class_uid": class,
            "time": 1_688_989_320_000u64 + number * 1000,
            "actor": {"user": user},
            "api": {"operation": "ListUsers", "service": {"name": "iam.amazonaws.com"}, "response": {"error": "AccessDenied"}},
            "src_endpoint": {"ip": "203.0.113.7"},
            "cloud": {"region": "eu-west-3"},
            "http_request": {"user_agent": "aws-cli/2"},
            "unmapped": {"readOnly": "false"},
        })
    };
    for dialect in ["1.1.0", "1.0.0-rc.2"] {
        let lines: Vec<String> = (0..5).map(|number| format!("{}\n", event(dialect, number))).collect();
        let input = directory.path().join("lake.ndjson");
        std::fs::write(&input, lines.concat()).unwrap();
        let found = findings(&module, &input, &SORTED);
        for rule in ["asl_access_denied", "iam_access_denied", "unauthorized_api_call", "unused_region"] {
            assert_eq!(matches(&found, rule), [0, 1, 2, 3, 4], "{dialect}: {rule}");
        }
        let alerts = closed(&found, "asl_access_denied_discovery", &["/group/actor.user.uid", "/count"]);
        assert_eq!(alerts, [json!([arn, 5]).to_string()], "{dialect}");
        let alerts = closed(&found, "iam_access_denied_discovery", &["/group/userIdentity.arn", "/count"]);
        assert_eq!(alerts, [json!([arn, 5]).to_string()], "{dialect}");
    }
}

/// A CloudTrail event as Security Lake's source version 2 has it.
fn security_lake(event: &Value) -> Value {
    let identity = &event["userIdentity"];
    let time: jiff::Timestamp = event["eventTime"].as_str().unwrap().parse().unwrap();
    let text = |value: &Value| if value.is_null() { Value::Null } else { json!(value.to_string()) };
    json!({
        "metadata": {"version": "1.1.0", "uid": event["eventID"], "event_code": event["eventType"]},
        "class_uid": 6003,
        "time": time.as_millisecond(),
        "actor": {
            "user": {"type": identity["type"], "name": identity["userName"], "uid": identity["arn"],
                "uid_alt": identity["principalId"], "credential_uid": identity["accessKeyId"],
                "account": {"uid": identity["accountId"]}},
            "invoked_by": identity["invokedBy"],
            "session": {"issuer": identity["sessionContext"]["sessionIssuer"]["arn"]},
        },
        "api": {"operation": event["eventName"], "service": {"name": event["eventSource"]},
            "response": {"error": event["errorCode"], "message": event["errorMessage"]}},
        "src_endpoint": {"ip": event["sourceIPAddress"]},
        "cloud": {"region": event["awsRegion"]},
        "http_request": {"user_agent": event["userAgent"]},
        "unmapped": {"readOnly": text(&event["readOnly"]), "recipientAccountId": event["recipientAccountId"]},
    })
}

#[test]
fn real_events_match_as_security_lake_events_as_they_do_raw() {
    let Some((path, _)) = corpus().into_iter().find(|(path, _)| path.ends_with("invictus.ndjson")) else {
        return;
    };
    let text = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (directory, lake_module) = built(Some("pipelines/ocsf/security-lake.yml"));
    let (_raw_directory, raw_module) = built(None);
    let input = directory.path().join("lake.ndjson");
    let lines: Vec<String> = events.iter().map(|event| security_lake(event).to_string() + "\n").collect();
    std::fs::write(&input, lines.concat()).unwrap();
    let raw = findings(&raw_module, &path, &SORTED);
    let lake = findings(&lake_module, &input, &SORTED);
    for rule in ["user_access_key_auth", "iam_access_denied", "unauthorized_api_call", "unused_region"] {
        assert_eq!(matches(&lake, rule), matches(&raw, rule), "{rule}");
    }
    assert!(!matches(&raw, "user_access_key_auth").is_empty());
}
