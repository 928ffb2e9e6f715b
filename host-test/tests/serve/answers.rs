//! What is answered to whom: forms of bodies, senders who come again, and "later" when too much comes at once.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::events::{assert_exactly_once, event, lines};
use crate::next_service::NextService;
use crate::process::{Serve, with_rules};
use crate::sender::{Sender, client, post};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn without_a_next_service_the_sender_gets_its_events_back() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop"]);
    let (code, text) = post(&serve.url("/"), &[], lines(0..8));
    assert_eq!((code, text.lines().count()), (200, 6));
    assert_eq!(text.lines().next().unwrap(), event(0), "an event that nothing is found in stays as it is");
    // Nothing is left of it.
    assert_eq!(post(&serve.url("/"), &[], event(2)), (200, String::new()));
    assert_eq!(post(&serve.url("/"), &[], ""), (200, String::new()));
}

#[test]
fn bodies_come_in_every_packing_and_form() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "filter"]);
    let all = lines(0..100);
    let array = format!("[{}]", (0..100).map(event).collect::<Vec<_>>().join(",\n"));
    let records = format!("{{\"Records\":[{}]}}", (0..100).map(event).collect::<Vec<_>>().join(","));
    let post = |headers: &[(&str, &str)], body: Vec<u8>| post(&serve.url("/"), headers, body);
    // Alerts are opened once, by the first copy of an event.
    post(&[], all.clone().into());
    let expected = post(&[], all.clone().into());
    // Every fourth is tagged, dropped or denied; some are two of these.
    let tagged = expected.1.lines().count();
    assert!((50..80).contains(&tagged), "{tagged}");
    for (headers, body) in [
        (&[("content-encoding", "gzip")][..], gzip(all.as_bytes())),
        (&[], gzip(all.as_bytes())),
        (&[("content-encoding", "zstd")], zstd(all.as_bytes())),
        (&[], zstd(all.as_bytes())),
        (&[], records.clone().into()),
        (&[("content-encoding", "gzip")], gzip(records.as_bytes())),
        // Two members, as a file that was appended to.
        (&[], [gzip(lines(0..50).as_bytes()), gzip(lines(50..100).as_bytes())].concat()),
    ] {
        assert!(post(headers, body) == expected, "{headers:?}");
    }
    let (code, text) = post(&[], array.into());
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!((code, events.len()), (200, tagged), "an array goes on as an array");
    assert_eq!(post(&[("content-encoding", "gzip")], all.clone().into()).0, 400);
    assert_eq!(post(&[("content-encoding", "br")], all.into()).0, 415);
}

#[test]
fn the_next_service_is_told_what_it_gets() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let serve = Serve::start_with(
        &path,
        "127.0.0.1:0",
        &["--to", &next.url()],
        &[("TRIPWASM_TO_TOKEN", "for the next one")],
    );
    post(&serve.url("/"), &[], lines(0..8));
    post(&serve.url("/"), &[], format!("[{}]", event(1)));
    let headers = next.headers();
    assert_eq!(headers[0]["content-type"], "application/x-ndjson");
    assert_eq!(headers[1]["content-type"], "application/json");
    assert_eq!(headers[1]["authorization"], "Bearer for the next one");
}

#[test]
fn a_sender_that_did_not_get_its_answer_causes_no_copy() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop", "--to", &next.url()]);
    // It waits for 100 ms, and the next service takes 400 ms.
    next.take_long(Duration::from_millis(400));
    let sender = Sender { timeout: Duration::from_millis(100), ..Sender::new(serve.url("/")) };
    let sent = sender.send(0..400);
    assert_eq!((sent.delivered, sent.dropped), (8, 0));
    assert!(sent.again > 8);
    assert_exactly_once(&next.bodies(), 0..400);
    assert_eq!(serve.metric("tripwasm_events_in_total"), 400.0, "a batch was evaluated twice");
}

#[test]
fn the_same_events_from_two_senders_are_two_deliveries() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(100));
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--to", &next.url()]);
    let sender = Sender::new(serve.url("/"));
    let sent = sender.send_batches(vec![lines(0..10); 8]);
    assert_eq!(sent.delivered, 8);
    assert_eq!(next.bodies().len(), 8);
}

#[test]
fn too_much_at_once_is_told_to_come_later() {
    let next = NextService::start();
    next.take_long(Duration::from_millis(30));
    let (_directory, path) = with_rules();
    // Room for two bodies of half a MB at a time.
    let limits = ["--body-max", "1MiB", "--unpacked-max", "1MiB", "--requests-memory", "3MiB"];
    let serve = Serve::start(&path, &[&["--mode", "drop", "--to", &next.url()], &limits[..]].concat());
    let sender = Sender { batch: 3000, connections: 16, ..Sender::new(serve.url("/")) };
    let sent = sender.send(0..100_000);
    assert_eq!((sent.delivered, sent.dropped), (34, 0));
    assert!(sent.again > 0, "nobody was told to come later");
    assert_exactly_once(&next.bodies(), 0..100_000);
    let (code, text) = post(&serve.url("/"), &[], lines(0..10_000));
    assert_eq!(code, 413);
    assert!(text.contains("--body-max"), "{text}");
    let bomb = gzip(&b"{}\n".repeat(1 << 20));
    let (code, text) = post(&serve.url("/"), &[], bomb);
    assert_eq!(code, 413);
    assert!(text.contains("--unpacked-max"), "{text}");
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--body-time", "1s"]);
    let mut stream = std::net::TcpStream::connect(serve.address).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn other_routes_and_methods() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = |method: reqwest::Method, path: &str| {
        let request = client(Duration::from_secs(5)).request(method, serve.url(path));
        runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
    };
    assert_eq!(code(reqwest::Method::GET, "/health"), 200);
    assert_eq!(code(reqwest::Method::GET, "/ready"), 200);
    assert_eq!(code(reqwest::Method::GET, "/"), 405);
    assert_eq!(code(reqwest::Method::POST, "/elsewhere"), 404);
}
