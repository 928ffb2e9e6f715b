//! The envelopes of the corpus, told by the events they are known to hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tripwasm::input::{SourceReader, find_sources};

use crate::BATCH_SIZES;

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: the corpus is absent at {}", path.display());
    None
}

/// All lines of the inputs, with each size of batches the same; panics on a problem.
fn lines(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    let mut results = BATCH_SIZES.map(|batch_bytes| {
        let mut all = Vec::new();
        let mut count = 0;
        for arrival in SourceReader::new(find_sources(paths).unwrap(), batch_bytes) {
            assert!(arrival.batch.problems.is_empty(), "{:?}", arrival.batch.problems);
            count += arrival.batch.lines;
            all.extend(arrival.batch.bytes);
            if all.last().is_some_and(|&byte| byte != b'\n') {
                all.push(b'\n');
            }
        }
        let lines: Vec<Vec<u8>> = all.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        assert_eq!(lines.len() as u64, count, "{paths:?} in batches of {batch_bytes}");
        lines
    });
    for other in &results[1..] {
        assert!(*other == results[0], "batches change the lines of {paths:?}");
    }
    std::mem::take(&mut results[0])
}

fn values(paths: &[PathBuf]) -> Vec<Value> {
    lines(paths).iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["eventID"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_envelope_gives_its_events() {
    let Some(corpus) = corpus() else { return };
    let cases = [
        ("envelopes/derived/cwl-subscription.json", 50),
        ("envelopes/derived/cwl-subscription.lambda.json", 50),
        ("envelopes/derived/kinesis-cwl.json", 50),
        ("envelopes/derived/firehose.json", 20),
        ("envelopes/derived/eventbridge.ndjson", 50),
        ("envelopes/eventbridge/cloud-custodian", 24),
        ("envelopes/json-array/stratus", 118),
        ("envelopes/lookup-events/plaso_aws_cloudtrail.jsonl", 6),
        ("envelopes/logstash-flavoured/otrf_ec2_proxy_s3_exfiltration.ndjson", 103),
        ("envelopes/s3-records/trailscraper/events-for-smoke-test.json", 3),
        ("events/invictus.ndjson", 2900),
    ];
    for (path, count) in cases {
        let events = values(&[corpus.join(path)]);
        assert_eq!(events.len(), count, "{path}");
        assert!(events.iter().all(|event| event.get("eventName").is_some()), "{path}: not unwrapped");
    }
}

#[test]
fn derived_envelopes_hold_the_first_events_of_invictus_as_their_bytes() {
    let Some(corpus) = corpus() else { return };
    let plain = lines(&[corpus.join("events/invictus.ndjson")]);
    let names = [
        "cwl-subscription.json",
        "cwl-subscription.lambda.json",
        "kinesis-cwl.json",
        "firehose.json",
        "eventbridge.ndjson",
    ];
    for name in names {
        let found = lines(&[corpus.join("envelopes/derived").join(name)]);
        let found: Vec<Value> = found.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
        let expected: Vec<Value> =
            plain[..found.len()].iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn gzip_and_plain_files_are_alike_and_directories_are_read_in_path_order() {
    let Some(corpus) = corpus() else { return };
    let directory = corpus.join("envelopes/s3-records/invictus");
    let known = ids(&values(&[corpus.join("events/invictus.ndjson")]));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for plain in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let zipped = PathBuf::from(format!("{}.gz", plain.display()));
        let events = lines(std::slice::from_ref(plain));
        assert_eq!(events, lines(&[zipped]), "{}", plain.display());
        assert!(ids(&values(std::slice::from_ref(plain))).is_subset(&known), "{}", plain.display());
    }
    assert_eq!(lines(&[directory]), lines(&files));
}
