//! Bodies of requests: read, unpacked and cut into batches, within limits.

use std::io::{Cursor, Read};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::IgnoredAny;
use tripwasm::input::{Batch, EventReader, InputError, Pace, ReaderOptions, Unpacking};

use crate::cli::run::BATCH_BYTES;
use crate::cli::serve::budget::{Exhausted, Share};

/// Bytes unpacked between two looks at the limits.
const STEP_BYTES: usize = 256 << 10;

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::serve) struct BodyLimits {
    /// As it is sent.
    pub(in crate::cli::serve) sent_bytes_max: usize,
    /// Unpacked.
    pub(in crate::cli::serve) unpacked_bytes_max: usize,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::serve) enum BodyError {
    #[error("the body has more than {0} bytes: send smaller batches, or raise --body-max")]
    TooLarge(usize),
    #[error("the body unpacks to more than {0} bytes: send smaller batches, or raise --unpacked-max")]
    UnpacksTooLarge(usize),
    #[error("the body does not unpack as {0}: {1}")]
    Damaged(Encoding, std::io::Error),
    #[error("content-encoding {0} is none of gzip, zstd, identity")]
    UnknownEncoding(String),
    #[error("the connection broke within the body: {0}")]
    Broken(axum::Error),
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::serve) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        })
    }
}

impl Encoding {
    /// What the headers say. Some shippers pack without saying so: content that begins as gzip or zstd is that.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Result<Self, BodyError> {
        let named = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("unreadable"));
        match named.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
            Some("zstd") => Ok(Encoding::Zstd),
            None | Some("" | "identity") if body.starts_with(&[0x1f, 0x8b]) => Ok(Encoding::Gzip),
            None | Some("" | "identity") if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => Ok(Encoding::Zstd),
            None | Some("" | "identity") => Ok(Encoding::Identity),
            Some(other) => Err(BodyError::UnknownEncoding(other.to_owned())),
        }
    }
}

/// Reads a body to its end.
pub(super) async fn read(mut body: Body, limits: BodyLimits, share: &mut Share) -> Result<Bytes, BodyError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > limits.sent_bytes_max {
            return Err(BodyError::TooLarge(limits.sent_bytes_max));
        }
        share.grow(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Unpacks a body. What it takes of the share is twice its size: the events go in and come out.
pub(in crate::cli::serve) fn unpack(
    body: Bytes,
    encoding: Encoding,
    limits: BodyLimits,
    share: &mut Share,
) -> Result<Bytes, BodyError> {
    let reader: Box<dyn Read> = match encoding {
        Encoding::Identity => {
            share.grow(body.len())?;
            return Ok(body);
        }
        Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(Cursor::new(body))),
        Encoding::Zstd => Box::new(zstd(body)?),
    };
    let mut reader = reader.take(limits.unpacked_bytes_max as u64 + 1);
    let mut unpacked = Vec::new();
    loop {
        share.grow(2 * STEP_BYTES)?;
        let read = reader.by_ref().take(STEP_BYTES as u64).read_to_end(&mut unpacked);
        let read = read.map_err(|error| BodyError::Damaged(encoding, error))?;
        if unpacked.len() > limits.unpacked_bytes_max {
            return Err(BodyError::UnpacksTooLarge(limits.unpacked_bytes_max));
        }
        if read == 0 {
            return Ok(unpacked.into());
        }
    }
}

fn zstd(body: Bytes) -> Result<impl Read, BodyError> {
    ruzstd::decoding::StreamingDecoder::new(Cursor::new(body))
        .map_err(|error| BodyError::Damaged(Encoding::Zstd, std::io::Error::other(error)))
}

/// Cuts a body into what the module takes at a time, events taken out of their envelopes. What is packed inside them
/// counts as the body does.
pub(super) fn cut(body: Bytes, limits: BodyLimits, share: &mut Share) -> Result<Vec<Batch>, BodyError> {
    let unpacking = Unpacking::AtMost(limits.unpacked_bytes_max as u64);
    let options = ReaderOptions { batch_bytes: BATCH_BYTES, pace: Pace::Stored, unpacking };
    let mut counted = body.len();
    let mut reader = EventReader::new(Box::new(Cursor::new(body)), options);
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch() {
        let too_large = |problem: &InputError| {
            matches!(problem, InputError::UnpacksTooMuch { .. } | InputError::RecordTooLarge { .. })
        };
        if batch.problems.iter().any(too_large) {
            return Err(BodyError::UnpacksTooLarge(limits.unpacked_bytes_max));
        }
        let beyond = batch.bytes.len().saturating_sub(counted);
        counted = counted.saturating_sub(batch.bytes.len());
        share.grow(2 * beyond)?;
        batches.push(batch);
    }
    Ok(batches)
}

/// The form that a body's events have, and go on in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Events one a line. What comes out of envelopes has it, too.
    Lines,
    /// A JSON array.
    Array,
}

impl Form {
    /// An array that is none to its end passes as lines, as it came.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut telling = body.iter().filter(|byte| !byte.is_ascii_whitespace());
        let array = telling.next() == Some(&b'[') && telling.next() == Some(&b'{');
        if array && serde_json::from_slice::<IgnoredAny>(body).is_ok() { Form::Array } else { Form::Lines }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::Lines => "application/x-ndjson",
            Form::Array => "application/json",
        }
    }

    /// Lines in this form.
    pub(super) fn write(self, mut lines: Vec<u8>) -> Vec<u8> {
        if self == Form::Lines {
            return lines;
        }
        while lines.last().is_some_and(u8::is_ascii_whitespace) {
            lines.pop();
        }
        let mut array = Vec::with_capacity(lines.len() + 2);
        array.push(b'[');
        // Within an event there is no line break.
        array.extend(lines.iter().map(|&byte| if byte == b'\n' { b',' } else { byte }));
        array.push(b']');
        array
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::serve::budget::Budget;
    use std::io::Write;

    const LIMITS: BodyLimits = BodyLimits { sent_bytes_max: 1000, unpacked_bytes_max: 10_000 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpacked(body: Vec<u8>, budget: u64) -> Result<Bytes, BodyError> {
        let encoding = Encoding::of(&HeaderMap::new(), &body)?;
        unpack(body.into(), encoding, LIMITS, &mut Budget::new(budget).share())
    }

    #[test]
    fn packed_bodies_are_told_by_content_and_end_at_the_limit() {
        let lines = b"{\"eventName\":\"A\"}\n".repeat(100);
        for packed in [lines.clone(), gzip(&lines), zstd(&lines)] {
            assert_eq!(unpacked(packed, 1 << 20).unwrap(), lines);
        }
        let bomb = b"{}\n".repeat(10_000);
        for packed in [gzip(&bomb), zstd(&bomb)] {
            assert!(matches!(unpacked(packed, 1 << 20), Err(BodyError::UnpacksTooLarge(10_000))));
        }
        for mut packed in [gzip(&lines), zstd(&lines)] {
            packed.truncate(packed.len() - 4);
            assert!(matches!(unpacked(packed, 1 << 20), Err(BodyError::Damaged(..))));
        }
        assert!(matches!(unpacked(gzip(&lines), 100 << 10), Err(BodyError::Exhausted(_))));
    }

    #[test]
    fn a_batch_goes_on_in_the_form_it_came_in() {
        for (body, out) in [
            ("{\"a\":1}\n{\"b\":[\"x\"]}\n", "{\"a\":1}\n{\"b\":[\"x\"]}\n"),
            ("[{\"a\":1},\n {\"b\":2}]\n", "[{\"a\":1},{\"b\":2}]"),
            ("[]", "[]"),
            ("[1,2]\n", "[1,2]\n"),
            ("[{\"a\":1},\n{\"b\":\n", "{\"a\":1}\n{\"b\":\n"),
            ("{\"Records\":[{\"a\":1},{\"b\":2}]}", "{\"a\":1}\n{\"b\":2}\n"),
        ] {
            let form = Form::of(body.as_bytes());
            let batches = cut(Bytes::from(body), LIMITS, &mut Budget::new(1 << 20).share()).unwrap();
            let lines = batches.into_iter().flat_map(|batch| batch.bytes).collect();
            assert_eq!(String::from_utf8(form.write(lines)).unwrap(), out);
        }
    }
}
