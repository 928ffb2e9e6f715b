//! Who may send, and options that cannot be meant.

use std::time::Duration;

use rmpv::Value;

use crate::command::{said, tripwasm};
use crate::message::{Mode, message, read};
use crate::next_service::{NextService, assert_nothing_lost};
use crate::process::{Serve, with_rules};
use crate::sender::{Sender, connection, send};
use crate::service::{free_address, start, start_with};

#[test]
fn a_chain_of_two_shows_the_shared_key() {
    let (next, first, second) = (NextService::start(), free_address(), free_address());
    let (_directory, path) = with_rules();
    let _second = start_with(&path, second, next.address, &[], &[("TRIPWASM_TOKEN", "secret")]);
    let _first = start_with(&path, first, second, &[], &[("TRIPWASM_TO_TOKEN", "secret")]);
    let mut sender = Sender::new(first, Mode::Packed);
    sender.send(0..400);
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..400), 0);
    let arrived = next.events();
    let twice = arrived.iter().find(|event| event.record["number"].as_u64() == Some(1)).unwrap();
    assert!(twice.record["tripwasm"].is_array() && twice.record["tripwasm_1"].is_array());
}

#[test]
fn tls_on_both_sides() {
    let (next, first, second) = (NextService::start(), free_address(), free_address());
    let (_directory, path) = with_rules();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path.join("cert.pem"), issued.cert.pem()).unwrap();
    std::fs::write(path.join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
    let _second = start(&path, second, next.address, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let (from, to) = (first.to_string(), format!("tls://localhost:{}", second.port()));
    let options = ["--to", "http://127.0.0.1:1/", "--forward", &from, "--to-forward", &to, "--mode", "drop"];
    let trusted = path.join("cert.pem");
    let environment = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
    let _first = Serve::start_with(&path, "127.0.0.1:0", &options, &environment);
    let mut sender = Sender::new(first, Mode::Packed);
    sender.send(0..400);
    assert_eq!((sender.again, assert_nothing_lost(&next.arrivals(), 0..400)), (0, 0));
}

#[test]
fn whoever_has_no_key_or_another_is_sent_away() {
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let mut serve = start_with(&path, address, next.address, &[], &[("TRIPWASM_TOKEN", "secret")]);
    // Fluentd's heartbeat: a connection that says nothing. It is no news.
    drop(connection(address));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!format!("{:?}", serve.log()).contains("a connection is closed"));
    let mut stream = connection(address);
    assert_eq!(read(&mut stream).unwrap()[0].as_str(), Some("HELO"));
    std::io::Write::write_all(&mut stream, &message(Mode::Message, &[0], None)).unwrap();
    let answer = read(&mut stream).unwrap();
    assert_eq!((answer[0].as_str(), answer[1].as_bool()), (Some("PONG"), Some(false)));
    assert!(read(&mut stream).is_err(), "the connection goes on");
    assert!(serve.wait_for("a connection is closed"));
    let mut stream = connection(address);
    read(&mut stream).unwrap();
    let ping = ["PING", "name", "salt", "00", "", ""].map(Value::from);
    send(&mut stream, &Value::from(ping.to_vec()));
    assert_eq!(read(&mut stream).unwrap()[1].as_bool(), Some(false));
    assert_eq!(next.messages().len(), 0);
    // The other way round: the service says what the next one wants.
    let before = free_address();
    let mut before_it = start(&path, before, address, &["--to-patience", "1s"]);
    let sending = std::thread::spawn(move || {
        let mut stream = connection(before);
        std::io::Write::write_all(&mut stream, &message(Mode::Packed, &[0], Some("c"))).unwrap();
        assert!(read(&mut stream).is_err());
    });
    assert!(before_it.wait_for("a connection is closed"));
    let log = format!("{:?}", before_it.log());
    assert!(log.contains("--to-token-file"), "{log}");
    sending.join().unwrap();
}

#[test]
fn a_connection_that_only_waits_is_given_up_when_others_want_in() {
    let (next, address) = (NextService::start(), free_address());
    let (_directory, path) = with_rules();
    let _serve = start(&path, address, next.address, &["--connections-max", "2"]);
    let idle: Vec<_> = (0..4).map(|_| connection(address)).collect();
    let mut sender = Sender::new(address, Mode::Packed);
    sender.send(0..100);
    assert_eq!(assert_nothing_lost(&next.arrivals(), 0..100), 0);
    drop(idle);
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let (_directory, path) = with_rules();
    for (options, expected) in [
        (&["--forward", "127.0.0.1:0"][..], "Give --to-forward HOST:PORT or --to URL"),
        (&["--forward", "0.0.0.0:0", "--to-forward", "h:1"], "is open to other machines"),
        (&["--forward", "127.0.0.1:0", "--to-forward", "h:1", "--to", "http://h/"], "one next service"),
        (
            &["--forward", "127.0.0.1:0", "--to-forward", "h:1", "--http", "127.0.0.1:0"],
            "for those of --http",
        ),
        (&["--forward", "127.0.0.1:0", "--to-forward", "h:1", "--mode", "findings"], "takes records"),
        (&["--forward", "127.0.0.1:0", "--to-forward", "h"], "no HOST:PORT"),
        (&["--http", "127.0.0.1:0", "--to-forward", "h:1"], "--forward"),
        (&[], "or --forward ADDRESS"),
    ] {
        let output = tripwasm(&path, &[&["serve", "cloudtrail.wasm"], options].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(said(&output).contains(expected), "{options:?}: {}", said(&output));
    }
}
