//! The ledger: N events in, N out plus those that a rule drops.

use std::time::Duration;

use crate::message::Mode;
use crate::next_service::{NextService, assert_nothing_lost};
use crate::process::{Serve, with_rules};
use crate::sender::{CHUNK_EVENTS, Sender};
use crate::service::{free_address, start};

const EVENTS: u64 = 4_000;

fn senders(address: std::net::SocketAddr, count: u64) -> Vec<std::thread::JoinHandle<usize>> {
    let share = EVENTS / count;
    let sending = (0..count).map(|number| {
        std::thread::spawn(move || {
            let mut sender = Sender::new(address, Mode::Packed);
            sender.send(number * share..(number + 1) * share);
            sender.again
        })
    });
    sending.collect()
}

/// The service's own books.
fn assert_books(serve: &Serve) {
    let count = |name: &str| serve.metric(name) as u64;
    assert_eq!(count("tripwasm_events_in_total"), EVENTS);
    assert_eq!(count("tripwasm_events_removed_total"), EVENTS / 4);
    assert_eq!(count("tripwasm_events_out_total"), EVENTS / 4 * 3);
}

#[test]
fn the_next_service_is_slow() {
    let (next, address) = (NextService::start(), free_address());
    next.take_long(Duration::from_millis(100));
    let (_directory, path) = with_rules();
    let serve = start(&path, address, next.address, &[]);
    let again: usize = senders(address, 4).into_iter().map(|sending| sending.join().unwrap()).sum();
    assert_eq!(again, 0);
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..EVENTS), 0);
    assert_books(&serve);
}

#[test]
fn the_next_service_is_down_for_some_seconds() {
    let (mut next, address) = (NextService::start(), free_address());
    next.take_long(Duration::from_millis(5));
    let (_directory, path) = with_rules();
    // Less patience than the time it is down, so that connections are closed and senders come again.
    let serve = start(&path, address, next.address, &["--to-patience", "1s"]);
    let sending = senders(address, 2);
    std::thread::sleep(Duration::from_millis(100));
    next.down();
    std::thread::sleep(Duration::from_secs(4));
    next.up();
    let again: usize = sending.into_iter().map(|sending| sending.join().unwrap()).sum();
    assert!(again > 0, "no sender noticed");
    // What it took and could not acknowledge before it went down comes twice.
    let doubled = assert_nothing_lost(&next.arrivals(), 0..EVENTS);
    assert!(doubled <= 2 * CHUNK_EVENTS, "{doubled} events came twice");
    // Chunks that came again were not evaluated again.
    assert_books(&serve);
}

#[test]
fn the_service_is_killed_and_started_again() {
    let (next, address) = (NextService::start(), free_address());
    next.take_long(Duration::from_millis(10));
    let (_directory, path) = with_rules();
    let mut serve = start(&path, address, next.address, &[]);
    let sending = senders(address, 2);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(120));
        serve.kill();
        serve = start(&path, address, next.address, &[]);
    }
    let again: usize = sending.into_iter().map(|sending| sending.join().unwrap()).sum();
    let doubled = assert_nothing_lost(&next.arrivals(), 0..EVENTS);
    assert!(doubled <= 3 * 2 * CHUNK_EVENTS, "{doubled} events came twice");
    assert!(again > 0 && serve.terminate().success());
}

#[test]
fn the_service_ends_in_order_while_events_come() {
    let (next, address) = (NextService::start(), free_address());
    next.take_long(Duration::from_millis(20));
    let (_directory, path) = with_rules();
    let serve = start(&path, address, next.address, &[]);
    let sending = senders(address, 2);
    std::thread::sleep(Duration::from_millis(300));
    assert!(serve.terminate().success());
    let serve = start(&path, address, next.address, &[]);
    for sending in sending {
        sending.join().unwrap();
    }
    // What was taken was acknowledged before the end: nothing comes twice.
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..EVENTS), 0);
    assert!(serve.terminate().success());
}
