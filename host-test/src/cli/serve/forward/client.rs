//! The next service, by the forward protocol: has a message once it acknowledges it.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::handshake::{self, Refused};
use super::msgpack::{Bad, Cursor};
use super::outgoing::chunk_of;
use super::wire::{Arriving, Failed, Stream};
use crate::cli::serve::downstream::{Delivery, PAUSE_FIRST, PAUSE_MAX};

/// Connections at a time: on each, one message waits for its acknowledgement.
const CONNECTIONS_MAX: usize = 16;

/// What the next service says is short.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Where messages go: `HOST:PORT`, or `tls://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::serve) struct Target {
    host: String,
    port: u16,
    tls: bool,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, address) = match text.split_once("://") {
            None | Some(("tcp", _)) => (false, text.trim_start_matches("tcp://")),
            Some(("tls", address)) => (true, address),
            Some((scheme, _)) => return Err(format!("{scheme}:// is none of tcp://, tls://")),
        };
        let wanted = || format!("{text} is no HOST:PORT, such as 127.0.0.1:24224");
        let (host, port) = address.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.trim_end_matches('/').parse().map_err(|_| wanted())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() { Err(wanted()) } else { Ok(Target { host: host.to_owned(), port, tls }) }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How messages go on.
pub(in crate::cli::serve) struct ClientOptions {
    pub(in crate::cli::serve) target: Target,
    /// The shared key.
    pub(in crate::cli::serve) token: Option<String>,
    /// For one try.
    pub(in crate::cli::serve) timeout: Duration,
    /// For all tries together.
    pub(in crate::cli::serve) patience: Duration,
}

/// The next service. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

struct Connection {
    stream: Box<dyn Stream>,
    arriving: Arriving,
}

/// Why a message was not acknowledged.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error(
        "it did not acknowledge in {0:?}; does it speak the forward protocol, and does it ask for a shared key?"
    )]
    Late(Duration),
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("it closed the connection before it acknowledged")]
    Closed,
    #[error("no handshake: {0}")]
    Handshake(#[from] Refused),
    #[error("it asks for a shared key: give it with --to-token-file or TRIPWASM_TO_TOKEN")]
    KeyWanted,
    #[error("it did not answer with an acknowledgement of the chunk: {0}")]
    Answer(#[from] Bad),
    #[error("it acknowledged another chunk")]
    OtherChunk,
}

impl Client {
    pub(super) fn new(options: ClientOptions) -> anyhow::Result<Self> {
        let tls = options.target.tls.then(|| {
            let config = ClientConfig::with_platform_verifier()
                .with_context(|| format!("no certificates to check {} by", options.target))?;
            anyhow::Ok(TlsConnector::from(Arc::new(config)))
        });
        let (idle, places) = (Mutex::default(), Semaphore::new(CONNECTIONS_MAX));
        Ok(Client(Arc::new(Shared { tls: tls.transpose()?, options, idle, places })))
    }

    /// Offers a message until it is acknowledged, or patience ends.
    pub(super) async fn deliver(&self, message: &[u8]) -> Delivery {
        let began = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let outcome = self.deliver_once(message).await;
            let label = if outcome.is_ok() { "delivered" } else { "unavailable" };
            metrics::counter!("tripwasm_downstream_requests_total", "outcome" => label).increment(1);
            let Err(error) = outcome else { return Delivery::Delivered };
            let reason = error.to_string();
            if began.elapsed() + pause >= self.0.options.patience {
                return Delivery::Unavailable { reason, busy: false };
            }
            let to = &self.0.options.target;
            tracing::warn!(%to, reason, "the next service does not take events; they are offered again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn deliver_once(&self, message: &[u8]) -> Result<(), NotTaken> {
        // The semaphore is never closed.
        let _place = self.0.places.acquire().await;
        let timeout = self.0.options.timeout;
        let sending = async {
            let mut connection = match self.kept().await {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            connection.send(message).await?;
            Ok::<_, NotTaken>(connection)
        };
        let connection =
            tokio::time::timeout(timeout, sending).await.map_err(|_| NotTaken::Late(timeout))??;
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(())
    }

    /// A connection that is still open.
    async fn kept(&self) -> Option<Connection> {
        loop {
            let kept = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = kept?;
            if connection.is_quiet().await {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, NotTaken> {
        let Target { host, port, .. } = &self.0.options.target;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(NotTaken::Connect)?;
        // A message is written at once, and waited for.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match &self.0.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|error| NotTaken::Connect(std::io::Error::other(error)))?;
                Box::new(tls.connect(name, stream).await.map_err(NotTaken::Connect)?)
            }
        };
        let mut connection = Connection { stream, arriving: Arriving::new() };
        if let Some(key) = &self.0.options.token {
            connection.greet(key).await?;
        }
        Ok(connection)
    }
}

impl Connection {
    async fn greet(&mut self, key: &str) -> Result<(), NotTaken> {
        let helo = self.answer().await?;
        let (ping, expected) = handshake::answer_helo(&helo, key)?;
        self.write(&ping).await?;
        Ok(expected.check(&self.answer().await?)?)
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), NotTaken> {
        self.write(message).await?;
        let answer = self.answer().await?;
        if handshake::is_helo(&answer) {
            return Err(NotTaken::KeyWanted);
        }
        if acknowledged(&answer)? == Some(chunk_of(message)) { Ok(()) } else { Err(NotTaken::OtherChunk) }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn answer(&mut self) -> Result<bytes::Bytes, NotTaken> {
        let answer = self.arriving.next(&mut self.stream, ANSWER_BYTES_MAX).await?;
        answer.ok_or(NotTaken::Closed)
    }

    /// Whether nothing came, not even the end.
    async fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let stream = &mut self.stream;
        let nothing = std::future::poll_fn(|context| {
            let read = std::pin::Pin::new(&mut *stream).poll_read(context, &mut ReadBuf::new(&mut byte));
            Poll::Ready(read.is_pending())
        });
        nothing.await && self.arriving.bytes.is_empty()
    }
}

/// The chunk that an answer acknowledges.
fn acknowledged(answer: &[u8]) -> Result<Option<&[u8]>, Bad> {
    let mut cursor = Cursor::new(answer);
    for _ in 0..cursor.map()? {
        let key = Cursor::new(cursor.value()?).bytes();
        let value = cursor.value()?;
        if key == Ok(b"ack") {
            return Cursor::new(value).bytes().map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_host_and_port() {
        let target = |text: &str| Target::from_str(text).map(|target| (target.to_string(), target.tls));
        assert_eq!(target("localhost:24224"), Ok(("localhost:24224".to_owned(), false)));
        assert_eq!(target("tcp://127.0.0.1:1"), Ok(("127.0.0.1:1".to_owned(), false)));
        assert_eq!(target("tls://logs.example:24224"), Ok(("logs.example:24224".to_owned(), true)));
        assert_eq!(target("[::1]:24224"), Ok(("::1:24224".to_owned(), false)));
        for wrong in ["localhost", "localhost:", ":24224", "http://localhost:1", "a:99999"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn acknowledgements_are_read() {
        let ack = |bytes: &'static [u8]| acknowledged(bytes);
        assert_eq!(ack(b"\x81\xa3ack\xa1c"), Ok(Some(&b"c"[..])));
        assert_eq!(ack(b"\x82\xa1x\x01\xa3ack\xc4\x01c"), Ok(Some(&b"c"[..])));
        assert_eq!(ack(b"\x80"), Ok(None));
        assert!(ack(b"\x90").is_err() && ack(b"\x81\xa3ack\x01").is_err());
    }
}
