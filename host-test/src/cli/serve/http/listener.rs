//! Connections: accepted up to a number, given up when they only wait and others want in, ended in order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut routes = routes.clone();
        let place = Arc::clone(&answering);
        async move {
            let _working = place.activity.begin();
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
        () = place.given_up.notified() => tracing::debug!("a connection that waited was given up for another one"),
    }
}

/// The places for connections. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli::serve) struct Connections(Arc<Places>);

struct Places {
    max: usize,
    taken: Mutex<HashMap<u64, Taken>>,
    left: Notify,
    next: AtomicU64,
}

struct Taken {
    since: Instant,
    activity: Arc<Activity>,
    give_up: Arc<Notify>,
}

/// What a connection does.
#[derive(Default)]
struct Activity {
    /// Requests that are being answered.
    open: AtomicU64,
    /// Requests that ever came.
    all: AtomicU64,
}

impl Activity {
    /// A request is being answered until what is returned is dropped.
    fn begin(&self) -> impl Drop + '_ {
        struct Working<'a>(&'a AtomicU64);
        impl Drop for Working<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.all.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Working(&self.open)
    }
}

/// One connection's place, until it is dropped.
struct Place {
    places: Arc<Places>,
    number: u64,
    activity: Arc<Activity>,
    given_up: Arc<Notify>,
}

impl Connections {
    pub(in crate::cli::serve) fn new(max: usize) -> Self {
        Connections(Arc::new(Places {
            max,
            taken: Mutex::default(),
            left: Notify::new(),
            next: AtomicU64::new(0),
        }))
    }

    /// A place: a free one, or that of a connection that only waits, or the next one free. Given up first are connections
    /// that never brought a request, the oldest first.
    async fn place(&self) -> Place {
        loop {
            let left = self.0.left.notified();
            if let Some(place) = self.try_place() {
                return place;
            }
            left.await;
        }
    }

    fn try_place(&self) -> Option<Place> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= self.0.max {
            let idle = taken.iter().filter(|(_, taken)| taken.activity.open.load(Ordering::Relaxed) == 0);
            let useful = |taken: &Taken| taken.activity.all.load(Ordering::Relaxed) > 0;
            let least = idle.min_by_key(|(_, taken)| (useful(taken), taken.since));
            let oldest = least.map(|(number, _)| *number)?;
            if let Some(given_up) = taken.remove(&oldest) {
                given_up.give_up.notify_one();
                metrics::counter!("tripwasm_connections_given_up_total").increment(1);
            }
        }
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (activity, given_up) = (Arc::<Activity>::default(), Arc::new(Notify::new()));
        let entry =
            Taken { since: Instant::now(), activity: Arc::clone(&activity), give_up: Arc::clone(&given_up) };
        taken.insert(number, entry);
        metrics::gauge!("tripwasm_connections").set(taken.len() as f64);
        Some(Place { places: Arc::clone(&self.0), number, activity, given_up })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.number);
        metrics::gauge!("tripwasm_connections").set(taken.len() as f64);
        self.places.left.notify_one();
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
