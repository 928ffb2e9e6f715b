//! A message's way through: read, evaluated, given on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use tokio::sync::watch;

use super::Forward;
use super::frame::{self, BadFrame, Carrier, Entry, Frame, Packing};
use super::lines::{Fate, Lines};
use super::next::Next;
use super::outgoing::{self, Outgoing};
use crate::cli::serve::budget::{Exhausted, Share};
use crate::cli::serve::downstream::{Body, Delivery};
use crate::cli::serve::evaluator::{Evaluated, NotTaken};
use crate::cli::serve::exchange::{EventCounts, Settled, Settling};
use crate::cli::serve::http::{BodyError, BodyLimits, Encoding, unpack};

/// How long a message waits for memory that others have before its sender is sent away.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two looks at what has to become free.
const GLANCE: Duration = Duration::from_millis(5);

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Frame(#[from] BadFrame),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("it sends metrics or traces, which go on by --to-forward alone: send logs only")]
    Foreign,
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

/// A message that was read.
pub(super) struct Prepared {
    pub(super) frame: Frame,
    /// Unpacked.
    events: Bytes,
    entries: Vec<Entry>,
    lines: Lines,
    share: Share,
}

/// Reads a message; none if it is a sign of life.
pub(super) async fn prepare(forward: &Forward, message: &Bytes) -> Result<Option<Prepared>, Refusal> {
    let began = tokio::time::Instant::now();
    loop {
        let (message, limits, share) = (message.clone(), forward.limits, forward.budget.share());
        let reading = tokio::task::spawn_blocking(move || read(&message, limits, share));
        match reading.await.map_err(|_| NotTaken::Ending)? {
            Err(Refusal::Body(BodyError::Exhausted(_)) | Refusal::Exhausted(_))
                if began.elapsed() < MEMORY_PATIENCE =>
            {
                tokio::time::sleep(GLANCE).await;
            }
            other => return other,
        }
    }
}

/// Takes more of the memory, once there is some.
pub(super) async fn grow(share: &mut Share, bytes: usize) -> Result<(), Exhausted> {
    let began = tokio::time::Instant::now();
    loop {
        match share.grow(bytes) {
            Err(Exhausted) if began.elapsed() < MEMORY_PATIENCE => tokio::time::sleep(GLANCE).await,
            other => return other,
        }
    }
}

fn read(message: &Bytes, limits: BodyLimits, mut share: Share) -> Result<Option<Prepared>, Refusal> {
    let Some(frame) = Frame::read(message)? else { return Ok(None) };
    let encoding = match frame.packing {
        Packing::Plain => Encoding::Identity,
        Packing::Gzip => Encoding::Gzip,
        Packing::Zstd => Encoding::Zstd,
    };
    let events = unpack(frame.events.clone(), encoding, limits, &share)?;
    let entries = frame::entries(frame.carrier, &events)?;
    let lines = Lines::new(&events, &entries, &mut share)?;
    Ok(Some(Prepared { frame, events, entries, lines, share }))
}

/// Has a message's events evaluated, and what is left of them delivered by a task of its own: that goes on when the sender
/// is gone.
pub(super) async fn settle(forward: &Forward, prepared: Prepared) -> Result<Settling, Refusal> {
    if prepared.frame.carrier == Carrier::Foreign && !forward.next.takes_messages() {
        return Err(Refusal::Foreign);
    }
    let waiting = loop {
        match forward.evaluator.enqueue(prepared.lines.batches(), "forward") {
            // The sender is not read from meanwhile.
            Err(NotTaken::Busy) => tokio::time::sleep(GLANCE).await,
            other => break other?,
        }
    };
    let (settled, settling) = watch::channel(None);
    let (next, findings, exchange) = (forward.next.clone(), forward.findings, forward.exchange.clone());
    tokio::spawn(async move {
        let Ok(evaluated) = waiting.await else { return };
        let Evaluated { events_in, tagged, removed, .. } = evaluated;
        let counts = EventCounts { events_in, tagged, removed };
        let asks = prepared.frame.chunk.is_some();
        let in_messages = next.takes_messages();
        let composing = tokio::task::spawn_blocking(move || {
            let body = if findings { evaluated.bytes } else { compose(&prepared, &evaluated, in_messages) };
            (body, prepared.share)
        });
        let Ok((bytes, share)) = composing.await else { return };
        let body = next.body(bytes);
        let delivery = deliver(&next, &body, asks, events_in - removed).await;
        settled.send_replace(Some(settled_as(delivery, body, counts)));
        exchange.give_up();
        drop(share);
    });
    Ok(settling)
}

/// What goes on of a message.
fn compose(prepared: &Prepared, evaluated: &Evaluated, in_messages: bool) -> Vec<u8> {
    let Prepared { frame, events, entries, lines, .. } = prepared;
    if frame.carrier == Carrier::Foreign {
        return outgoing::foreign(frame);
    }
    let fates = lines.fates(&evaluated.bytes).unwrap_or_else(|error| {
        tracing::error!(%error, "a message goes on as it came");
        vec![Fate::Untouched; entries.len()]
    });
    let outgoing = Outgoing { frame, events, entries, lines, fates: &fates };
    if in_messages { outgoing.message() } else { outgoing.ndjson() }
}

/// Delivers what is left of a message. Whoever asks for no acknowledgement sends nothing a second time: then there is no
/// end to the tries.
async fn deliver(next: &Next, body: &Body, asks: bool, events: u64) -> Delivery {
    loop {
        let delivery = if body.bytes.is_empty() { Delivery::Delivered } else { next.deliver(body).await };
        match &delivery {
            Delivery::Unavailable { .. } if !asks => {}
            Delivery::Refused { status } if !asks => {
                counter!("tripwasm_forward_lost_total").increment(events);
                tracing::error!(
                    status,
                    events,
                    "the next service refuses events whose sender asks for no acknowledgement: they are lost"
                );
                return delivery;
            }
            _ => return delivery,
        }
    }
}

/// Who has the events needs no copy of them kept.
fn settled_as(delivery: Delivery, mut body: Body, counts: EventCounts) -> Settled {
    if delivery == Delivery::Delivered {
        body.bytes = Bytes::new();
    }
    Settled { delivery, body, counts }
}

/// Goes on with a message that was evaluated before.
pub(super) fn settle_again(forward: &Arc<Forward>, mut before: Settling) -> Settling {
    counter!("tripwasm_batches_again_total").increment(1);
    let (settled, settling) = watch::channel(None);
    let (next, exchange) = (forward.next.clone(), forward.exchange.clone());
    tokio::spawn(async move {
        let last = before.wait_for(Option::is_some).await.map(|last| last.clone());
        let Ok(Some(Settled { mut delivery, body, counts })) = last else { return };
        if !matches!(delivery, Delivery::Delivered) {
            delivery = next.deliver(&body).await;
        }
        settled.send_replace(Some(settled_as(delivery, body, counts)));
        exchange.give_up();
    });
    settling
}
