//! The service under test, at addresses of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::process::Serve;

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Starts it between a sender and a next service of the protocol. It serves HTTP beside it, whose events go nowhere.
pub(crate) fn start(directory: &Path, forward: SocketAddr, to: SocketAddr, options: &[&str]) -> Serve {
    start_with(directory, forward, to, options, &[])
}

/// As [`start`], with variables in its environment.
pub(crate) fn start_with(
    directory: &Path,
    forward: SocketAddr,
    to: SocketAddr,
    options: &[&str],
    environment: &[(&str, &str)],
) -> Serve {
    let (forward, to) = (forward.to_string(), to.to_string());
    let own = ["--to", "http://127.0.0.1:1/", "--forward", &forward, "--to-forward", &to, "--mode", "drop"];
    Serve::start_with(directory, "127.0.0.1:0", &[&own, options].concat(), environment)
}
