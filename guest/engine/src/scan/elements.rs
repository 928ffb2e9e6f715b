//! The elements of an array inside an event that was scanned before.

use super::json::{after_string, skip_space};
use core::ops::Range;

/// Where each element of an array stands. `array` is where the array does, brackets included.
pub(crate) fn elements(text: &str, array: Range<usize>) -> Elements<'_> {
    let bytes = text.as_bytes().get(..array.end.saturating_sub(1)).unwrap_or_default();
    Elements { bytes, at: array.start + 1 }
}

/// Where one element of an array stands: the third has the index 2, the last -1.
pub(crate) fn element(text: &str, array: Range<usize>, index: i64) -> Option<Range<usize>> {
    let mut all = elements(text, array);
    let place = usize::try_from(index.unsigned_abs()).ok()?;
    if index >= 0 {
        return all.nth(place);
    }
    let count = all.clone().count();
    all.nth(count.checked_sub(place)?)
}

/// See [`elements`].
#[derive(Debug, Clone)]
pub(crate) struct Elements<'e> {
    /// The event up to the closing bracket.
    bytes: &'e [u8],
    at: usize,
}

impl Iterator for Elements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = skip_space(self.bytes, self.at);
        self.bytes.get(start)?;
        let end = after_value(self.bytes, start);
        // Behind the comma, or behind the last element.
        self.at = skip_space(self.bytes, end) + 1;
        Some(start..end)
    }
}

/// The end of a value that is known to be JSON.
fn after_value(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_string(bytes, at).map_or(bytes.len(), |(end, _)| end),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_apart() {
        let cases: [(&str, &[&str]); 9] = [
            ("[]", &[]),
            ("[ ]", &[]),
            ("[1]", &["1"]),
            ("[ 1 , -2.5e3,true ,null]", &["1", "-2.5e3", "true", "null"]),
            (r#"["a,]\"","b" ]"#, &[r#""a,]\"""#, r#""b""#]),
            (r#"[[1,[2]], {"a":[1,{}],"b":"]"} ,[] ]"#, &["[1,[2]]", r#"{"a":[1,{}],"b":"]"}"#, "[]"]),
            ("[\"\",\"\"]", &["\"\"", "\"\""]),
            ("[{},{}]", &["{}", "{}"]),
            ("[\r\n\t1\r\n,\t2]", &["1", "2"]),
        ];
        for (array, expected) in cases {
            let text = format!("{{\"a\":{array},\"b\":[9]}}");
            let place = 5..5 + array.len();
            let found: Vec<&str> = elements(&text, place.clone()).map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{array}");
            let at = |index| element(&text, place.clone(), index).map(|range| &text[range]);
            assert_eq!((at(0), at(-1)), (expected.first().copied(), expected.last().copied()), "{array}");
            assert_eq!((at(99), at(-99), at(i64::MIN)), (None, None, None), "{array}");
        }
    }
}
