//! Another module while events come.

use std::fs;
use std::time::Duration;

use crate::events::{RULES, assert_exactly_once, event};
use crate::next_service::NextService;
use crate::process::{Serve, build, with_rules};
use crate::sender::{Sender, post};

/// The rules with another one before them, and `stopped` by another name.
fn other_rules() -> String {
    let first = "
title: Listed
name: listed
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: ListBuckets }, condition: selection }
---";
    first.to_owned() + &RULES.replace("name: stopped", "name: halted")
}

#[test]
fn a_new_module_takes_over_under_load_and_keeps_the_windows() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(10));
    let (_directory, path) = with_rules();
    let mut serve = Serve::start(&path, &["--mode", "drop", "--to", &next.url(), "--alerts", "alerts"]);
    let url = serve.url("/");
    let sending = std::thread::spawn(move || Sender::new(url).send(0..20_000));
    std::thread::sleep(Duration::from_millis(200));
    build(&path, &other_rules());
    assert!(serve.wait_for("the module was exchanged"));
    let sent = sending.join().unwrap();
    assert_eq!((sent.delivered, sent.dropped, sent.again), (400, 0, 0));
    assert_exactly_once(&next.bodies(), 0..20_000);
    let text = next.text();
    assert!(text.contains("\"stopped\"") && text.contains("\"halted\"") && text.contains("\"listed\""));
    assert_eq!(serve.metric("tripwasm_reloads_total"), 1.0);
    assert!(serve.terminate().success());
    // The windows of the rule that did not change went on: its alerts are those of an undisturbed run.
    let alerts = fs::read_to_string(path.join("alerts")).unwrap();
    let undisturbed = crate::windows::alerts_of_run(&path, 0..20_000);
    assert_eq!(crate::windows::told(&alerts), undisturbed);
}

#[test]
fn a_broken_module_leaves_the_old_one_running() {
    let (_directory, path) = with_rules();
    let mut serve = Serve::start(&path, &[]);
    let whole = fs::read(path.join("cloudtrail.wasm")).unwrap();
    for broken in [&b"not a module"[..], &whole[..whole.len() / 2], b""] {
        let before = serve.log().len();
        fs::write(path.join("cloudtrail.wasm"), broken).unwrap();
        serve.signal("-HUP");
        while !serve.log()[before..].iter().any(|line| line["message"].as_str().unwrap().contains("refused"))
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (code, text) = post(&serve.url("/"), &[], event(1));
        assert_eq!(code, 200);
        assert!(text.contains("\"stopped\""), "{text}");
    }
    assert!(serve.metric("tripwasm_reloads_total") >= 3.0);
    fs::remove_file(path.join("cloudtrail.wasm")).unwrap();
    assert_eq!(post(&serve.url("/"), &[], event(1)).0, 200);
    build(&path, &other_rules());
    assert!(serve.wait_for("the module was exchanged"));
    assert!(post(&serve.url("/"), &[], event(1)).1.contains("\"halted\""));
}

/// A rule without windows.
const LISTED: &str = "
title: Listed
name: listed
logsource: { product: aws, service: cloudtrail }
detection: { selection: { eventName: ListBuckets }, condition: selection }
";

fn until_tagged(serve: &Serve, number: u64, tag: &str) {
    let began = std::time::Instant::now();
    while !post(&serve.url("/"), &[], event(number)).1.contains(tag) {
        assert!(began.elapsed() < crate::process::PATIENCE, "{:?}", serve.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_module_without_windows_and_one_with_take_turns() {
    let (_directory, path) = crate::process::with_module(LISTED);
    // Four threads, of which one will keep windows.
    let serve = Serve::start(&path, &["--threads", "4", "--state", "windows.state"]);
    assert!(post(&serve.url("/"), &[], event(3)).1.contains("\"listed\""));
    build(&path, RULES);
    until_tagged(&serve, 1, "\"stopped\"");
    // Threads without work look at the module five times a second.
    std::thread::sleep(Duration::from_millis(500));
    // User 0 is denied again and again in ten minutes, one event a request.
    let denied: Vec<u64> = (0..400).filter(|number| number % 21 == 0).collect();
    let opens = |number: &u64| post(&serve.url("/"), &[], event(*number)).1.contains("many_denied");
    let opened: Vec<u64> = denied.iter().copied().filter(opens).collect();
    assert_eq!(opened, [denied[4]], "the alert opens with the fifth, whichever thread took it");
    build(&path, LISTED);
    until_tagged(&serve, 3, "\"listed\"");
    assert!(serve.terminate().success());
}

#[test]
fn a_request_that_never_ends_does_not_hold_the_end_up() {
    let next = NextService::start();
    next.take_long(Duration::from_secs(30));
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--to", &next.url(), "--drain", "1s"]);
    let url = serve.url("/");
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = crate::sender::client(Duration::from_secs(30));
        runtime.block_on(async { client.post(url).body(event(1)).send().await })
    });
    std::thread::sleep(Duration::from_millis(300));
    let began = std::time::Instant::now();
    assert!(serve.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(sending.join().unwrap().is_err(), "nobody acknowledged it");
}
