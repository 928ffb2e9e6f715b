//! Events in blocks of 64 bytes: brackets and the keys of wanted objects are looked at one by one, all else as bits.
//!
//! A sweep is sure of what it says or says nothing: whatever is unusual (control characters, odd spaces, any error) is left
//! to [`super::tokens`], which reads byte by byte and finds the reason.

use super::Scanner;
use super::block::{BLOCK_BYTES, Blocks};
use super::grammar::{BLOCKS_AT_ONCE, Grammar, Tokens};
use super::json::after_number;
use super::spans::{Kind, Span};
use super::tokens::Frame;
use super::trie::{NO_NODE, NodeId, PathTrie, Stamp};
use crate::limits::NESTING_DEPTH_MAX;

/// What the blocks so far leave to the next one, beside the grammar.
struct Sweep<'e> {
    line: &'e [u8],
    /// Where the block begins.
    at: usize,
    /// Place of the last first string's opening quote, and of its closing one.
    first: usize,
    first_end: usize,
    /// Whether there is one up to the blocks at hand.
    has_backslash: bool,
    /// The place in the trie of the container that begins next.
    next_node: NodeId,
    /// The innermost open container.
    top: Frame,
    /// A wanted string that has not ended.
    open_string: Option<u32>,
}

/// Outside the event.
const NO_FRAME: Frame = Frame { node: NO_NODE, object: 0, span: None };

impl Scanner {
    /// Reads a whole event and gives its text. Nothing if it is unusual or wrong; then nothing of it counts.
    pub(super) fn sweep<'l, const SPACED: bool>(
        &mut self,
        trie: &PathTrie,
        line: &'l [u8],
    ) -> Option<&'l str> {
        let mut blocks = Blocks::of(line)?;
        if line.first() != Some(&b'{') {
            return None;
        }
        self.begin(trie);
        let mut grammar = Grammar::new();
        let mut tokens = [Tokens::default(); BLOCKS_AT_ONCE];
        let mut sweep = Sweep {
            line,
            at: 0,
            first: 0,
            first_end: 0,
            has_backslash: false,
            next_node: trie.root(),
            top: NO_FRAME,
            open_string: None,
        };
        loop {
            let count = grammar.read::<SPACED>(&mut blocks, &mut tokens)?;
            let tokens = tokens.get(..count)?;
            if tokens.is_empty() {
                break;
            }
            sweep.has_backslash = blocks.has_backslash();
            sweep.check_scalars::<SPACED>(tokens)?;
            for tokens in tokens {
                self.end_open_string(&mut sweep, tokens);
                self.sweep_containers::<SPACED>(trie, &mut sweep, tokens)?;
                sweep.leave::<SPACED>(tokens);
            }
        }
        let has_controls = blocks.has_unusual() && line.iter().any(|&byte| byte < 0x20);
        if has_controls || !self.stack.is_empty() {
            return None;
        }
        self.spans.link();
        blocks.text()
    }

    #[inline(always)]
    fn end_open_string(&mut self, sweep: &mut Sweep<'_>, tokens: &Tokens) {
        if let Some(span) = sweep.open_string
            && tokens.string_end != 0
        {
            let end = sweep.at + tokens.string_end.trailing_zeros() as usize;
            sweep.open_string = None;
            self.end_string(sweep, span, end);
        }
    }

    /// Goes from bracket to bracket; between two the container is the same.
    #[inline(always)]
    fn sweep_containers<const SPACED: bool>(
        &mut self,
        trie: &PathTrie,
        sweep: &mut Sweep<'_>,
        tokens: &Tokens,
    ) -> Option<()> {
        let mut brackets = tokens.open | tokens.close;
        let mut ahead = u64::MAX;
        loop {
            let bracket = brackets & brackets.wrapping_neg();
            // Up to the bracket, which for a closing one belongs to what it closes; without one, the rest of the block.
            let upto = bracket.wrapping_sub(1) | bracket;
            let here = ahead & upto;
            let misfits = if sweep.top.object == 0 { tokens.colon } else { tokens.array_only };
            if misfits & here != 0 {
                return None;
            }
            if sweep.top.node != NO_NODE {
                self.sweep_members::<SPACED>(trie, sweep, tokens, tokens.colon & here)?;
            }
            if bracket == 0 {
                return Some(());
            }
            let at = sweep.at + bracket.trailing_zeros() as usize;
            if bracket & tokens.open != 0 {
                self.sweep_open(sweep, at)?;
            } else {
                self.sweep_close(trie, sweep, at)?;
            }
            ahead = !upto;
            brackets &= ahead;
        }
    }

    #[inline(always)]
    fn sweep_open(&mut self, sweep: &mut Sweep<'_>, at: usize) -> Option<()> {
        let node = core::mem::replace(&mut sweep.next_node, NO_NODE);
        let is_event = self.stack.is_empty();
        if self.stack.len() >= NESTING_DEPTH_MAX || (is_event && at != 0) {
            return None;
        }
        sweep.top = if sweep.line.get(at) == Some(&b'[') {
            // Where it begins: if it is wanted, it is read once its end is known.
            Frame { node, object: 0, span: Some(at as u32) }
        } else {
            let is_wanted = node != NO_NODE && !is_event;
            let span = is_wanted.then(|| self.spans.push(node, false, Span::apart(Kind::Object, at, at)));
            self.objects += 1;
            Frame { node, object: self.objects, span }
        };
        self.stack.push(sweep.top);
        Some(())
    }

    #[inline(always)]
    fn sweep_close(&mut self, trie: &PathTrie, sweep: &mut Sweep<'_>, at: usize) -> Option<()> {
        let Frame { node, object, span } = sweep.top;
        self.stack.pop()?;
        sweep.top = self.stack.last().copied().unwrap_or(NO_FRAME);
        let end = at + 1;
        match span {
            Some(span) if object != 0 => self.spans.complete(span, end),
            Some(start) if node != NO_NODE => {
                self.tokens(trie, sweep.line.get(..end)?, start as usize, node).ok()?;
            }
            _ => {}
        }
        let fits = (sweep.line.get(at) == Some(&b']')) == (object == 0);
        // Behind the event nothing may stand.
        (fits && (!self.stack.is_empty() || end == sweep.line.len())).then_some(())
    }

    #[inline(always)]
    fn sweep_members<const SPACED: bool>(
        &mut self,
        trie: &PathTrie,
        sweep: &mut Sweep<'_>,
        tokens: &Tokens,
        mut colons: u64,
    ) -> Option<()> {
        let object = trie.object(sweep.top.node);
        while colons != 0 {
            let colon = colons & colons.wrapping_neg();
            colons ^= colon;
            let at = sweep.at + colon.trailing_zeros() as usize;
            let raw = sweep.key_before::<SPACED>(tokens, colon, at)?;
            let has_escapes = sweep.has_escapes(raw);
            let stamp = Stamp::of(raw);
            let mut node = object.child(raw, stamp);
            if has_escapes || stamp.is_reserved() {
                node = self.key(trie, raw, has_escapes);
            } else if node != NO_NODE {
                self.meet(trie, node, sweep.top.object);
            }
            if node != NO_NODE {
                self.sweep_value::<SPACED>(sweep, tokens, node, at + 1)?;
            }
        }
        Some(())
    }

    /// Notes the value of a wanted key; a container is noted once its bracket is met.
    #[inline(always)]
    fn sweep_value<const SPACED: bool>(
        &mut self,
        sweep: &mut Sweep<'_>,
        tokens: &Tokens,
        node: NodeId,
        mut at: usize,
    ) -> Option<()> {
        while SPACED && sweep.line.get(at) == Some(&b' ') {
            at += 1;
        }
        let (kind, end) = match sweep.line.get(at)? {
            b'{' | b'[' => {
                sweep.next_node = node;
                return Some(());
            }
            b'"' => {
                let span = self.spans.push(node, false, Span::apart(Kind::Text, at + 1, at + 1));
                let behind = (at + 1 - sweep.at) as u32;
                match tokens.string_end.checked_shr(behind) {
                    Some(ends) if ends != 0 => {
                        self.end_string(sweep, span, at + 1 + ends.trailing_zeros() as usize);
                    }
                    _ => sweep.open_string = Some(span),
                }
                return Some(());
            }
            b't' => (Kind::True, at + 4),
            b'f' => (Kind::False, at + 5),
            b'n' => (Kind::Null, at + 4),
            _ => (Kind::Number, after_number(sweep.line, at).ok()?),
        };
        self.spans.push(node, false, Span::apart(kind, at, end));
        Some(())
    }

    #[inline(always)]
    fn end_string(&mut self, sweep: &Sweep<'_>, span: u32, end: usize) {
        self.spans.complete_text(span, end, |inside| sweep.line.get(inside).is_some_and(|inside| sweep.has_escapes(inside)));
    }
}

impl<'e> Sweep<'e> {
    /// What stands between the quotes of the key before a colon.
    #[inline(always)]
    fn key_before<const SPACED: bool>(&self, tokens: &Tokens, colon: u64, at: usize) -> Option<&'e [u8]> {
        let start = self.last_before(tokens.first, colon).unwrap_or(self.first);
        let end = if SPACED {
            self.last_before(tokens.first_end, colon).unwrap_or(self.first_end)
        } else {
            at - 1
        };
        self.line.get(start + 1..end)
    }

    /// Whether the inside of a string has escapes.
    #[inline(always)]
    fn has_escapes(&self, inside: &[u8]) -> bool {
        self.has_backslash && memchr::memchr(b'\\', inside).is_some()
    }

    /// The last of the places before `bit`.
    #[inline(always)]
    fn last_before(&self, places: u64, bit: u64) -> Option<usize> {
        let before = places & (bit - 1);
        (before != 0).then(|| self.at + before.ilog2() as usize)
    }

    /// Keeps of the block what later ones need.
    #[inline(always)]
    fn leave<const SPACED: bool>(&mut self, tokens: &Tokens) {
        if tokens.first != 0 {
            self.first = self.at + tokens.first.ilog2() as usize;
        }
        if SPACED && tokens.first_end != 0 {
            self.first_end = self.at + tokens.first_end.ilog2() as usize;
        }
        self.at += BLOCK_BYTES;
    }

    /// Whether the scalars of the next blocks are what they may be.
    #[inline(always)]
    fn check_scalars<const SPACED: bool>(&self, blocks: &[Tokens]) -> Option<()> {
        for (number, tokens) in blocks.iter().enumerate() {
            let mut scalars = tokens.scalar;
            while scalars != 0 {
                let at = self.at + number * BLOCK_BYTES + scalars.trailing_zeros() as usize;
                scalars &= scalars - 1;
                let end = scalar_end(self.line, at)?;
                match self.line.get(end)? {
                    b',' | b'}' | b']' => {}
                    b' ' if SPACED => {}
                    _ => return None,
                }
            }
        }
        Some(())
    }
}

#[inline(always)]
fn scalar_end(line: &[u8], at: usize) -> Option<usize> {
    let rest = line.get(at..)?;
    match rest.first_chunk::<4>()? {
        b"true" | b"null" => Some(at + 4),
        b"fals" if rest.get(4) == Some(&b'e') => Some(at + 5),
        _ => after_number(line, at).ok(),
    }
}
