//! The service over HTTP.
//!
//! | route | what it does |
//! |---|---|
//! | `POST /` | takes events; 200 once the next service has them, or with them as the body if there is no next service |
//! | `POST /firehose` | the same for Firehose's delivery to an HTTP endpoint, answered as Firehose wants it; needs a next service |
//! | `POST /firehose/transform` | answers a Firehose transformation, as a Lambda function does; the answer holds the events |
//! | `GET /health` | 200 while the process works |
//! | `GET /ready` | 200 while events are taken, 503 while the service is ending |
//! | `GET /metrics` | counts, for Prometheus; asks for the token as `POST` does |

mod auth;
mod body;
mod conversation;
mod firehose;
mod ingest;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

pub(super) use auth::Token;
pub(super) use body::{BodyError, BodyLimits, Encoding, unpack};
pub(super) use conversation::serve;

use super::budget::Budget;
use super::downstream::Downstream;
use super::evaluator::Evaluator;
use super::exchange::Exchange;

/// What requests share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) evaluator: Evaluator,
    /// None if whoever sends events gets them back.
    pub(super) downstream: Option<Downstream>,
    pub(super) exchange: Exchange,
    pub(super) budget: Budget,
    pub(super) limits: BodyLimits,
    /// How long a body may take to arrive.
    pub(super) body_time: Duration,
    pub(super) token: Option<Token>,
    pub(super) metrics: PrometheusHandle,
    pub(super) ending: Arc<AtomicBool>,
}

/// All routes.
pub(super) fn routes(service: Service) -> Router {
    let guarded = Router::new()
        .route("/", post(ingest::ingest))
        .route("/firehose/transform", post(firehose::transform))
        .route_layer(from_fn_with_state(service.clone(), ask_for_token));
    // It asks for the token itself: its answers have a form of their own.
    let firehose = Router::new().route("/firehose", post(firehose::deliver));
    guarded.merge(firehose).with_state(service.clone()).merge(admin_routes(service))
}

/// Routes that take no events, for a listener of their own.
pub(super) fn admin_routes(service: Service) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route_layer(from_fn_with_state(service.clone(), ask_for_token));
    let open = Router::new().route("/health", get(async || "ok\n")).route("/ready", get(ready));
    guarded.merge(open).with_state(service)
}

async fn ask_for_token(State(service): State<Service>, request: Request, next: Next) -> Response {
    match &service.token {
        Some(token) if !token.is_shown(request.headers()) => {
            let asks = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, asks, "show the token: Authorization: Bearer ...\n").into_response()
        }
        _ => next.run(request).await,
    }
}

async fn ready(State(service): State<Service>) -> Response {
    if service.ending.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    let told = json!({ "ready": true, "module": service.evaluator.module_sha256() });
    ([(header::CONTENT_TYPE, "application/json")], told.to_string()).into_response()
}

async fn metrics(State(service): State<Service>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.metrics.render()).into_response()
}
