//! State files: a run that was killed goes on where it was, and no file is harmed.

mod command;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use command::{command, ok, said, tripwasm};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How often the run is killed at most before it may end.
const KILLS_MAX: usize = 40;

/// Longest wait for something that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A directory with the pack's module in it.
fn with_pack() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    let module = path.join("cloudtrail.wasm");
    ok(&root(), &["build", "rules/cloudtrail", "-o", &module.to_string_lossy()], b"");
    (directory, path)
}

/// An event that several rules of the pack match: users are denied in bursts, roles call what they never called.
fn event(number: u64) -> String {
    let second = number * 7;
    let (hour, user) = (second / 3600 % 24, number * number % 11);
    let time =
        format!("2024-01-{:02}T{hour:02}:{:02}:{:02}Z", second / 86400 + 1, second / 60 % 60, second % 60);
    let denied = (number / 50).is_multiple_of(3);
    let identity = match number % 5 {
        0 => json!({
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::111122223333:assumed-role/role{user}/s"),
            "sessionContext": { "sessionIssuer": { "userName": format!("role{user}") } },
        }),
        _ => json!({
            "type": "IAMUser",
            "userName": format!("user{user}"),
            "arn": format!("arn:aws:iam::111122223333:user/user{user}"),
            "accessKeyId": format!("AKIA{user}"),
        }),
    };
    let mut event = json!({
        "eventTime": time,
        "eventID": format!("e-{number}"),
        "eventType": "AwsApiCall",
        "eventSource": "iam.amazonaws.com",
        "eventName": format!("Call{}", number * 31 % 97),
        "awsRegion": "us-east-1",
        "sourceIPAddress": format!("203.0.113.{}", user),
        "userIdentity": identity,
    });
    if denied {
        event["errorCode"] = json!("AccessDenied");
    }
    format!("{event}\n")
}

fn events(numbers: std::ops::Range<u64>) -> String {
    numbers.map(event).collect()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read(path).unwrap();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// Whole findings; a line that was cut off by a kill is none.
fn findings(path: &Path) -> BTreeSet<String> {
    lines(path).into_iter().filter(|line| serde_json::from_str::<Value>(line).is_ok()).collect()
}

/// Starts a run whose findings are appended to `out`.
fn start(path: &Path, out: &str, arguments: &[String]) -> Child {
    let out = OpenOptions::new().append(true).create(true).open(path.join(out)).unwrap();
    command(path, &["run", "cloudtrail.wasm", "--mode", "findings"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the state file covers so many events.
fn covers(state: &Path, position: u64) -> bool {
    let wanted = format!("\"position\":{position},");
    fs::read(state).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|bytes| bytes == wanted.as_bytes()))
}

/// Runs the arguments to their end, killing the run at random moments, and says how often that was.
fn killed_again_and_again(path: &Path, arguments: &[String], unbroken: Duration) -> (usize, u64) {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut kills, mut skips) = (0, 0);
    loop {
        let mut child = start(path, "killed.out", arguments);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if kills < KILLS_MAX {
            let micros = random % (unbroken.as_micros() as u64 / 4).max(1);
            std::thread::sleep(Duration::from_micros(micros));
            // SIGKILL; a run that ended by then is not hurt.
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        skips += u64::from(said(&output).contains("were counted before and are skipped"));
        match output.status.code() {
            Some(code) => {
                assert_eq!(code, 0, "{}", said(&output));
                return (kills, skips);
            }
            None => kills += 1,
        }
    }
}

#[test]
fn a_run_killed_at_any_moment_finds_what_an_unbroken_run_finds() {
    let (_directory, path) = with_pack();
    fs::create_dir(path.join("logs")).unwrap();
    fs::write(path.join("logs/a.ndjson"), events(0..9000)).unwrap();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let records: Vec<String> = (9000..15_000).map(event).collect();
    write!(zip, "{{\"Records\":[{}]}}", records.join(",")).unwrap();
    fs::write(path.join("logs/b.json.gz"), zip.finish().unwrap()).unwrap();
    fs::write(path.join("logs/c.ndjson"), events(15_000..24_000)).unwrap();
    let corpus = root().join("../shared/corpus/events/invictus.ndjson");
    match fs::copy(&corpus, path.join("logs/d.ndjson")) {
        Ok(_) => {}
        Err(_) => println!("skipped: the corpus is not at {}", corpus.display()),
    }
    let options = |name: &str| {
        ["logs", "--batch-bytes", "1", "--state-every", "20", "--alerts"]
            .into_iter()
            .map(str::to_owned)
            .chain([format!("{name}.alerts"), "--state".to_owned(), format!("{name}.state")])
            .collect::<Vec<_>>()
    };
    let begin = Instant::now();
    let child = start(&path, "whole.out", &options("whole"));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let unbroken = begin.elapsed();
    let (kills, skips) = killed_again_and_again(&path, &options("killed"), unbroken);
    println!("{kills} kills, {skips} runs went on where one had been, {unbroken:?} unbroken");
    assert!(kills > 3 && skips > 2, "the run was not interrupted often enough to prove anything");
    let (expected, found) = (findings(&path.join("whole.out")), findings(&path.join("killed.out")));
    assert!(expected.iter().filter(|line| line.contains("\"closed\"")).count() > 100);
    assert_eq!(expected.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "made up");
    let alerts = lines(&path.join("killed.alerts"));
    assert!(alerts.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "no alert is cut off");
    assert_eq!(alerts.into_iter().collect::<BTreeSet<_>>(), findings(&path.join("whole.alerts")));
    let states = ["whole.state", "killed.state"].map(|name| fs::read(path.join(name)).unwrap());
    assert!(states[0] == states[1], "equal runs leave equal states");
    let left = fs::read_dir(&path).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with('.')
    });
    assert_eq!(left.count(), 0, "no file is left over");
}

/// A run over `inputs` and then standard input, killed when its state covers all of the first and these lines.
fn kill_while_waiting(path: &Path, inputs: &[&str], lines: &str, position: u64) {
    let arguments = [inputs, &["-", "--state", "s", "--state-every", "1"]].concat();
    let all = [&["run", "cloudtrail.wasm"], &arguments[..]].concat();
    let mut child = command(path, &all)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    stdin.flush().unwrap();
    wait_until("saving", || covers(&path.join("s"), position));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn report(path: &Path, arguments: &[&str], input: &str) -> Value {
    let all = [&["run", "cloudtrail.wasm", "--report", "report.json", "--state", "s"], arguments].concat();
    ok(path, &all, input.as_bytes());
    serde_json::from_slice(&fs::read(path.join("report.json")).unwrap()).unwrap()
}

#[test]
fn only_what_was_counted_is_skipped() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..100)).unwrap();
    fs::write(path.join("other"), events(500..600)).unwrap();
    let alike = format!("{}{}", events(0..50), events(600..700));
    fs::write(path.join("alike"), &alike).unwrap();
    // Arguments, standard input, lines skipped, lines counted.
    let cases: [(&str, &[&str], String, u64, u64); 7] = [
        ("the same", &["a", "-"], events(100..130), 120, 10),
        ("a longer file", &["a+", "-"], events(100..120), 120, 50),
        ("another file of that name", &["a=other"], String::new(), 0, 100),
        ("a file of that name that begins alike", &["a=alike"], String::new(), 0, 150),
        ("files in between", &["other", "a", "other", "-"], events(100..120), 120, 200),
        ("another stream", &["a", "-"], events(101..130), 100, 29),
        ("a stream that is over at once", &["a", "-"], events(100..103), 100, 3),
    ];
    for (what, arguments, input, skipped, counted) in cases {
        let folder = TempDir::new_in(&path).unwrap();
        let here = folder.path();
        for name in ["cloudtrail.wasm", "a", "other"] {
            fs::copy(path.join(name), here.join(name)).unwrap();
        }
        kill_while_waiting(here, &["a"], &events(100..120), 120);
        let mut named = Vec::new();
        for argument in arguments {
            match argument.split_once('=') {
                Some((name, content)) => {
                    fs::copy(path.join(content), here.join(name)).unwrap();
                    named.push(name);
                }
                None if *argument == "a+" => {
                    fs::write(here.join("a"), events(0..150)).unwrap();
                    named.push("a");
                }
                None => named.push(argument),
            }
        }
        let found = report(here, &named, &input);
        assert_eq!((&found["skipped"], &found["events"]), (&json!(skipped), &json!(counted)), "{what}");
        assert!(covers(&here.join("s"), 120 + counted), "{what}: positions go on");
        let again = report(here, &["a"], "");
        assert_eq!(again["skipped"], 0, "{what}: a finished run skips nothing");
    }
}

#[test]
fn a_stream_that_goes_on_otherwise_fails_the_run() {
    let (_directory, path) = with_pack();
    kill_while_waiting(&path, &[], &events(0..3000), 3000);
    let input = format!("{}{}", events(0..2900), events(9000..9200));
    let output = tripwasm(&path, &["run", "cloudtrail.wasm", "--state", "s"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("delete the state file"), "{}", said(&output));
}

#[test]
fn output_files_go_on_behind_a_line_that_was_cut_off() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..100)).unwrap();
    kill_while_waiting(&path, &["a"], &events(100..101), 101);
    let cut = "{\"whole\":1}\n{\"cut";
    fs::write(path.join("out"), cut).unwrap();
    fs::write(path.join("alerts"), cut).unwrap();
    fs::write(path.join("b"), events(0..5000)).unwrap();
    let arguments = ["b", "--state", "s", "--alerts", "alerts"].map(str::to_owned);
    let output = start(&path, "out", &arguments).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let (out, alerts) = (lines(&path.join("out")), lines(&path.join("alerts")));
    assert_eq!(
        out[..2],
        ["{\"whole\":1}", "{\"cut"],
        "standard output is the shell's: nothing is taken away"
    );
    assert_eq!(alerts[0], "{\"whole\":1}");
    for line in out[2..].iter().chain(&alerts[1..]) {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    assert!(out.len() > 3 && alerts.len() > 2);
}

#[test]
fn an_interrupted_run_goes_on_as_well() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..100)).unwrap();
    let mut child = command(&path, &["run", "cloudtrail.wasm", "a", "-", "--state", "s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(events(100..101).as_bytes()).unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = report(&path, &["a"], "");
    assert_eq!((&found["skipped"], &found["events"]), (&json!(100), &json!(0)));
}

#[test]
fn a_file_that_cannot_be_used_stays_as_it_is() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..100)).unwrap();
    report(&path, &["a"], "");
    let good = fs::read(path.join("s")).unwrap();
    let mut newer = good.clone();
    newer[8] = 9;
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases: [(&[u8], &str); 6] = [
        (&good[..good.len() - 1], "cut off or damaged"),
        (&good[..10], "cut off or damaged"),
        (b"", "cut off or damaged"),
        (&flipped, "cut off or damaged"),
        (&newer, "format 9"),
        (b"{\"eventName\":\"StopLogging\"}\n", "no state file of tripwasm"),
    ];
    for (bytes, message) in cases {
        for command in [
            &["run", "cloudtrail.wasm", "a", "--state", "s"],
            &["learn", "cloudtrail.wasm", "a", "--state", "s"],
        ] {
            fs::write(path.join("s"), bytes).unwrap();
            let output = tripwasm(&path, command, b"");
            assert_eq!(output.status.code(), Some(2), "{message}: {}", said(&output));
            assert!(said(&output).contains(message), "{}", said(&output));
            assert!(output.stdout.is_empty(), "nothing ran");
            assert!(fs::read(path.join("s")).unwrap() == bytes, "{message}");
        }
    }
}

#[test]
fn one_run_at_a_time_has_the_file_and_nobody_else_reads_it() {
    let (_directory, path) = with_pack();
    let mut first = command(&path, &["run", "cloudtrail.wasm", "-", "--state", "s", "--state-every", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = first.stdin.take().unwrap();
    for (round, position) in [(0, 1), (1, 2)] {
        stdin.write_all(events(round..round + 1).as_bytes()).unwrap();
        wait_until("saving", || covers(&path.join("s"), position));
        for second in [
            &["run", "cloudtrail.wasm", "--state", "s"][..],
            &["learn", "cloudtrail.wasm", "-", "--state", "s"],
        ] {
            let output = tripwasm(&path, second, b"");
            assert_eq!(output.status.code(), Some(2), "round {round}");
            assert!(said(&output).contains("in use by another tripwasm"), "{}", said(&output));
        }
    }
    assert_eq!(fs::metadata(path.join("s")).unwrap().permissions().mode() & 0o777, 0o600);
    drop(stdin);
    assert!(first.wait().unwrap().success());
    std::os::unix::fs::symlink(path.join("s"), path.join("linked")).unwrap();
    let before = fs::metadata(path.join("s")).unwrap().ino();
    ok(&path, &["run", "cloudtrail.wasm", "--state", "linked"], event(5).as_bytes());
    assert!(fs::symlink_metadata(path.join("linked")).unwrap().is_symlink());
    assert_ne!(fs::metadata(path.join("s")).unwrap().ino(), before, "what the link leads to was replaced");
}

#[test]
fn history_is_learned_into_the_state_of_a_run() {
    let (_directory, path) = with_pack();
    fs::write(path.join("history"), events(0..300)).unwrap();
    fs::write(path.join("a"), events(100..200)).unwrap();
    report(&path, &["a"], "");
    let output = ok(&path, &["learn", "cloudtrail.wasm", "history", "--state", "s"], b"");
    // Every fifth call is a role's, and one in three of fifty is denied.
    assert!(said(&output).contains("40 of 300 events entered baselines in s"), "{}", said(&output));
    assert!(covers(&path.join("s"), 100), "learning moves no position");
    let output = tripwasm(&path, &["learn", "cloudtrail.wasm", "absent", "--state", "s"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let opened = |found: &Value| found["alerts"]["opened"].as_u64().unwrap();
    fs::write(path.join("later"), (0..40).map(|number| event(number * 5)).collect::<String>()).unwrap();
    let learned = report(&path, &["later"], "");
    assert_eq!((&learned["skipped"], &learned["events"]), (&json!(0), &json!(40)));
    fs::remove_file(path.join("s")).unwrap();
    let unlearned = report(&path, &["later"], "");
    assert!(opened(&learned) < opened(&unlearned), "{learned} {unlearned}");
}

#[test]
fn a_changed_rule_loses_its_own_state_and_says_so() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..100)).unwrap();
    report(&path, &["a"], "");
    let pack = path.join("pack");
    fs::create_dir(&pack).unwrap();
    for entry in fs::read_dir(root().join("rules/cloudtrail")).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let changed = text.replace("timespan: 24h", "timespan: 48h");
        fs::write(pack.join(entry.file_name()), changed).unwrap();
    }
    ok(&path, &["build", "pack", "-o", "cloudtrail.wasm"], b"");
    let output = ok(&path, &["run", "cloudtrail.wasm", "--state", "s", "a", "--quiet"], b"");
    let lost: Vec<String> = said(&output).lines().map(str::to_owned).collect();
    assert!(
        !lost.is_empty() && lost.iter().all(|line| line.starts_with("warning: the state of ")),
        "{lost:?}"
    );
    assert!(lost.iter().any(|line| line.contains("unauthorized_api_call_threshold (")), "{lost:?}");
    assert!(!lost.iter().any(|line| line.contains("new_api_call_from_user_role")), "{lost:?}");
    let output = ok(&path, &["run", "cloudtrail.wasm", "--state", "s", "a", "--quiet"], b"");
    assert_eq!(said(&output), "", "the second time nothing is lost");
}

#[test]
fn what_state_gave_up_is_named() {
    let (_directory, path) = with_pack();
    fs::write(path.join("a"), events(0..3000)).unwrap();
    let output = ok(
        &path,
        &["run", "cloudtrail.wasm", "a", "--memory", "20KB", "--report", "report.json", "--quiet"],
        b"",
    );
    let warnings = said(&output);
    assert!(
        warnings.contains("state reached its bound") && warnings.contains("raise --memory"),
        "{warnings}"
    );
    assert!(warnings.contains("  given up: new_api_call_from_user_role user_name=role"), "{warnings}");
    let report: Value = serde_json::from_slice(&fs::read(path.join("report.json")).unwrap()).unwrap();
    let sum = |key: &str| -> u64 {
        report["rules"].as_array().unwrap().iter().map(|rule| rule[key].as_u64().unwrap()).sum()
    };
    assert!(sum("evicted") > 0, "{report}");
    let evictions = report["evictions"].as_array().unwrap();
    assert!(!evictions.is_empty() && evictions.len() <= 100, "{evictions:?}");
    assert!(evictions.iter().all(|one| one["rule"].is_string() && one["group"].is_object()), "{evictions:?}");
}
