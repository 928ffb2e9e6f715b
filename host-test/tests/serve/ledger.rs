//! The ledger: N events in, N out plus those that a rule drops.

use std::time::Duration;

use crate::events::{assert_at_least_once, assert_exactly_once, event, lines};
use crate::next_service::NextService;
use crate::process::{Serve, with_rules};
use crate::sender::{Sender, Sent, post};

const EVENTS: u64 = 10_000;

fn between(next: &NextService, options: &[&str]) -> (tempfile::TempDir, Serve) {
    let (directory, path) = with_rules();
    let url = next.url();
    let options = [&["--mode", "drop", "--to", url.as_str()], options].concat();
    let serve = Serve::start(&path, &options);
    (directory, serve)
}

/// The service's own books agree with what arrived.
fn assert_books(serve: &Serve, events: u64) {
    let count = |name: &str| serve.metric(name) as u64;
    assert_eq!(count("tripwasm_events_in_total"), events);
    assert_eq!(count("tripwasm_events_out_total") + count("tripwasm_events_removed_total"), events);
    assert_eq!(count("tripwasm_events_removed_total"), events / 4);
}

#[test]
fn all_is_well() {
    let next = NextService::start();
    let (_directory, serve) = between(&next, &[]);
    let sent = Sender::new(serve.url("/")).send(0..EVENTS);
    assert_eq!(sent, Sent { delivered: 200, dropped: 0, again: 0 });
    assert_exactly_once(&next.bodies(), 0..EVENTS);
    assert_books(&serve, EVENTS);
    let tagged =
        next.text().lines().filter(|line| line.contains("\"tripwasm\":[{\"name\":\"stopped\"")).count();
    assert_eq!(tagged as u64, EVENTS / 4);
    // As many bodies go out as came in: batches are neither joined nor cut.
    assert_eq!(next.bodies().len(), 200);
}

#[test]
fn the_next_service_is_slow() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(150));
    let (_directory, serve) = between(&next, &[]);
    let sent = Sender { connections: 16, ..Sender::new(serve.url("/")) }.send(0..EVENTS);
    assert_eq!((sent.delivered, sent.dropped), (200, 0));
    assert_exactly_once(&next.bodies(), 0..EVENTS);
}

#[test]
fn the_next_service_is_down_for_ten_seconds() {
    let mut next = NextService::start();
    // Less patience than the time it is down, so that the sender is told to come again.
    let (_directory, serve) = between(&next, &["--to-patience", "2s"]);
    let url = serve.url("/");
    let sending = std::thread::spawn(move || Sender::new(url).send(0..EVENTS));
    std::thread::sleep(Duration::from_millis(50));
    next.down();
    std::thread::sleep(Duration::from_secs(10));
    next.up();
    let sent = sending.join().unwrap();
    assert_eq!((sent.delivered, sent.dropped), (200, 0));
    // What it took before it went down and could not acknowledge may come twice: it has no ids to know that by.
    let doubled = assert_at_least_once(&next.bodies(), 0..EVENTS);
    assert!(doubled <= 200, "{doubled} events came twice; four batches may");
    // A batch that came again was not evaluated again.
    assert_books(&serve, EVENTS);
}

#[test]
fn the_next_service_has_bursts_of_trouble() {
    let next = NextService::start();
    let (_directory, serve) = between(&next, &["--to-patience", "1s"]);
    for codes in [[500; 20], [503; 20], [429; 20], [502; 20], [404; 20], [401; 20]] {
        next.answer_with(codes);
    }
    let sent = Sender::new(serve.url("/")).send(0..EVENTS);
    assert_eq!((sent.delivered, sent.dropped), (200, 0));
    assert!(sent.again > 0, "patience was to end");
    assert_exactly_once(&next.bodies(), 0..EVENTS);
    assert_books(&serve, EVENTS);
}

#[test]
fn the_next_service_refuses_a_batch() {
    let next = NextService::start();
    let (_directory, serve) = between(&next, &[]);
    for code in [400, 413, 422] {
        next.answer_with([code]);
        let (answered, text) = post(&serve.url("/"), &[], lines(0..10));
        assert_eq!(answered, code, "the sender is to know that the batch is bad: {text}");
    }
    assert_eq!(next.bodies().len(), 0);
}

#[test]
fn the_service_is_killed_again_and_again() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let url = next.url();
    let options = ["--mode", "drop", "--to", url.as_str(), "--state", "windows.state"];
    let mut serve = Serve::start(&path, &options);
    let address = serve.address.to_string();
    let sender = Sender::new(serve.url("/"));
    next.take_long(Duration::from_millis(5));
    let sending = std::thread::spawn(move || sender.send(0..EVENTS));
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(150));
        serve.kill();
        serve = Serve::start_at(&path, &address, &options);
    }
    let sent = sending.join().unwrap();
    assert_eq!((sent.delivered, sent.dropped), (200, 0));
    // Each kill may catch four batches between the next service's answer and ours.
    let doubled = assert_at_least_once(&next.bodies(), 0..EVENTS);
    assert!(doubled <= 5 * 4 * 50, "{doubled} events came twice");
}

#[test]
fn the_service_is_ended_in_order_under_load() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(20));
    let (_directory, path) = with_rules();
    let url = next.url();
    let options = ["--mode", "drop", "--to", url.as_str()];
    let mut serve = Serve::start(&path, &options);
    let address = serve.address.to_string();
    let sender = Sender::new(serve.url("/"));
    let sending = std::thread::spawn(move || sender.send(0..EVENTS));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        assert!(serve.terminate().success());
        serve = Serve::start_at(&path, &address, &options);
    }
    let sent = sending.join().unwrap();
    assert_eq!((sent.delivered, sent.dropped), (200, 0));
    // Whoever was taken was answered.
    assert_exactly_once(&next.bodies(), 0..EVENTS);
}

#[test]
fn malformed_and_huge_events_pass_as_they_came() {
    let next = NextService::start();
    let (_directory, serve) = between(&next, &[]);
    let huge = |megabytes: usize| {
        format!("{{\"eventName\":\"StopLogging\",\"filler\":\"{}\"}}", "x".repeat(megabytes << 20))
    };
    // 5 MB is more than an event may have: it passes. 3 MB is evaluated. 20 MB is never held whole by the module.
    let lines = [
        "{\"eventName\":\"StopLogging\"".to_owned(),
        "not json".to_owned(),
        "\u{1F600} \"".to_owned(),
        huge(5),
        huge(3),
        huge(20),
        event(1),
        String::new(),
        "{\"a\":".repeat(5000),
    ];
    let (code, text) = post(&serve.url("/"), &[], lines.join("\n"));
    assert_eq!(code, 200, "{text}");
    let out = next.text();
    let out: Vec<&str> = out.split('\n').collect();
    assert_eq!(out.len(), lines.len());
    for (number, (was, is)) in lines.iter().zip(&out).enumerate() {
        let tagged = matches!(number, 4 | 6);
        assert_eq!(was == is, !tagged, "line {number}");
        assert_eq!(is.contains("\"tripwasm\":[{\"name\":\"stopped\""), tagged, "line {number}");
    }
    assert_eq!(serve.metric("tripwasm_events_in_total"), lines.len() as f64);
    assert!(serve.metric("tripwasm_events_rejected_total") >= 6.0);
}
