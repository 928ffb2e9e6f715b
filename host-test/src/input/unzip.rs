//! Gzip inputs: unpacked in a thread of their own, to no more than is allowed.

use std::io::{BufRead, BufReader, Error, Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ahead::ReadAhead;
use super::form::GZIP_MAGIC;
use super::packed::GZIP_LAYERS_MAX;
use super::reader::READ_BYTES;

/// Times its packed size that an input may unpack to. CloudTrail's files unpack to 10 to 40 times theirs, a gzip bomb to
/// a thousand times.
const RATIO_MAX: u64 = 250;

/// Whatever its packed size, an input may unpack to so much: short inputs repeat themselves more.
const UNPACKED_BYTES_LEAST: u64 = 1 << 30;

/// How much gzip may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacking {
    /// As much as gzip of events does: to 250 times its size, or to 1 GiB if that is more.
    LikeEvents,
    /// So many bytes: the input itself, and the packed records inside it together.
    AtMost(u64),
}

impl Unpacking {
    fn allowed(self, packed: u64) -> u64 {
        match self {
            Unpacking::LikeEvents => packed.saturating_mul(RATIO_MAX).max(UNPACKED_BYTES_LEAST),
            Unpacking::AtMost(bytes) => bytes,
        }
    }
}

/// An input unpacks to more than is allowed.
#[derive(Debug, thiserror::Error)]
#[error("{packed} bytes of gzip unpack to more than is allowed")]
pub(super) struct UnpacksTooMuch {
    /// What was read of it until then.
    pub(super) packed: u64,
}

/// An input as it is: out of its gzip, if it is that.
pub(super) fn unzipped(input: Box<dyn Read + Send>, unpacking: Unpacking) -> Result<Box<dyn Read + Send>> {
    let packed = Arc::new(AtomicU64::new(0));
    let counted = Counted { input, bytes: Arc::clone(&packed) };
    let mut input: BufReader<Box<dyn Read + Send>> = BufReader::with_capacity(READ_BYTES, Box::new(counted));
    let mut layers = 0;
    while layers < GZIP_LAYERS_MAX && input.fill_buf()?.starts_with(&GZIP_MAGIC) {
        layers += 1;
        let unpacked = flate2::bufread::MultiGzDecoder::new(input);
        let bounded = Bounded { input: unpacked, bytes: 0, packed: Arc::clone(&packed), unpacking };
        input = BufReader::with_capacity(READ_BYTES, Box::new(bounded));
    }
    // On one processor nothing goes on beside it, and what is handed over is copied.
    if layers == 0 || std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
        return Ok(Box::new(input));
    }
    Ok(Box::new(ReadAhead::new(input)?))
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Gives no more than is allowed for what was read.
struct Bounded<R> {
    input: R,
    bytes: u64,
    packed: Arc<AtomicU64>,
    unpacking: Unpacking,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let packed = self.packed.load(Ordering::Relaxed);
        let left = self.unpacking.allowed(packed).saturating_sub(self.bytes);
        if left == 0 && !buffer.is_empty() {
            return match self.input.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(Error::other(UnpacksTooMuch { packed })),
            };
        }
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.input.read(buffer.get_mut(..length).unwrap_or_default())?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(input: &[u8], unpacking: Unpacking) -> (Vec<u8>, Result<usize>) {
        let mut bytes = Vec::new();
        let mut reader = unzipped(Box::new(Cursor::new(input.to_vec())), unpacking).unwrap();
        let outcome = reader.read_to_end(&mut bytes);
        (bytes, outcome)
    }

    #[test]
    fn an_input_unpacks_to_the_limit_and_no_further() {
        let plain = vec![b' '; 1 << 20];
        for packed in [gzip(&plain), gzip(&gzip(&plain)), [gzip(&plain[1..]), gzip(b" ")].concat()] {
            for unpacking in [Unpacking::LikeEvents, Unpacking::AtMost(1 << 20)] {
                let (bytes, outcome) = read(&packed, unpacking);
                assert!(outcome.is_ok() && bytes == plain);
            }
            let (bytes, outcome) = read(&packed, Unpacking::AtMost((1 << 20) - 1));
            assert!(bytes.len() < plain.len() && plain.starts_with(&bytes));
            let error = outcome.unwrap_err();
            assert!(error.get_ref().unwrap().is::<UnpacksTooMuch>(), "{error}");
        }
        // Plain inputs have no such bound.
        assert_eq!(read(&plain, Unpacking::AtMost(10)).0.len(), plain.len());
    }

    #[test]
    fn long_inputs_may_unpack_to_more() {
        assert_eq!(Unpacking::LikeEvents.allowed(1), UNPACKED_BYTES_LEAST);
        assert_eq!(Unpacking::LikeEvents.allowed(1 << 30), RATIO_MAX << 30);
    }
}
