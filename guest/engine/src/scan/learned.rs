//! The gaps between the values of events, learned as they come.
//!
//! An event is a row of values (texts and numbers) with gaps between them: quotes, commas, keys, brackets, and the words
//! `true`, `false` and `null`. Events repeat their gaps: `","eventTime":"` stands in every one. A gap is read token by token
//! ([`super::gap`]) when it is met first, and kept with what it means; from then on one comparison reads it. Which gap comes
//! next is guessed. A wrong guess costs time and nothing else, for no gap counts before each of its bytes was compared.

use super::json::is_number_start;
use super::places::{Places, Spot};
use super::spans::Kind;
use super::trie::{NO_NODE, NodeId};
use super::vector::{VECTOR_BYTES, is_same, is_same_at};
use crate::id::hash_of;
use crate::limits::{LEARNED_GAPS_MAX, LEARNED_ITEMS_MAX};
use hashbrown::HashTable;

/// A gap, by its number among those met so far.
pub(super) type GapId = u32;

/// What stands before the first gap.
pub(super) const BEGIN: GapId = 0;

/// So many guesses are kept: several for each gap.
const GUESSES: usize = 4 * LEARNED_GAPS_MAX;

/// So many gaps are tried where the expected one does not stand.
const FOLLOWERS: usize = 6;

/// What a gap's bytes mean. Where it stands is told in bytes from the gap's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// A wanted container begins.
    Open { node: NodeId, is_object: bool, is_member: bool, start: u32 },
    /// The innermost wanted container ends.
    Close { end: u32 },
    /// A wanted value that is neither a text nor a number.
    Word { node: NodeId, kind: Kind, is_member: bool, start: u32, end: u32 },
    /// A key of the event that begins as those do that tags are spliced in under.
    Reserved { start: u32, end: u32, is_escaped: bool },
}

/// What follows a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A string, whose opening quote is the gap's last byte.
    Text,
    Number,
    /// The next line; the gap's last byte is the line feed.
    Line,
    /// Nothing at all.
    Nothing,
}

/// A gap that was found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    Expected(GapId),
    Unexpected(GapId),
}

/// What stands between two values. One is a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Gap {
    /// Its first bytes; zeros behind them if it is shorter.
    first: Block,
    /// Its last bytes, if it is longer than a block.
    last: Block,
    pub(super) from: Spot,
    /// Where the value behind it ends.
    pub(super) to: Spot,
    /// The place in the trie of the value behind it.
    pub(super) node: NodeId,
    /// Where the blocks stand that begin behind its first and end before its last bytes.
    middle: u32,
    first_effect: u32,
    pub(super) length: u16,
    /// Bits of the first block's bytes that are the gap's.
    first_bits: u16,
    effects: u8,
    pub(super) then: Then,
    /// Whether the value behind it is that of a wanted key.
    pub(super) is_member: bool,
    /// Whether the value behind it says what kind of event this is.
    pub(super) is_subject: bool,
}

impl Gap {
    /// Of no length yet, with nothing wanted behind it.
    pub(super) fn new(from: Spot, to: Spot, then: Then) -> Gap {
        Gap {
            first: Block::default(),
            last: Block::default(),
            from,
            to,
            node: NO_NODE,
            middle: 0,
            first_effect: 0,
            length: 0,
            first_bits: 0,
            effects: 0,
            then,
            is_member: false,
            is_subject: false,
        }
    }

    #[inline(always)]
    pub(super) fn has_effects(&self) -> bool {
        self.effects > 0
    }

    /// Whether something in it or behind it is wanted.
    #[inline(always)]
    pub(super) fn means_something(&self) -> bool {
        self.has_effects() || self.node != NO_NODE
    }
}

/// Gaps met so far. It says nothing about any event: results are the same without it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Learned {
    gaps: Vec<Gap>,
    /// For each gap those that came behind it unexpectedly, the last one first.
    followers: Vec<[GapId; FOLLOWERS]>,
    /// The bytes of long gaps, from the 17th on.
    blocks: Vec<Block>,
    effects: Vec<Effect>,
    pub(super) places: Places,
    /// Gaps by spot and bytes.
    index: HashTable<GapId>,
    /// Gaps by what stood before them.
    guesses: Vec<GapId>,
    /// How many gaps may be learned just now: each event allows one more.
    allowance: usize,
}

type Block = [u8; VECTOR_BYTES];

impl Learned {
    /// To be called before each event: makes room, and drops everything where there is none.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.allowance = (self.allowance + 1).min(LEARNED_GAPS_MAX);
        if self.gaps.is_empty() {
            self.allowance = LEARNED_GAPS_MAX;
            self.forget();
        } else if self.is_full() {
            self.forget();
        }
    }

    /// Whether a gap may be learned, which is dear: where events are never alike, it pays no more.
    pub(super) fn allows_another(&mut self) -> bool {
        match self.allowance.checked_sub(1) {
            Some(less) => self.allowance = less,
            None => return false,
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn forget(&mut self) {
        *self = Learned { allowance: self.allowance, ..Learned::default() };
        self.guesses.resize(GUESSES, BEGIN);
        // What stands before an event begins nowhere, so it is never found.
        self.gaps.push(Gap::new(Spot::NOWHERE, Spot::BEGIN, Then::Text));
        self.followers.push([BEGIN; FOLLOWERS]);
    }

    fn is_full(&self) -> bool {
        let items = self.blocks.len() + self.effects.len() + self.places.len();
        self.gaps.len() > LEARNED_GAPS_MAX || items > LEARNED_ITEMS_MAX
    }

    /// How many gaps are kept.
    #[cfg(test)]
    pub(super) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    #[inline(always)]
    pub(super) fn gap(&self, gap: GapId) -> Option<&Gap> {
        self.gaps.get(gap as usize)
    }

    /// The gap at `at`, if it is the one that is expected behind `before` in an event of this subject, and there is more than
    /// a little behind it.
    #[inline(always)]
    pub(super) fn expected(
        &self,
        before: GapId,
        subject: u32,
        spot: Spot,
        bytes: &[u8],
        at: usize,
    ) -> Option<(GapId, &Gap)> {
        let id = *self.guesses.get(slot(before, subject))?;
        let gap = self.gap(id)?;
        let rest = bytes.get(at..)?;
        (gap.from == spot && self.begins(gap, rest)?).then_some((id, gap))
    }

    /// The gap that stands here, if it is the expected one, or one of those that came behind `before` lately.
    pub(super) fn known(&self, before: GapId, subject: u32, spot: Spot, rest: &[u8]) -> Option<Known> {
        let guess = *self.guesses.get(slot(before, subject))?;
        if self.stands(guess, spot, rest) {
            return Some(Known::Expected(guess));
        }
        let followers = self.followers.get(before as usize)?;
        followers.iter().find(|&&id| self.stands(id, spot, rest)).map(|&id| Known::Unexpected(id))
    }

    /// Notes that `gap` came behind `before`, unexpectedly. It is expected from now on if it is the first one, or has come
    /// so twice in a row.
    pub(super) fn note(&mut self, before: GapId, subject: u32, gap: GapId) {
        let (Some(followers), Some(guess)) =
            (self.followers.get_mut(before as usize), self.guesses.get_mut(slot(before, subject)))
        else {
            return;
        };
        if *guess == BEGIN || followers.first() == Some(&gap) {
            *guess = gap;
        }
        let last = followers.iter().position(|&known| known == gap).unwrap_or(FOLLOWERS - 1);
        followers.get_mut(..=last).unwrap_or_default().rotate_right(1);
        if let Some(first) = followers.first_mut() {
            *first = gap;
        }
    }

    /// Keeps a gap that was read: its number, the old one if it is known. Nothing if there is no room.
    pub(super) fn keep(&mut self, gap: Gap, text: &[u8], effects: &[Effect]) -> Option<GapId> {
        let is_it = |id: &GapId| {
            let known = self.gap(*id);
            known.is_some_and(|known| {
                known.from == gap.from && known.then == gap.then && text_of(&self.blocks, known) == text
            })
        };
        let hash = hash(gap.from, text);
        if let Some(&id) = self.index.find(hash, is_it) {
            return Some(id);
        }
        if self.is_full() {
            return None;
        }
        let id = self.gaps.len() as GapId;
        let mut first = Block::default();
        first.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        self.gaps.push(Gap {
            first,
            last: text.last_chunk().copied().unwrap_or_default(),
            middle: self.blocks.len() as u32,
            first_effect: self.effects.len() as u32,
            length: u16::try_from(text.len()).ok()?,
            first_bits: ((1_u32 << text.len().min(VECTOR_BYTES)) - 1) as u16,
            effects: u8::try_from(effects.len()).ok()?,
            ..gap
        });
        self.followers.push([BEGIN; FOLLOWERS]);
        self.blocks.extend(text.as_chunks().0.iter().skip(1));
        self.effects.extend_from_slice(effects);
        let Learned { gaps, blocks, index, .. } = self;
        let rehash =
            |id: &GapId| gaps.get(*id as usize).map_or(0, |gap| self::hash(gap.from, &text_of(blocks, gap)));
        index.insert_unique(hash, id, rehash);
        Some(id)
    }

    /// What a gap means.
    #[inline(always)]
    pub(super) fn effects(&self, gap: &Gap) -> &[Effect] {
        let first = gap.first_effect as usize;
        self.effects.get(first..first + usize::from(gap.effects)).unwrap_or_default()
    }

    /// Whether a gap is the one that stands here.
    pub(super) fn stands(&self, id: GapId, spot: Spot, rest: &[u8]) -> bool {
        let Some(gap) = self.gap(id).filter(|gap| gap.from == spot) else { return false };
        let begins = self.begins(gap, rest).unwrap_or_else(|| {
            let text = rest.get(..usize::from(gap.length));
            text.is_some_and(|text| text_of(&self.blocks, gap) == text)
        });
        begins && is_followed(gap, rest)
    }

    /// Whether something begins with the bytes of a gap. Nothing if it is too short to be compared like this.
    #[inline(always)]
    fn begins(&self, gap: &Gap, rest: &[u8]) -> Option<bool> {
        if !is_same_at(rest.first_chunk()?, &gap.first, gap.first_bits) {
            return Some(false);
        }
        if usize::from(gap.length) <= VECTOR_BYTES {
            return Some(true);
        }
        let text = rest.get(..usize::from(gap.length))?;
        let ends = is_same(text.last_chunk()?, &gap.last);
        Some(ends && (usize::from(gap.length) <= 2 * VECTOR_BYTES || self.has_middle(gap, text)))
    }

    /// Whether a text has the bytes of a gap between the first and the last ones.
    #[inline(always)]
    fn has_middle(&self, gap: &Gap, text: &[u8]) -> bool {
        let blocks = self.blocks.get(gap.middle as usize..).unwrap_or_default();
        let (parts, _) = text.as_chunks();
        parts.iter().skip(1).zip(blocks).all(|(part, block)| is_same(part, block))
    }
}

/// Of gaps with the same bytes, those of different spots have different hashes, too.
fn hash(from: Spot, text: &[u8]) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    hash_of(text) ^ u64::from(from.number()).wrapping_mul(SPREAD)
}

/// The bytes of a gap.
fn text_of(blocks: &[Block], gap: &Gap) -> Vec<u8> {
    let length = usize::from(gap.length);
    let mut text = gap.first.to_vec();
    if let Some(middle) = (length / VECTOR_BYTES).checked_sub(1) {
        let blocks = blocks.get(gap.middle as usize..).unwrap_or_default();
        text.extend(blocks.iter().take(middle).flatten());
        text.extend(gap.last.iter().skip(VECTOR_BYTES - length % VECTOR_BYTES));
    }
    text.truncate(length);
    text
}

/// Whether behind a gap there is what has to be, where the gap's own bytes do not tell.
#[inline(always)]
fn is_followed(gap: &Gap, rest: &[u8]) -> bool {
    let next = rest.get(usize::from(gap.length));
    match gap.then {
        Then::Text | Then::Line => true,
        Then::Number => next.is_some_and(|&next| is_number_start(next)),
        Then::Nothing => next.is_none(),
    }
}

#[inline(always)]
fn slot(before: GapId, subject: u32) -> usize {
    const SPREAD: u32 = 0x9e37_79b1;
    ((before ^ subject).wrapping_mul(SPREAD) >> 7) as usize % GUESSES
}
