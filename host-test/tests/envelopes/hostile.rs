//! Inputs that were made to take memory or time.

use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tripwasm::input::{EventReader, InputError, Pace, ReaderOptions, Unpacking};

use crate::forms::event;
use crate::{BATCH_SIZES, Found, gzip};

/// Far above what any of these takes in a debug build on a busy machine, far below what it would take if each line or
/// each read looked at all of the rest.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(unpacking: Unpacking) -> ReaderOptions {
    ReaderOptions { batch_bytes: 256 << 10, pace: Pace::Stored, unpacking }
}

#[test]
fn an_input_that_unpacks_to_too_much_ends_there_and_says_so() {
    let line = event(0) + "\n";
    let lines = line.repeat(10_000);
    let allowed = lines.len() as u64 / 2;
    let input = Box::new(Cursor::new(gzip(lines.as_bytes())));
    let mut reader = EventReader::new(input, options(Unpacking::AtMost(allowed)));
    let (mut kept, mut problems) = (Vec::new(), Vec::new());
    while let Some(batch) = reader.next_batch() {
        kept.extend(batch.bytes);
        problems.extend(batch.problems);
    }
    assert_eq!(kept.len() as u64, allowed);
    assert!(lines.as_bytes().starts_with(&kept));
    let [problem @ InputError::UnpacksTooMuch { bytes, .. }] = &*problems else { panic!("{problems:?}") };
    assert_eq!(*bytes, allowed);
    assert!(problem.to_string().contains("--unpacked-max"), "{problem}");
}

#[test]
fn records_that_unpack_to_too_much_pass_as_they_are() {
    let bomb = STANDARD.encode(gzip(&vec![b' '; 1 << 20]));
    let record = format!(r#"{{"data":"{bomb}"}}"#);
    let good = format!(r#"{{"data":"{}"}}"#, STANDARD.encode(gzip(event(0).as_bytes())));
    let request = format!(r#"{{"requestId":"r","timestamp":1,"records":[{good},{record},{record},{good}]}}"#);
    let input = Box::new(Cursor::new(request.into_bytes()));
    let found = Found::in_input(input, options(Unpacking::AtMost(1000)));
    assert_eq!(found.text(), format!("{0}\n{record}\n{record}\n{0}\n", event(0)));
    assert_eq!(found.problems.len(), 2);
    assert!(found.problems[0].contains("unpacks to more"), "{}", found.problems[0]);
}

#[test]
fn what_is_no_base64_passes_and_is_named_with_its_place() {
    let input =
        format!("{{\"awslogs\":{{\"data\":\"\"}}}}\n{}\n{{\"awslogs\":{{\"data\":\"%%%\"}}}}\n", event(0));
    let found = Found::in_batches(input.as_bytes(), 1 << 20);
    assert_eq!(found.text(), input.split_once('\n').unwrap().1);
    let at = input.rfind("{\"awslogs").unwrap();
    assert!(found.problems[0].contains(&format!("at byte {at} ")), "{:?}", found.problems);
}

#[test]
fn envelopes_in_envelopes_end_somewhere() {
    let nested = (0..100)
        .fold(event(0), |inner, _| format!("{{\"detail-type\":\"via CloudTrail\",\"detail\":{inner}}}"));
    let records = (0..100).fold(event(0), |inner, _| format!("{{\"Records\":[{inner}]}}"));
    for input in [nested, records] {
        for batch_bytes in BATCH_SIZES {
            let found = Found::in_batches(input.as_bytes(), batch_bytes);
            assert!(found.text().contains(&event(0)) && found.lines == 1, "{}", found.text());
        }
    }
}

#[test]
fn brackets_without_end_pass() {
    for (head, repeated) in [
        ("", "["),
        ("{\"Records\":[", "["),
        ("[{\"a\":", "["),
        ("{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[", "{\"a\":"),
        ("{\"Records\":[{\"messageId\":", "{\"a\":\n"),
        ("", "{\"a\":["),
        ("", "{\"Records\":["),
        ("{\"detail-type\":", "\n"),
    ] {
        let began = Instant::now();
        let bytes = head.to_owned() + &repeated.repeat((8 << 20) / repeated.len());
        for pace in [Pace::Stored, Pace::Live] {
            let options = ReaderOptions { pace, ..options(Unpacking::LikeEvents) };
            let input = Box::new(Cursor::new(bytes.clone().into_bytes()).take(u64::MAX));
            let out = Found::in_input(input, options).bytes.len();
            // Heads of arrays are wrapping, not content.
            let wrapping = bytes.len() - out.min(bytes.len());
            assert!(wrapping <= head.len() || repeated.contains("Records"), "{head}{repeated}: {wrapping}");
        }
        assert!(began.elapsed() < PATIENCE, "{head}{repeated}: {:?}", began.elapsed());
    }
}

#[test]
fn text_that_seems_to_begin_values_is_looked_through_once() {
    for line in ["{\"a\":[\n", "{\"a\":\"\n", "[\n", "{\"a\":{\n}\n"] {
        let began = Instant::now();
        let text = line.repeat((2 << 20) / line.len());
        let packed = STANDARD.encode(gzip(text.as_bytes()));
        let found =
            Found::in_batches(format!("{{\"awslogs\":{{\"data\":\"{packed}\"}}}}").as_bytes(), 1 << 20);
        assert!(found.text().split_whitespace().eq(text.split_whitespace()), "{line}");
        assert!(began.elapsed() < PATIENCE, "{line}: {:?}", began.elapsed());
    }
}
