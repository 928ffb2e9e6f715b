//! Inputs in every form of the corpus give the events they hold.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tripwasm::input::{Evaluation, EventReader, Pace, ReaderOptions, SourceReader, find_sources};

const BATCH_SIZES: [usize; 4] = [1, 1000, 64 << 10, 4 << 20];

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

/// Lines and the number of problems.
fn read(bytes: &[u8], batch_bytes: usize) -> (Vec<u8>, u64, usize) {
    let options = ReaderOptions { batch_bytes, pace: Pace::Stored };
    let mut reader = EventReader::new(Box::new(Cursor::new(bytes.to_vec())), options);
    let (mut all, mut lines, mut problems) = (Vec::new(), 0, 0);
    while let Some(batch) = reader.next_batch() {
        all.extend(batch.bytes);
        lines += batch.lines;
        problems += batch.problems.len();
    }
    (all, lines, problems)
}

#[test]
fn lines_pass_as_they_are() {
    let cases: &[&[u8]] = &[
        b"",
        b"\n",
        b"{\"a\":1}",
        b"{\"a\":1}\r\n\r\n{\"b\":2}\r\n",
        b"no json\n{\"a\":\n",
        b"{\"a\":\"cut\n{\"eventName\":\"A\"}\n\xff\xfe\n",
        b"[1,2]\n{\"a\":1}\n\n\n",
    ];
    for case in cases {
        for batch_bytes in BATCH_SIZES {
            let (bytes, lines, problems) = read(case, batch_bytes);
            assert_eq!(bytes, *case, "{}", String::from_utf8_lossy(case));
            assert_eq!(problems, 0);
            let breaks = case.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let open = u64::from(case.last().is_some_and(|&byte| byte != b'\n'));
            assert_eq!(lines, breaks + open, "{}", String::from_utf8_lossy(case));
        }
    }
}

#[test]
fn broken_envelopes_lose_nothing_but_their_wrapping() {
    let cases: &[(&str, &str)] = &[
        ("{\"Records\":[{\"a\":1},{\"b\":", "{\"a\":1}\n{\"b\":"),
        ("{\"Records\":[{\"a\":1},{\"b\" 2},{\"c\":3}]}", "{\"a\":1}\n{\"b\" 2},{\"c\":3}]}"),
        ("{\"Records\":[{\"a\":\n1}]}\n{\"Records\":[{\"b\":2}],\"n\":[1]}", "{\"a\": 1}\n{\"b\":2}\n"),
        ("{\"detail-type\":1,\"detail\":{\"a\":1}}\nbad\n{\"x\":\n{\"a\"", "{\"a\":1}\nbad\n{\"x\":\n{\"a\""),
        ("{\"detail-type\":1,\"detail\":{\"a\":1}}\n{\"eventName\":2}\n", "{\"a\":1}\n{\"eventName\":2}\n"),
    ];
    for (input, expected) in cases {
        for batch_bytes in BATCH_SIZES {
            let (bytes, _, problems) = read(input.as_bytes(), batch_bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), *expected, "{input}");
            assert_eq!(problems, 0);
        }
    }
}

#[test]
fn what_came_before_a_corrupt_gzip_tail_is_kept() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let lines: Vec<u8> =
        (0..20_000).flat_map(|number| format!("{{\"n\":{number}}}\n").into_bytes()).collect();
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(&lines).unwrap();
    let zipped = zip.finish().unwrap();
    assert_eq!(read(&zipped, 1 << 20), (lines.clone(), 20_000, 0));
    let (kept, _, problems) = read(&zipped[..zipped.len() / 2], 1 << 20);
    assert!(!kept.is_empty() && lines.starts_with(&kept));
    assert_eq!(problems, 1);
}

#[test]
fn an_endless_line_passes_in_pieces() {
    let mut input = b"{\"a\":1}\n".to_vec();
    input.extend(std::iter::repeat_n(b'x', 40 << 20));
    input.extend_from_slice(b"\n{\"b\":2}\n");
    let options = ReaderOptions { batch_bytes: 1 << 20, pace: Pace::Stored };
    let mut reader = EventReader::new(Box::new(Cursor::new(input.clone())), options);
    let (mut all, mut lines, mut largest) = (Vec::new(), [0, 0], 0);
    while let Some(batch) = reader.next_batch() {
        lines[usize::from(batch.evaluation == Evaluation::PassThrough)] += batch.lines;
        largest = largest.max(batch.bytes.len());
        all.extend(batch.bytes);
    }
    assert!(all == input, "bytes were changed");
    assert_eq!(lines, [2, 1]);
    assert!(largest < 40 << 20, "{largest} bytes at once");
}
