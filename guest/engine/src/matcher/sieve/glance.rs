//! One event at a glance.

use super::finder::begins;
use super::{Gates, Inside, Key, Sieve, Times};
use crate::matcher::Compiled;
use crate::matcher::compiled::Tables;
use crate::scan::{Kind, WORD_BYTES, bits, each, first_zero, zeros};
use core::ops::Range;

/// What a glance at an event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Glance {
    /// It has to be read.
    Unsure,
    /// It matches no rule.
    Nothing {
        /// What may be its time, if that matters.
        time: Option<Sighting>,
    },
}

/// A text of 20 bytes that may be an event's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Where its key begins.
    pub(crate) key: usize,
    pub(crate) text: Range<usize>,
    /// Whether the event may have a time elsewhere.
    pub(crate) is_one_of_several: bool,
}

/// The form of a time that CloudTrail writes.
const TIME_BYTES: usize = 20;

impl Sieve {
    /// Looks at an event.
    pub(crate) fn look(&mut self, compiled: &Compiled, event: &[u8]) -> Glance {
        self.look_for_all(compiled, event).unwrap_or(Glance::Unsure)
    }

    fn look_for_all(&mut self, compiled: &Compiled, event: &[u8]) -> Option<Glance> {
        let Sieve { finder, keys, gates, times } = self;
        let is_one_of_several = *times == Times::Several;
        let tables = &compiled.tables;
        gates.shut();
        let (mut from, mut time) = (0, None);
        while let Some(hit) = finder.find(event, from) {
            from = hit.behind;
            let Key { values, insides, is_time } = keys.get(hit.key)?;
            if *is_time {
                let text = hit.behind + 1..hit.behind + 1 + TIME_BYTES;
                let is_usual = event.get(hit.behind) == Some(&b'"') && event.get(text.end) == Some(&b'"');
                let sighting = Sighting { key: hit.at, text, is_one_of_several };
                if !is_usual || time.replace(sighting).is_some() {
                    return None;
                }
            }
            for &gate in values {
                let (kind, text) = scalar(event, hit.behind)?;
                gates.take(tables, gate, kind, text)?;
            }
            if !insides.is_empty() {
                take_members(gates, tables, insides, event, hit.behind)?;
            }
        }
        if is_one_of_several && time.is_none() {
            return None;
        }
        Some(if gates.is_passable() { Glance::Unsure } else { Glance::Nothing { time } })
    }
}

/// Takes what is wanted of the object at a place: member by member as long as they are scalars; what was not met then may
/// stand anywhere behind.
fn take_members(
    gates: &mut Gates,
    tables: &Tables,
    wanted: &[Inside],
    event: &[u8],
    place: usize,
) -> Option<()> {
    if event.get(place..).is_some_and(|value| value.starts_with(b"{}")) {
        return Some(());
    }
    let (mut at, mut met) = (place, 0_u64);
    let all = (1 << wanted.len()) - 1;
    // Behind the brace, and then behind each comma.
    while let Some(b'{' | b',') = event.get(at)
        && met != all
    {
        let member = event.get(at + 1..)?;
        if member.first() != Some(&b'"') {
            break;
        }
        let is_it = |inside: &Inside| begins(member, &inside.key);
        let number = wanted.iter().position(is_it);
        let Some(key_end) = plain_end(event, at + 2) else { break };
        let Some((kind, text)) = scalar(event, key_end + 2) else { break };
        if let Some(inside) = number.and_then(|number| wanted.get(number)) {
            gates.take(tables, inside.gate, kind, text)?;
            met |= number.map_or(0, |number| 1 << number);
        }
        at = key_end + 2 + text.len() + if kind == Kind::Text { 2 } else { 0 };
    }
    if event.get(at) == Some(&b'}') && at > place {
        return Some(());
    }
    for (number, Inside { gate, finder, .. }) in wanted.iter().enumerate() {
        let mut from = at;
        while met & (1 << number) == 0
            && let Some(hit) = finder.find(event, from)
        {
            let (kind, text) = scalar(event, hit.behind)?;
            gates.take(tables, *gate, kind, text)?;
            from = hit.behind;
        }
    }
    Some(())
}

/// The scalar at a place, if it is a text without escapes or a word.
#[inline]
fn scalar(event: &[u8], at: usize) -> Option<(Kind, &[u8])> {
    let (kind, bytes) = match event.get(at)? {
        b'"' => {
            let start = at + 1;
            return Some((Kind::Text, event.get(start..plain_end(event, start)?)?));
        }
        b'n' => (Kind::Null, 4),
        b't' => (Kind::True, 4),
        b'f' => (Kind::False, 5),
        _ => return None,
    };
    Some((kind, event.get(at..at + bytes)?))
}

/// Where a string ends whose inside begins at a place, if it has no escapes.
#[inline]
fn plain_end(event: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = event.get(at..)?.first_chunk() {
        let word = u64::from_le_bytes(*word);
        let found = first_zero(word ^ each(b'"')) | first_zero(word ^ each(b'\\'));
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return (event.get(at) == Some(&b'"')).then_some(at);
        }
        at += WORD_BYTES;
    }
    let length = event.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    (event.get(at + length) == Some(&b'"')).then_some(at + length)
}

/// How deep the end of the beginning of an event lies in it; nothing if that takes reading, as where there are escapes.
pub(crate) fn depth(beginning: &[u8]) -> Option<usize> {
    let (words, rest) = beginning.as_chunks();
    let mut last = [b' '; WORD_BYTES];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let (mut opened, mut closed, mut inside) = (0, 0, 0);
    for word in words.iter().chain([&last]) {
        let word = u64::from_le_bytes(*word);
        if first_zero(word ^ each(b'\\')) != 0 {
            return None;
        }
        // Each bit tells whether an odd number of quotes stands up to its byte.
        let mut quoted = bits(zeros(word ^ each(b'"')));
        quoted ^= quoted << 1;
        quoted ^= quoted << 2;
        quoted ^= quoted << 4;
        quoted = (quoted ^ inside) & 0xff;
        inside = if quoted & 0x80 == 0 { 0 } else { 0xff };
        // Square brackets become braces.
        let braces = word | each(0x20);
        opened += (bits(zeros(braces ^ each(b'{'))) & !quoted).count_ones() as usize;
        closed += (bits(zeros(braces ^ each(b'}'))) & !quoted).count_ones() as usize;
    }
    if inside == 0 { opened.checked_sub(closed) } else { None }
}
