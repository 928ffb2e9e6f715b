//! Connections that messages come over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use metrics::{counter, histogram};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Forward;
use super::frame::BadFrame;
use super::handshake::{self, Nonce, Refused};
use super::settle::{self, Refusal};
use super::wire::{Arriving, Failed, Stream};
use crate::cli::serve::budget::{Exhausted, Share};
use crate::cli::serve::connections::Place;
use crate::cli::serve::downstream::Delivery;
use crate::cli::serve::exchange::{Settled, Settling};
use crate::cli::serve::listener::{Accepted, Listener};

/// How long a client may take for TLS, and for the handshake.
const GREETING_TIME: Duration = Duration::from_secs(30);

/// A client's part of the handshake is short.
const PING_BYTES_MAX: usize = 4 << 10;

/// Bytes of later messages that are read while an earlier one waits for its answer.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// Why a connection ends that its sender did not end.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Handshake(#[from] Refused),
    #[error("a message did not arrive within {0:?}")]
    Slow(Duration),
    #[error("the next service does not take events now: {0}; they have to be sent again")]
    Unavailable(String),
    #[error("the next service refuses the events with {0}")]
    NextRefuses(u16),
    #[error("the service is ending")]
    Ending,
    /// As Fluentd's heartbeat by TCP does, every second.
    #[error("it left before it said anything")]
    Left,
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Ended::Failed(Failed::Io(error))
    }
}

impl From<BadFrame> for Ended {
    fn from(error: BadFrame) -> Self {
        Ended::Refusal(Refusal::Frame(error))
    }
}

impl From<Exhausted> for Ended {
    fn from(error: Exhausted) -> Self {
        Ended::Refusal(Refusal::Exhausted(error))
    }
}

/// Takes messages until told to end, then waits until those that were taken have gone on, at most so long.
pub(in crate::cli::serve) async fn serve(
    listener: Listener,
    forward: Forward,
    ended: watch::Receiver<bool>,
    drain: Duration,
) {
    let forward = Arc::new(forward);
    let mut open = JoinSet::new();
    let mut ending = ended.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                open.spawn(connection(accepted, listener.tls(), Arc::clone(&forward), ended.clone()));
            }
            Some(_) = open.join_next() => {}
            _ = ending.wait_for(|ended| *ended) => break,
        }
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if timeout(drain, all).await.is_err() {
        tracing::warn!(
            "some messages were not given on in time; senders that ask for acknowledgements send them again"
        );
    }
    // What is still open holds the module's threads.
    open.shutdown().await;
}

async fn connection(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    forward: Arc<Forward>,
    ended: watch::Receiver<bool>,
) {
    let Accepted { stream, peer, place } = accepted;
    let stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(tls) => match timeout(GREETING_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => return tracing::warn!(%peer, %error, "no TLS"),
            Err(_) => return tracing::warn!(%peer, "no TLS in time"),
        },
    };
    let mut sender = Sender { stream, arriving: Arriving::new(), has_ended: false, forward, ended };
    tokio::select! {
        outcome = sender.converse(&place) => match outcome {
            Ok(()) | Err(Ended::Ending | Ended::Left) => {}
            Err(error) => {
                counter!("tripwasm_forward_messages_total", "outcome" => "refused").increment(1);
                tracing::warn!(%peer, reason = %error, "a connection is closed");
            }
        },
        () = place.given_up.notified() => tracing::debug!(%peer, "a connection that waited was given up for another one"),
    }
    let _ = timeout(GREETING_TIME, sender.stream.shutdown()).await;
}

/// Who sends messages.
struct Sender {
    stream: Box<dyn Stream>,
    arriving: Arriving,
    /// It sends nothing more.
    has_ended: bool,
    forward: Arc<Forward>,
    ended: watch::Receiver<bool>,
}

impl Sender {
    async fn converse(&mut self, place: &Place) -> Result<(), Ended> {
        if let Some(key) = self.forward.token.clone() {
            let greeting = timeout(GREETING_TIME, self.greet(&key)).await;
            greeting.map_err(|_| Ended::Slow(GREETING_TIME))??;
        }
        while let Some((message, share)) = self.next().await? {
            let began = Instant::now();
            let _working = place.begin();
            let outcome = self.take(&message).await?;
            drop(share);
            histogram!("tripwasm_forward_seconds").record(began.elapsed());
            counter!("tripwasm_forward_messages_total", "outcome" => outcome).increment(1);
        }
        Ok(())
    }

    async fn greet(&mut self, key: &str) -> Result<(), Ended> {
        let nonce = Nonce::new();
        self.write(&handshake::helo(&nonce)).await.map_err(|_| Ended::Left)?;
        let ping = match self.arriving.next(&mut self.stream, PING_BYTES_MAX).await {
            Ok(Some(ping)) => ping,
            Ok(None) | Err(Failed::Io(_)) => return Err(Ended::Left),
            Err(error) => return Err(error.into()),
        };
        let (pong, trusted) = handshake::answer_ping(&ping, &nonce, key);
        self.write(&pong).await?;
        Ok(trusted?)
    }

    /// The next message, and the memory that it takes. None when no more come: the sender ended, or the service is ending
    /// and what had come whole is done.
    async fn next(&mut self) -> Result<Option<(Bytes, Share)>, Ended> {
        let mut share = self.forward.budget.share();
        let mut counted = 0;
        let mut began = None;
        let body_time = self.forward.body_time;
        loop {
            if let Some(message) = self.arriving.message(self.forward.limits.sent_bytes_max)? {
                return Ok(Some((message, share)));
            }
            let waiting = self.arriving.bytes.len();
            if self.has_ended {
                return if waiting == 0 { Ok(None) } else { Err(Failed::Cut.into()) };
            }
            // Without memory for more, nothing more is read.
            settle::grow(&mut share, waiting.saturating_sub(counted)).await?;
            counted = waiting;
            if waiting > 0 {
                began.get_or_insert_with(tokio::time::Instant::now);
            }
            let late = async {
                match began {
                    Some(began) => tokio::time::sleep_until(began + body_time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                more = self.arriving.more(&mut self.stream) => self.has_ended = !more?,
                () = late => return Err(Ended::Slow(body_time)),
                _ = self.ended.wait_for(|ended| *ended) => return Ok(None),
            }
        }
    }

    /// Has a message's events given on, and acknowledges them.
    async fn take(&mut self, message: &Bytes) -> Result<&'static str, Ended> {
        let forward = Arc::clone(&self.forward);
        let Some(prepared) = settle::prepare(&forward, message).await? else { return Ok("alive") };
        let Some(chunk) = prepared.frame.chunk.clone() else {
            let settling = settle::settle(&forward, prepared).await?;
            let mut settling = settling;
            settling.wait_for(Option::is_some).await.map_err(|_| Ended::Ending)?;
            return Ok("taken");
        };
        let settling = match forward.exchange.claim(message) {
            Some(before) => settle::settle_again(&forward, before),
            None => settle::settle(&forward, prepared).await?,
        };
        match self.settled(message, settling.clone()).await?.delivery {
            Delivery::Delivered => {}
            Delivery::Refused { status } => return Err(Ended::NextRefuses(status)),
            Delivery::Unavailable { reason, .. } => return Err(Ended::Unavailable(reason)),
        }
        let mut ack = Vec::with_capacity(8 + chunk.len());
        super::msgpack::push_map(&mut ack, 1);
        super::msgpack::push_text(&mut ack, "ack");
        ack.extend_from_slice(&chunk);
        if let Err(error) = self.write(&ack).await {
            forward.exchange.keep(message, settling);
            return Err(error.into());
        }
        Ok("acknowledged")
    }

    /// Waits for what becomes of a message, and notices meanwhile when its sender goes: the answer is then kept for when
    /// the sender comes again.
    async fn settled(&mut self, message: &Bytes, settling: Settling) -> Result<Settled, Ended> {
        {
            let answer = self.forward.exchange.waiting(message.clone(), settling.clone()).answer();
            let mut answer = std::pin::pin!(answer);
            while !self.has_ended {
                let is_reading = self.arriving.bytes.len() < AHEAD_BYTES_MAX;
                tokio::select! {
                    settled = &mut answer => return settled.ok_or(Ended::Ending),
                    more = self.arriving.more(&mut self.stream), if is_reading => {
                        self.has_ended = !matches!(more, Ok(true));
                    }
                }
            }
        }
        // Nothing reads the answer any more, as far as can be told; messages behind this one keep their order.
        let mut settling = settling;
        let settled = settling.wait_for(Option::is_some).await.map(|settled| settled.clone());
        settled.ok().flatten().ok_or(Ended::Ending)
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}
