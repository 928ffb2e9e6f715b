//! Connections over which HTTP is spoken: served, ended in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::cli::serve::connections::Place;
use crate::cli::serve::listener::{Accepted, Listener};

/// How long a client may take for a TLS handshake, and for the head of a request; also how long a connection is kept
/// that nothing comes over.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Serves connections until told to end, then waits until each has its answer, at most so long.
pub(in crate::cli::serve) async fn serve(
    listener: Listener,
    routes: Router,
    ending: impl Future<Output = ()>,
    drain: Duration,
) {
    let graceful = GracefulShutdown::new();
    let mut talking = JoinSet::new();
    let mut ending = std::pin::pin!(ending);
    loop {
        let Accepted { stream, place, .. } = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ending => break,
        };
        let tls = listener.tls();
        let routes = routes.clone();
        let watcher = graceful.watcher();
        // Those that have ended.
        while talking.try_join_next().is_some() {}
        talking.spawn(async move {
            // A client that does not answer costs its place for this time, not longer.
            match tls {
                None => converse(stream, routes, place, watcher).await,
                Some(tls) => match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, routes, place, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                    Err(_) => tracing::debug!("no TLS in time"),
                },
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered in time; their senders will send the events again");
    }
    // What is still open holds the module's threads.
    talking.shutdown().await;
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: Router,
    place: Place,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let place = Arc::new(place);
    let answering = Arc::clone(&place);
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        let mut routes = routes.clone();
        let place = Arc::clone(&answering);
        async move {
            let _working = place.begin();
            request.extensions_mut().insert(HangingUp(Arc::clone(&place.given_up)));
            routes.call(request.map(axum::body::Body::new)).await
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIME).keep_alive_timeout(HEAD_TIME);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let mut connection = std::pin::pin!(watcher.watch(connection));
    tokio::select! {
        outcome = &mut connection => if let Err(error) = outcome {
            tracing::debug!(error, "a connection ended");
        },
        () = place.given_up.notified() => tracing::debug!("a connection was given up"),
    }
}

/// Ends the connection that a request came over.
#[derive(Clone)]
pub(super) struct HangingUp(Arc<Notify>);

impl HangingUp {
    /// Whatever is on its way over it is lost.
    pub(super) fn now(&self) {
        self.0.notify_one();
    }
}
