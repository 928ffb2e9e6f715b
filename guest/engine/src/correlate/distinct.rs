//! Distinct tuples of values and when each was last seen.

use super::fact::texts_bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tripwasm_plan::Timestamp;

type Tuple = Rc<[String]>;

/// The tuples seen last, as many as the condition can tell apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Tuple, Timestamp>", into = "BTreeMap<Tuple, Timestamp>")]
pub(super) struct Distinct {
    latest: BTreeMap<Tuple, Timestamp>,
    /// The same by time.
    by_time: BTreeSet<(Timestamp, Tuple)>,
    bytes: u64,
}

impl Distinct {
    /// Takes in a tuple. Beyond `count_max` the one seen longest ago goes: more are as good as that many.
    pub(super) fn see(&mut self, tuple: &[String], time: Timestamp, count_max: u64) {
        let tuple: Tuple = match self.latest.get_key_value(tuple) {
            Some((known, &before)) => {
                let known = Rc::clone(known);
                self.by_time.remove(&(before, Rc::clone(&known)));
                known
            }
            None => {
                self.bytes += tuple_bytes(tuple);
                tuple.into()
            }
        };
        self.latest.insert(Rc::clone(&tuple), time);
        self.by_time.insert((time, tuple));
        while self.count() > count_max {
            self.drop_first();
        }
    }

    /// Lets go of what was last seen at `until` or before.
    pub(super) fn expire(&mut self, until: Timestamp) {
        while self.by_time.first().is_some_and(|(time, _)| *time <= until) {
            self.drop_first();
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.latest.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn drop_first(&mut self) {
        if let Some((_, tuple)) = self.by_time.pop_first() {
            self.latest.remove(&tuple);
            self.bytes -= tuple_bytes(&tuple);
        }
    }
}

impl From<BTreeMap<Tuple, Timestamp>> for Distinct {
    fn from(latest: BTreeMap<Tuple, Timestamp>) -> Distinct {
        let by_time = latest.iter().map(|(tuple, &time)| (time, Rc::clone(tuple))).collect();
        let bytes = latest.keys().map(|tuple| tuple_bytes(tuple)).sum();
        Distinct { latest, by_time, bytes }
    }
}

impl From<Distinct> for BTreeMap<Tuple, Timestamp> {
    fn from(distinct: Distinct) -> BTreeMap<Tuple, Timestamp> {
        distinct.latest
    }
}

/// A tuple and its places in both trees.
fn tuple_bytes(tuple: &[String]) -> u64 {
    texts_bytes(tuple.iter()) + 64
}
