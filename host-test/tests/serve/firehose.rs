//! Amazon Data Firehose: its delivery to an HTTP endpoint, and its transformation of records.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::events::{assert_exactly_once, event, lines};
use crate::next_service::NextService;
use crate::process::{Serve, with_rules};
use crate::sender::post;

const ID: (&str, &str) = ("x-amz-firehose-request-id", "ed4acda5-034f-9f42-bba1-f29aea6d7d8f");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn log_batch(numbers: std::ops::Range<u64>) -> String {
    let events: Vec<Value> =
        numbers.map(|number| json!({"id": "1", "timestamp": 1, "message": event(number)})).collect();
    json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": events})
    .to_string()
}

fn delivery(records: &[Vec<u8>]) -> String {
    let records: Vec<Value> = records.iter().map(|data| json!({"data": STANDARD.encode(data)})).collect();
    json!({"requestId": ID.1, "timestamp": 1_578_090_901_599_u64, "records": records}).to_string()
}

#[test]
fn a_delivery_is_acknowledged_once_the_next_service_has_it() {
    let next = NextService::start();
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--to", &next.url(), "--mode", "drop"]);
    let members = [gzip(log_batch(40..60).as_bytes()), gzip(log_batch(60..80).as_bytes())].concat();
    let body = delivery(&[event(0).into(), lines(1..40).into(), members]);
    let url = serve.url("/firehose");
    let gzipped = [("content-encoding", "gzip"), ID];
    let (code, text) = post(&url, &gzipped, gzip(body.as_bytes()));
    assert_eq!(code, 200, "{text}");
    assert_exactly_once(&next.bodies(), 0..80);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["requestId"], ID.1);
    assert!(told["timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(told.as_object().unwrap().len(), 2);
    // The id stands in the body, too.
    let (code, text) = post(&url, &[], delivery(&[event(1).into()]));
    assert_eq!(
        (code, serde_json::from_str::<Value>(&text).unwrap()["requestId"].as_str()),
        (200, Some(ID.1))
    );
}

#[test]
fn what_is_not_taken_is_answered_in_firehoses_form() {
    let mut next = NextService::start();
    let (_directory, path) = with_rules();
    let options = ["--to", &next.url(), "--to-patience", "1s", "--unpacked-max", "1MiB"];
    let serve = Serve::start_with(&path, "127.0.0.1:0", &options, &[("TRIPWASM_TOKEN", "secret")]);
    let key = ("x-amz-firehose-access-key", "secret");
    let send = |headers: &[(&str, &str)], body: String| {
        let (code, text) = post(&serve.url("/firehose"), headers, body);
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["requestId"], ID.1);
        (code, told["errorMessage"].as_str().unwrap_or_default().to_owned())
    };
    let good = delivery(&[event(0).into()]);
    let (code, message) = send(&[ID, ("x-amz-firehose-access-key", "wrong")], good.clone());
    assert!(code == 401 && message.contains("X-Amz-Firehose-Access-Key"), "{code}: {message}");
    let bomb = delivery(&[gzip(&vec![b' '; 8 << 20])]);
    let (code, message) = send(&[ID, key], bomb);
    assert!(code == 413 && message.contains("--unpacked-max"), "{code}: {message}");
    next.down();
    let (code, message) = send(&[ID, key], good.clone());
    assert!(code == 503 && message.contains("send them again"), "{code}: {message}");
    next.up();
    assert_eq!(send(&[ID, key], good), (200, String::new()));
    assert_exactly_once(&next.bodies(), 0..1);
}

#[test]
fn a_delivery_needs_a_next_service() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &[]);
    let (code, text) = post(&serve.url("/firehose"), &[ID], delivery(&[event(0).into()]));
    assert!(code == 501 && text.contains("--to"), "{code}: {text}");
}

#[test]
fn a_transformation_answers_every_record_once_and_in_order() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &["--mode", "drop"]);
    let record = |id: u64, data: &[u8]| json!({"recordId": id.to_string(), "approximateArrivalTimestamp": 1, "data": STANDARD.encode(data)});
    let all = gzip(lines(0..4).as_bytes());
    let mut records = vec![
        record(0, event(0).as_bytes()),
        record(1, event(1).as_bytes()),
        record(2, event(2).as_bytes()),
        record(3, &all),
        record(4, &gzip(log_batch(4..8).as_bytes())),
        record(5, b"a line of another log\n\nand one more"),
        record(6, &all[..20]),
        record(7, b""),
        json!({"recordId": "8", "data": "%%%"}),
        json!({"recordId": "9"}),
        record(10, &gzip(event(6).as_bytes())),
    ];
    records.extend((11..500).map(|id| record(id, event(id).as_bytes())));
    let request =
        json!({"invocationId": "i", "deliveryStreamArn": "arn", "region": "r", "records": records.clone()});
    let (code, text) = post(&serve.url("/firehose/transform"), &[], request.to_string());
    assert_eq!(code, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let answers = answer["records"].as_array().unwrap();
    let ids: Vec<String> =
        answers.iter().map(|answer| answer["recordId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..500).map(|id: u64| id.to_string()).collect::<Vec<_>>());
    let data = |at: usize| STANDARD.decode(answers[at]["data"].as_str().unwrap()).unwrap();
    let results: Vec<&str> = answers.iter().map(|answer| answer["result"].as_str().unwrap()).collect();
    assert_eq!(
        results[..11],
        ["Ok", "Ok", "Dropped", "Ok", "Ok", "Ok", "Ok", "Ok", "Ok", "ProcessingFailed", "Dropped"]
    );
    assert_eq!(data(0), lines([0]).into_bytes());
    let tagged = String::from_utf8(data(1)).unwrap();
    assert!(
        tagged.starts_with(event(1).trim_end_matches('}'))
            && tagged.contains("\"tripwasm\":[{\"name\":\"stopped\"")
    );
    for (at, first) in [(3, 0), (4, 4)] {
        let text = unzip(&data(at));
        let numbers: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [first, first + 1, first + 3], "{text}");
    }
    for at in 5..9 {
        assert_eq!(answers[at]["data"], records[at]["data"], "record {at} is not as it came");
    }
    for (id, result) in results.iter().enumerate().skip(11) {
        assert_eq!(*result == "Dropped", id % 4 == 2, "record {id}");
    }
}

#[test]
fn what_is_no_transformation_is_refused() {
    let (_directory, path) = with_rules();
    let serve = Serve::start(&path, &[]);
    for body in ["", "{}", "[]", "{\"records\":[{\"data\":\"\"}]}", "{\"records\":[{\"recordId\":\"1\""] {
        let (code, text) = post(&serve.url("/firehose/transform"), &[], body);
        assert!(code == 400 && text.contains("recordId"), "{body}: {code} {text}");
    }
    let (code, text) = post(&serve.url("/firehose/transform"), &[], "{\"records\":[]}");
    assert_eq!((code, &*text), (200, "{\"records\":[]}"));
}
