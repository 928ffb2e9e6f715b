//! Parts of a time, as a calendar on the wall shows them.

use super::{json::Json, time};
use tripwasm_plan::TimePart;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// A part of the time that a value tells: of a text as it is written, whatever its offset; of a number as UTC.
pub(super) fn part(value: &Json, part: TimePart) -> Option<i64> {
    let time = time::of(value)?;
    let (date, hour, minute) = match value {
        Json::Text(text) => {
            let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
            let date = Date { year: digits(0, 4)?, month: digits(5, 7)?, day: digits(8, 10)? };
            (date, digits(11, 13)?, digits(14, 16)?)
        }
        _ => {
            let minutes = time.rem_euclid(DAY_MS) / (60 * 1000);
            (date_of(time.div_euclid(DAY_MS)), minutes / 60, minutes % 60)
        }
    };
    Some(match part {
        TimePart::Minute => minute,
        TimePart::Hour => hour,
        TimePart::Day => date.day,
        TimePart::Week => week(date),
        TimePart::Month => date.month,
        TimePart::Year => date.year,
    })
}

/// The date so many days after 1970-01-01, by counting.
fn date_of(days: i64) -> Date {
    let mut year = 1970;
    while time::days_before(year, 1, 1) > days {
        year -= 1;
    }
    while time::days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|&month| time::days_before(year, month, 1) <= days).unwrap_or(1);
    Date { year, month, day: days - time::days_before(year, month, 1) + 1 }
}

/// ISO 8601: weeks begin on Monday, and the week with a year's first Thursday is its first.
fn week(date: Date) -> i64 {
    let days = time::days_before(date.year, date.month, date.day);
    // 1970-01-01 was a Thursday.
    let weekday_from_monday = (days + 3).rem_euclid(7);
    let thursday = days - weekday_from_monday + 3;
    (thursday - time::days_before(date_of(thursday).year, 1, 1)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [TimePart; 6] =
        [TimePart::Year, TimePart::Month, TimePart::Day, TimePart::Hour, TimePart::Minute, TimePart::Week];

    #[test]
    fn parts_are_those_written_and_numbers_are_utc() {
        let text = |text: &str| Json::Text(text.into());
        let number = |number: &str| Json::Number(number.into());
        let cases = [
            (text("2023-07-10T11:42:00Z"), [2023, 7, 10, 11, 42, 28]),
            (text("2024-12-31 23:59:60.5"), [2024, 12, 31, 23, 59, 1]),
            (text("2021-01-03t01:02:03-23:59"), [2021, 1, 3, 1, 2, 53]),
            (text("2020-12-28T00:00:00+11:00"), [2020, 12, 28, 0, 0, 53]),
            (text("2016-01-04T00:00:00Z"), [2016, 1, 4, 0, 0, 1]),
            (text("2010-01-01T00:00:00Z"), [2010, 1, 1, 0, 0, 53]),
            (text("0000-01-01T00:00:00Z"), [0, 1, 1, 0, 0, 52]),
            (text("9999-12-31T23:59:59Z"), [9999, 12, 31, 23, 59, 52]),
            (number("0"), [1970, 1, 1, 0, 0, 1]),
            (number("-1"), [1969, 12, 31, 23, 59, 1]),
            (number("1688989320000"), [2023, 7, 10, 11, 42, 28]),
            (number("951868799999.9"), [2000, 2, 29, 23, 59, 9]),
        ];
        for (value, expected) in cases {
            let parts = ALL.map(|one| part(&value, one).unwrap_or(-1));
            assert_eq!(parts, expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_no_time_has_no_parts() {
        for value in [
            Json::Null,
            Json::Bool(true),
            Json::Text("2023-07-10".into()),
            Json::Text("2023-02-29T00:00:00Z".into()),
            Json::Text("1688989320000".into()),
            Json::Number("1e300".into()),
            Json::Array(vec![]),
        ] {
            assert_eq!(part(&value, TimePart::Year), None, "{value:?}");
        }
    }
}
