//! The type of a plain scalar: the core schema of YAML 1.2.

use super::Value;

/// Why a plain scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScalarError {
    #[error("a number with a leading zero, octal to some YAML readers and decimal to others")]
    LeadingZero,
    #[error("a number that JSON cannot hold")]
    NotJson,
}

/// What an unquoted scalar means.
pub(crate) fn plain(text: &str) -> Result<Value, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    Ok(match number(text)? {
        Some(number) => Value::Number(number),
        None => Value::Text(text.to_owned()),
    })
}

/// The JSON text of a number of the core schema; `None` for other text.
fn number(text: &str) -> Result<Option<String>, ScalarError> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|rest| rest.chars().all(|c| c.is_digit(radix)))
            && !digits.is_empty()
        {
            return u128::from_str_radix(digits, radix)
                .map(|value| Some(value.to_string()))
                .map_err(|_| ScalarError::NotJson);
        }
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(ScalarError::NotJson);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_fine = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    let nothing = whole.is_empty() && fraction.is_none_or(str::is_empty);
    if nothing || !digits(whole) || !fraction.is_none_or(digits) || !exponent_is_fine {
        return Ok(None);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(ScalarError::LeadingZero);
    }
    let mut json = String::from(if negative { "-" } else { "" });
    json.push_str(if whole.is_empty() { "0" } else { whole });
    if let Some(fraction) = fraction {
        json.push('.');
        json.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
    if let Some(exponent) = exponent {
        json.push('e');
        json.push_str(exponent);
    }
    Ok(Some(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_the_core_schema() {
        let number = |text: &str| Ok(Value::Number(text.to_owned()));
        let cases = [
            ("", Ok(Value::Null)),
            ("NULL", Ok(Value::Null)),
            ("nuLL", Ok(Value::Text("nuLL".to_owned()))),
            ("True", Ok(Value::Bool(true))),
            ("yes", Ok(Value::Text("yes".to_owned()))),
            ("0", number("0")),
            ("-5", number("-5")),
            ("+5", number("5")),
            (".5", number("0.5")),
            ("5.", number("5.0")),
            ("1.10", number("1.10")),
            ("1e3", number("1e3")),
            ("0x1F", number("31")),
            ("0o17", number("15")),
            ("1_000", Ok(Value::Text("1_000".to_owned()))),
            ("1.2.3", Ok(Value::Text("1.2.3".to_owned()))),
            ("-", Ok(Value::Text("-".to_owned()))),
            (".", Ok(Value::Text(".".to_owned()))),
            ("e5", Ok(Value::Text("e5".to_owned()))),
            ("2019-01-01", Ok(Value::Text("2019-01-01".to_owned()))),
            ("012345678901", Err(ScalarError::LeadingZero)),
            (".inf", Err(ScalarError::NotJson)),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }
}
