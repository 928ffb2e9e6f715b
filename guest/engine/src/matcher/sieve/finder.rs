//! Finds some keys in the bytes of an event without reading the others, after Wu and Manber: four bytes are looked at, and
//! where they are part of no key, the search leaps over as many bytes as the shortest key allows.

/// So many bytes are looked at together.
const PROBE_BYTES: usize = 4;

/// Shortest key that is looked for.
pub(super) const KEY_BYTES_MIN: usize = 3;

/// How far a search may leap, told in bytes of the shortest key: a loop is compiled for each.
const LEAPS: [usize; 4] = [9, 8, 6, KEY_BYTES_MIN];

const HASH_BITS: u32 = 12;

/// Keys to be found.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    /// As they stand in an event: with their quotes and a colon.
    keys: Vec<Vec<u8>>,
    /// Bytes that a leap goes over.
    leap: usize,
    /// By the hash of four bytes: 0 where they are part of no key; else one more than the bytes up to where the beginning
    /// of a key might end.
    steps: Box<[u8; 1 << HASH_BITS]>,
    /// Keys whose beginning ends with four bytes of a hash, by hash.
    ends: Vec<(u16, usize)>,
}

/// A key that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its number.
    pub(super) key: usize,
    /// Where it begins, with its quote.
    pub(super) at: usize,
    /// Behind its colon.
    pub(super) behind: usize,
}

/// How far a search for keys of at least so many bytes leaps.
pub(super) fn leap_of(shortest_key: usize) -> Option<usize> {
    LEAPS.into_iter().find(|&leap| leap <= shortest_key)
}

impl Finder {
    /// Nothing if a key is too short.
    pub(super) fn new(keys: &[&str]) -> Option<Finder> {
        let leap = leap_of(keys.iter().map(|key| key.len()).min()?)?;
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| format!("\"{key}\":").into_bytes()).collect();
        let mut steps = Box::new([0; 1 << HASH_BITS]);
        let mut ends = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let beginning = key.get(..leap - 1 + PROBE_BYTES)?;
            for (before, probe) in beginning.windows(PROBE_BYTES).enumerate() {
                let hash = hash(probe.first_chunk()?);
                let left = (leap - 1 - before) as u8;
                let step = steps.get_mut(usize::from(hash))?;
                *step = if *step == 0 { left + 1 } else { (left + 1).min(*step) };
                if left == 0 {
                    ends.push((hash, number));
                }
            }
        }
        Some(Finder { keys, leap, steps, ends })
    }

    /// The first key whose beginning ends at or behind `from`, a place that an earlier search gave or 0.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<Hit> {
        match self.leap {
            9 => self.search::<9, { 3 * 9 + PROBE_BYTES }>(bytes, from),
            8 => self.search::<8, { 3 * 8 + PROBE_BYTES }>(bytes, from),
            6 => self.search::<6, { 3 * 6 + PROBE_BYTES }>(bytes, from),
            _ => self.search::<KEY_BYTES_MIN, { 3 * KEY_BYTES_MIN + PROBE_BYTES }>(bytes, from),
        }
    }

    /// `SPAN` are the bytes from the first to the last one of four probes.
    #[inline(always)]
    fn search<const LEAP: usize, const SPAN: usize>(&self, bytes: &[u8], from: usize) -> Option<Hit> {
        let mut at = from;
        loop {
            while let Some(span) = bytes.get(at..).and_then(<[u8]>::first_chunk::<SPAN>)
                && self.all_leap::<LEAP>(span)
            {
                at += 4 * LEAP;
            }
            let end = at + 4 * LEAP;
            while at < end {
                let step = self.step(bytes.get(at..)?.first_chunk()?);
                at += match step {
                    0 => LEAP,
                    1 => {
                        if let Some(hit) = self.ends_here(bytes, at) {
                            return Some(hit);
                        }
                        1
                    }
                    more => usize::from(more) - 1,
                };
            }
        }
    }

    /// Whether none of four probes is part of a key.
    #[inline(always)]
    fn all_leap<const LEAP: usize>(&self, span: &[u8]) -> bool {
        let probe = |number: usize| {
            let bytes = span.get(number * LEAP..).and_then(|rest| rest.first_chunk());
            bytes.map_or(0, |bytes| self.step(bytes))
        };
        probe(0) | probe(1) | probe(2) | probe(3) == 0
    }

    #[inline(always)]
    fn step(&self, probe: &[u8; PROBE_BYTES]) -> u8 {
        self.steps.get(usize::from(hash(probe))).copied().unwrap_or_default()
    }

    /// The key whose beginning ends with the probe at `at`.
    #[inline(never)]
    fn ends_here(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        let hash = hash(bytes.get(at..)?.first_chunk()?);
        let start = at.checked_sub(self.leap - 1)?;
        let rest = bytes.get(start..)?;
        let of_hash = self.ends.iter().filter(|(end, _)| *end == hash);
        let mut keys = of_hash.filter_map(|&(_, key)| Some((key, self.keys.get(key)?)));
        keys.find(|(_, text)| begins(rest, text)).map(|(key, text)| Hit {
            key,
            at: start,
            behind: start + text.len(),
        })
    }
}

/// Whether bytes begin with a key, which is longer than four.
#[inline]
pub(super) fn begins(bytes: &[u8], key: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..key.len()) else { return false };
    let words = |text: &[u8]| {
        let (words, _) = text.as_chunks::<4>();
        let last = text.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
        (words.len(), last)
    };
    words(bytes) == words(key)
        && bytes
            .as_chunks::<4>()
            .0
            .iter()
            .zip(key.as_chunks::<4>().0)
            .all(|(one, other)| u32::from_le_bytes(*one) == u32::from_le_bytes(*other))
}

#[inline(always)]
fn hash(probe: &[u8; PROBE_BYTES]) -> u16 {
    const SPREAD: u32 = 0x9e37_79b1;
    (u32::from_le_bytes(*probe).wrapping_mul(SPREAD) >> (32 - HASH_BITS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(finder: &Finder, bytes: &[u8]) -> Vec<(usize, usize)> {
        let (mut from, mut hits) = (0, Vec::new());
        while let Some(hit) = finder.find(bytes, from) {
            hits.push((hit.at, hit.key));
            from = hit.behind;
        }
        hits
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        let sets: [&[&str]; 4] = [
            &["eventName", "eventTime", "eventSource"],
            &["source", "sources", "eventName"],
            &["type"],
            &["aaaaaaaaa", "baaaaaaaaa"],
        ];
        for keys in sets {
            let finder = Finder::new(keys).unwrap();
            for pad in 0..80 {
                for (number, key) in keys.iter().enumerate() {
                    let text = format!(
                        "{{\"{}\":\"\\\"{key}\\\":\",\"{key}\":1,\"x{key}\":2,\"{key}x\":3,\"{key}\":[\"{key}\"]}}",
                        "p".repeat(pad)
                    );
                    let written = format!("\"{key}\":");
                    let places = text.match_indices(&written).map(|(at, _)| (at, number));
                    assert_eq!(all(&finder, text.as_bytes()), places.collect::<Vec<_>>(), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_ends_of_what_is_searched_are_seen() {
        let finder = Finder::new(&["eventName"]).unwrap();
        let text = b"\"eventName\":";
        assert_eq!(all(&finder, text), [(0, 0)]);
        for end in 0..text.len() {
            assert_eq!(all(&finder, &text[..end]), []);
        }
        assert!(Finder::new(&["ab", "eventName"]).is_none());
        assert!(Finder::new(&[]).is_none());
    }
}
