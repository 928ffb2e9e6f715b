//! Numbers by their text: integers exactly, whatever their length, everything else as 64 bit floating point.

use core::cmp::Ordering;
use tripwasm_plan::Operator;

/// How two numbers compare; `None` if one of the texts is no number.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    match (Integer::of(one), Integer::of(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.parse::<f64>().ok()?.partial_cmp(&other.parse::<f64>().ok()?),
    }
}

/// Whether `ordering` of a value and a bound satisfies the operator.
pub(super) fn satisfies(ordering: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Lt => ordering.is_lt(),
        Operator::Lte => ordering.is_le(),
        Operator::Gt => ordering.is_gt(),
        Operator::Gte => ordering.is_ge(),
        Operator::Eq => ordering.is_eq(),
        Operator::Neq => ordering.is_ne(),
    }
}

/// Whether a number is zero, or too small to be told from it.
pub(super) fn is_zero(number: &str) -> bool {
    number.parse::<f64>() == Ok(0.0)
}

/// Whether a string is a plain decimal number, `-?\d+(\.\d+)?`.
pub(super) fn is_plain_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

/// An integer of any length.
#[derive(PartialEq, Eq)]
struct Integer<'t> {
    negative: bool,
    /// Without leading zeros; empty for zero.
    digits: &'t str,
}

impl<'t> Integer<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = unsigned.trim_start_matches('0');
        Some(Integer { negative: text.starts_with('-') && !digits.is_empty(), digits })
    }
}

impl Ord for Integer<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, other: &Self| {
            one.digits.len().cmp(&other.digits.len()).then_with(|| one.digits.cmp(other.digits))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

impl PartialOrd for Integer<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_compare_exactly_and_others_as_floating_point() {
        let cases = [
            ("1", "1.0", Ordering::Equal),
            ("0", "-0", Ordering::Equal),
            ("-2", "-1", Ordering::Less),
            ("-1", "0", Ordering::Less),
            ("9", "10", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993", "9007199254740992.0", Ordering::Equal),
            ("1e3", "1000", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("100000000000000000000000000000001", "100000000000000000000000000000000", Ordering::Greater),
        ];
        for (one, other, expected) in cases {
            assert_eq!(compare(one, other), Some(expected), "{one} and {other}");
            assert_eq!(compare(other, one), Some(expected.reverse()), "{other} and {one}");
        }
    }

    #[test]
    fn plain_decimals_and_zeros_are_told_apart_from_other_text() {
        for text in ["0", "-1", "10.50", "007"] {
            assert!(is_plain_decimal(text), "{text}");
        }
        for text in ["", "-", "1.", ".5", "+1", "1e3", " 1", "1.2.3", "٣", "0x1"] {
            assert!(!is_plain_decimal(text), "{text}");
        }
        assert!(["0", "-0", "0.00", "0e9", "-0.0E-2", "1e-999"].into_iter().all(is_zero));
        assert!(!["1", "0.01", "1e0"].into_iter().any(is_zero));
    }
}
