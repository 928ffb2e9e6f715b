//! The next service: what Vector's http_server source with acknowledgements does. It answers 200 once it has a body, 503
//! or whatever it is told when it has trouble, and not at all while it is down.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// What it does with the next bodies.
#[derive(Default)]
struct Script {
    /// Codes for the next requests; then 200.
    codes: VecDeque<u16>,
    /// How long each answer takes.
    delay: Duration,
    bodies: Vec<Vec<u8>>,
    headers: Vec<HeaderMap>,
}

/// A next service that can be slow, troubled, or down.
pub(crate) struct NextService {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    running: Option<Runtime>,
}

impl NextService {
    /// Starts it at a free port.
    pub(crate) fn start() -> Self {
        let mut service =
            NextService { address: "127.0.0.1:0".parse().unwrap(), script: Arc::default(), running: None };
        service.up();
        service
    }

    /// Listens, at the same port as before.
    pub(crate) fn up(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let routes = Router::new()
            .fallback(post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&self.script));
        let address = self.address;
        self.address = runtime.block_on(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            let listener = socket.listen(1024).unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
            address
        });
        self.running = Some(runtime);
    }

    /// Ends, connections and all.
    pub(crate) fn down(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_timeout(Duration::from_millis(100));
        }
    }

    /// Answers the next requests with these codes.
    pub(crate) fn answer_with(&self, codes: impl IntoIterator<Item = u16>) {
        self.script.lock().unwrap().codes.extend(codes);
    }

    /// Takes so long for each request.
    pub(crate) fn take_long(&self, delay: Duration) {
        self.script.lock().unwrap().delay = delay;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// All bodies that it answered 200 to.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.script.lock().unwrap().bodies.clone()
    }

    /// All lines of those.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bodies().concat()).unwrap()
    }

    /// The headers of those requests.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.script.lock().unwrap().headers.clone()
    }
}

impl Drop for NextService {
    fn drop(&mut self) {
        self.down();
    }
}

async fn take(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (code, delay) = {
        let mut script = script.lock().unwrap();
        (script.codes.pop_front(), script.delay)
    };
    tokio::time::sleep(delay).await;
    if let Some(code) = code {
        return StatusCode::from_u16(code).unwrap();
    }
    let mut script = script.lock().unwrap();
    script.bodies.push(body.to_vec());
    script.headers.push(headers);
    StatusCode::OK
}
