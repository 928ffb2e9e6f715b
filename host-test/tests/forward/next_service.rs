//! A next service of the protocol: takes messages, acknowledges them, and can be slow, down, or asleep.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmpv::Value;

use crate::events::is_dropped;
use crate::message::{Arrived, encoded, events, map, read};

/// A next service.
pub(crate) struct NextService {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    messages: Mutex<Vec<Value>>,
    connections: Mutex<Vec<TcpStream>>,
    down: AtomicBool,
    pause_ms: AtomicU64,
}

impl NextService {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut service = NextService { address, shared: Arc::default(), listening: None };
        service.listen(listener);
        service
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.listening = Some(std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.down.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.lock().unwrap().push(stream.try_clone().unwrap());
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.talk(stream));
            }
        }));
    }

    /// Takes so long before it acknowledges.
    pub(crate) fn take_long(&self, pause: Duration) {
        self.shared.pause_ms.store(pause.as_millis() as u64, Ordering::SeqCst);
    }

    /// Ends all connections and takes none.
    pub(crate) fn down(&mut self) {
        self.shared.down.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.listening.take().unwrap().join().unwrap();
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub(crate) fn up(&mut self) {
        self.shared.down.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind(self.address).unwrap();
        self.listen(listener);
    }

    /// Messages that came.
    pub(crate) fn messages(&self) -> Vec<Value> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Events that came.
    pub(crate) fn events(&self) -> Vec<Arrived> {
        self.messages().iter().flat_map(events).collect()
    }

    /// How often each number came.
    pub(crate) fn arrivals(&self) -> BTreeMap<u64, usize> {
        arrivals(self.events().iter().map(|event| event.record["number"].as_u64().unwrap()))
    }
}

impl Shared {
    fn talk(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Ok(message) = read(&mut reader) {
            std::thread::sleep(Duration::from_millis(self.pause_ms.load(Ordering::SeqCst)));
            let options = message.as_array().unwrap().last().unwrap().clone();
            if let Some(size) = options["size"].as_u64() {
                assert_eq!(events(&message).len() as u64, size);
            }
            self.messages.lock().unwrap().push(message);
            let ack = encoded(&map(&[("ack", options["chunk"].clone())]));
            if stream.write_all(&ack).is_err() {
                return;
            }
        }
    }
}

/// How often each number is among these.
pub(crate) fn arrivals(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<u64, usize> {
    let mut arrived = BTreeMap::new();
    numbers.into_iter().for_each(|number| *arrived.entry(number).or_default() += 1);
    arrived
}

/// Fails unless all of these events arrived that no rule drops, none of those that one drops. Returns how many came twice.
pub(crate) fn assert_nothing_lost(arrived: &BTreeMap<u64, usize>, numbers: std::ops::Range<u64>) -> usize {
    let wanted: Vec<u64> = numbers.filter(|number| !is_dropped(*number)).collect();
    let missing: Vec<_> = wanted.iter().filter(|number| !arrived.contains_key(number)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} events are lost: {:?}",
        missing.len(),
        wanted.len(),
        missing.iter().take(20).collect::<Vec<_>>()
    );
    assert_eq!(arrived.len(), wanted.len(), "an event came that a rule drops");
    arrived.values().filter(|count| **count > 1).count()
}
