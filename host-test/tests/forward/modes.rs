//! Modes of the protocol, and what goes on of their events.

use std::time::{Duration, Instant};

use rmpv::Value;

use crate::events::{assert_exactly_once, event, is_dropped};
use crate::http_service;
use crate::message::{Mode, encoded, entry, events, map, message, read};
use crate::next_service::{NextService, assert_nothing_lost};
use crate::process::{Serve, with_rules};
use crate::sender::{Sender, connection, send};
use crate::service::{free_address, start};

#[test]
fn every_mode_gives_the_same_events() {
    for mode in [Mode::Message, Mode::Forward, Mode::Packed, Mode::Compressed] {
        let (next, address) = (NextService::start(), free_address());
        let (_directory, path) = with_rules();
        let serve = start(&path, address, next.address, &[]);
        let mut sender = Sender::new(address, mode);
        sender.send(0..400);
        assert_eq!((sender.again, assert_nothing_lost(&next.arrivals(), 0..400)), (0, 0), "{mode:?}");
        for arrived in next.events() {
            let number = arrived.record["number"].as_u64().unwrap();
            assert_eq!(arrived.tag, "cloud.trail");
            if mode != Mode::Message {
                assert_eq!(arrived.time, entry(number)[0], "{mode:?} {number}");
            }
            let tag = arrived.record["tripwasm"][0]["name"].as_str();
            let members = arrived.record.as_map().unwrap().len();
            let sent = entry(number)[1].as_map().unwrap().len();
            if number % 4 == 1 {
                assert_eq!((tag, members), (Some("stopped"), sent + 1));
            } else if members == sent {
                // Byte for byte, which a library's values do not tell apart; the bytes do.
                assert_eq!(encoded(&arrived.record), encoded(&entry(number)[1]));
            }
        }
        assert!(serve.terminate().success());
    }
}

#[test]
fn events_in_lines_of_text_get_the_tag_beside_them() {
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let _serve = start(&path, address, next.address, &[]);
    let records =
        (0..8).map(|number| map(&[("log", Value::from(event(number) + "\n")), ("x", Value::from(number))]));
    let entries: Vec<_> = records.map(|record| Value::from(vec![Value::from(7), record])).collect();
    let options = map(&[("chunk", Value::from("c"))]);
    let mut stream = connection(address);
    send(&mut stream, &Value::from(vec![Value::from("t"), Value::from(entries), options]));
    assert_eq!(read(&mut stream).unwrap()["ack"].as_str(), Some("c"));
    let arrived: Vec<_> = next.events().into_iter().map(|event| event.record).collect();
    let numbers: Vec<_> = arrived.iter().map(|record| record["x"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..8).filter(|number| !is_dropped(*number)).collect::<Vec<_>>());
    for record in &arrived {
        let number = record["x"].as_u64().unwrap();
        assert_eq!(record["log"].as_str().unwrap(), event(number) + "\n");
        assert_eq!(record["tripwasm"][0]["name"].as_str(), (number % 4 == 1).then_some("stopped"));
    }
}

#[test]
fn what_is_no_event_goes_on_as_it_came() {
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let serve = start(&path, address, next.address, &[]);
    let mut stream = connection(address);
    let odd = [
        Value::from(1),
        map(&[("log", Value::from("plain text"))]),
        Value::Map(vec![(Value::Nil, Value::Nil)]),
    ];
    let entries: Vec<_> =
        odd.iter().map(|record| Value::from(vec![Value::from(7), record.clone()])).collect();
    let metrics = map(&[("chunk", Value::from("m")), ("fluent_signal", Value::from(1))]);
    // A sign of life, nothing to evaluate, metrics, and events that are none.
    send(&mut stream, &Value::Nil);
    send(
        &mut stream,
        &Value::from(vec![
            Value::from("t"),
            Value::from(Vec::<Value>::new()),
            map(&[("chunk", Value::from("e"))]),
        ]),
    );
    assert_eq!(read(&mut stream).unwrap()["ack"].as_str(), Some("e"));
    send(&mut stream, &Value::from(vec![Value::from("t"), Value::from(&b"metrics"[..]), metrics]));
    assert_eq!(read(&mut stream).unwrap()["ack"].as_str(), Some("m"));
    send(
        &mut stream,
        &Value::from(vec![Value::from("t"), Value::from(entries), map(&[("chunk", Value::from("o"))])]),
    );
    assert_eq!(read(&mut stream).unwrap()["ack"].as_str(), Some("o"));
    let messages = next.messages();
    assert_eq!(messages.len(), 2, "an empty message goes nowhere");
    assert_eq!(messages[0][1].as_slice(), Some(&b"metrics"[..]));
    let records: Vec<_> = events(&messages[1]).into_iter().map(|event| event.record).collect();
    assert_eq!(records, odd);
    assert_eq!(serve.metric("tripwasm_events_rejected_total"), 2.0);
}

#[test]
fn whoever_asks_for_no_acknowledgement_is_served_when_the_next_service_comes_back() {
    let (mut next, address) = (NextService::start(), free_address());
    next.down();
    let (_directory, path) = with_rules();
    let serve = start(&path, address, next.address, &["--to-patience", "1s"]);
    let mut stream = connection(address);
    for first in [0, 50] {
        let bytes = message(Mode::Packed, &(first..first + 50).collect::<Vec<_>>(), None);
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
    }
    drop(stream);
    std::thread::sleep(Duration::from_secs(3));
    next.up();
    let began = Instant::now();
    while next.messages().len() < 2 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..100), 0);
    assert!(serve.terminate().success());
}

#[test]
fn events_go_on_by_http_as_lines() {
    let (next, address) = (http_service::NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let (url, forward) = (next.url(), address.to_string());
    let options = ["--to", &url, "--forward", &forward, "--mode", "drop"];
    let serve = Serve::start(&path, &options);
    let mut sender = Sender::new(address, Mode::Compressed);
    sender.send(0..400);
    assert_exactly_once(&next.bodies(), 0..400);
    let tagged =
        next.text().lines().filter(|line| line.contains("\"tripwasm\":[{\"name\":\"stopped\"")).count();
    assert_eq!(tagged, 100);
    assert!(serve.terminate().success());
}
