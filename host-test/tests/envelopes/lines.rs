//! Lines, and what passes as lines because it is not what it seemed to be.

use std::io::Cursor;

use tripwasm::input::{Evaluation, EventReader, Pace, ReaderOptions, Unpacking};

use crate::{BATCH_SIZES, Found, gzip};

fn read(bytes: &[u8], batch_bytes: usize) -> (Vec<u8>, u64, usize) {
    let found = Found::in_batches(bytes, batch_bytes);
    (found.bytes, found.lines, found.problems.len())
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
        (
            "{\"detail-type\":\"via CloudTrail\",\"detail\":{\"a\":1}}\nbad\n{\"x\":\n{\"a\"",
            "{\"a\":1}\nbad\n{\"x\":\n{\"a\"",
        ),
        (
            "{\"detail-type\":\"via CloudTrail\",\"detail\":{\"a\":1}}\n{\"eventName\":2}\n",
            "{\"a\":1}\n{\"eventName\":2}\n",
        ),
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
    let lines: Vec<u8> =
        (0..20_000).flat_map(|number| format!("{{\"n\":{number}}}\n").into_bytes()).collect();
    let zipped = gzip(&lines);
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
    let options =
        ReaderOptions { batch_bytes: 1 << 20, pace: Pace::Stored, unpacking: Unpacking::LikeEvents };
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
