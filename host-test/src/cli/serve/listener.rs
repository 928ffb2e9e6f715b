//! Addresses that connections come to, whatever is spoken over them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::connections::{Connections, Place};

/// Pause before accepting again after an error such as no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address that connections come to.
pub(super) struct Listener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
}

/// A connection that has a place.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
}

impl Listener {
    /// Listens, for at most so many connections at a time.
    pub(super) async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        connections_max: usize,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Listener { listener, tls, connections: Connections::new(connections_max) })
    }

    /// Where it listens: the port, if it was left open.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// What TLS is spoken with, if it is.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// The next connection, once there is a place for it.
    pub(super) async fn accept(&self) -> Accepted {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small and somebody waits for them.
                    let _ = stream.set_nodelay(true);
                    return Accepted { stream, peer, place: self.connections.place().await };
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Reads a certificate chain and its key, both PEM.
pub(super) fn tls(certificates: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
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
