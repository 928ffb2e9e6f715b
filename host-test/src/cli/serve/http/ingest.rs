//! Events in, events out: a request is answered once the next service has what became of its events.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body as RequestBody;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use metrics::{counter, histogram};
use serde_json::json;
use tokio::sync::{oneshot, watch};

use super::Service;
use super::body::{self, BodyError, Encoding, Form};
use super::conversation::HangingUp;
use crate::cli::serve::budget::Share;
use crate::cli::serve::downstream::{Body, Delivery};
use crate::cli::serve::evaluator::{Evaluated, NotTaken};
use crate::cli::serve::exchange::{EventCounts, Settled, Settling};

/// When a sender should come again.
const RETRY_AFTER_SECONDS: &str = "1";

/// `POST /`
pub(super) async fn ingest(
    State(service): State<Service>,
    Extension(hanging_up): Extension<HangingUp>,
    headers: HeaderMap,
    body: RequestBody,
) -> Response {
    let began = Instant::now();
    let response = match take(&service, &headers, body, hanging_up).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    count(began, &response);
    response
}

/// Counts a request that is answered.
pub(super) fn count(began: Instant, response: &Response) {
    histogram!("tripwasm_request_seconds").record(began.elapsed());
    counter!("tripwasm_requests_total", "status" => response.status().as_u16().to_string()).increment(1);
}

/// Reads a body within limits of size, time and memory.
pub(super) async fn read(service: &Service, body: RequestBody) -> Result<(Bytes, Share), Refusal> {
    let share = service.budget.share();
    let reading = body::read(body, service.limits, &share);
    let sent = tokio::time::timeout(service.body_time, reading).await;
    let sent = sent.map_err(|_| Refusal::Slow(service.body_time))??;
    Ok((sent, share))
}

async fn take(
    service: &Service,
    headers: &HeaderMap,
    body: RequestBody,
    hanging_up: HangingUp,
) -> Result<Response, Refusal> {
    let (sent, share) = read(service, body).await?;
    let settling = match service.exchange.claim(&sent) {
        Some(before) => settle_again(service, before, share.clone()),
        None => {
            let encoding = Encoding::of(headers, &sent)?;
            settle(service, sent.clone(), encoding, share.clone()).await?
        }
    };
    match service.exchange.waiting(sent, settling).answer().await {
        Some(settled) => Ok(answer(service, settled, share, hanging_up)),
        None => Err(Refusal::NotTaken(NotTaken::Ending)),
    }
}

/// Has a body's events evaluated, and delivered by a task of their own: that goes on when the sender is gone.
async fn settle(
    service: &Service,
    sent: Bytes,
    encoding: Encoding,
    share: Share,
) -> Result<Settling, Refusal> {
    let limits = service.limits;
    let unpacking = tokio::task::spawn_blocking(move || {
        let unpacked = body::unpack(sent, encoding, limits, &share)?;
        let form = Form::of(&unpacked);
        Ok::<_, BodyError>((body::cut(unpacked, limits, &share)?, form, share))
    });
    let (batches, form, share) = unpacking.await.map_err(|_| Refusal::NotTaken(NotTaken::Ending))??;
    let waiting = service.evaluator.enqueue(batches, "http").map_err(Refusal::NotTaken)?;
    let (settled, settling) = watch::channel(None);
    let (to, exchange) = (service.downstream.clone(), service.exchange.clone());
    tokio::spawn(async move {
        let Ok(Evaluated { bytes, events_in, tagged, removed, .. }) = waiting.await else { return };
        let nothing = bytes.is_empty();
        let body = Body { bytes: form.write(bytes).into(), content_type: form.content_type() };
        let counts = EventCounts { events_in, tagged, removed };
        let delivery = match to {
            Some(to) if !nothing => to.deliver(&body).await,
            // Nothing is left of the batch, or its sender is the next service.
            _ => Delivery::Delivered,
        };
        settled.send_replace(Some(Settled { delivery, body, counts }));
        exchange.give_up();
        drop(share);
    });
    Ok(settling)
}

/// Goes on with a batch that was evaluated before.
fn settle_again(service: &Service, mut before: Settling, share: Share) -> Settling {
    counter!("tripwasm_batches_again_total").increment(1);
    let (settled, settling) = watch::channel(None);
    let (to, exchange) = (service.downstream.clone(), service.exchange.clone());
    tokio::spawn(async move {
        let Ok(Some(mut last)) = before.wait_for(Option::is_some).await.map(|last| last.clone()) else {
            return;
        };
        if let Delivery::Unavailable { .. } = &last.delivery {
            // It is no kept answer any more, whose memory is bounded.
            last.delivery = match (share.grow(last.body.bytes.len()), to) {
                (Ok(()), Some(to)) => to.deliver(&last.body).await,
                (Ok(()), None) => Delivery::Delivered,
                (Err(exhausted), _) => Delivery::Unavailable { reason: exhausted.to_string(), busy: true },
            };
        }
        settled.send_replace(Some(last));
        exchange.give_up();
        drop(share);
    });
    settling
}

fn answer(service: &Service, settled: Settled, share: Share, hanging_up: HangingUp) -> Response {
    let Settled { delivery, body, counts } = settled;
    match delivery {
        Delivery::Delivered if service.downstream.is_none() => {
            let leaving = Leaving::new(body.bytes, share, hanging_up, service.body_time);
            ([(header::CONTENT_TYPE, body.content_type)], Bytes::from_owner(leaving)).into_response()
        }
        Delivery::Delivered => {
            let EventCounts { events_in, tagged, removed } = counts;
            let events = json!({ "events_in": events_in, "tagged": tagged, "removed": removed });
            ([(header::CONTENT_TYPE, "application/json")], events.to_string()).into_response()
        }
        Delivery::Refused { status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, format!("the next service refuses the events with {status}\n")).into_response()
        }
        Delivery::Unavailable { reason, busy } => {
            let status = if busy { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
            later(status, &format!("the next service does not take events now: {reason}"))
        }
    }
}

/// Events on their way back to their sender. What they take of the budget is held until they left; a sender that does not
/// take them is hung up on.
struct Leaving {
    bytes: Bytes,
    _share: Share,
    _left: oneshot::Sender<()>,
}

impl Leaving {
    fn new(bytes: Bytes, share: Share, hanging_up: HangingUp, time: Duration) -> Self {
        let (left, leaving) = oneshot::channel::<()>();
        tokio::spawn(async move {
            if tokio::time::timeout(time, leaving).await.is_err() {
                tracing::warn!("an answer was not taken within {time:?}: its connection is ended");
                hanging_up.now();
            }
        });
        Leaving { bytes, _share: share, _left: left }
    }
}

impl AsRef<[u8]> for Leaving {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn later(status: StatusCode, text: &str) -> Response {
    (status, [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)], format!("{text}; send them again\n"))
        .into_response()
}

/// Why events were not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the body did not arrive within {0:?}")]
    Slow(Duration),
    #[error(transparent)]
    NotTaken(NotTaken),
}

impl Refusal {
    /// A sender comes again for 408, 429 and 503, and gives up for the others.
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Body(BodyError::TooLarge(_) | BodyError::UnpacksTooLarge(_)) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::Body(BodyError::Damaged(..) | BodyError::TooManyLayers | BodyError::Broken(_)) => {
                StatusCode::BAD_REQUEST
            }
            Refusal::Body(BodyError::UnknownEncoding(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Body(BodyError::Exhausted(_)) | Refusal::NotTaken(NotTaken::Busy) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Refusal::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Refusal::NotTaken(NotTaken::Ending) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        tracing::warn!(status = status.as_u16(), reason = %self, "a request was not taken");
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                later(status, &self.to_string())
            }
            _ => (status, format!("{self}\n")).into_response(),
        }
    }
}
