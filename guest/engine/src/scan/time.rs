//! Event times: RFC 3339, and Panther's `2024-06-02 20:16:32.000000000`.

use super::date::Date;
use tripwasm_plan::{TimePart, Timestamp};

const YEAR_9999_END: Timestamp = 253_402_300_799_999;
const YEAR_0_START: Timestamp = -62_167_219_200_000;
const MINUTES_A_DAY: i64 = 24 * 60;

/// What calendar and clock show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    date: Date,
    hour: i64,
    minute: i64,
}

/// The time a text says; no zone means UTC, and what is below a millisecond is cut.
pub(crate) fn text_time(text: &str) -> Option<Timestamp> {
    plain_time(text.as_bytes()).or_else(|| read(text).map(|(_, time)| time))
}

/// The time of a text in the form that CloudTrail writes, `2023-07-10T11:42:00Z`, and of a year from 1.
#[inline]
fn plain_time(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'Z'] = *text
    else {
        return None;
    };
    let mut is_wrong = false;
    let mut two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        is_wrong |= tens > 9 || ones > 9;
        i64::from(tens) * 10 + i64::from(ones)
    };
    let date = Date { year: two(y0, y1) * 100 + two(y2, y3), month: two(m0, m1), day: two(d0, d1) };
    let (hour, minute, second) = (two(h0, h1), two(i0, i1), two(s0, s1));
    if is_wrong || date.year == 0 || !date.is_valid() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    in_calendar(((date.days_since_epoch() * MINUTES_A_DAY + hour * 60 + minute) * 60 + second) * 1000)
}

impl Moment {
    /// As a text says it that is a time, whatever its offset.
    pub(crate) fn of_text(text: &str) -> Option<Moment> {
        read(text).map(|(moment, _)| moment)
    }

    /// In UTC, of a JSON number that is a time.
    pub(crate) fn of_number(number: &str) -> Option<Moment> {
        let minutes = number_time(number)?.div_euclid(60 * 1000);
        let of_day = minutes.rem_euclid(MINUTES_A_DAY);
        let date = Date::of_days_since_epoch(minutes.div_euclid(MINUTES_A_DAY));
        Some(Moment { date, hour: of_day / 60, minute: of_day % 60 })
    }

    /// One part of it.
    pub(crate) fn part(&self, part: TimePart) -> i64 {
        match part {
            TimePart::Minute => self.minute,
            TimePart::Hour => self.hour,
            TimePart::Day => self.date.day,
            TimePart::Week => self.date.week(),
            TimePart::Month => self.date.month,
            TimePart::Year => self.date.year,
        }
    }
}

/// What a text shows, and the time that it means.
fn read(text: &str) -> Option<(Moment, Timestamp)> {
    let mut at = Reader { rest: text.as_bytes() };
    let year = at.digits(4)?;
    at.one_of(b"-")?;
    let month = at.digits(2)?;
    at.one_of(b"-")?;
    let day = at.digits(2)?;
    at.one_of(b"Tt ")?;
    let hour = at.digits(2)?;
    at.one_of(b":")?;
    let minute = at.digits(2)?;
    at.one_of(b":")?;
    let second = at.digits(2)?;
    let millisecond = at.fraction()?;
    let offset_minutes = at.offset()?;
    let date = Date { year, month, day };
    if !at.rest.is_empty() || !date.is_valid() || hour >= 24 || minute >= 60 || second > 60 {
        return None;
    }
    let minutes = date.days_since_epoch() * MINUTES_A_DAY + hour * 60 + minute - offset_minutes;
    let time = in_calendar((minutes * 60 + second) * 1000 + millisecond)?;
    Some((Moment { date, hour, minute }, time))
}

/// The time a JSON number says: milliseconds since the epoch.
pub(crate) fn number_time(number: &str) -> Option<Timestamp> {
    let time = match number.parse::<i64>() {
        Ok(time) => time,
        Err(_) => {
            let time = number.parse::<f64>().ok().filter(|time| time.is_finite())?;
            time as i64
        }
    };
    in_calendar(time)
}

/// A time that four digits of a year can say.
fn in_calendar(time: Timestamp) -> Option<Timestamp> {
    (YEAR_0_START..=YEAR_9999_END).contains(&time).then_some(time)
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        allowed.contains(&byte).then_some(byte)
    }

    fn fraction(&mut self) -> Option<i64> {
        let Some(rest) = self.rest.strip_prefix(b".") else { return Some(0) };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(length).filter(|_| length > 0)?;
        self.rest = rest;
        let digit = |place: usize| digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
        Some(digit(0) * 100 + digit(1) * 10 + digit(2))
    }

    fn offset(&mut self) -> Option<i64> {
        if self.rest.is_empty() {
            return Some(0);
        }
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.digits(2)?;
        self.one_of(b":")?;
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, number_time, text_time};
    use tripwasm_plan::TimePart;

    #[test]
    fn parts_are_those_written_and_numbers_are_utc() {
        let parts = |moment: Option<Moment>| {
            use TimePart::{Day, Hour, Minute, Month, Week, Year};
            moment.map(|moment| [Year, Month, Day, Hour, Minute, Week].map(|part| moment.part(part)))
        };
        for (text, expected) in [
            ("2023-07-10T11:42:00Z", Some([2023, 7, 10, 11, 42, 28])),
            ("2024-12-31 23:59:60.5", Some([2024, 12, 31, 23, 59, 1])),
            ("2021-01-03t01:02:03-23:59", Some([2021, 1, 3, 1, 2, 53])),
            ("2010-01-01T00:00:00Z", Some([2010, 1, 1, 0, 0, 53])),
            ("0000-01-01T00:00:00Z", Some([0, 1, 1, 0, 0, 52])),
            ("0000-01-01T00:00:00+00:01", None),
            ("2023-02-29T00:00:00Z", None),
            ("1688989320000", None),
        ] {
            assert_eq!(parts(Moment::of_text(text)), expected, "{text}");
        }
        for (number, expected) in [
            ("0", Some([1970, 1, 1, 0, 0, 1])),
            ("-1", Some([1969, 12, 31, 23, 59, 1])),
            ("1688989320000", Some([2023, 7, 10, 11, 42, 28])),
            ("951868799999.9", Some([2000, 2, 29, 23, 59, 9])),
            ("1e300", None),
        ] {
            assert_eq!(parts(Moment::of_number(number)), expected, "{number}");
        }
    }

    #[test]
    fn the_plain_form_is_read_as_every_other_is() {
        let plain = "2024-02-29T23:59:59Z";
        for place in 0..plain.len() {
            for byte in b"0123456789-:TZ /tz+." {
                let mut text = plain.as_bytes().to_vec();
                text[place] = *byte;
                let text = String::from_utf8(text).unwrap();
                let read = super::read(&text).map(|(_, time)| time);
                assert_eq!(text_time(&text), read, "{text}");
            }
        }
        for text in
            ["0000-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "1900-02-29T00:00:00Z", "0001-01-01T00:00:00Z"]
        {
            assert_eq!(text_time(text), super::read(text).map(|(_, time)| time), "{text}");
        }
    }

    #[test]
    fn times_are_read_as_utc() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2023-07-10T11:42:00Z", Some(1_688_989_320_000)),
            ("2024-06-02 20:16:32.000000000", Some(1_717_359_392_000)),
            ("2021-10-19 04:50:27", Some(1_634_619_027_000)),
            ("2000-02-29t23:59:59.1239+01:00", Some(951_865_199_123)),
            ("0000-01-01T00:00:00+00:01", None),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("0000-03-01T00:00:00Z", Some(-62_162_035_200_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2023-07-10T24:00:00Z", None),
            ("2023-07-10T11:42Z", None),
            ("2023-07-10T11:42:00.Z", None),
            ("2023-07-10T11:42:00ZZ", None),
            ("2023-07-10T11:42:00+0100", None),
            ("eventTime", None),
            ("", None),
            ("２023-07-10T11:42:00Z", None),
        ] {
            assert_eq!(text_time(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_milliseconds() {
        for (number, expected) in [
            ("0", Some(0)),
            ("1688989320000", Some(1_688_989_320_000)),
            ("1.6889893200009e12", Some(1_688_989_320_000)),
            ("1e400", None),
            ("9e15", None),
        ] {
            assert_eq!(number_time(number), expected, "{number}");
        }
    }
}
