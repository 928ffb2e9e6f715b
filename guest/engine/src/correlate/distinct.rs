//! Distinct tuples of values and when each was last seen.

use super::key::Key;
use crate::id::hash_of;
use crate::wire::{Reader, Wire, put_signed, put_varint};
use hashbrown::HashTable;
use tripwasm_plan::Timestamp;

/// The tuples seen last, as many as the condition can tell apart.
///
/// Events come in order of time, so the order of the last sightings is the order of their times: a list from the one seen
/// longest ago to the one seen last runs through `seen`.
#[derive(Debug, Clone)]
pub(super) struct Distinct {
    seen: Vec<Seen>,
    oldest: u32,
    newest: u32,
    /// Where a tuple stands in `seen`; empty while they are few, for then looking at each is faster.
    index: HashTable<u32>,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    tuple: Key,
    hash: u64,
    time: Timestamp,
    older: u32,
    newer: u32,
}

/// The end of the list.
const NOBODY: u32 = u32::MAX;

/// So many tuples are found without an index.
const UNINDEXED_MAX: usize = 32;

/// A tuple with its place in the list and the index, without its text.
const TUPLE_BYTES: u64 = 76;

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct { seen: Vec::new(), oldest: NOBODY, newest: NOBODY, index: HashTable::new(), bytes: 0 }
    }
}

impl Distinct {
    /// Takes in the key of a tuple. Beyond `count_max` the one seen longest ago goes: more are as good as that many.
    pub(super) fn see(&mut self, tuple: &[u8], time: Timestamp, count_max: u64) {
        let hash = hash_of(tuple);
        match self.find(hash, tuple) {
            Some(at) => {
                self.unlink(at);
                if let Some(seen) = self.seen.get_mut(at as usize) {
                    seen.time = time;
                }
                self.link(at);
            }
            None => self.push(Key::of_bytes(tuple), hash, time),
        }
        while self.count() > count_max {
            self.drop_oldest();
        }
    }

    /// Lets go of what was last seen at `until` or before.
    pub(super) fn expire(&mut self, until: Timestamp) {
        while self.seen.get(self.oldest as usize).is_some_and(|seen| seen.time <= until) {
            self.drop_oldest();
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.seen.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn find(&self, hash: u64, tuple: &[u8]) -> Option<u32> {
        let is_it = |seen: &Seen| seen.hash == hash && seen.tuple.bytes() == tuple;
        if self.index.is_empty() {
            return self.seen.iter().position(is_it).and_then(|at| u32::try_from(at).ok());
        }
        self.index.find(hash, |&at| self.seen.get(at as usize).is_some_and(is_it)).copied()
    }

    fn push(&mut self, tuple: Key, hash: u64, time: Timestamp) {
        let Ok(at) = u32::try_from(self.seen.len()) else { return };
        self.bytes += tuple_bytes(&tuple);
        self.seen.push(Seen { tuple, hash, time, older: NOBODY, newer: NOBODY });
        self.link(at);
        if self.seen.len() > UNINDEXED_MAX {
            let from = if self.index.is_empty() { 0 } else { at };
            (from..=at).for_each(|at| self.put_into_index(at));
        }
    }

    fn drop_oldest(&mut self) {
        let at = self.oldest;
        self.unlink(at);
        self.take_out_of_index(at);
        let last = (self.seen.len() - 1) as u32;
        if last != at {
            self.take_out_of_index(last);
        }
        let gone = self.seen.swap_remove(at as usize);
        self.bytes -= tuple_bytes(&gone.tuple);
        if last != at {
            self.rename(at);
            if self.seen.len() > UNINDEXED_MAX || !self.index.is_empty() {
                self.put_into_index(at);
            }
        }
    }

    /// Puts the tuple at the end of the list.
    fn link(&mut self, at: u32) {
        let newest = std::mem::replace(&mut self.newest, at);
        if let Some(seen) = self.seen.get_mut(at as usize) {
            (seen.older, seen.newer) = (newest, NOBODY);
        }
        match self.seen.get_mut(newest as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(seen) = self.seen.get(at as usize) else { return };
        self.join(seen.older, seen.newer);
    }

    /// The tuple at `at` stood elsewhere: its neighbours hear of it.
    fn rename(&mut self, at: u32) {
        let Some(seen) = self.seen.get(at as usize) else { return };
        let (older, newer) = (seen.older, seen.newer);
        self.join(older, at);
        self.join(at, newer);
        if let Some(seen) = self.seen.get_mut(at as usize) {
            (seen.older, seen.newer) = (older, newer);
        }
    }

    /// Makes two neighbours of each other.
    fn join(&mut self, older: u32, newer: u32) {
        match self.seen.get_mut(older as usize) {
            Some(seen) => seen.newer = newer,
            None => self.oldest = newer,
        }
        match self.seen.get_mut(newer as usize) {
            Some(seen) => seen.older = older,
            None => self.newest = older,
        }
    }

    fn put_into_index(&mut self, at: u32) {
        let seen = &self.seen;
        let hash = |at: &u32| seen.get(*at as usize).map_or(0, |seen| seen.hash);
        self.index.insert_unique(hash(&at), at, hash);
    }

    fn take_out_of_index(&mut self, at: u32) {
        let Some(seen) = self.seen.get(at as usize) else { return };
        if let Ok(entry) = self.index.find_entry(seen.hash, |other| *other == at) {
            entry.remove();
        }
    }
}

impl Wire for Distinct {
    /// In order of sighting.
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.count());
        let (mut at, mut time) = (self.oldest, 0);
        while let Some(seen) = self.seen.get(at as usize) {
            seen.tuple.write(out);
            put_signed(out, seen.time.wrapping_sub(time));
            (at, time) = (seen.newer, seen.time);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Distinct> {
        let mut distinct = Distinct::default();
        let mut time: Timestamp = 0;
        for _ in 0..from.length()? {
            let tuple = Key::read(from)?;
            time = time.wrapping_add(from.signed()?);
            let hash = hash_of(tuple.bytes());
            distinct.push(tuple, hash, time);
        }
        Some(distinct)
    }
}

fn tuple_bytes(tuple: &Key) -> u64 {
    TUPLE_BYTES + tuple.bytes().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::Texts;
    use std::collections::BTreeMap;

    /// The same with nothing but a map.
    #[derive(Default)]
    struct Plain(BTreeMap<Vec<String>, Timestamp>);

    impl Plain {
        fn see(&mut self, tuple: &[String], time: Timestamp, count_max: u64) {
            self.0.insert(tuple.to_vec(), time);
            while self.0.len() as u64 > count_max {
                let oldest = self.0.iter().min_by_key(|(_, time)| **time).map(|(tuple, _)| tuple.clone());
                self.0.remove(&oldest.unwrap());
            }
        }
    }

    #[test]
    fn it_counts_as_a_map_does() {
        for (values, count_max, span) in [(7, 5, 20), (40, 1000, 100), (300, 100, 5000), (300, 1000, 200)] {
            let (mut distinct, mut plain) = (Distinct::default(), Plain::default());
            let mut random: u64 = 1;
            for time in 0..3000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let tuple = [format!("v{}", (random >> 33) % values), "x".to_owned()];
                distinct.expire(time - span);
                plain.0.retain(|_, seen| *seen > time - span);
                distinct.see(tuple.iter().collect::<Texts>().key(), time, count_max);
                plain.see(&tuple, time, count_max);
                let mut times: Vec<_> =
                    distinct.seen.iter().map(|seen| (seen.tuple.values(), seen.time)).collect();
                times.sort();
                assert_eq!(times, plain.0.clone().into_iter().collect::<Vec<_>>(), "at {time}");
                if time % 100 == 0 {
                    let mut bytes = Vec::new();
                    distinct.write(&mut bytes);
                    distinct = Distinct::read(&mut Reader::new(&bytes)).unwrap();
                    let mut again = Vec::new();
                    distinct.write(&mut again);
                    assert_eq!(bytes, again);
                }
            }
            let texts: u64 = distinct.seen.iter().map(|seen| tuple_bytes(&seen.tuple)).sum();
            assert_eq!(distinct.bytes, texts);
        }
    }
}
