//! Bytes of a connection, cut into messages.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::frame::{self, BadFrame};
use super::msgpack::Scan;

/// Bytes that are asked of a connection at a time.
pub(super) const STEP_BYTES: usize = 64 << 10;

/// A connection, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Why no message came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Frame(#[from] BadFrame),
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the connection ended within a message")]
    Cut,
}

/// Bytes that arrived, and how far they were looked at.
pub(super) struct Arriving {
    pub(super) bytes: BytesMut,
    scan: Scan,
}

impl Arriving {
    pub(super) fn new() -> Self {
        Arriving { bytes: BytesMut::new(), scan: Scan::new() }
    }

    /// A message, if one is complete.
    pub(super) fn message(&mut self, bytes_max: usize) -> Result<Option<Bytes>, BadFrame> {
        let Some(end) = frame::end(&mut self.scan, &self.bytes, bytes_max)? else { return Ok(None) };
        self.scan = Scan::new();
        Ok(Some(self.bytes.split_to(end).freeze()))
    }

    /// Waits for more bytes; says whether there can be some.
    pub(super) async fn more(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> std::io::Result<bool> {
        self.bytes.reserve(STEP_BYTES);
        Ok(stream.read_buf(&mut self.bytes).await? > 0)
    }

    /// Waits for a small message; none at the end of the connection.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin + ?Sized),
        bytes_max: usize,
    ) -> Result<Option<Bytes>, Failed> {
        loop {
            if let Some(message) = self.message(bytes_max)? {
                return Ok(Some(message));
            }
            if !self.more(stream).await? {
                return if self.bytes.is_empty() { Ok(None) } else { Err(Failed::Cut) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_cut_where_they_end() {
        let sent = [0x91, 0xa1, b'a', 0xc0, 0x92, 1, 2, 0x93];
        let mut stream = &sent[..];
        let mut arriving = Arriving::new();
        for expected in [&sent[..3], &sent[3..4], &sent[4..7]] {
            assert_eq!(arriving.next(&mut stream, 100).await.unwrap().unwrap(), expected);
        }
        assert!(matches!(arriving.next(&mut stream, 100).await, Err(Failed::Cut)));
        let mut arriving = Arriving::new();
        assert!(arriving.next(&mut &[][..], 100).await.unwrap().is_none());
    }
}
