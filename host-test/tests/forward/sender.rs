//! A sender that behaves as Fluentd does: a chunk that is not acknowledged is sent again, under the same name.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rmpv::Value;

use crate::message::{Mode, encoded, message, read};

/// Events of a chunk.
pub(crate) const CHUNK_EVENTS: usize = 50;

/// Longest wait for an acknowledgement.
const ACK_TIME: Duration = Duration::from_secs(10);

/// Longest time until a chunk has to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sender.
pub(crate) struct Sender {
    address: SocketAddr,
    mode: Mode,
    stream: Option<TcpStream>,
    /// Chunks that were sent again.
    pub(crate) again: usize,
}

impl Sender {
    pub(crate) fn new(address: SocketAddr, mode: Mode) -> Self {
        Sender { address, mode, stream: None, again: 0 }
    }

    /// Sends events until each is acknowledged.
    pub(crate) fn send(&mut self, numbers: std::ops::Range<u64>) {
        let numbers: Vec<u64> = numbers.collect();
        let size = if self.mode == Mode::Message { 1 } else { CHUNK_EVENTS };
        for chunk in numbers.chunks(size) {
            let name = format!("chunk-{}", chunk[0]);
            let bytes = message(self.mode, chunk, Some(&name));
            let began = Instant::now();
            while let Err(error) = self.offer(&bytes, &name) {
                assert!(began.elapsed() < PATIENCE, "{name} is never acknowledged: {error}");
                self.stream = None;
                self.again += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn offer(&mut self, bytes: &[u8], name: &str) -> std::io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect(self.address)?),
        };
        stream.set_read_timeout(Some(ACK_TIME))?;
        stream.write_all(bytes)?;
        let answer = read(stream).map_err(|error| std::io::Error::other(error.to_string()))?;
        assert_eq!(answer["ack"].as_str(), Some(name));
        Ok(())
    }
}

/// A connection for bytes of any kind.
pub(crate) fn connection(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(ACK_TIME)).unwrap();
    stream
}

/// Sends a value.
pub(crate) fn send(stream: &mut TcpStream, value: &Value) {
    stream.write_all(&encoded(value)).unwrap();
}
