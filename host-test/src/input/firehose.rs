//! Requests of Amazon Data Firehose to transform records, as a Lambda function gets them, and the answers.
//!
//! | a record | comes back as |
//! |---|---|
//! | with events | `Ok`, its lines as they are given on: NDJSON, gzip if it was gzip |
//! | of which all lines were removed | `Dropped` |
//! | that is not base64, is damaged gzip, unpacks to too much, or holds nothing | `Ok`, its data as it came |
//! | without data that could be given back | `ProcessingFailed` |
//!
//! Invariant: every record is answered, once, in order. `ProcessingFailed` makes Firehose put the record aside, where
//! nobody behind it looks: it is for records that cannot be given on at all.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, write::GzEncoder};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{Lines, documents};
use super::packed::{RECORD_BYTES_MAX, Undecodable, Unpacked, decode};
use super::{Batch, InputError};

/// What a transformation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransformLimits {
    /// Bytes of a batch, unless one line is longer.
    pub batch_bytes: usize,
    /// Bytes that all gzip in one request may unpack to.
    pub unpacked_bytes_max: u64,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransformError<E> {
    /// Its records cannot be found.
    #[error(
        "this is no request of Firehose to transform records, {{\"records\":[{{\"recordId\",\"data\"}},...]}}"
    )]
    Request(#[source] serde_json::Error),
    /// Its events were not taken.
    #[error(transparent)]
    NotTaken(E),
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, rename = "recordId")]
    id: &'a RawValue,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What a record holds.
enum Held {
    /// So many batches of events.
    Batches { count: usize, zipped: bool, is_text: bool },
    /// Nothing that could be evaluated.
    Nothing,
}

/// Answers a request. `evaluate` gets batches of NDJSON in order and gives back, for each, the lines to be given on.
pub fn transform<E>(
    request: &[u8],
    limits: TransformLimits,
    evaluate: impl FnOnce(Vec<Batch>) -> Result<Vec<Vec<u8>>, E>,
) -> Result<Vec<u8>, TransformError<E>> {
    let request: Request<'_> = serde_json::from_slice(request).map_err(TransformError::Request)?;
    let mut unpack_left = limits.unpacked_bytes_max;
    let mut batches = Vec::new();
    let held: Vec<Held> = request
        .records
        .iter()
        .map(|record| hold(record, limits.batch_bytes, &mut unpack_left, &mut batches))
        .collect();
    let before: Vec<u64> = batches.iter().map(hash).collect();
    let after = evaluate(batches).map_err(TransformError::NotTaken)?;
    let mut outcomes = before.into_iter().zip(after);
    let mut answer = b"{\"records\":[".to_vec();
    for (number, (record, held)) in request.records.iter().zip(held).enumerate() {
        if number > 0 {
            answer.push(b',');
        }
        push_answer(&mut answer, record, &outcome(held, &mut outcomes));
    }
    answer.extend_from_slice(b"]}");
    Ok(answer)
}

fn hash(batch: &Batch) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&batch.bytes)
}

/// Takes the lines out of a record, as batches.
fn hold(record: &Record<'_>, batch_bytes: usize, unpack_left: &mut u64, batches: &mut Vec<Batch>) -> Held {
    let Some(data) = data(record) else { return Held::Nothing };
    let granted = RECORD_BYTES_MAX.min(*unpack_left);
    let mut lines = Lines::new(Vec::new());
    lines.unpack_left = granted;
    let unpacked = decode(data.get().as_bytes(), &mut lines.unpack_left);
    let zipped = matches!(unpacked, Ok(Unpacked { zipped: true, .. }));
    match unpacked {
        Ok(unpacked) => documents(&unpacked.bytes, 1, &mut lines),
        Err(problem) => {
            let (field, at) = ("data", 0);
            lines.problems.push(match problem {
                Undecodable::Damaged(reason) => InputError::Envelope { field, at, reason },
                Undecodable::TooLarge => InputError::RecordTooLarge { field, at },
            });
        }
    }
    *unpack_left -= granted - lines.unpack_left;
    let is_text = lines.values == 0;
    let count = batches.len();
    push_batches(lines, batch_bytes, batches);
    // What could not be decoded is a batch of no lines: somebody has to be told of the problem.
    match batches.get(count..).unwrap_or_default() {
        [] => Held::Nothing,
        [first, ..] if first.lines == 0 => Held::Batches { count: 1, zipped, is_text: true },
        more => Held::Batches { count: more.len(), zipped, is_text },
    }
}

/// Data that a record can be given on with.
fn data<'a>(record: &Record<'a>) -> Option<&'a RawValue> {
    record.data.filter(|data| data.get().starts_with('"'))
}

/// Cuts lines into batches; problems go with the first.
fn push_batches(lines: Lines, batch_bytes: usize, batches: &mut Vec<Batch>) {
    let Lines { bytes, problems, foreign, .. } = lines;
    let mut first = Batch { problems, foreign, ..Batch::default() };
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let window = rest.get(..batch_bytes.max(1)).unwrap_or(rest);
        let cut = match memchr::memrchr(b'\n', window) {
            Some(at) => at + 1,
            None => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
        };
        let (batch, later) = rest.split_at(cut);
        first.bytes = batch.to_vec();
        first.lines = memchr::memchr_iter(b'\n', batch).count() as u64;
        batches.push(std::mem::take(&mut first));
        rest = later;
    }
    if !first.is_empty() {
        batches.push(first);
    }
}

/// What becomes of a record.
enum Outcome {
    /// It goes on as it came.
    AsItCame,
    Changed {
        lines: Vec<u8>,
        zipped: bool,
    },
    Dropped,
}

/// Takes what came of a record's batches.
fn outcome(held: Held, outcomes: &mut impl Iterator<Item = (u64, Vec<u8>)>) -> Outcome {
    let Held::Batches { count, zipped, is_text } = held else { return Outcome::AsItCame };
    let mut lines = Vec::new();
    let (mut is_same, mut answered) = (true, 0);
    for (before, after) in outcomes.take(count) {
        is_same &= before == xxhash_rust::xxh3::xxh3_64(&after);
        answered += 1;
        lines.extend(after);
    }
    // Whoever evaluated has forgotten some: better untouched than gone.
    if answered < count {
        return Outcome::AsItCame;
    }
    match (is_text && is_same, lines.is_empty()) {
        (true, _) => Outcome::AsItCame,
        (false, true) => Outcome::Dropped,
        (false, false) => Outcome::Changed { lines, zipped },
    }
}

fn push_answer(answer: &mut Vec<u8>, record: &Record<'_>, outcome: &Outcome) {
    answer.extend_from_slice(b"{\"recordId\":");
    answer.extend_from_slice(record.id.get().as_bytes());
    let came = data(record).map(RawValue::get);
    let (result, data) = match (outcome, came) {
        (Outcome::Changed { lines, zipped }, _) => {
            let packed = if *zipped { gzip(lines) } else { None };
            ("Ok", Some(format!("\"{}\"", STANDARD.encode(packed.as_ref().unwrap_or(lines)))))
        }
        (Outcome::Dropped, came) => ("Dropped", came.map(str::to_owned)),
        (Outcome::AsItCame, Some(came)) => ("Ok", Some(came.to_owned())),
        (Outcome::AsItCame, None) => ("ProcessingFailed", None),
    };
    answer.extend_from_slice(format!(",\"result\":\"{result}\",\"data\":").as_bytes());
    answer.extend_from_slice(data.as_deref().unwrap_or("\"\"").as_bytes());
    answer.push(b'}');
}

/// None if there is no memory for it; then the lines go on as they are.
fn gzip(lines: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines).ok()?;
    encoder.finish().ok()
}
