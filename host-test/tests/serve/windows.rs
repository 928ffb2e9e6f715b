//! Windows: closed when nothing comes, kept through kills, their alerts given to a sink of their own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{command, ok};
use crate::events::{RULES, event, lines};
use crate::next_service::NextService;
use crate::process::{PATIENCE, Serve, with_rules};
use crate::sender::{Sender, post};

/// What alerts say, by id: all but positions, which tell in which order batches came. An alert may be told twice.
pub(crate) fn told(alerts: &str) -> BTreeMap<String, Value> {
    let alerts = alerts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let closed = alerts.filter(|alert| alert["state"] == "closed");
    let without_positions = closed.map(|mut alert| {
        alert.as_object_mut().unwrap().remove("events");
        (alert["id"].as_str().unwrap().to_owned(), alert)
    });
    without_positions.collect()
}

/// The alerts of events that nothing disturbs.
pub(crate) fn alerts_of_run(directory: &Path, numbers: std::ops::Range<u64>) -> BTreeMap<String, Value> {
    let options = ["run", "cloudtrail.wasm", "--quiet", "--alerts", "undisturbed", "-"];
    ok(directory, &options, lines(numbers).as_bytes());
    let alerts = told(&fs::read_to_string(directory.join("undisturbed")).unwrap());
    assert!(alerts.len() >= 7, "{} alerts", alerts.len());
    alerts
}

#[test]
fn kills_lose_nothing_of_the_windows() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(3));
    let (_directory, path) = with_rules();
    let url = next.url();
    let options =
        ["--to", url.as_str(), "--state", "windows.state", "--alerts", "alerts", "--lateness", "1h"];
    let mut serve = Serve::start(&path, &options);
    let address = serve.address.to_string();
    let sender = Sender::new(serve.url("/"));
    let sending = std::thread::spawn(move || sender.send(0..20_000));
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(200));
        serve.kill();
        serve = Serve::start_at(&path, &address, &options);
    }
    assert_eq!(sending.join().unwrap().dropped, 0);
    assert!(serve.terminate().success());
    // Windows that are still open are in the state.
    ok(&path, &["run", "cloudtrail.wasm", "--quiet", "--state", "windows.state", "-"], b"");
    let alerts = fs::read_to_string(path.join("alerts")).unwrap();
    let undisturbed = alerts_of_run(&path, 0..20_000);
    let told = told(&alerts);
    let closed_by_end = undisturbed.keys().filter(|id| !told.contains_key(*id)).count();
    assert!(closed_by_end < 100, "{closed_by_end} of {} alerts are missing", undisturbed.len());
    for (id, alert) in &told {
        assert_eq!(Some(alert), undisturbed.get(id));
    }
}

#[test]
fn windows_close_on_an_idle_stream() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--alerts", "alerts", "--idle", "1s"]);
    post(&serve.url("/"), &[], lines(0..400));
    let began = Instant::now();
    let undisturbed = alerts_of_run(&path, 0..400);
    while told(&fs::read_to_string(path.join("alerts")).unwrap()) != undisturbed {
        assert!(began.elapsed() < PATIENCE, "windows do not close");
        std::thread::sleep(Duration::from_millis(50));
    }
    // An event of long ago enters no window behind the clock.
    post(&serve.url("/"), &[], event(3));
    drop(serve);
}

#[test]
fn alerts_go_to_a_service_that_has_bursts_of_trouble() {
    let alerts = NextService::start();
    alerts.answer_with([500, 503, 429, 500]);
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--alerts", &alerts.url()]);
    post(&serve.url("/"), &[], lines(0..8000));
    let undisturbed = alerts_of_run(&path, 0..8000);
    // Without --state the end closes all windows, and waits for their alerts to be taken.
    assert!(serve.terminate().success());
    assert_eq!(told(&alerts.text()), undisturbed);
}

#[test]
fn alerts_that_nobody_takes_outlive_a_kill() {
    let mut alerts = NextService::start();
    let url = alerts.url();
    alerts.down();
    let (_directory, path) = with_rules();
    let options = ["--alerts", url.as_str(), "--state", "windows.state", "--idle", "1s", "--to-time", "1s"];
    let serve = Serve::start(&path, &options);
    post(&serve.url("/"), &[], lines(0..2000));
    std::thread::sleep(Duration::from_secs(2));
    serve.kill();
    // Killed before the journal was begun anew, and behind it.
    let serve = Serve::start(&path, &options);
    std::thread::sleep(Duration::from_millis(500));
    serve.kill();
    alerts.up();
    let serve = Serve::start(&path, &options);
    let undisturbed = alerts_of_run(&path, 0..2000);
    let began = Instant::now();
    while told(&alerts.text()) != undisturbed {
        assert!(began.elapsed() < PATIENCE, "alerts are missing");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(serve);
}

#[test]
fn alerts_that_are_too_many_together_go_one_by_one() {
    let alerts = NextService::start();
    // Some gather while it has trouble.
    alerts.answer_with([503, 503, 503, 413, 413, 400]);
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--alerts", &alerts.url()]);
    post(&serve.url("/"), &[], lines(0..2000));
    let undisturbed = alerts_of_run(&path, 0..2000);
    assert!(serve.terminate().success());
    assert_eq!(told(&alerts.text()), undisturbed);
}

#[test]
fn half_an_alert_that_a_kill_left_spoils_no_other() {
    let (_directory, path) = with_rules();
    fs::write(path.join("alerts"), "{\"kind\":\"al").unwrap();
    let serve = Serve::start(&path, &["--alerts", "alerts"]);
    post(&serve.url("/"), &[], lines(0..2000));
    assert!(serve.terminate().success());
    let alerts = fs::read_to_string(path.join("alerts")).unwrap();
    let (half, whole) = alerts.split_once('\n').unwrap();
    assert_eq!(half, "{\"kind\":\"al");
    assert_eq!(told(whole), alerts_of_run(&path, 0..2000));
}

#[test]
fn a_sink_that_is_down_does_not_hold_the_end_up() {
    let (_directory, path) = crate::process::with_module(&RULES.replace("gte: 5", "gte: 1"));
    let options =
        ["--alerts", "http://127.0.0.1:9/", "--to-time", "1s", "--drain", "1s", "--state", "windows.state"];
    let mut serve = Serve::start(&path, &options);
    // More than may wait: the module is held back. Each is of a user of its own.
    let url = serve.url("/");
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = crate::sender::client(PATIENCE);
        let denied = (0..14_000u64).map(|number| {
            let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
            format!(
                "{{\"eventTime\":\"2024-01-01T{hour:02}:{minute:02}:{second:02}Z\",\"eventID\":\"{number}\",\
                 \"user\":\"{number}\",\"errorCode\":\"AccessDenied\"}}\n"
            )
        });
        let body: String = denied.collect();
        runtime.block_on(async { client.post(url).body(body).send().await })
    });
    let began = Instant::now();
    while serve.metric("tripwasm_alert_sink_errors_total") < 3.0 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(100));
    }
    serve.signal("-TERM");
    assert!(serve.wait().success());
    let _ = sending.join().unwrap();
    let journal = fs::read(path.join("windows.state.journal")).unwrap();
    let kept = String::from_utf8_lossy(&journal).matches("\"kind\":\"alert\"").count();
    assert!(kept > 10_000, "{kept} alerts wait for the next start");
    // They hold the next start back, which can be ended all the same.
    let arguments = [&["serve", "cloudtrail.wasm", "--http", "127.0.0.1:0"], &options[..]].concat();
    let mut next = command(&path, &arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(next.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("alerts are not taken")));
    let pid = next.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(next.wait().unwrap().success());
    assert_eq!(fs::read(path.join("windows.state.journal")).unwrap(), journal);
}

#[test]
fn the_journal_is_beside_the_file_whatever_link_names_it() {
    let (_directory, path) = with_rules();
    let first = Serve::start(&path, &["--state", "windows.state"]);
    first.kill();
    std::os::unix::fs::symlink("windows.state", path.join("link")).unwrap();
    let second = Serve::start(&path, &["--state", "link"]);
    post(&second.url("/"), &[], lines(0..400));
    second.kill();
    assert!(!path.join("link.journal").exists());
    let serve = Serve::start(&path, &["--state", "windows.state", "--alerts", "alerts", "--idle", "1s"]);
    let undisturbed = alerts_of_run(&path, 0..400);
    let began = Instant::now();
    while told(&fs::read_to_string(path.join("alerts")).unwrap()) != undisturbed {
        assert!(began.elapsed() < PATIENCE, "windows of the killed process are lost");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(serve);
}

#[test]
fn a_journal_that_a_killed_service_left_is_not_passed_over() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--state", "windows.state"]);
    post(&serve.url("/"), &[], lines(0..100));
    serve.kill();
    let run = ["run", "cloudtrail.wasm", "--quiet", "--state", "windows.state", "-"];
    let output = crate::command::tripwasm(&path, &run, b"");
    assert_eq!(output.status.code(), Some(2));
    let said = crate::command::said(&output);
    assert!(said.contains("windows.state.journal") && said.contains("tripwasm serve --state"), "{said}");
    assert!(Serve::start(&path, &["--state", "windows.state"]).terminate().success());
    ok(&path, &run, b"");
}
