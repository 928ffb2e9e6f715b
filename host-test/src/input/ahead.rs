//! Reading ahead in a thread of its own: decompression goes on while what it gave is cut into events.

use std::io::{Error, ErrorKind, Read, Result};
use std::sync::mpsc::{Receiver, sync_channel};

use super::SpareBuffers;

/// Bytes of a chunk: small enough for the cache, large enough to make handing over cheap.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that wait.
const CHUNKS_AHEAD: usize = 4;

/// What an input gives, read by a thread that is a few chunks ahead.
pub(super) struct ReadAhead {
    chunks: Receiver<Result<Vec<u8>>>,
    spare: SpareBuffers,
    current: Vec<u8>,
    at: usize,
}

impl ReadAhead {
    pub(super) fn new(mut input: impl Read + Send + 'static) -> Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let spare = SpareBuffers::default();
        let buffers = spare.clone();
        std::thread::Builder::new().name("tripwasm-unzip".to_owned()).spawn(move || {
            loop {
                let mut chunk = buffers.take();
                chunk.resize(CHUNK_BYTES, 0);
                let read = match input.read(&mut chunk) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read,
                };
                chunk.truncate(*read.as_ref().unwrap_or(&0));
                let over = chunk.is_empty();
                // What nobody takes any more need not be read.
                if sender.send(read.map(|_| chunk)).is_err() || over {
                    return;
                }
            }
        })?;
        Ok(ReadAhead { chunks, spare, current: Vec::new(), at: 0 })
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.at == self.current.len() {
            self.spare.give(std::mem::take(&mut self.current));
            self.at = 0;
            // A thread that is gone has sent an empty chunk or an error before; nothing else comes.
            self.current =
                self.chunks.recv().unwrap_or_else(|_| Err(Error::from(ErrorKind::UnexpectedEof)))?;
        }
        let waiting = self.current.get(self.at..).unwrap_or_default();
        let length = waiting.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), waiting.get(..length)) {
            to.copy_from_slice(from);
        }
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time, and then an error.
    struct Broken(Vec<u8>);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            if self.0.is_empty() {
                return Err(Error::other("corrupt"));
            }
            let length = self.0.len().min(buffer.len()).min(777);
            for (to, from) in buffer.iter_mut().zip(self.0.drain(..length)) {
                *to = from;
            }
            Ok(length)
        }
    }

    #[test]
    fn all_bytes_come_in_order_and_then_the_error() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
        let mut read = Vec::new();
        ReadAhead::new(std::io::Cursor::new(bytes.clone())).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        let mut read = Vec::new();
        let error = ReadAhead::new(Broken(bytes.clone())).unwrap().read_to_end(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "corrupt");
        assert!(read == bytes);
    }
}
