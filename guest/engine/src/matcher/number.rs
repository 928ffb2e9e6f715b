//! Numbers by their text: integers exactly, whatever their length, others as 64 bit floats.

use core::cmp::Ordering;

/// Compares two JSON numbers.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(compare_integers(left, right)),
        _ => left.parse::<f64>().ok()?.partial_cmp(&right.parse::<f64>().ok()?),
    }
}

/// Whether a string is a plain decimal number: digits, perhaps a sign before and a fraction behind.
pub(super) fn is_plain_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match unsigned.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(unsigned),
    }
}

/// Sign and significant digits; zero has no sign.
fn integer(text: &str) -> Option<(bool, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some((negative && !digits.is_empty(), digits))
}

fn compare_integers((left_negative, left): (bool, &str), (right_negative, right): (bool, &str)) -> Ordering {
    let magnitudes = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
    match (left_negative, right_negative) {
        (false, false) => magnitudes,
        (true, true) => magnitudes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_length_and_fractions_compare() {
        for (left, right, expected) in [
            ("5", "5.0", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("99999999999999999999", "99999999999999999998", Ordering::Greater),
            ("-12", "-3", Ordering::Less),
            ("-1", "1", Ordering::Less),
            ("1e3", "999.5", Ordering::Greater),
        ] {
            assert_eq!(compare(left, right), Some(expected), "{left} {right}");
            assert_eq!(compare(right, left), Some(expected.reverse()), "{right} {left}");
        }
    }

    #[test]
    fn plain_decimals_are_told_from_other_texts() {
        let plain = ["0", "-1", "1.50", "007"];
        let other = ["", "-", "1.", ".5", "1e3", "+1", " 1", "0x1", "inf"];
        assert!(plain.iter().all(|text| is_plain_decimal(text)));
        assert!(!other.iter().any(|text| is_plain_decimal(text)));
    }
}
