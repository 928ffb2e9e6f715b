//! Where JSON values begin and end: a scan over tokens that keeps no values and recurses nowhere.

/// Why no value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanStop {
    /// The bytes end inside the value.
    Incomplete,
    /// This position cannot belong to a JSON value.
    Malformed(usize),
}

/// No event nests deeper; what does takes memory for nothing.
const DEPTH_MAX: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    ElementOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
}

/// The end of the value that begins at `start` or after white space there. Brackets, strings, commas and colons are
/// checked; the spelling of numbers and literals is not.
pub(super) fn value_end(bytes: &[u8], start: usize) -> Result<usize, ScanStop> {
    value_end_with(bytes, start, |_, _| {})
}

/// As [`value_end`], and tells the members of the value if it is an object: keys (without quotes, escapes kept) and
/// values.
pub(super) fn value_end_with<'a>(
    bytes: &'a [u8],
    start: usize,
    mut member: impl FnMut(&'a [u8], &'a [u8]),
) -> Result<usize, ScanStop> {
    Scan::begin(start).go_on(bytes, &mut member)
}

/// A scan for the end of a value, which goes on where the bytes ended.
pub(super) struct Scan {
    /// Closing brackets that are wanted, the next one last.
    closers: Vec<u8>,
    expected: Expected,
    at: usize,
}

impl Scan {
    /// Of the value that begins at `start` or after white space there.
    pub(super) fn begin(start: usize) -> Self {
        Scan { closers: Vec::new(), expected: Expected::Value, at: start }
    }

    /// Scans on in bytes that begin with those scanned before.
    pub(super) fn value_end(&mut self, bytes: &[u8]) -> Result<usize, ScanStop> {
        self.go_on(bytes, &mut |_, _| {})
    }

    /// Tells members that are whole in one call.
    #[inline]
    fn go_on<'a>(
        &mut self,
        bytes: &'a [u8],
        member: &mut impl FnMut(&'a [u8], &'a [u8]),
    ) -> Result<usize, ScanStop> {
        let Scan { closers, expected, at } = self;
        let mut key: Option<&[u8]> = None;
        let mut value_start = *at;
        loop {
            *at = skip_space(bytes, *at);
            let &byte = bytes.get(*at).ok_or(ScanStop::Incomplete)?;
            if *expected == Expected::Value && closers.len() == 1 {
                value_start = *at;
            }
            (*at, *expected) = match (*expected, byte) {
                (_, b'{' | b'[') if closers.len() == DEPTH_MAX => return Err(ScanStop::Malformed(*at)),
                (Expected::Value | Expected::ElementOrEnd, b'{') => {
                    closers.push(b'}');
                    (*at + 1, Expected::KeyOrEnd)
                }
                (Expected::Value | Expected::ElementOrEnd, b'[') => {
                    closers.push(b']');
                    (*at + 1, Expected::ElementOrEnd)
                }
                (Expected::ElementOrEnd | Expected::KeyOrEnd | Expected::CommaOrEnd, b']' | b'}')
                    if closers.last() == Some(&byte) =>
                {
                    closers.pop();
                    (*at + 1, Expected::CommaOrEnd)
                }
                (Expected::Value | Expected::ElementOrEnd, b'"') => {
                    (string_end(bytes, *at)?, Expected::CommaOrEnd)
                }
                (Expected::Key | Expected::KeyOrEnd, b'"') => {
                    let end = string_end(bytes, *at)?;
                    if closers.len() == 1 {
                        key = bytes.get(*at + 1..end - 1);
                    }
                    (end, Expected::Colon)
                }
                (Expected::Colon, b':') => (*at + 1, Expected::Value),
                (Expected::CommaOrEnd, b',') if closers.last() == Some(&b'}') => (*at + 1, Expected::Key),
                (Expected::CommaOrEnd, b',') => (*at + 1, Expected::Value),
                (Expected::Value | Expected::ElementOrEnd, _) => match scalar_end(bytes, *at)? {
                    // It may go on behind the bytes.
                    end if end == bytes.len() && !closers.is_empty() => return Err(ScanStop::Incomplete),
                    end => (end, Expected::CommaOrEnd),
                },
                _ => return Err(ScanStop::Malformed(*at)),
            };
            if *expected == Expected::CommaOrEnd && closers.len() <= 1 {
                if closers.is_empty() {
                    return Ok(*at);
                }
                if let (Some(key), Some(value)) = (key.take(), bytes.get(value_start..*at)) {
                    member(key, value);
                }
            }
        }
    }
}

/// The position of the first byte at or after `at` that is no JSON white space.
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len())
}

/// JSON's white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Values of a whole array; ends early where it is malformed.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = skip_space(array, 0) + 1;
    std::iter::from_fn(move || {
        let start = skip_separator(array, at);
        at = value_end(array, start).ok()?;
        array.get(start..at)
    })
}

/// As [`skip_space`], commas too.
pub(super) fn skip_separator(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !is_space(*byte) && *byte != b',').unwrap_or(rest.len())
}

/// The end of the string that begins with the quote at `start`. JSON allows no raw line break inside.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Result<usize, ScanStop> {
    if bytes.get(start) != Some(&b'"') {
        return Err(ScanStop::Malformed(start));
    }
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).ok_or(ScanStop::Incomplete)?;
        let found = at + memchr::memchr3(b'"', b'\\', b'\n', rest).ok_or(ScanStop::Incomplete)?;
        match bytes.get(found) {
            Some(b'"') => return Ok(found + 1),
            Some(b'\\') => at = found + 2,
            _ => return Err(ScanStop::Malformed(found)),
        }
    }
}

fn scalar_end(bytes: &[u8], start: usize) -> Result<usize, ScanStop> {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.'))
        .unwrap_or(rest.len());
    if length == 0 { Err(ScanStop::Malformed(start)) } else { Ok(start + length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_values() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let bottomless = "[".repeat(2 * DEPTH_MAX);
        let cases: &[(&str, Result<usize, ScanStop>)] = &[
            ("{} x", Ok(2)),
            (r#" {"a":[1,"]}",{"b":null}]} "#, Ok(26)),
            (r#"{"a":"\"}"}"#, Ok(11)),
            ("[", Err(ScanStop::Incomplete)),
            (r#"{"a":"x"#, Err(ScanStop::Incomplete)),
            (r#"{"a":"\"#, Err(ScanStop::Incomplete)),
            ("{]", Err(ScanStop::Malformed(1))),
            ("{\"a\":1,\n{\"b\":2}", Err(ScanStop::Malformed(8))),
            ("{\"a\":\"cut\n{}", Err(ScanStop::Malformed(9))),
            ("{\"a\" 1}", Err(ScanStop::Malformed(5))),
            (&deep, Ok(200_000)),
            (&bottomless, Err(ScanStop::Malformed(DEPTH_MAX))),
        ];
        for (text, expected) in cases {
            assert_eq!(value_end(text.as_bytes(), 0), *expected, "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn a_scan_goes_on_where_the_bytes_ended() {
        let text = br#" {"a":[1.25,"]}\"",{"b":null}], "c" : true , "d":{}} x"#;
        let mut scan = Scan::begin(0);
        for length in 0..text.len() - 2 {
            assert_eq!(scan.value_end(&text[..length]), Err(ScanStop::Incomplete), "{length}");
        }
        assert_eq!(scan.value_end(text), Ok(text.len() - 2));
        let mut scan = Scan::begin(0);
        assert_eq!(scan.value_end(b"[1,"), Err(ScanStop::Incomplete));
        assert_eq!(scan.value_end(b"[1,]"), Err(ScanStop::Malformed(3)));
    }

    #[test]
    fn members_and_elements_are_original_bytes() {
        let object = br#"{ "a" : [ 1 , {"x":2} ] , "b":"c" }"#;
        let mut found = Vec::new();
        value_end_with(object, 0, |key, value| found.push((key, value))).unwrap();
        assert_eq!(found, [(&b"a"[..], &br#"[ 1 , {"x":2} ]"#[..]), (b"b", br#""c""#)]);
        for none in [&b"[1,{\"a\":2}]"[..], b"{}", b" 1 ", b"{\"a\":"] {
            let _ = value_end_with(none, 0, |key, _| panic!("{key:?} is no member"));
        }
        let found: Vec<_> = elements(br#"[ 1 , {"x":2} ]"#).collect();
        assert_eq!(found, [&b"1"[..], br#"{"x":2}"#]);
        assert_eq!(elements(b"[]").count(), 0);
    }
}
