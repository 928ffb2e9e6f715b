//! Times as findings show them.

use jiff::Timestamp;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The first day of 2200: times of events lie before it, and are written without a calendar's library.
const PLAIN_DAYS: u64 = 84_006;

/// RFC 3339 in UTC with `Z`, with a fraction only when it is not zero; `None` for a time outside the years that
/// RFC 3339 can say.
pub fn rfc3339(ms: i64) -> Option<String> {
    let text = Timestamp::from_millisecond(ms).ok()?.to_string();
    text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
}

/// Appends what [`rfc3339`] gives; whether it gives anything.
pub(crate) fn push_rfc3339(text: &mut Vec<u8>, ms: i64) -> bool {
    let plain = u64::try_from(ms).ok().filter(|ms| ms / DAY_MS < PLAIN_DAYS);
    let Some(ms) = plain else {
        return rfc3339(ms).is_some_and(|slow| {
            text.extend_from_slice(slow.as_bytes());
            true
        });
    };
    let (year, month, day) = civil_date(ms / DAY_MS);
    let seconds = ms % DAY_MS / 1000;
    push_pair(text, year / 100);
    push_pair(text, year % 100);
    let parts =
        [(b'-', month), (b'-', day), (b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)];
    for (before, value) in parts {
        text.push(before);
        push_pair(text, value);
    }
    push_fraction(text, ms % 1000);
    text.push(b'Z');
    true
}

/// Year, month and day of a day since 1970-01-01. Years begin in March here, so that the leap day is their last.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    const BEFORE_1970: u64 = 719_468;
    let days = days + BEFORE_1970;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

fn push_pair(text: &mut Vec<u8>, value: u64) {
    text.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}

fn push_fraction(text: &mut Vec<u8>, ms: u64) {
    if ms > 0 {
        text.push(b'.');
        push_pair(text, ms / 10);
        text.push(b'0' + (ms % 10) as u8);
        while text.last() == Some(&b'0') {
            text.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let cases = [
            (0, Some("1970-01-01T00:00:00Z")),
            (1_688_989_320_000, Some("2023-07-10T11:42:00Z")),
            (1_688_989_320_120, Some("2023-07-10T11:42:00.12Z")),
            (-1, Some("1969-12-31T23:59:59.999Z")),
            (-62_167_219_200_000, Some("0000-01-01T00:00:00Z")),
            (-62_167_219_200_001, None),
            (253_402_207_200_000, Some("9999-12-30T22:00:00Z")),
            (253_402_207_200_001, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ];
        for (ms, expected) in cases {
            assert_eq!(rfc3339(ms).as_deref(), expected, "{ms}");
            assert_same(ms);
        }
    }

    #[test]
    fn every_day_is_written_as_the_library_does() {
        let end = i64::try_from(PLAIN_DAYS * DAY_MS).unwrap();
        assert_eq!(rfc3339(end).as_deref(), Some("2200-01-01T00:00:00Z"));
        let day = i64::try_from(DAY_MS).unwrap();
        for (ms, fraction) in (-2 * day..end + 2 * day).step_by(day as usize).zip((0..1000).cycle()) {
            assert_same(ms + fraction * (day / 1000 + 1) % day);
            assert_same(ms + day - 1);
        }
    }

    fn assert_same(ms: i64) {
        let mut text = b"x".to_vec();
        assert_eq!(push_rfc3339(&mut text, ms), rfc3339(ms).is_some(), "{ms}");
        assert_eq!(text, format!("x{}", rfc3339(ms).unwrap_or_default()).into_bytes(), "{ms}");
    }
}
