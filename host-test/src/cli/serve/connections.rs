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
struct Activity {
    /// Requests that are being answered.
    open: AtomicU64,
    /// Requests that ever came.
    all: AtomicU64,
}

/// One connection's place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    activity: Arc<Activity>,
    pub(super) given_up: Arc<Notify>,
}

impl Place {
    /// A request is being answered until what is returned is dropped. A connection that only waits then may have to leave.
    pub(super) fn begin(&self) -> impl Drop + '_ {
        struct Working<'a>(&'a Place);
        impl Drop for Working<'_> {
            fn drop(&mut self) {
                if self.0.activity.open.fetch_sub(1, Ordering::Relaxed) == 1 {
                    self.0.places.left.notify_one();
                }
            }
        }
        self.activity.all.fetch_add(1, Ordering::Relaxed);
        self.activity.open.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }
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
                metrics::gauge!("tripwasm_connections").decrement(1.0);
                metrics::counter!("tripwasm_connections_given_up_total").increment(1);
            }
        }
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (activity, given_up) = (Arc::<Activity>::default(), Arc::new(Notify::new()));
        let entry =
            Taken { since: Instant::now(), activity: Arc::clone(&activity), give_up: Arc::clone(&given_up) };
        taken.insert(number, entry);
        // Of all addresses together.
        metrics::gauge!("tripwasm_connections").increment(1.0);
        Some(Place { places: Arc::clone(&self.0), number, activity, given_up })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.remove(&self.number).is_some() {
            metrics::gauge!("tripwasm_connections").decrement(1.0);
        }
        self.places.left.notify_one();
    }
}
