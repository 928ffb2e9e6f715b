//! Numbers that add up to the same sum in any order.

use core::fmt::Write;
use serde::{Deserialize, Serialize};

/// A decimal number with nine digits behind the point, exact under addition.
///
/// Sums must not depend on the order of arrival, and a sliding window has to subtract exactly what it added; floating
/// point does neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decimal(i128);

const FRACTION_DIGITS: i32 = 9;
const ONE: i128 = 1_000_000_000;
/// Digits before the point: 10^9 numbers of this size still add up within an `i128`.
const WHOLE_DIGITS_MAX: i32 = 20;

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal(0);

    /// A whole number.
    pub const fn whole(value: u64) -> Decimal {
        Decimal(value as i128 * ONE)
    }

    /// The number in billionths, in which it is whole.
    pub const fn billionths(self) -> i128 {
        self.0
    }

    /// So many billionths.
    pub const fn of_billionths(billionths: i128) -> Decimal {
        Decimal(billionths)
    }

    /// The number without its fraction, as a count; 0 if it is negative, the greatest count if it lies beyond.
    pub fn as_count(self) -> u64 {
        u64::try_from(self.0.max(0) / ONE).unwrap_or(u64::MAX)
    }

    /// Reads a number in JSON's notation (an optional `+` in front, too): digits behind the ninth are rounded, half away
    /// from zero. None if it is no such number or not below 10^20.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || mantissa.ends_with('.') || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let magnitude = scaled(whole, fraction, exponent)?;
        Some(Decimal(if negative { -magnitude } else { magnitude }))
    }

    /// The sum, at the end of the range if it lies beyond.
    pub fn plus(self, other: Decimal) -> Decimal {
        Decimal(self.0.saturating_add(other.0))
    }

    /// The difference, at the end of the range if it lies beyond.
    pub fn minus(self, other: Decimal) -> Decimal {
        Decimal(self.0.saturating_sub(other.0))
    }

    /// So many times the number, at the end of the range if it lies beyond.
    pub fn times(self, count: u64) -> Decimal {
        Decimal(self.0.saturating_mul(i128::from(count)))
    }

    /// The quotient, rounded to nine digits, half away from zero; zero parts are one part.
    pub fn divided_by(self, parts: u64) -> Decimal {
        let parts = i128::from(parts.max(1));
        let half = parts / 2 * self.0.signum();
        Decimal(self.0.saturating_add(half) / parts)
    }
}

impl core::fmt::Display for Decimal {
    /// JSON's notation, without zeros at the end of the fraction.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // An i128 has 39 digits at most, and the sign and the point come on top. Backwards.
        let mut text = String::with_capacity(41);
        let (mut rest, mut place) = (self.0.unsigned_abs(), 0);
        while rest > 0 || place <= FRACTION_DIGITS {
            if place == FRACTION_DIGITS && !text.is_empty() {
                text.push('.');
            }
            let digit = char::from_digit((rest % 10) as u32, 10).unwrap_or('0');
            if place >= FRACTION_DIGITS || digit != '0' || !text.is_empty() {
                text.push(digit);
            }
            (rest, place) = (rest / 10, place + 1);
        }
        if self.0 < 0 {
            text.push('-');
        }
        text.chars().rev().try_for_each(|character| f.write_char(character))
    }
}

/// `whole.fraction * 10^exponent` in billionths.
fn scaled(whole: &str, fraction: &str, exponent: i32) -> Option<i128> {
    let digits = whole.bytes().chain(fraction.bytes()).skip_while(|&byte| byte == b'0');
    let count = i32::try_from(digits.clone().count()).ok()?;
    if count == 0 {
        return Some(0);
    }
    // The place of the point behind the first digit that is not zero.
    let point = count.checked_sub(i32::try_from(fraction.len()).ok()?)?.checked_add(exponent)?;
    if point > WHOLE_DIGITS_MAX {
        return None;
    }
    let kept = point + FRACTION_DIGITS;
    if kept < 0 {
        return Some(0);
    }
    let mut magnitude: i128 = 0;
    let mut all = digits.chain(std::iter::repeat(b'0'));
    for _ in 0..kept {
        magnitude = magnitude * 10 + i128::from(all.next()? - b'0');
    }
    // A number is rounded by its first digit that is left out; the repeated zeros never round up.
    Some(magnitude + i128::from(all.next()? >= b'5'))
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn json_numbers_are_read_and_written() {
        for (text, written) in [
            ("0", "0"),
            ("-0", "0"),
            ("12", "12"),
            ("-1.50", "-1.5"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("0.0000000005", "0.000000001"),
            ("0.00000000049", "0"),
            ("-0.0000000015", "-0.000000002"),
            ("99999999999999999999", "99999999999999999999"),
            ("0e99999", "0"),
            ("1e-2000000000", "0"),
            ("007", "7"),
            ("1000000000", "1000000000"),
            ("-10.000000001", "-10.000000001"),
            ("0.1", "0.1"),
            ("-100.25", "-100.25"),
        ] {
            assert_eq!(
                Decimal::parse(text).map(|value| value.to_string()).as_deref(),
                Some(written),
                "{text}"
            );
        }
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "1e",
            "1e999999999999",
            "0x1",
            "1_0",
            "NaN",
            "1e20",
            "100000000000000000000",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sums_and_quotients_are_exact() {
        let tenth = Decimal::parse("0.1").unwrap();
        assert_eq!(tenth.plus(tenth).plus(tenth).to_string(), "0.3");
        assert_eq!(tenth.minus(Decimal::whole(1)).to_string(), "-0.9");
        assert_eq!(Decimal::whole(2).divided_by(3).to_string(), "0.666666667");
        assert_eq!(Decimal::parse("-2").unwrap().divided_by(3).to_string(), "-0.666666667");
        assert_eq!(Decimal::whole(7).divided_by(0).to_string(), "7");
    }
}
