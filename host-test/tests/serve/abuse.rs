//! Senders that take more than they should, and what it costs the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::events::event;
use crate::process::{PATIENCE, Serve, with_rules};
use crate::sender::post;

/// Asks for an answer and does not take it.
fn silent(serve: &Serve, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(serve.address).unwrap();
    // One that is refused is hung up on.
    let _ = write!(stream, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(body);
    stream
}

#[test]
fn answers_that_nobody_takes_count_and_are_given_up() {
    let (_directory, path) = with_rules();
    let limits = ["--body-max", "16MiB", "--unpacked-max", "16MiB", "--requests-memory", "64MiB"];
    let serve = Serve::start(&path, &[&limits[..], &["--body-time", "5s"]].concat());
    // More than a socket's buffers take.
    let body = b"no event\n".repeat(1_500_000);
    let mut held = Vec::new();
    let began = Instant::now();
    for number in 1..=4 {
        // One behind the other: each waits in its sender's connection, and not for the module.
        held.push(silent(&serve, &body));
        while serve.metric("tripwasm_requests_total") < f64::from(number) {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let log = serve.log();
    assert!(log.iter().any(|line| line["status"] == 429), "all were taken: {log:?}");
    // They are hung up on, and others have room again.
    let again = "x\n".repeat(5_000_000);
    let began = Instant::now();
    while post(&serve.url("/"), &[], again.clone()).0 != 200 {
        assert!(began.elapsed() < PATIENCE, "nobody is hung up on");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(held);
}

#[test]
fn a_connection_that_has_its_answer_makes_room() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--connections-max", "1"]);
    let mut first = TcpStream::connect(serve.address).unwrap();
    let event = event(0);
    write!(first, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", event.len()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut second = TcpStream::connect(serve.address).unwrap();
    second.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    first.write_all(event.as_bytes()).unwrap();
    let began = Instant::now();
    for stream in [&mut first, &mut second] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "it waited until the first one left");
}
