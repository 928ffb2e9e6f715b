//! MessagePack, as it stands in memory: values are passed over, not built.
//!
//! Invariants: what a length announces is never allocated, only compared with the bytes that are there; no recursion.

use rmp::Marker;

/// Why bytes are not what they have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("it ends within a value")]
    Cut,
    #[error("byte 0xc1 begins no value of MessagePack")]
    Reserved,
    #[error("there is {found} in the place of {expected}")]
    Unexpected { expected: &'static str, found: &'static str },
}

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Head {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float32(f32),
    Float64(f64),
    /// So many bytes of text follow.
    Text(u32),
    /// So many bytes follow.
    Binary(u32),
    /// So many bytes of a type of its own follow.
    Extension(i8, u32),
    /// So many values follow.
    Array(u32),
    /// So many pairs follow.
    Map(u32),
}

impl Head {
    /// How many bytes belong to it, and how many values are inside it.
    fn extent(self) -> (u64, u64) {
        match self {
            Head::Text(bytes) | Head::Binary(bytes) | Head::Extension(_, bytes) => (bytes.into(), 0),
            Head::Array(values) => (0, values.into()),
            Head::Map(pairs) => (0, 2 * u64::from(pairs)),
            _ => (0, 0),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Head::Nil => "nil",
            Head::Bool(_) => "a truth value",
            Head::Unsigned(_) | Head::Signed(_) => "an integer",
            Head::Float32(_) | Head::Float64(_) => "a float",
            Head::Text(_) => "text",
            Head::Binary(_) => "binary data",
            Head::Extension(..) => "an extension",
            Head::Array(_) => "an array",
            Head::Map(_) => "a map",
        }
    }

    pub(super) fn instead_of(self, expected: &'static str) -> Bad {
        Bad::Unexpected { expected, found: self.name() }
    }
}

/// Reads values off bytes, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes so many bytes.
    pub(super) fn take(&mut self, count: u32) -> Result<&'b [u8], Bad> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count)).ok_or(Bad::Cut)?;
        let taken = self.bytes.get(self.at..end).ok_or(Bad::Cut)?;
        self.at = end;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Bad::Cut)?;
        self.at += N;
        Ok(*taken)
    }

    fn length8(&mut self) -> Result<u32, Bad> {
        self.number::<1>().map(|[length]| length.into())
    }

    fn length16(&mut self) -> Result<u32, Bad> {
        self.number().map(|length| u16::from_be_bytes(length).into())
    }

    fn length32(&mut self) -> Result<u32, Bad> {
        self.number().map(u32::from_be_bytes)
    }

    fn extension(&mut self, length: u32) -> Result<Head, Bad> {
        self.number().map(|kind| Head::Extension(i8::from_be_bytes(kind), length))
    }

    /// What the next value begins with. What belongs to it is still to be taken.
    pub(super) fn head(&mut self) -> Result<Head, Bad> {
        let [first] = self.number::<1>()?;
        Ok(match Marker::from_u8(first) {
            Marker::Null => Head::Nil,
            Marker::Reserved => return Err(Bad::Reserved),
            Marker::False => Head::Bool(false),
            Marker::True => Head::Bool(true),
            Marker::FixPos(value) => Head::Unsigned(value.into()),
            Marker::FixNeg(value) => Head::Signed(value.into()),
            Marker::U8 => Head::Unsigned(self.number::<1>()?[0].into()),
            Marker::U16 => Head::Unsigned(u16::from_be_bytes(self.number()?).into()),
            Marker::U32 => Head::Unsigned(u32::from_be_bytes(self.number()?).into()),
            Marker::U64 => Head::Unsigned(u64::from_be_bytes(self.number()?)),
            Marker::I8 => Head::Signed(i8::from_be_bytes(self.number()?).into()),
            Marker::I16 => Head::Signed(i16::from_be_bytes(self.number()?).into()),
            Marker::I32 => Head::Signed(i32::from_be_bytes(self.number()?).into()),
            Marker::I64 => Head::Signed(i64::from_be_bytes(self.number()?)),
            Marker::F32 => Head::Float32(f32::from_be_bytes(self.number()?)),
            Marker::F64 => Head::Float64(f64::from_be_bytes(self.number()?)),
            Marker::FixStr(length) => Head::Text(length.into()),
            Marker::Str8 => Head::Text(self.length8()?),
            Marker::Str16 => Head::Text(self.length16()?),
            Marker::Str32 => Head::Text(self.length32()?),
            Marker::Bin8 => Head::Binary(self.length8()?),
            Marker::Bin16 => Head::Binary(self.length16()?),
            Marker::Bin32 => Head::Binary(self.length32()?),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.length8().and_then(|length| self.extension(length))?,
            Marker::Ext16 => self.length16().and_then(|length| self.extension(length))?,
            Marker::Ext32 => self.length32().and_then(|length| self.extension(length))?,
            Marker::FixArray(length) => Head::Array(length.into()),
            Marker::Array16 => Head::Array(self.length16()?),
            Marker::Array32 => Head::Array(self.length32()?),
            Marker::FixMap(length) => Head::Map(length.into()),
            Marker::Map16 => Head::Map(self.length16()?),
            Marker::Map32 => Head::Map(self.length32()?),
        })
    }

    /// The bytes of the next value, whatever it is.
    pub(super) fn value(&mut self) -> Result<&'b [u8], Bad> {
        let begin = self.at;
        let mut scan = Scan { at: begin, open: 1 };
        match scan.go_on(self.bytes)? {
            Some(end) => {
                self.at = end;
                Ok(&self.bytes[begin..end])
            }
            None => Err(Bad::Cut),
        }
    }

    pub(super) fn array(&mut self) -> Result<u32, Bad> {
        match self.head()? {
            Head::Array(length) => Ok(length),
            other => Err(other.instead_of("an array")),
        }
    }

    pub(super) fn map(&mut self) -> Result<u32, Bad> {
        match self.head()? {
            Head::Map(length) => Ok(length),
            other => Err(other.instead_of("a map")),
        }
    }

    /// Text, or binary data in its place: older libraries know one of the two.
    pub(super) fn bytes(&mut self) -> Result<&'b [u8], Bad> {
        match self.head()? {
            Head::Text(length) | Head::Binary(length) => self.take(length),
            other => Err(other.instead_of("text")),
        }
    }
}

/// Finds the end of a value whose bytes are still arriving. Every byte is looked at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    /// How far it came; beyond the bytes that are there if a length says so.
    at: usize,
    /// Values that are still to come.
    open: u64,
}

impl Scan {
    /// At the begin of a value.
    pub(super) fn new() -> Self {
        Scan { at: 0, open: 1 }
    }

    /// Where the value ends, if that is among these bytes, which begin with those of the last call.
    pub(super) fn go_on(&mut self, bytes: &[u8]) -> Result<Option<usize>, Bad> {
        while self.open > 0 {
            let mut cursor = Cursor { bytes, at: self.at };
            let head = match cursor.head() {
                Ok(head) => head,
                Err(Bad::Cut) => return Ok(None),
                Err(bad) => return Err(bad),
            };
            let (length, inside) = head.extent();
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.at = cursor.at.saturating_add(length);
            self.open = (self.open - 1).saturating_add(inside);
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// How long the value is at least: a value that is to come has one byte or more.
    pub(super) fn bytes_min(&self) -> u64 {
        (self.at as u64).saturating_add(self.open)
    }
}

/// Appends text.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail.
    let _ = rmp::encode::write_str(out, text);
}

/// Appends binary data.
pub(super) fn push_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = rmp::encode::write_bin(out, bytes);
}

/// Appends the head of an array.
pub(super) fn push_array(out: &mut Vec<u8>, length: u32) {
    let _ = rmp::encode::write_array_len(out, length);
}

/// Appends the head of a map.
pub(super) fn push_map(out: &mut Vec<u8>, length: u32) {
    let _ = rmp::encode::write_map_len(out, length);
}

/// Appends an integer.
pub(super) fn push_unsigned(out: &mut Vec<u8>, value: u64) {
    let _ = rmp::encode::write_uint(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_bytes_were_cut() {
        let mut whole = Vec::new();
        push_array(&mut whole, 3);
        push_text(&mut whole, "tag");
        push_binary(&mut whole, &[7; 300]);
        push_map(&mut whole, 2);
        push_text(&mut whole, "size");
        push_unsigned(&mut whole, 70_000);
        push_text(&mut whole, "time");
        whole.extend([0xd7, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        let end = whole.len();
        whole.extend([0xc0, 0xc0]);
        for first in 0..=whole.len() {
            let mut scan = Scan::new();
            let early = scan.go_on(&whole[..first]).unwrap();
            assert_eq!(early, (first >= end).then_some(end));
            if early.is_none() {
                assert_eq!(scan.go_on(&whole).unwrap(), Some(end));
            }
        }
        assert_eq!(Cursor::new(&whole).value().unwrap().len(), end);
        assert_eq!(Cursor::new(&whole[..end - 1]).value(), Err(Bad::Cut));
    }

    #[test]
    fn announced_lengths_are_told_and_not_believed() {
        // Text, binary, extension, array and map of four thousand million.
        for (head, least) in [
            (&[0xdb, 255, 255, 255, 255][..], u64::from(u32::MAX)),
            (&[0xc6, 255, 255, 255, 255], u64::from(u32::MAX)),
            (&[0xc9, 255, 255, 255, 255, 1], u64::from(u32::MAX)),
            (&[0xdd, 255, 255, 255, 255], u64::from(u32::MAX)),
            (&[0xdf, 255, 255, 255, 255], 2 * u64::from(u32::MAX)),
        ] {
            let mut scan = Scan::new();
            assert_eq!(scan.go_on(head), Ok(None));
            assert!(scan.bytes_min() >= least);
            assert_eq!(Cursor::new(head).value(), Err(Bad::Cut));
        }
        // Arrays in arrays, each of four thousand million: the count of open values ends at its bound.
        let mut scan = Scan::new();
        assert_eq!(scan.go_on(&[0xdf, 255, 255, 255, 255].repeat(1000)), Ok(None));
        assert_eq!(Cursor::new(&[0xc1]).value(), Err(Bad::Reserved));
    }

    #[test]
    fn nesting_costs_neither_stack_nor_memory() {
        let mut deep = vec![0x91; 1 << 20];
        deep.push(0xc0);
        assert_eq!(Cursor::new(&deep).value().unwrap().len(), deep.len());
    }
}
