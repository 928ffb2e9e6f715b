//! Which fields a sieve looks at, and the keys that their values stand behind.

use super::finder::{KEY_BYTES_MIN, leap_of};
use super::ways::Way;
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Field, FieldId, FieldSource};

/// Fields that are looked at, at most: more of them hold more events back, and each costs time.
const GATES_MAX: usize = 8;

/// From that length on a key lets a search leap as far as it can.
const LONG_KEY_BYTES: usize = 9;

/// A key to be found, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Door<'p> {
    pub(super) key: &'p str,
    /// The value's own key, if what is found is the object around it.
    pub(super) inner: Option<&'p str>,
}

/// The keys that stand before the values of a path, wherever it leads through; none if one of them is too short, or might
/// be written in several ways.
pub(super) fn doors<'p>(fields: &'p [Field], field: FieldId) -> Option<Vec<Door<'p>>> {
    let FieldSource::Path(path) = &fields.get(field.0 as usize)?.source else { return None };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'.');
    if !path.bytes().all(is_plain) {
        return None;
    }
    let whole = Door { key: path, inner: None };
    let doors = match path.rsplit_once('.') {
        None => vec![whole],
        Some((before, last)) => {
            let parent = before.rsplit('.').next().unwrap_or_default();
            if last.len() >= LONG_KEY_BYTES || parent.len() <= last.len() {
                vec![Door { key: last, inner: None }, whole]
            } else {
                vec![Door { key: parent, inner: Some(last) }, whole]
            }
        }
    };
    let is_long = |door: &Door<'_>| door.inner.unwrap_or(door.key).len() >= KEY_BYTES_MIN;
    doors.iter().all(is_long).then_some(doors)
}

/// Fields of which every way needs one or more: as few and with as long keys as possible, and then some more that many
/// ways need. Nothing if there are no such fields.
pub(super) fn choose(fields: &[Field], ways: &[Way]) -> Option<Vec<FieldId>> {
    let mut needed: BTreeMap<FieldId, BTreeSet<usize>> = BTreeMap::new();
    for (number, way) in ways.iter().enumerate() {
        for field in way.0.keys().filter(|field| doors(fields, **field).is_some()) {
            needed.entry(*field).or_default().insert(number);
        }
    }
    let leap = |field: &FieldId| {
        let shortest = doors(fields, *field)?.iter().map(|door| door.key.len()).min()?;
        leap_of(shortest)
    };
    let leaps: BTreeSet<usize> = needed.keys().filter_map(leap).collect();
    leaps.into_iter().rev().find_map(|least| {
        let with_long_keys = needed.iter().filter(|(field, _)| leap(field) >= Some(least));
        cover(ways.len(), with_long_keys.collect())
    })
}

/// Fields that cover all ways, the one of the most ways first; and then others of many ways.
fn cover(ways: usize, mut fields: Vec<(&FieldId, &BTreeSet<usize>)>) -> Option<Vec<FieldId>> {
    let mut uncovered: BTreeSet<usize> = (0..ways).collect();
    let mut chosen = Vec::new();
    let count = |of: &BTreeSet<usize>, uncovered: &BTreeSet<usize>| of.intersection(uncovered).count();
    while !uncovered.is_empty() {
        let best = (0..fields.len())
            .rev()
            .max_by_key(|&at| fields.get(at).map_or(0, |(_, of)| count(of, &uncovered)))?;
        let (field, of) = fields.remove(best);
        if count(of, &uncovered) == 0 || chosen.len() == GATES_MAX {
            return None;
        }
        uncovered.retain(|way| !of.contains(way));
        chosen.push(*field);
    }
    fields.retain(|(_, of)| of.len() * GATES_MAX >= ways);
    while chosen.len() < GATES_MAX
        && let Some(best) =
            (0..fields.len()).rev().max_by_key(|&at| fields.get(at).map_or(0, |(_, of)| of.len()))
    {
        chosen.push(*fields.remove(best).0);
    }
    Some(chosen)
}
