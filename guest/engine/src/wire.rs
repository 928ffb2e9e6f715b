//! State as bytes: numbers as varints, texts and sequences behind their length, structs field by field.
//!
//! Written by hand because a serialisation framework makes a copy of itself for every type, and the guest has to stay
//! small; for the same reason nothing here is inlined. Equal values give equal bytes; bytes that nobody wrote are refused, never trusted.

use tripwasm_plan::{Decimal, RuleIndex};

/// So many elements get memory before they are read.
const LENGTH_BELIEVED_MAX: usize = 64;

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 10;

/// What can be written and read again.
pub(crate) trait Wire: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// None if the bytes are no such value.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Bytes not read yet.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'b>(&'b [u8]);

/// Writes and reads a struct field by field.
macro_rules! wire_struct {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::wire::Wire for $name {
            #[inline(never)]
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)+
            }

            #[inline(never)]
            fn read(from: &mut $crate::wire::Reader<'_>) -> Option<Self> {
                Some($name { $($field: $crate::wire::Wire::read(from)?),+ })
            }
        }
    };
}

/// Writes and reads an enum without fields as the number of its variant.
macro_rules! wire_enum {
    ($name:ident { $($variant:ident),+ $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn read(from: &mut $crate::wire::Reader<'_>) -> Option<Self> {
                let number = from.byte()?;
                [$($name::$variant),+].into_iter().find(|variant| *variant as u8 == number)
            }
        }
    };
}

pub(crate) use {wire_enum, wire_struct};

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader(bytes)
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline(never)]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    #[inline(never)]
    pub(crate) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline(never)]
    pub(crate) fn text(&mut self) -> Option<&'b str> {
        let length = self.length()?;
        core::str::from_utf8(self.take(length)?).ok()
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    #[inline(never)]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (at, &byte) in self.0.iter().enumerate().take(VARINT_BYTES_MAX) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.0 = self.0.get(at + 1..)?;
                return Some(value);
            }
        }
        None
    }

    #[inline(never)]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let coded = self.varint()?;
        Some((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }
}

#[inline(never)]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number that is likely to be small, of either sign.
#[inline(never)]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

#[inline(never)]
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

impl Wire for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }

    fn read(from: &mut Reader<'_>) -> Option<u64> {
        from.varint()
    }
}

impl Wire for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Option<u32> {
        from.varint()?.try_into().ok()
    }
}

impl Wire for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_signed(out, *self);
    }

    fn read(from: &mut Reader<'_>) -> Option<i64> {
        from.signed()
    }
}

impl Wire for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Option<bool> {
        match from.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Wire for u128 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<u128> {
        Some(u128::from_le_bytes(from.take(16)?.try_into().ok()?))
    }
}

impl Wire for Decimal {
    /// Most fit a varint; others stand whole behind a tenth byte that no varint has.
    fn write(&self, out: &mut Vec<u8>) {
        let billionths = self.billionths();
        match i64::try_from(billionths) {
            Ok(small) => {
                out.push(0);
                put_signed(out, small);
            }
            Err(_) => {
                out.push(1);
                billionths.cast_unsigned().write(out);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Decimal> {
        match from.byte()? {
            0 => Some(Decimal::of_billionths(i128::from(from.signed()?))),
            1 => Some(Decimal::of_billionths(u128::read(from)?.cast_signed())),
            _ => None,
        }
    }
}

impl Wire for RuleIndex {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<RuleIndex> {
        u32::read(from).map(RuleIndex)
    }
}

impl Wire for String {
    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, self);
    }

    fn read(from: &mut Reader<'_>) -> Option<String> {
        from.text().map(str::to_owned)
    }
}

impl<T: Wire> Wire for Option<T> {
    #[inline(never)]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.write(out);
            }
        }
    }

    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Option<Option<T>> {
        match from.byte()? {
            0 => Some(None),
            1 => Some(Some(T::read(from)?)),
            _ => None,
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    #[inline(never)]
    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        self.iter().for_each(|element| element.write(out));
    }

    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Option<Vec<T>> {
        let length = from.length()?;
        // A length that nobody wrote reserves little.
        let mut elements = Vec::with_capacity(length.min(LENGTH_BELIEVED_MAX));
        for _ in 0..length {
            elements.push(T::read(from)?);
        }
        Some(elements)
    }
}

impl<T: Wire> Wire for Box<T> {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Box<T>> {
        T::read(from).map(Box::new)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<(A, B)> {
        Some((A::read(from)?, B::read(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Wire + PartialEq + core::fmt::Debug>(values: impl IntoIterator<Item = T>) {
        for value in values {
            let mut bytes = Vec::new();
            value.write(&mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(T::read(&mut reader).as_ref(), Some(&value));
            assert!(reader.is_empty(), "{value:?} leaves bytes");
            for cut in 0..bytes.len() {
                assert!(T::read(&mut Reader::new(&bytes[..cut])).is_none(), "{value:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn values_come_back_and_cut_bytes_are_refused() {
        there_and_back([0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX]);
        there_and_back([0, -1, 1, 63, -64, 64, i64::MIN, i64::MAX]);
        there_and_back([0, u32::MAX]);
        there_and_back([0, u128::MAX]);
        there_and_back([true, false]);
        there_and_back(["".to_owned(), "ÿ".repeat(100)]);
        there_and_back([vec![Some((1_u64, "a".to_owned())), None], vec![]]);
        let least = Decimal::of_billionths(i128::MIN);
        there_and_back([Decimal::ZERO, Decimal::whole(u64::MAX), least, Decimal::whole(7).minus(least)]);
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused() {
        assert_eq!(u32::read(&mut Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f])), None);
        assert_eq!(u64::read(&mut Reader::new(&[0xff; 11])), None);
        assert_eq!(bool::read(&mut Reader::new(&[2])), None);
        assert_eq!(Option::<bool>::read(&mut Reader::new(&[2, 0])), None);
        assert_eq!(String::read(&mut Reader::new(&[1, 0xff])), None);
        assert_eq!(Vec::<u64>::read(&mut Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0])), None);
    }
}
