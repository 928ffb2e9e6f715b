//! Usual events in one go: from value to value, over gaps that were learned.
//!
//! A walk is sure of what it says or says nothing: whatever is wrong is left to [`super::tokens`], which finds the reason.

use super::Scanner;
use super::gap::learn;
use super::json::after_number;
use super::learned::{BEGIN, Effect, Gap, GapId, Known, Learned, Then};
use super::marks::Marks;
use super::places::Spot;
use super::spans::{Kind, Span};
use super::tokens::Frame;
use super::trie::{NO_NODE, NodeId, PathTrie};

/// Where an event that was walked ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Behind the last byte of its line.
    pub(super) line: usize,
    /// Behind the line feed, if there is one.
    pub(super) feed: usize,
}

/// How far an event was read: to the end of a value.
#[derive(Debug, Clone, Copy)]
struct Standpoint {
    at: usize,
    spot: Spot,
    /// The gap before the value.
    before: GapId,
    /// What kind of event it is; 0 until that is known.
    subject: u32,
}

/// A gap and the value behind it.
#[derive(Debug, Clone, Copy)]
struct Step {
    gap: GapId,
    kind: Kind,
    start: usize,
    end: usize,
}

/// Steps whose meaning was not noted yet; reused from event to event.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    all: [Step; STEPS_MAX],
    count: usize,
}

/// Usual events have fewer values that are wanted.
const STEPS_MAX: usize = 64;

impl Default for Steps {
    fn default() -> Steps {
        Steps { all: [Step { gap: BEGIN, kind: Kind::Null, start: 0, end: 0 }; STEPS_MAX], count: 0 }
    }
}

impl Scanner {
    /// Reads the event that begins at a place, to the end of its line; spans are told from its first byte. Nothing if it is
    /// wrong; then nothing of it counts.
    pub(super) fn walk(
        &mut self,
        learned: &mut Learned,
        trie: &PathTrie,
        marks: &mut Marks<'_>,
        event: usize,
    ) -> Option<End> {
        if marks.bytes().get(event) != Some(&b'{') {
            return None;
        }
        self.begin(trie);
        self.enter_event(trie);
        learned.begin();
        self.steps.count = 0;
        let mut point = Standpoint { at: event, spot: Spot::BEGIN, before: BEGIN, subject: 0 };
        loop {
            point = stride(learned, marks, &mut self.steps, point);
            if self.steps.count == STEPS_MAX {
                self.note_steps(learned, trie, marks.bytes(), event)?;
            }
            let end = self.step(learned, trie, marks, &mut point)?;
            if end.is_some() {
                self.note_steps(learned, trie, marks.bytes(), event)?;
                return end;
            }
        }
    }

    /// Goes over one gap and the value behind it, whatever they are; or to the end of the line, which it tells.
    #[inline(never)]
    fn step(
        &mut self,
        learned: &mut Learned,
        trie: &PathTrie,
        marks: &mut Marks<'_>,
        point: &mut Standpoint,
    ) -> Option<Option<End>> {
        let bytes = marks.bytes();
        let id = next_gap(learned, trie, marks, point)?;
        let gap = learned.gap(id)?;
        let start = point.at + usize::from(gap.length);
        let (end, kind) = match gap.then {
            Then::Text => marks.string_end(start)?,
            Then::Number => (after_number(bytes, start).ok()?, Kind::Number),
            Then::Line | Then::Nothing => (start, Kind::Null),
        };
        self.steps.put(gap, Step { gap: id, kind, start, end });
        if gap.is_subject {
            point.subject = subject_of(bytes, start, end);
        }
        (point.at, point.spot, point.before) = (end, gap.to, id);
        Some(match gap.then {
            Then::Text | Then::Number => None,
            Then::Line => Some(End { line: end - 1, feed: end }),
            Then::Nothing => Some(End { line: end, feed: end }),
        })
    }

    /// Notes what the steps so far mean, in an event that begins at `event`.
    #[inline(never)]
    fn note_steps(&mut self, learned: &Learned, trie: &PathTrie, bytes: &[u8], event: usize) -> Option<()> {
        for number in 0..self.steps.count {
            let Step { gap, kind, start, end } = *self.steps.all.get(number)?;
            let gap = learned.gap(gap)?;
            if gap.has_effects() {
                let at = start - usize::from(gap.length);
                self.apply(trie, learned.effects(gap), bytes, event, at)?;
            }
            if gap.node != NO_NODE {
                if gap.is_member {
                    self.meet_member(trie, gap.node);
                }
                self.spans.push(gap.node, !gap.is_member, Span::apart(kind, start - event, end - event));
            }
        }
        self.steps.count = 0;
        Some(())
    }

    fn enter_event(&mut self, trie: &PathTrie) {
        self.objects += 1;
        self.stack.push(Frame { node: trie.root(), object: self.objects, span: None });
    }

    #[inline(always)]
    fn meet_member(&mut self, trie: &PathTrie, node: NodeId) {
        let object = self.stack.last().map_or(0, |top| top.object);
        self.meet(trie, node, object);
    }

    /// What a gap at `at` means, in an event that begins at `event`.
    #[inline(always)]
    fn apply(
        &mut self,
        trie: &PathTrie,
        effects: &[Effect],
        bytes: &[u8],
        event: usize,
        at: usize,
    ) -> Option<()> {
        let place = |offset: u32| at - event + offset as usize;
        for effect in effects {
            match *effect {
                Effect::Open { node, is_object, is_member, start } => {
                    if is_member {
                        self.meet_member(trie, node);
                    }
                    let kind = if is_object { Kind::Object } else { Kind::Array };
                    let span = Span::apart(kind, place(start), place(start));
                    let span = Some(self.spans.push(node, !is_member, span));
                    self.objects += u64::from(is_object);
                    let object = if is_object { self.objects } else { 0 };
                    self.stack.push(Frame { node, object, span });
                }
                Effect::Close { end } => {
                    if let Frame { span: Some(span), .. } = self.stack.pop()? {
                        self.spans.complete(span, place(end));
                    }
                }
                Effect::Word { node, kind, is_member, start, end } => {
                    if is_member {
                        self.meet_member(trie, node);
                    }
                    self.spans.push(node, !is_member, Span::apart(kind, place(start), place(end)));
                }
                Effect::Reserved { start, end, is_escaped } => {
                    self.reserve(bytes.get(at + start as usize..at + end as usize)?, is_escaped);
                }
            }
        }
        Some(())
    }
}

impl Steps {
    /// Adds a step, if it means something; false if there is no room for it.
    #[inline(always)]
    fn put(&mut self, gap: &Gap, step: Step) -> bool {
        if !gap.means_something() {
            return true;
        }
        let Some(place) = self.all.get_mut(self.count) else { return false };
        *place = step;
        self.count += 1;
        true
    }
}

/// Goes on from a point over all gaps that are expected and texts that are plain, as far as there is room for steps.
///
/// This is the innermost loop. It calls nothing, so that what it holds stays in registers.
#[inline(never)]
fn stride(learned: &Learned, marks: &Marks<'_>, steps: &mut Steps, from: Standpoint) -> Standpoint {
    let bytes = marks.bytes();
    let Standpoint { mut at, mut spot, mut before, mut subject } = from;
    while let Some((id, gap)) = learned.expected(before, subject, spot, bytes, at)
        && gap.then == Then::Text
        && let start = at + usize::from(gap.length)
        && let Some(end) = marks.plain_end(start)
        && steps.put(gap, Step { gap: id, kind: Kind::Text, start, end })
    {
        if gap.is_subject {
            subject = subject_of(bytes, start, end);
        }
        (at, spot, before) = (end, gap.to, id);
    }
    Standpoint { at, spot, before, subject }
}

/// What tells values apart well enough for guesses: the bytes around the value's ends.
#[inline(always)]
fn subject_of(bytes: &[u8], start: usize, end: usize) -> u32 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |at: usize| {
        let chunk = bytes.get(at..).and_then(|rest| rest.first_chunk());
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    };
    ((word(start) ^ word(end.saturating_sub(8)).rotate_left(29)).wrapping_mul(SPREAD) >> 40) as u32
}

/// The gap at a point: if it is not among those that were met behind the one before lately, it is read.
fn next_gap(
    learned: &mut Learned,
    trie: &PathTrie,
    marks: &mut Marks<'_>,
    point: &Standpoint,
) -> Option<GapId> {
    let Standpoint { at, spot, before, subject } = *point;
    let id = match learned.known(before, subject, spot, marks.bytes().get(at..)?) {
        Some(Known::Expected(id)) => return Some(id),
        Some(Known::Unexpected(id)) => id,
        None => learn(learned, trie, spot, marks, at)?,
    };
    learned.note(before, subject, id);
    Some(id)
}

#[cfg(test)]
mod tests;
