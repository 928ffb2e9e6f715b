//! Times as findings show them.

use jiff::Timestamp;

/// RFC 3339 in UTC with `Z`, with a fraction only when it is not zero; `None` for a time outside the years that
/// RFC 3339 can say.
pub fn rfc3339(ms: i64) -> Option<String> {
    let text = Timestamp::from_millisecond(ms).ok()?.to_string();
    text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times() {
        let cases = [
            (0, Some("1970-01-01T00:00:00Z")),
            (1_688_989_320_000, Some("2023-07-10T11:42:00Z")),
            (1_688_989_320_120, Some("2023-07-10T11:42:00.12Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (i64::MAX, None),
            (i64::MIN, None),
        ];
        for (ms, expected) in cases {
            assert_eq!(rfc3339(ms).as_deref(), expected, "{ms}");
        }
    }
}
