//! Tells of most events at a glance that they match no rule, without reading them.
//!
//! For each rule the build notes what an event has to carry in a few fields (`ways.rs`). The keys of these fields are
//! looked for in the bytes (`finder.rs`), wherever they stand: a value found may stand elsewhere than the field, so more may
//! be taken for possible than is, never less. What a value means for the rules is remembered.
//!
//! What is relied on: the event is JSON, without space between key, colon and value, no object has a key twice, and keys
//! are written without escapes that JSON does not ask for. So Fluent Bit writes its records.

mod finder;
mod gates;
mod glance;
mod ways;

use super::compiled::{Compiled, Tables};
use super::decide::{NO_STEP, Recall, Seen};
use super::test::passes;
use super::value::Value;
use crate::limits::{SIEVE_MASKS_MAX, SIEVE_WAYS_MAX};
use crate::scan::Kind;
use finder::Finder;
use gates::{Door, choose, doors};
pub(crate) use glance::{Glance, Sighting, depth};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tripwasm_plan::{FieldId, Logic, Plan, PredicateId, Test};
use ways::{Way, ways};

/// What is looked for, and what was seen.
#[derive(Debug, Clone)]
pub(crate) struct Sieve {
    finder: Finder,
    /// Parallel to the finder's keys.
    keys: Vec<Key>,
    gates: Gates,
    times: Times,
}

/// Which fields tell an event's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// There are no windows.
    Unneeded,
    /// One, behind a key.
    One,
    /// Others, too, where the one behind the key has no time.
    Several,
}

/// What a key says.
#[derive(Debug, Clone, Default)]
struct Key {
    /// Gates that its value is for.
    values: Vec<usize>,
    /// What is wanted of its object.
    insides: Vec<Inside>,
    /// Whether the event's time stands behind it.
    is_time: bool,
}

/// A member of an object.
#[derive(Debug, Clone)]
struct Inside {
    /// The gate that its value is for.
    gate: usize,
    /// Its key, with its quotes and a colon.
    key: Vec<u8>,
    /// For where it does not stand among the first members.
    finder: Finder,
}

/// Fields whose values say which ways are open.
#[derive(Debug, Clone)]
struct Gates {
    /// For each its tests, and the ways that are open where one holds.
    tests: Vec<Vec<(PredicateId, Vec<u64>)>>,
    /// Numbers that a set of ways takes, a bit each.
    words: usize,
    /// The gates' sets of ways that need none of their values, one behind the other.
    free: Vec<u64>,
    /// The same of the event that is looked at, with the ways that its values open.
    open: Vec<u64>,
    /// Sets of ways that values open, by number; the first is empty.
    masks: Vec<u64>,
    /// Numbers of these sets by gate and value.
    recall: Recall,
    folded: String,
}

impl Sieve {
    /// Nothing if there are rules that may match whatever a few fields say.
    pub(crate) fn new(plan: &Plan, compiled: &Compiled) -> Option<Sieve> {
        let conditions = plan.rules.iter().filter_map(|rule| match &rule.logic {
            Logic::Detection(condition) => Some(condition),
            Logic::Correlation(_) => None,
        });
        let ways: Vec<Way> = conditions.flat_map(|condition| ways(&compiled.tables, condition)).collect();
        let chosen = choose(&plan.fields, &ways).filter(|_| ways.len() <= SIEVE_WAYS_MAX)?;
        let mut keys: BTreeMap<&str, Key> = BTreeMap::new();
        for (gate, field) in chosen.iter().enumerate() {
            for Door { key, inner } in doors(&plan.fields, *field)? {
                let key = keys.entry(key).or_default();
                match inner {
                    None => key.values.push(gate),
                    Some(inner) => key.insides.push(Inside {
                        gate,
                        key: format!("\"{inner}\":").into_bytes(),
                        finder: Finder::new(&[inner])?,
                    }),
                }
            }
        }
        let mut times = Times::Unneeded;
        if plan.rules.iter().any(|rule| matches!(rule.logic, Logic::Correlation(_))) {
            keys.entry(time_key(plan)?).or_default().is_time = true;
            times = if plan.time.len() == 1 { Times::One } else { Times::Several };
        }
        let texts: Vec<&str> = keys.keys().copied().collect();
        let finder = Finder::new(&texts)?;
        Some(Sieve { finder, keys: keys.into_values().collect(), gates: Gates::new(&chosen, &ways), times })
    }
}

/// The key at the top of an event that its time stands behind, as a rule.
fn time_key(plan: &Plan) -> Option<&str> {
    let doors = doors(&plan.fields, *plan.time.first()?)?;
    match doors.as_slice() {
        [Door { key, inner: None }] => Some(*key),
        _ => None,
    }
}

impl Gates {
    fn new(fields: &[FieldId], ways: &[Way]) -> Gates {
        let words = ways.len().div_ceil(64);
        let set = |is_in: &dyn Fn(&Way) -> bool| {
            let mut set = vec![0; words];
            for (number, way) in ways.iter().enumerate() {
                if let Some(word) = set.get_mut(number / 64) {
                    *word |= u64::from(is_in(way)) << (number % 64);
                }
            }
            set
        };
        let tests = fields.iter().map(|field| {
            let mut tests: Vec<PredicateId> =
                ways.iter().filter_map(|way| way.0.get(field)).flatten().copied().collect();
            crate::order::sort_by(&mut tests, &Ord::cmp);
            tests.dedup();
            let asked = |test: PredicateId| {
                let asks = |way: &Way| way.0.get(field).is_some_and(|tests| tests.contains(&test));
                (test, set(&asks))
            };
            tests.into_iter().map(asked).collect()
        });
        let free: Vec<u64> =
            fields.iter().flat_map(|field| set(&|way: &Way| !way.0.contains_key(field))).collect();
        Gates {
            tests: tests.collect(),
            words,
            open: free.clone(),
            free,
            masks: vec![0; words],
            recall: Recall::default(),
            folded: String::new(),
        }
    }

    /// Before an event.
    #[inline]
    fn shut(&mut self) {
        self.open.iter_mut().zip(&self.free).for_each(|(open, free)| *open = *free);
    }

    /// Opens the ways that a value opens. Nothing if it is too long to be remembered.
    #[inline]
    fn take(&mut self, tables: &Tables, gate: usize, kind: Kind, text: &[u8]) -> Option<()> {
        if let Some([(id, ways)]) = self.tests.get(gate).map(Vec::as_slice) {
            // One test is asked sooner than a value is remembered that does not come again.
            if holds(tables, *id, &value_of(kind, text)?, &mut self.folded) {
                let open = self.open.get_mut(gate * self.words..).unwrap_or_default();
                open.iter_mut().zip(ways).for_each(|(open, ways)| *open |= ways);
            }
            return Some(());
        }
        let seen = Seen::of(kind, text)?;
        let mut mask = self.recall.get(gate as u32, &seen);
        if mask == NO_STEP {
            mask = self.learn(tables, gate, kind, text, &seen)?;
        }
        if mask > 0 {
            let masks = self.masks.get(mask as usize * self.words..).unwrap_or_default();
            let open = self.open.get_mut(gate * self.words..(gate + 1) * self.words).unwrap_or_default();
            open.iter_mut().zip(masks).for_each(|(open, mask)| *open |= mask);
        }
        Some(())
    }

    /// Whether a way is open through all gates.
    #[inline]
    fn is_passable(&self) -> bool {
        let passes_all = |word: usize| {
            let of_gates = self.open.iter().skip(word).step_by(self.words.max(1));
            of_gates.fold(u64::MAX, |all, open| all & open) != 0
        };
        (0..self.words).any(passes_all)
    }

    /// Asks the tests about a value that is not remembered.
    #[cold]
    #[inline(never)]
    fn learn(
        &mut self,
        tables: &Tables,
        gate: usize,
        kind: Kind,
        text: &[u8],
        seen: &Seen<'_>,
    ) -> Option<u32> {
        let value = value_of(kind, text)?;
        let mut mask = vec![0; self.words];
        for (id, ways) in self.tests.get(gate)? {
            if holds(tables, *id, &value, &mut self.folded) {
                mask.iter_mut().zip(ways).for_each(|(mask, ways)| *mask |= ways);
            }
        }
        let known = self.masks.chunks_exact(self.words).position(|known| known == mask);
        let number = known.unwrap_or_else(|| {
            if self.masks.len() >= SIEVE_MASKS_MAX * self.words {
                self.masks.truncate(self.words);
                self.recall.clear();
            }
            self.masks.extend(&mask);
            self.masks.len() / self.words - 1
        });
        self.recall.put(gate as u32, seen, number as u32);
        Some(number as u32)
    }
}

/// A scalar that is no number; a text has no escapes.
#[inline]
fn value_of(kind: Kind, text: &[u8]) -> Option<Value<'_>> {
    Some(match kind {
        Kind::Null => Value::Null,
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        _ => Value::Text(Cow::Borrowed(core::str::from_utf8(text).ok()?)),
    })
}

/// Whether a value of a field lets a test of it hold.
fn holds(tables: &Tables, id: PredicateId, value: &Value<'_>, folded: &mut String) -> bool {
    let Some(predicate) = tables.predicates.get(id.0 as usize) else { return false };
    matches!(predicate.test, Test::Exists) || passes(&predicate.test, value, tables.dfa(id), folded)
}
