//! Places for connections: up to a number; a connection that only waits is given up when others want in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// The places for connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Places>);

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
pub(super) struct Activity {
    /// Requests that are being answered.
    open: AtomicU64,
    /// Requests that ever came.
    all: AtomicU64,
}

impl Activity {
    /// A request is being answered until what is returned is dropped.
    pub(super) fn begin(&self) -> impl Drop + '_ {
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
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    pub(super) given_up: Arc<Notify>,
}

impl Connections {
    /// So many of them.
    pub(super) fn new(max: usize) -> Self {
        Connections(Arc::new(Places {
            max,
            taken: Mutex::default(),
            left: Notify::new(),
            next: AtomicU64::new(0),
        }))
    }

    /// A place: a free one, or that of a connection that only waits, or the next one free. Given up first are connections
    /// that never brought a request, the oldest first.
    pub(super) async fn place(&self) -> Place {
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
