//! Durations, sizes and times as rules and configurations write them.

use jiff::{Timestamp, civil, tz::TimeZone};

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Not a number with a unit.
    #[error("no duration: a whole number and one of s, m, h, d, w")]
    Malformed,
    /// A month or a year.
    #[error("no fixed length: months and years differ")]
    Calendar,
    /// More than a hundred years.
    #[error("too long")]
    TooLong,
}

/// Longest duration: a hundred years keep every sum of times inside 64 bits.
const DURATION_MS_MAX: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// Milliseconds of a text such as `90s`, `15m`, `1h`, `7d` or `2w`; at most a hundred years.
pub fn duration_ms(text: &str) -> Result<u64, DurationError> {
    let unit = text.chars().next_back().ok_or(DurationError::Malformed)?;
    let digits = text.get(..text.len() - unit.len_utf8()).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::Malformed);
    }
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        'M' | 'y' => return Err(DurationError::Calendar),
        _ => return Err(DurationError::Malformed),
    };
    let count: u64 = digits.parse().map_err(|_| DurationError::TooLong)?;
    let duration = count.checked_mul(seconds * 1000).ok_or(DurationError::TooLong)?;
    if duration > DURATION_MS_MAX { Err(DurationError::TooLong) } else { Ok(duration) }
}

/// Bytes of a text such as `64MiB`, `1GiB` or `500KB`; a number alone is bytes.
pub fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Milliseconds since 1970 of an RFC 3339 time; a time without zone is UTC, as CloudTrail exports write it.
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    let zoned = text.parse::<Timestamp>().ok();
    let plain =
        || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    zoned.or_else(plain).map(Timestamp::as_millisecond)
}

/// The RFC 3339 text of a time in UTC; `None` outside the years -9999 to 9999.
pub(crate) fn time_text(time_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(time_ms).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration_ms("15m"), Ok(900_000));
        assert_eq!(duration_ms("0s"), Ok(0));
        assert_eq!(duration_ms("2w"), Ok(1_209_600_000));
        for text in ["", "m", "+5m", "5", "1.5h", "5 m", "5µ"] {
            assert_eq!(duration_ms(text), Err(DurationError::Malformed), "{text:?}");
        }
        assert_eq!(duration_ms("1M"), Err(DurationError::Calendar));
        assert_eq!(duration_ms("99999999999999999999s"), Err(DurationError::TooLong));
        assert_eq!(duration_ms("40000d"), Err(DurationError::TooLong));
    }

    #[test]
    fn sizes() {
        assert_eq!(size_bytes("256MiB"), Some(256 << 20));
        assert_eq!(size_bytes("1 GB"), Some(1_000_000_000));
        assert_eq!(size_bytes("12"), Some(12));
        assert_eq!(size_bytes("MiB"), None);
    }

    #[test]
    fn times() {
        assert_eq!(time_ms("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(time_ms("1970-01-01 00:00:01.500000000"), Some(1500));
        assert_eq!(time_ms("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(time_ms("yesterday"), None);
        assert_eq!(time_text(1000).as_deref(), Some("1970-01-01T00:00:01Z"));
    }
}
