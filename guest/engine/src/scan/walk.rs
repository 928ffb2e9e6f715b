//! Usual events in one go: token by token, strings sixteen bytes at a time.
//!
//! A walk is sure of what it says or says nothing: whatever is wrong is left to [`super::tokens`], which finds the reason.

use super::Scanner;
use super::json::{after_number, is_escape, skip_space};
use super::spans::{Kind, Span};
use super::tokens::Frame;
use super::trie::{NO_NODE, NodeId, PathTrie, Stamp};
use super::vector::{VECTOR_BYTES, special};

impl Scanner {
    /// Reads an event that begins with its first byte and ends with its last. Nothing if it is wrong; then nothing of it
    /// counts.
    // Places are passed by value, so that they stay in registers.
    #[inline(never)]
    pub(super) fn walk(&mut self, trie: &PathTrie, line: &[u8]) -> Option<()> {
        if line.first() != Some(&b'{') {
            return None;
        }
        self.begin(trie);
        let mut top = self.enter(trie.root(), None);
        let (mut at, mut byte) = next(line, 1)?;
        // Each round reads a member of a wanted object, and the ends of what ends with it.
        loop {
            if byte != b'}' {
                let key = string_at(line, at, byte)?;
                (at, byte) = behind(line, key.end, b':')?;
                let node = self.child(trie, top, line.get(key.start..key.end)?, key.kind);
                match byte {
                    b'"' => {
                        let text = string_at(line, at, byte)?;
                        if node != NO_NODE {
                            self.spans.push(node, false, Span::apart(text.kind, text.start, text.end));
                        }
                        at = text.end + 1;
                    }
                    b'{' if node != NO_NODE => {
                        top = self.enter(node, Some(at));
                        (at, byte) = next(line, at + 1)?;
                        continue;
                    }
                    b'[' if node != NO_NODE => at = self.walk_array(trie, line, at, node)?,
                    b'{' | b'[' => at = skip(line, at)?,
                    _ => {
                        let (end, kind) = scalar_end(line, at)?;
                        if node != NO_NODE {
                            self.spans.push(node, false, Span::apart(kind, at, end));
                        }
                        at = end;
                    }
                }
                (at, byte) = next(line, at)?;
            }
            while byte != b',' {
                if byte != b'}' {
                    return None;
                }
                at += 1;
                if let Some(span) = top.span {
                    self.spans.complete(span, at);
                }
                self.stack.pop();
                let Some(outer) = self.stack.last() else {
                    self.spans.link();
                    return (at == line.len()).then_some(());
                };
                top = *outer;
                (at, byte) = next(line, at)?;
            }
            (at, byte) = next(line, at + 1)?;
            // Behind a comma there is a member.
            if byte != b'"' {
                return None;
            }
        }
    }

    /// Opens a wanted object. The trie bounds how many there are in one another.
    #[inline(always)]
    fn enter(&mut self, node: NodeId, at: Option<usize>) -> Frame {
        let span = at.map(|at| self.spans.push(node, false, Span::apart(Kind::Object, at, at)));
        self.objects += 1;
        let frame = Frame { node, object: self.objects, span };
        self.stack.push(frame);
        frame
    }

    /// The place of a member of a wanted object.
    #[inline(always)]
    fn child(&mut self, trie: &PathTrie, top: Frame, raw: &[u8], kind: Kind) -> NodeId {
        let stamp = Stamp::of(raw);
        let child = if kind == Kind::EscapedText || stamp.is_reserved() {
            self.unusual_child(trie, raw, kind)
        } else {
            trie.object(top.node).child(raw, stamp)
        };
        if child != NO_NODE {
            self.meet(trie, child, top.object);
        }
        child
    }

    /// Of a key that has escapes, or begins as those do that tags are spliced in under.
    #[cold]
    #[inline(never)]
    fn unusual_child(&mut self, trie: &PathTrie, raw: &[u8], kind: Kind) -> NodeId {
        self.key(trie, raw, kind == Kind::EscapedText)
    }

    /// A wanted array, with its elements; where it ends.
    #[cold]
    #[inline(never)]
    fn walk_array(&mut self, trie: &PathTrie, line: &[u8], at: usize, node: NodeId) -> Option<usize> {
        self.read_tokens(trie, line, at, node).ok()
    }
}

/// Behind a container that nobody wants, which begins at `at`. Nothing if it is wrong, or deep.
#[inline(never)]
fn skip(line: &[u8], mut at: usize) -> Option<usize> {
    /// The kinds of open containers are bits, the innermost lowest, behind a first one.
    const OUTSIDE: u64 = 1;
    let mut kinds = OUTSIDE;
    let mut byte = *line.get(at)?;
    loop {
        match byte {
            b'{' | b'[' => {
                if kinds.leading_zeros() == 0 {
                    return None;
                }
                let is_object = byte == b'{';
                kinds = (kinds << 1) | u64::from(is_object);
                (at, byte) = next(line, at + 1)?;
                match (is_object, byte) {
                    (true, b'}') | (false, b']') => {}
                    (true, b'"') => {
                        (at, byte) = skip_key(line, at)?;
                        continue;
                    }
                    (true, _) => return None,
                    (false, _) => continue,
                }
            }
            b'"' => {
                let end = string_end(line, at + 1)?.0;
                (at, byte) = next(line, end + 1)?;
            }
            _ => {
                let end = scalar_end(line, at)?.0;
                (at, byte) = next(line, end)?;
            }
        }
        while byte != b',' {
            if byte != if kinds & 1 == 1 { b'}' } else { b']' } {
                return None;
            }
            kinds >>= 1;
            if kinds == OUTSIDE {
                return Some(at + 1);
            }
            (at, byte) = next(line, at + 1)?;
        }
        (at, byte) = next(line, at + 1)?;
        if kinds & 1 == 1 {
            if byte != b'"' {
                return None;
            }
            (at, byte) = skip_key(line, at)?;
        }
    }
}

/// The first byte of a member's value, and its place; the key begins at `at`.
#[inline(always)]
fn skip_key(line: &[u8], at: usize) -> Option<(usize, u8)> {
    let end = string_end(line, at + 1)?.0;
    behind(line, end, b':')
}

/// Where a scalar ends that is no string, and what it is.
#[inline(always)]
fn scalar_end(line: &[u8], at: usize) -> Option<(usize, Kind)> {
    let rest = line.get(at..)?;
    match rest.first_chunk::<4>()? {
        b"true" => Some((at + 4, Kind::True)),
        b"null" => Some((at + 4, Kind::Null)),
        b"fals" if rest.get(4) == Some(&b'e') => Some((at + 5, Kind::False)),
        _ => Some((number_end(line, at)?, Kind::Number)),
    }
}

/// A string: its inside, without the quotes.
struct Text {
    start: usize,
    end: usize,
    kind: Kind,
}

/// The next byte that is no space, and its place.
#[inline(always)]
fn next(line: &[u8], at: usize) -> Option<(usize, u8)> {
    let byte = *line.get(at)?;
    if byte > b' ' {
        return Some((at, byte));
    }
    let at = skip_space(line, at);
    Some((at, *line.get(at)?))
}

/// The first byte behind a separator that follows a string, and its place. `end` is where the string's closing quote stands.
#[inline(always)]
fn behind(line: &[u8], end: usize, separator: u8) -> Option<(usize, u8)> {
    // Without spaces, one look tells all.
    if let Some(&[_, one, two, _]) = line.get(end..)?.first_chunk()
        && one == separator
        && two > b' '
    {
        return Some((end + 2, two));
    }
    let (at, byte) = next(line, end + 1)?;
    if byte == separator { next(line, at + 1) } else { None }
}

#[inline(never)]
fn number_end(line: &[u8], at: usize) -> Option<usize> {
    after_number(line, at).ok()
}

/// The string whose opening quote `byte` has to be.
#[inline(always)]
fn string_at(line: &[u8], at: usize, byte: u8) -> Option<Text> {
    if byte != b'"' {
        return None;
    }
    let start = at + 1;
    let (end, kind) = string_end(line, start)?;
    Some(Text { start, end, kind })
}

/// Where the closing quote stands of a string whose inside begins at `at`, and whether it has escapes.
#[inline(always)]
fn string_end(line: &[u8], at: usize) -> Option<(usize, Kind)> {
    let mut at = at;
    loop {
        let rest = line.get(at..)?;
        let Some(bytes) = rest.first_chunk::<VECTOR_BYTES>() else { return last_end(line, at) };
        let specials = special(bytes);
        if specials != 0 {
            let place = specials.trailing_zeros() as usize;
            at += place;
            return if bytes.get(place) == Some(&b'"') {
                Some((at, Kind::Text))
            } else {
                unusual_end(line, at)
            };
        }
        at += VECTOR_BYTES;
    }
}

/// As [`string_end`], near the end of the line.
#[inline(never)]
fn last_end(line: &[u8], at: usize) -> Option<(usize, Kind)> {
    let specials = specials(line, at)?;
    if specials == 0 { None } else { unusual_end(line, at + specials.trailing_zeros() as usize) }
}

/// Goes on behind a byte that is special, but no quote.
#[cold]
#[inline(never)]
fn unusual_end(line: &[u8], mut at: usize) -> Option<(usize, Kind)> {
    let mut kind = Kind::Text;
    loop {
        match line.get(at)? {
            b'"' => return Some((at, kind)),
            b'\\' if is_escape(line, at + 1) => {
                kind = Kind::EscapedText;
                at += 2;
            }
            // Whether it is UTF-8 is seen when the whole line is.
            0x80.. => at += 1,
            _ => return None,
        }
        loop {
            let specials = specials(line, at)?;
            if specials != 0 {
                at += specials.trailing_zeros() as usize;
                break;
            }
            at += VECTOR_BYTES;
        }
    }
}

/// The special bytes among the next sixteen; behind the end of the line there are none.
#[inline(always)]
fn specials(line: &[u8], at: usize) -> Option<u32> {
    let rest = line.get(at..)?;
    match rest.first_chunk() {
        Some(bytes) => Some(special(bytes)),
        None => last_specials(line, rest.len()),
    }
}

/// Of the last bytes of a line.
#[inline(never)]
fn last_specials(line: &[u8], rest: usize) -> Option<u32> {
    let before = VECTOR_BYTES - rest;
    match line.last_chunk() {
        _ if rest == 0 => None,
        Some(bytes) => Some(special(bytes) >> before),
        None => {
            let mut bytes = [b' '; VECTOR_BYTES];
            bytes.get_mut(..rest)?.copy_from_slice(line.get(line.len() - rest..)?);
            Some(special(&bytes))
        }
    }
}

#[cfg(test)]
mod tests;
