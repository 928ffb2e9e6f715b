//! Events in, events out: a request is answered once the next service has what became of its events.

use std::time::{Duration, Instant};

use axum::body::Body as RequestBody;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use metrics::{counter, histogram};
use serde_json::json;
use tokio::sync::watch;

use super::Service;
use super::body::{self, BodyError, Encoding, Form};
use crate::cli::serve::budget::Share;
use crate::cli::serve::downstream::{Body, Delivery};
use crate::cli::serve::evaluator::{Evaluated, NotTaken};
use crate::cli::serve::exchange::{EventCounts, Settled, Settling};

/// When a sender should come again.
const RETRY_AFTER_SECONDS: &str = "1";

/// `POST /`
pub(super) async fn ingest(
    State(service): State<Service>,
    headers: HeaderMap,
    body: RequestBody,
) -> Response {
    let began = Instant::now();
    let response = match take(&service, &headers, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    histogram!("tripwasm_request_seconds").record(began.elapsed());
    counter!("tripwasm_requests_total", "status" => response.status().as_u16().to_string()).increment(1);
    response
}

async fn take(service: &Service, headers: &HeaderMap, body: RequestBody) -> Result<Response, Refusal> {
    let mut share = service.budget.share();
    let reading = body::read(body, service.limits, &mut share);
    let sent = tokio::time::timeout(service.body_time, reading)
        .await
        .map_err(|_| Refusal::Slow(service.body_time))??;
    let settling = match service.exchange.claim(&sent) {
        Some(before) => settle_again(service, before),
        None => {
            let encoding = Encoding::of(headers, &sent)?;
            settle(service, sent.clone(), encoding, share).await?
        }
    };
    match service.exchange.waiting(sent, settling).answer().await {
        Some(settled) => Ok(answer(service, settled)),
        None => Err(Refusal::NotTaken(NotTaken::Ending)),
    }
}

/// Has a body's events evaluated, and delivered by a task of their own: that goes on when the sender is gone.
async fn settle(
    service: &Service,
    sent: Bytes,
    encoding: Encoding,
    mut share: Share,
) -> Result<Settling, Refusal> {
    let limits = service.limits;
    let unpacking = tokio::task::spawn_blocking(move || {
        let unpacked = body::unpack(sent, encoding, limits, &mut share)?;
        let form = Form::of(&unpacked);
        Ok::<_, BodyError>((body::cut(unpacked, limits, &mut share)?, form, share))
    });
    let (batches, form, share) = unpacking.await.map_err(|_| Refusal::NotTaken(NotTaken::Ending))??;
    let waiting = service.evaluator.enqueue(batches, "http").map_err(Refusal::NotTaken)?;
    let (settled, settling) = watch::channel(None);
    let to = service.downstream.clone();
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
        drop(share);
    });
    Ok(settling)
}

/// Goes on with a batch that was evaluated before.
fn settle_again(service: &Service, mut before: Settling) -> Settling {
    counter!("tripwasm_batches_again_total").increment(1);
    let (settled, settling) = watch::channel(None);
    let to = service.downstream.clone();
    tokio::spawn(async move {
        let Ok(Some(mut last)) = before.wait_for(Option::is_some).await.map(|last| last.clone()) else {
            return;
        };
        if let (Delivery::Unavailable { .. }, Some(to)) = (&last.delivery, to) {
            last.delivery = to.deliver(&last.body).await;
        }
        settled.send_replace(Some(last));
    });
    settling
}

fn answer(service: &Service, settled: Settled) -> Response {
    let Settled { delivery, body, counts } = settled;
    match delivery {
        Delivery::Delivered if service.downstream.is_none() => {
            ([(header::CONTENT_TYPE, body.content_type)], body.bytes).into_response()
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
            Refusal::Body(BodyError::Damaged(..) | BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
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
