//! Event times: RFC 3339 text, or milliseconds since 1970 as a number.

use super::json::Json;
use tripwasm_plan::Timestamp;

/// 0000-01-01T00:00:00Z
const TIME_MIN: Timestamp = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z
const TIME_MAX: Timestamp = 253_402_300_799_999;

/// The time that a value tells, if it tells one in the years 0000 to 9999.
pub(super) fn of(value: &Json) -> Option<Timestamp> {
    let time = match value {
        Json::Text(text) => of_text(text)?,
        Json::Number(number) => of_number(number)?,
        _ => return None,
    };
    (TIME_MIN..=TIME_MAX).contains(&time).then_some(time)
}

fn of_number(number: &str) -> Option<Timestamp> {
    if number.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9')) {
        return number.parse().ok();
    }
    let milliseconds: f64 = number.parse().ok()?;
    // The cast saturates, so what is too large stays out of range.
    milliseconds.is_finite().then_some(milliseconds as Timestamp)
}

/// `2023-07-10T11:42:00Z`; also with a space for `T`, with a fraction, with an offset, or without a zone
/// (UTC).
fn of_text(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let year = number(&mut rest, 4)?;
    let month = after(&mut rest, b"-", 2)?;
    let day = after(&mut rest, b"-", 2)?;
    let hour = after(&mut rest, b"Tt ", 2)?;
    let minute = after(&mut rest, b":", 2)?;
    let second = after(&mut rest, b":", 2)?;
    let fraction = fraction(&mut rest)?;
    let offset_minutes = offset(rest)?;
    let fits = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let minutes = (days_before(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    fits.then_some((minutes * 60 + second) * 1000 + fraction)
}

fn after(rest: &mut &[u8], separators: &[u8], digits: usize) -> Option<i64> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    if separators.contains(first) { number(rest, digits) } else { None }
}

/// A number of exactly so many digits.
fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (head, behind) = rest.split_at_checked(digits)?;
    *rest = behind;
    head.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// The milliseconds of a fraction, if there is one; further digits are cut off.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let Some(behind) = rest.strip_prefix(b".") else { return Some(0) };
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = behind.split_at_checked(digits)?;
    *rest = zone;
    if fraction.is_empty() {
        return None;
    }
    let digit = |at: usize| fraction.get(at).map_or(0, |byte| i64::from(byte - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// Minutes that local time is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, mut rest) = match zone {
        b"" | b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let hours = number(&mut rest, 2)?;
    let minutes = after(&mut rest, b":", 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, by counting.
pub(super) fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let days_of_year = |year| if is_leap(year) { 366 } else { 365 };
    let years: i64 =
        (1970..year).map(days_of_year).sum::<i64>() - (year..1970).map(days_of_year).sum::<i64>();
    years + (1..month).map(|month| days_of_month(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_accepted_form() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1000),
            ("2023-07-10T11:42:00Z", 1_688_989_320_000),
            ("2023-07-10t11:42:00z", 1_688_989_320_000),
            ("2023-07-10 11:42:00", 1_688_989_320_000),
            ("2023-07-10 11:42:00.000000000", 1_688_989_320_000),
            ("2023-07-10T11:42:00.1239999999999Z", 1_688_989_320_123),
            ("2023-07-10T11:42:00.1", 1_688_989_320_100),
            ("2023-07-10T22:42:00+11:00", 1_688_989_320_000),
            ("2023-07-10T11:12:00-00:30", 1_688_989_320_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("0000-01-01T00:00:00Z", TIME_MIN),
            ("9999-12-31T23:59:59.999Z", TIME_MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(of(&Json::Text(text.into())), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            "",
            "eventTime",
            "...",
            "2023-07-10",
            "2023-07-10T11:42Z",
            "2023-7-10T11:42:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-04-31T00:00:00Z",
            "2023-01-00T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:60:00Z",
            "2023-01-01T00:00:61Z",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00,5Z",
            "2023-01-01T00:00:00+0100",
            "2023-01-01T00:00:00+24:00",
            "2023-01-01T00:00:00+01:60",
            "2023-01-01T00:00:00Z ",
            " 2023-01-01T00:00:00Z",
            "2023-01-01T00:00:00 Z",
            "2023-01-01_00:00:00Z",
            "+2023-01-01T00:00:00Z",
            "12023-01-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:60Z",
            "２023-01-01T00:00:00Z",
            "1688989320000",
        ];
        for text in cases {
            assert_eq!(of(&Json::Text(text.into())), None, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_milliseconds() {
        let cases = [
            ("1688989320000", Some(1_688_989_320_000)),
            ("-0", Some(0)),
            ("-1.9", Some(-1)),
            ("1.68898932e12", Some(1_688_989_320_000)),
            ("1688989320000.999", Some(1_688_989_320_000)),
            ("253402300799999", Some(TIME_MAX)),
            ("253402300800000", None),
            ("-62167219200001", None),
            ("1e999", None),
            ("1e300", None),
            ("99999999999999999999999", None),
        ];
        for (number, expected) in cases {
            assert_eq!(of(&Json::Number(number.into())), expected, "{number}");
        }
        assert_eq!(of(&Json::Bool(true)), None);
        assert_eq!(of(&Json::Array(vec![])), None);
    }
}
