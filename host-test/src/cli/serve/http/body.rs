//! Bodies of requests: read, unpacked and cut into batches, within limits.

use std::io::{Cursor, Read};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use serde::de::IgnoredAny;
use tripwasm::input::{Batch, EventReader, InputError, Pace, ReaderOptions, Unpacking};

use crate::cli::run::BATCH_BYTES;
use crate::cli::serve::budget::{Exhausted, Share};

/// Bytes unpacked between two looks at the limits.
const STEP_BYTES: usize = 256 << 10;

/// Packings around each other: a packed file, packed again to be sent, and to spare.
const LAYERS_MAX: usize = 4;

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
    #[error("the body is packed more than {LAYERS_MAX} times")]
    TooManyLayers,
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
            None | Some("" | "identity") => Ok(Encoding::told_by(body)),
            Some(other) => Err(BodyError::UnknownEncoding(other.to_owned())),
        }
    }

    /// What the first bytes say.
    fn told_by(body: &[u8]) -> Self {
        if body.starts_with(&[0x1f, 0x8b]) {
            Encoding::Gzip
        } else if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Encoding::Zstd
        } else {
            Encoding::Identity
        }
    }
}

/// Reads a body to its end.
pub(super) async fn read(mut body: Body, limits: BodyLimits, share: &Share) -> Result<Bytes, BodyError> {
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
    mut body: Bytes,
    mut encoding: Encoding,
    limits: BodyLimits,
    share: &Share,
) -> Result<Bytes, BodyError> {
    let sent = share.bytes();
    let mut packed = 0;
    // Files that were packed before they are sent are unpacked here, too: nothing behind this looks at the limits.
    for _ in 0..=LAYERS_MAX {
        let unpacked = match encoding {
            Encoding::Identity => {
                let wanted = packed + 2 * body.len() as u64;
                share.shrink_to(wanted);
                share.grow(usize::try_from(wanted - share.bytes()).unwrap_or(usize::MAX))?;
                return Ok(body);
            }
            Encoding::Gzip => gunzip(body, limits, share)?,
            Encoding::Zstd => unzstd(&body, limits, share)?,
        };
        packed = sent;
        body = unpacked.into();
        encoding = Encoding::told_by(&body);
    }
    Err(BodyError::TooManyLayers)
}

fn gunzip(body: Bytes, limits: BodyLimits, share: &Share) -> Result<Vec<u8>, BodyError> {
    let reader = flate2::bufread::MultiGzDecoder::new(Cursor::new(body));
    let mut reader = reader.take(limits.unpacked_bytes_max as u64 + 1);
    let mut unpacked = Vec::new();
    loop {
        share.grow(2 * STEP_BYTES)?;
        let read = reader.by_ref().take(STEP_BYTES as u64).read_to_end(&mut unpacked);
        let read = read.map_err(|error| BodyError::Damaged(Encoding::Gzip, error))?;
        limits.look_at(unpacked.len())?;
        if read == 0 {
            return Ok(unpacked);
        }
    }
}

/// All frames, one behind the other. A frame may ask that much of it is held before anything comes out.
fn unzstd(mut body: &[u8], limits: BodyLimits, share: &Share) -> Result<Vec<u8>, BodyError> {
    let mut decoder = FrameDecoder::new();
    let mut unpacked = Vec::new();
    while !body.is_empty() {
        match decoder.reset(&mut body) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let behind = usize::try_from(length).ok().and_then(|length| body.get(length..));
                body = behind.ok_or_else(|| zstd_error("it ends within a frame to skip"))?;
                continue;
            }
            Err(error) => return Err(zstd_error(error)),
        }
        // At least so much was decoded, if it is held or not.
        let mut decoded = unpacked.len();
        loop {
            share.grow(2 * STEP_BYTES)?;
            let ended = decoder.decode_blocks(&mut body, BlockDecodingStrategy::UptoBytes(STEP_BYTES));
            let ended = ended.map_err(zstd_error)?;
            decoder.collect_to_writer(&mut unpacked).map_err(zstd_error)?;
            decoded = unpacked.len().max(decoded + if ended { 0 } else { STEP_BYTES });
            limits.look_at(decoded)?;
            if ended {
                break;
            }
        }
        let sum = decoder.get_checksum_from_data();
        if sum.is_some() && sum != decoder.get_calculated_checksum() {
            return Err(zstd_error("its checksum is another one"));
        }
    }
    Ok(unpacked)
}

fn zstd_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BodyError {
    BodyError::Damaged(Encoding::Zstd, std::io::Error::other(error))
}

impl BodyLimits {
    fn look_at(self, unpacked: usize) -> Result<(), BodyError> {
        let most = self.unpacked_bytes_max;
        if unpacked > most { Err(BodyError::UnpacksTooLarge(most)) } else { Ok(()) }
    }
}

/// Cuts a body into what the module takes at a time, events taken out of their envelopes. What is packed inside them
/// counts as the body does.
pub(super) fn cut(body: Bytes, limits: BodyLimits, share: &Share) -> Result<Vec<Batch>, BodyError> {
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
        unpack(body.into(), encoding, LIMITS, &Budget::new(budget).share())
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
    fn nothing_of_a_body_of_several_frames_is_left_out() {
        let (one, two) = (b"{\"n\":1}\n", b"{\"n\":2}\n");
        // 0x184D2A50 begins a frame to skip, here of three bytes.
        let skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
        let body = [zstd(one), skipped, zstd(two)].concat();
        assert_eq!(unpacked(body.clone(), 1 << 20).unwrap(), [one.as_slice(), two].concat());
        for junk in [&b"junk"[..], b"\x50\x2a\x4d\x18\xff\x00\x00\x00abc"] {
            let body = [&body, junk].concat();
            assert!(matches!(unpacked(body, 1 << 20), Err(BodyError::Damaged(Encoding::Zstd, _))));
        }
    }

    /// A frame of zstd with a window of 128 MiB and so many blocks of 128 KiB of one byte each.
    fn zstd_bomb(blocks: usize) -> Vec<u8> {
        let mut frame = b"\x28\xb5\x2f\xfd\x00\x88".to_vec();
        for block in 1..=blocks {
            let last = usize::from(block == blocks);
            frame.extend_from_slice(&((128 << 10 << 3 | 1 << 1 | last) as u32).to_le_bytes()[..3]);
            frame.push(b' ');
        }
        frame
    }

    #[test]
    fn what_a_large_window_holds_back_counts() {
        assert_eq!(unpacked(zstd_bomb(1), 2 << 20).map(|body| body.len()).ok(), None, "more than the limit");
        let limits = BodyLimits { sent_bytes_max: 1000, unpacked_bytes_max: 64 << 20 };
        let unpack = |blocks, budget| {
            super::unpack(zstd_bomb(blocks).into(), Encoding::Zstd, limits, &Budget::new(budget).share())
        };
        assert_eq!(unpack(16, 8 << 20).unwrap().len(), 2 << 20);
        assert!(matches!(unpack(900, 8 << 20), Err(BodyError::Exhausted(_))));
        assert!(matches!(unpack(900, 1 << 30), Err(BodyError::UnpacksTooLarge(_))));
    }

    #[test]
    fn packings_around_each_other_end_at_the_limit_too() {
        let lines = b"{\"eventName\":\"A\"}\n".repeat(100);
        assert_eq!(unpacked(gzip(&gzip(&lines)), 4 << 20).unwrap(), lines);
        assert_eq!(unpacked(zstd(&gzip(&lines)), 4 << 20).unwrap(), lines);
        let bomb = gzip(&gzip(&b"{}\n".repeat(10_000)));
        assert!(matches!(unpacked(bomb, 4 << 20), Err(BodyError::UnpacksTooLarge(10_000))));
        let mut cut_off = gzip(&lines);
        cut_off.truncate(cut_off.len() - 4);
        assert!(matches!(unpacked(gzip(&cut_off), 4 << 20), Err(BodyError::Damaged(..))));
        let deep = (0..10).fold(lines, |inner, _| gzip(&inner));
        assert!(matches!(unpacked(deep, 16 << 20), Err(BodyError::TooManyLayers)));
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
            let share = Budget::new(1 << 20).share();
            let batches = cut(Bytes::from(body), LIMITS, &share).unwrap();
            let lines = batches.into_iter().flat_map(|batch| batch.bytes).collect();
            assert_eq!(String::from_utf8(form.write(lines)).unwrap(), out);
        }
    }
}
