//! Amazon Data Firehose: its delivery to an HTTP endpoint, and its transformation of records.

use std::time::Instant;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tripwasm::input::firehose::{self, TransformError, TransformLimits};

use super::Service;
use super::body::{self, BodyError, Encoding};
use super::conversation::HangingUp;
use super::ingest::{Refusal, count, ingest, read};
use crate::cli::run::{BATCH_BYTES, now_ms};
use crate::cli::serve::budget::Share;
use crate::cli::serve::evaluator::{Evaluated, NotTaken};

/// Firehose keeps no more of an error's text.
const MESSAGE_BYTES_MAX: usize = 8192;

const REQUEST_ID: &str = "x-amz-firehose-request-id";

/// `POST /firehose`: as `POST /`, answered with the id of the request. Firehose takes 200 as an acknowledgement, tries again
/// after anything else, and puts events into its backup bucket when it gives up.
pub(super) async fn deliver(
    State(service): State<Service>,
    hanging_up: Extension<HangingUp>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    if service.token.as_ref().is_some_and(|token| !token.is_shown(&headers)) {
        let told = "show the token: X-Amz-Firehose-Access-Key";
        return acknowledge(&id, (StatusCode::UNAUTHORIZED, told).into_response()).await;
    }
    if service.downstream.is_none() {
        let told = "Firehose takes no events back: start the service with --to URL";
        return acknowledge(&id, (StatusCode::NOT_IMPLEMENTED, told).into_response()).await;
    }
    let response = match id.is_empty() {
        false => ingest(State(service), hanging_up, headers, body).await,
        true => match read(&service, body).await {
            Ok((body, share)) => {
                id = id_in(&body).unwrap_or_default();
                drop(share);
                ingest(State(service), hanging_up, headers, Body::from(body)).await
            }
            Err(refusal) => refusal.into_response(),
        },
    };
    acknowledge(&id, response).await
}

/// The id in a body that is not packed; Firehose itself sends it as a header, too.
fn id_in(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request {
        request_id: String,
    }
    serde_json::from_slice(body).ok().map(|request: Request| request.request_id)
}

/// An answer in Firehose's form.
async fn acknowledge(id: &str, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let mut told = json!({ "requestId": id, "timestamp": now_ms() });
    if parts.status != StatusCode::OK {
        let text = to_bytes(body, MESSAGE_BYTES_MAX).await.unwrap_or_default();
        told["errorMessage"] = String::from_utf8_lossy(&text).trim_end().into();
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Response::from_parts(parts, told.to_string().into())
}

/// `POST /firehose/transform`: the request that Firehose has for a Lambda function, and the function's answer.
pub(super) async fn transform(State(service): State<Service>, headers: HeaderMap, body: Body) -> Response {
    let began = Instant::now();
    let response = match answer(service, &headers, body).await {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(TransformError::NotTaken(refusal)) => refusal.into_response(),
        Err(TransformError::Request(source)) => {
            let told = TransformError::<Refusal>::Request(source);
            tracing::warn!(reason = %told, "a request was not taken");
            (StatusCode::BAD_REQUEST, format!("{:#}\n", anyhow::Error::new(told))).into_response()
        }
    };
    count(began, &response);
    response
}

async fn answer(
    service: Service,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, TransformError<Refusal>> {
    let (sent, share) = read(&service, body).await.map_err(TransformError::NotTaken)?;
    let encoding = Encoding::of(headers, &sent).map_err(not_taken)?;
    // Unpacking takes time, and evaluation is waited for between its two halves.
    let answering = tokio::task::spawn_blocking(move || answer_now(&service, sent, encoding, share));
    answering.await.map_err(|_| TransformError::NotTaken(Refusal::NotTaken(NotTaken::Ending)))?
}

fn answer_now(
    service: &Service,
    sent: Bytes,
    encoding: Encoding,
    share: Share,
) -> Result<Vec<u8>, TransformError<Refusal>> {
    let request = body::unpack(sent, encoding, service.limits, &share).map_err(not_taken)?;
    let unpacked_bytes_max = service.limits.unpacked_bytes_max as u64;
    let limits = TransformLimits { batch_bytes: BATCH_BYTES, unpacked_bytes_max };
    firehose::transform(&request, limits, |batches| {
        let bytes = batches.iter().map(|batch| batch.bytes.len()).sum::<usize>();
        share.grow(2 * bytes).map_err(|exhausted| Refusal::Body(exhausted.into()))?;
        let waiting = service.evaluator.enqueue(batches, "firehose").map_err(Refusal::NotTaken)?;
        let Evaluated { bytes, ends, .. } =
            waiting.blocking_recv().map_err(|_| Refusal::NotTaken(NotTaken::Ending))?;
        let starts = [0].into_iter().chain(ends.iter().copied());
        let pieces =
            starts.zip(&ends).map(|(start, &end)| bytes.get(start..end).unwrap_or_default().to_vec());
        Ok(pieces.collect())
    })
}

fn not_taken(error: BodyError) -> TransformError<Refusal> {
    TransformError::NotTaken(error.into())
}
