//! Texts in one piece of memory, in the form in which they travel: what is read of an event, a fact's group.

use super::weight;
use crate::wire::{Reader, Wire, put_text, put_varint};
use core::cmp::Ordering;

/// A list of texts: how many, then each behind its length. Equal lists have equal bytes; their order is that of their
/// texts, one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts(Box<[u8]>);

/// Lists of texts, one behind the other, behind their number; no bytes at all if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists(Box<[u8]>);

impl Texts {
    /// Of bytes that [`put_list`] wrote.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Texts {
        Texts(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The texts as the key of a group or tuple.
    pub(super) fn key(&self) -> &[u8] {
        key_of(&self.0)
    }

    /// Estimate of the memory it takes.
    pub(super) fn weight(&self) -> u64 {
        weight::TEXT + self.0.len() as u64
    }
}

impl Lists {
    /// Of the number of lists, which is not 0, and those behind it as [`put_list`] wrote them.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Lists {
        Lists(bytes.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many lists there are.
    pub(super) fn len(&self) -> usize {
        Reader::new(&self.0).length().unwrap_or(0)
    }

    /// The texts of each list, as bytes.
    pub(super) fn each(&self) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
        let mut reader = Reader::new(&self.0);
        let lists = reader.length().unwrap_or(0);
        (0..lists).map_while(move |_| {
            let own = reader.clone();
            skip_list(&mut reader)?;
            Some(texts_of(own))
        })
    }

    /// Estimate of the memory it takes.
    pub(super) fn weight(&self) -> u64 {
        self.0.len() as u64
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Texts {
        let mut bytes = Vec::new();
        put_list(&mut bytes, |put| texts.into_iter().for_each(|text| put(text.as_ref())));
        Texts(bytes.into())
    }
}

impl PartialOrd for Texts {
    fn partial_cmp(&self, other: &Texts) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Texts {
    fn cmp(&self, other: &Texts) -> Ordering {
        texts_of(Reader::new(&self.0)).cmp(texts_of(Reader::new(&other.0)))
    }
}

impl PartialOrd for Lists {
    fn partial_cmp(&self, other: &Lists) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lists {
    fn cmp(&self, other: &Lists) -> Ordering {
        let mut others = other.each();
        for own in self.each() {
            let Some(other) = others.next() else { return Ordering::Greater };
            let ordering = own.cmp(other);
            if ordering.is_ne() {
                return ordering;
            }
        }
        others.next().map_or(Ordering::Equal, |_| Ordering::Less)
    }
}

impl Wire for Texts {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Option<Texts> {
        let mut bytes = Vec::new();
        copy_list(from, &mut bytes)?;
        Some(Texts(bytes.into()))
    }
}

impl Wire for Lists {
    fn write(&self, out: &mut Vec<u8>) {
        match self.is_empty() {
            true => out.push(0),
            false => out.extend_from_slice(&self.0),
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Lists> {
        let lists = from.length()?;
        if lists == 0 {
            return Some(Lists::default());
        }
        let mut bytes = Vec::new();
        put_varint(&mut bytes, lists as u64);
        for _ in 0..lists {
            copy_list(from, &mut bytes)?;
        }
        Some(Lists(bytes.into()))
    }
}

/// Writes a list of the texts that `fill` hands over.
pub(crate) fn put_list(out: &mut Vec<u8>, fill: impl FnOnce(&mut dyn FnMut(&str))) {
    let (start, mut count) = (out.len(), 0_u64);
    // Most lists are short: their number takes one byte.
    out.push(0);
    fill(&mut |text| {
        put_text(out, text);
        count += 1;
    });
    match (u8::try_from(count), out.get_mut(start)) {
        (Ok(few @ ..0x80), Some(place)) => *place = few,
        _ => {
            let mut number = Vec::new();
            put_varint(&mut number, count);
            out.splice(start..=start, number);
        }
    }
}

/// The key that stands in a list of texts: the texts without their number.
pub(super) fn key_of(list: &[u8]) -> &[u8] {
    let mut list = Reader::new(list);
    list.length().map_or(&[], |_| list.rest())
}

/// The texts of a list.
fn texts_of(mut from: Reader<'_>) -> impl Iterator<Item = &[u8]> {
    let count = from.length().unwrap_or(0);
    (0..count).map_while(move |_| {
        let length = from.length()?;
        from.take(length)
    })
}

fn skip_list(from: &mut Reader<'_>) -> Option<()> {
    for _ in 0..from.length()? {
        let length = from.length()?;
        from.take(length)?;
    }
    Some(())
}

/// Reads a list that may have been written by anybody, and writes it as [`put_list`] does.
fn copy_list(from: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let count = from.length()?;
    put_varint(out, count as u64);
    for _ in 0..count {
        put_text(out, from.text()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(of: &[&[&str]]) -> Lists {
        let Some(number) = (!of.is_empty()).then_some(of.len()) else { return Lists::default() };
        let mut bytes = Vec::new();
        put_varint(&mut bytes, number as u64);
        for texts in of {
            put_list(&mut bytes, |put| texts.iter().for_each(|text| put(text)));
        }
        Lists::of_bytes(&bytes)
    }

    #[test]
    fn lists_are_in_the_order_of_their_texts() {
        let mut all: Vec<Vec<Vec<&str>>> = vec![
            vec![],
            vec![vec![], vec!["b"]],
            vec![vec!["aa", "b"], vec![]],
            vec![vec!["aa"], vec!["b"]],
            vec![vec!["b"], vec![]],
            vec![vec!["ÿ"; 200], vec![]],
            vec![vec!["b"]],
        ];
        let made = |all: &[Vec<Vec<&str>>]| -> Vec<Lists> {
            all.iter().map(|of| lists(&of.iter().map(Vec::as_slice).collect::<Vec<_>>())).collect()
        };
        let mut sorted = made(&all);
        sorted.sort();
        all.sort();
        assert_eq!(sorted, made(&all));
        for (lists, texts) in sorted.iter().zip(&all) {
            let read: Vec<Vec<&[u8]>> = lists.each().map(Iterator::collect).collect();
            assert_eq!(
                read,
                texts.iter().map(|of| of.iter().map(|t| t.as_bytes()).collect()).collect::<Vec<Vec<_>>>()
            );
            assert_eq!(lists.len(), texts.len());
        }
    }

    #[test]
    fn lists_are_written_as_vectors_are() {
        let texts: Vec<String> = ["", "a", "ÿ"].map(str::to_owned).into();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        texts.write(&mut one);
        let made: Texts = texts.iter().collect();
        made.write(&mut other);
        assert_eq!(one, other);
        assert_eq!(Texts::read(&mut Reader::new(&one)), Some(made));
        let many = lists(&[&["a"; 300], &[]]);
        let (mut one, mut other) = (Vec::new(), Vec::new());
        vec![vec!["a".to_owned(); 300], vec![]].write(&mut one);
        many.write(&mut other);
        assert_eq!(one, other);
        assert_eq!(Lists::read(&mut Reader::new(&one)), Some(many));
        // Bytes that nobody wrote: a length in more bytes than it needs becomes the shortest, no text is refused.
        assert_eq!(Texts::read(&mut Reader::new(&[0x81, 0, 1, b'a'])), Some(["a"].into_iter().collect()));
        assert_eq!(Texts::read(&mut Reader::new(&[1, 1, 0xff])), None);
        assert_eq!(Lists::read(&mut Reader::new(&[2, 0])), None);
    }
}
