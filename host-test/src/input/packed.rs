//! What is packed inside envelopes: JSON strings that hold text, and base64 of text or of gzip.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::form::GZIP_MAGIC;

/// Most bytes that the packed records of one document, or of one element of a streamed one, may unpack to together: they
/// are held at once. Services send a few MB.
pub(super) const RECORD_BYTES_MAX: u64 = 256 << 20;

/// Gzip in gzip: what CloudWatch Logs packs, Firehose may pack once more.
pub(super) const GZIP_LAYERS_MAX: usize = 2;

/// Why something packed stays packed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// It is not what it should be.
    Damaged(String),
    /// It unpacks to more than is left for it.
    TooLarge,
}

/// Something unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) bytes: Vec<u8>,
    /// Whether it was gzip.
    pub(super) zipped: bool,
}

/// The text of a JSON string.
pub(super) fn text(string: &[u8]) -> Result<String, Undecodable> {
    serde_json::from_slice(string).map_err(|error| Undecodable::Damaged(format!("no text ({error})")))
}

/// What a JSON string of base64 holds, out of gzip if it is that. What gzip unpacks to is taken from `left`.
pub(super) fn decode(string: &[u8], left: &mut u64) -> Result<Unpacked, Undecodable> {
    let mut bytes = STANDARD
        .decode(text(string)?.as_bytes())
        .map_err(|error| Undecodable::Damaged(format!("no base64 ({error})")))?;
    let zipped = bytes.starts_with(&GZIP_MAGIC);
    for _ in 0..GZIP_LAYERS_MAX {
        if !bytes.starts_with(&GZIP_MAGIC) {
            break;
        }
        let mut unfolded = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(&*bytes).take(left.saturating_add(1));
        let length = decoder
            .read_to_end(&mut unfolded)
            .map_err(|error| Undecodable::Damaged(format!("corrupt gzip ({error})")))?;
        *left = left.checked_sub(length as u64).ok_or(Undecodable::TooLarge)?;
        bytes = unfolded;
    }
    Ok(Unpacked { bytes, zipped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(bytes: &[u8], mut left: u64) -> Result<(Vec<u8>, u64), Undecodable> {
        let string = format!("\"{}\"", STANDARD.encode(bytes));
        decode(string.as_bytes(), &mut left).map(|unpacked| (unpacked.bytes, left))
    }

    #[test]
    fn what_gzip_unpacks_to_is_bounded() {
        assert_eq!(decoded(b"plain", 0), Ok((b"plain".to_vec(), 0)));
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decoded(&members, 7), Ok((b"one two".to_vec(), 0)));
        assert_eq!(decoded(&members, 6), Err(Undecodable::TooLarge));
        let twice = gzip(&members);
        let length = members.len() as u64;
        assert_eq!(decoded(&twice, 100), Ok((b"one two".to_vec(), 93 - length)));
        assert_eq!(decoded(&gzip(&vec![0; 1 << 20]), 1 << 10), Err(Undecodable::TooLarge));
        assert!(matches!(decoded(&members[..10], 100), Err(Undecodable::Damaged(_))));
        assert!(matches!(decode(b"\"%\"", &mut 100), Err(Undecodable::Damaged(_))));
    }
}
