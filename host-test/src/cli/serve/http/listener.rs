//! Connections over which HTTP is spoken: accepted, served, ended in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::cli::serve::connections::{Connections, Place};

/// How long a client may take for a TLS handshake, and for the head of a request; also how long a connection is kept
/// that nothing comes over.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Pause before accepting again after an error such as no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address that connections come to.
pub(in crate::cli::serve) struct Listener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Listens.
    pub(in crate::cli::serve) async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Listener { listener, tls })
    }

    /// Where it listens: the port, if it was left open.
    pub(in crate::cli::serve) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Accepts connections until told to end, then waits until each has its answer, at most so long.
    pub(in crate::cli::serve) async fn serve(
        self,
        routes: Router,
        connections: Connections,
        ending: impl Future<Output = ()>,
        drain: Duration,
    ) {
        let graceful = GracefulShutdown::new();
        let mut talking = JoinSet::new();
        let mut ending = std::pin::pin!(ending);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&connections) => accepted,
                () = &mut ending => break,
            };
            let (stream, place) = accepted;
            let tls = self.tls.clone();
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
        drop(self.listener);
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(
                "some requests were not answered in time; their senders will send the events again"
            );
        }
        // What is still open holds the module's threads.
        talking.shutdown().await;
    }

    async fn accept(&self, connections: &Connections) -> (TcpStream, Place) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Answers are small and somebody waits for them.
                    let _ = stream.set_nodelay(true);
                    return (stream, connections.place().await);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
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

/// Reads a certificate chain and its key, both PEM.
pub(in crate::cli::serve) fn tls(certificates: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("cannot read certificates from {}", certificates.display()))?;
    ensure!(!chain.is_empty(), "{} holds no certificate in PEM", certificates.display());
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.with_context(|| format!("cannot read a private key from {}", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{} and {} do not go together", certificates.display(), key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
