//! Tests of one value.

use super::compiled::Automaton;
use super::fold::fold_into;
use super::{Value, number};
use crate::scan::compact;
use crate::scan::vector::{VECTOR_BYTES, pairs};
use core::cmp::Ordering;
use regex_automata::Input;
use regex_automata::dfa::Automaton as _;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use tripwasm_plan::{CaseRule, Cidr, Operator, Pattern, Piece, Reference, Test, Types};

/// Whether a value passes a test that needs nothing but the value. `dfa` is that of a [`Test::Regex`].
pub(super) fn passes(test: &Test, value: &Value<'_>, dfa: Option<&Automaton>, folded: &mut String) -> bool {
    match test {
        // Answered by the field's presence, not by a value.
        Test::Exists | Test::Null | Test::FieldRef { .. } | Test::Members { .. } => false,
        Test::Text { pattern, case, types } => {
            text_of(value, *types).is_some_and(|text| fits(pattern, &text, *case, folded))
        }
        Test::Bool { value: expected, types } => match value {
            Value::Bool(value) => value == expected,
            Value::Text(text) if *types == Types::Any => {
                text.eq_ignore_ascii_case(if *expected { "true" } else { "false" })
            }
            _ => false,
        },
        Test::Number { value: expected, types } => match value {
            Value::Number(value) => number::compare(value, expected) == Some(Ordering::Equal),
            Value::Text(text) => *types == Types::Any && text == expected,
            _ => false,
        },
        Test::Compare { operator, bound } => compares(value, *operator, bound),
        Test::Regex { literal, .. } => {
            let Some(text) = text_of(value, Types::Any) else { return false };
            contains(&text, literal)
                && dfa.is_some_and(|dfa| {
                    let input = Input::new(text.as_bytes()).earliest(true);
                    matches!(dfa.try_search_fwd(&input), Ok(Some(_)))
                })
        }
        Test::Cidr(networks) => match value {
            Value::Text(text) => address(text).is_some_and(|ip| networks.iter().any(|net| within(ip, net))),
            _ => false,
        },
    }
}

/// Whether `text` stands in the relation to `other`.
pub(super) fn refers(text: &str, other: &str, reference: Reference, case: CaseRule) -> bool {
    let fold = |text: &str| {
        let mut folded = String::new();
        fold_into(text, &mut folded);
        folded
    };
    let (text, other) = match case {
        CaseRule::Exact => (text.to_owned(), other.to_owned()),
        CaseRule::Fold => (fold(text), fold(other)),
    };
    match reference {
        Reference::Equals => text == other,
        Reference::StartsWith => text.starts_with(&other),
        Reference::EndsWith => text.ends_with(&other),
        Reference::Contains => text.contains(&other),
    }
}

#[inline]
fn text_of<'v>(value: &'v Value<'_>, types: Types) -> Option<Cow<'v, str>> {
    match (value, types) {
        (Value::Text(text), _) => Some(Cow::Borrowed(text)),
        (_, Types::Strict) | (Value::Null, _) => None,
        (Value::Number(text), _) => Some(Cow::Borrowed(text)),
        (Value::Bool(value), _) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        (Value::Container(raw), _) => Some(Cow::Owned(compact(raw))),
    }
}

fn fits(pattern: &Pattern, text: &str, case: CaseRule, folded: &mut String) -> bool {
    if case == CaseRule::Exact {
        return fits_exactly(pattern, text);
    }
    if let Pattern::Equals(expected) = pattern
        && text.is_ascii()
    {
        return text.eq_ignore_ascii_case(expected);
    }
    fold_into(text, folded);
    fits_exactly(pattern, folded)
}

fn fits_exactly(pattern: &Pattern, text: &str) -> bool {
    match pattern {
        Pattern::Anything => true,
        Pattern::Equals(expected) => text == expected,
        Pattern::StartsWith(start) => text.starts_with(start.as_str()),
        Pattern::EndsWith(end) => text.ends_with(end.as_str()),
        Pattern::Contains(part) => contains(text, part),
        Pattern::Wildcard(pieces) => fits_wildcard(pieces, text),
    }
}

/// Whether a short text, as values of events are, holds another one. Looks for its first and last byte at their distance,
/// a vector at once.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let (Some(&first), Some(&last)) = (part.first(), part.last()) else { return true };
    let (Some(heads), Some(tails)) =
        (text.len().checked_sub(part.len() - 1).and_then(|end| text.get(..end)), text.get(part.len() - 1..))
    else {
        return false;
    };
    let begins = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with(part));
    let (Some(last_heads), Some(last_tails)) = (heads.last_chunk(), tails.last_chunk()) else {
        return (0..heads.len()).any(begins);
    };
    let is_in = |heads: &[u8; VECTOR_BYTES], tails: &[u8; VECTOR_BYTES], at: usize| {
        let mut places = pairs(heads, tails, first, last);
        while places != 0 {
            if begins(at + places.trailing_zeros() as usize) {
                return true;
            }
            places &= places - 1;
        }
        false
    };
    let vectors = heads.as_chunks().0.iter().zip(tails.as_chunks().0).zip((0..).step_by(VECTOR_BYTES));
    vectors.into_iter().any(|((heads, tails), at)| is_in(heads, tails, at))
        || is_in(last_heads, last_tails, heads.len() - VECTOR_BYTES)
}

/// Matches piece by piece; on a mismatch the latest `*` takes one character more.
fn fits_wildcard(pieces: &[Piece], text: &str) -> bool {
    let (mut piece, mut rest) = (0, text);
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let advanced = match pieces.get(piece) {
            Some(Piece::AnyText) => {
                retry = Some((piece + 1, rest));
                Some(rest)
            }
            Some(Piece::OneCharacter) => {
                let mut chars = rest.chars();
                chars.next().map(|_| chars.as_str())
            }
            Some(Piece::Literal(literal)) => rest.strip_prefix(literal.as_str()),
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(advanced) = advanced {
            piece += 1;
            rest = advanced;
            continue;
        }
        let Some((after_star, tried)) = retry else { return false };
        let Some(next) = next_try(pieces.get(after_star), tried) else { return false };
        retry = Some((after_star, next));
        piece = after_star;
        rest = next;
    }
}

/// The next place at which the piece behind a `*` can begin.
fn next_try<'t>(piece: Option<&Piece>, tried: &'t str) -> Option<&'t str> {
    let mut chars = tried.chars();
    chars.next()?;
    let rest = chars.as_str();
    match piece {
        Some(Piece::Literal(literal)) => rest.find(literal.as_str()).and_then(|at| rest.get(at..)),
        Some(Piece::AnyText | Piece::OneCharacter) => Some(rest),
        // A final `*` takes the rest of the text.
        None => Some(""),
    }
}

fn compares(value: &Value<'_>, operator: Operator, bound: &str) -> bool {
    let number = match value {
        Value::Number(number) => number,
        Value::Text(text) if number::is_plain_decimal(text) => text,
        _ => return false,
    };
    number::compare(number, bound).is_some_and(|ordering| match operator {
        Operator::Lt => ordering == Ordering::Less,
        Operator::Lte => ordering != Ordering::Greater,
        Operator::Gt => ordering == Ordering::Greater,
        Operator::Gte => ordering != Ordering::Less,
        Operator::Eq => ordering == Ordering::Equal,
        Operator::Neq => ordering != Ordering::Equal,
    })
}

/// An IP address as Python's `ipaddress` reads it: a v6 address may carry one non-empty scope.
fn address(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, scope)) if !scope.is_empty() && !scope.contains('%') => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        Some(_) => None,
    }
}

fn within(address: IpAddr, network: &Cidr) -> bool {
    match (address, network) {
        (IpAddr::V4(ip), Cidr::V4(base, prefix)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
            ip.to_bits() & mask == base & mask
        }
        (IpAddr::V6(ip), Cidr::V6(base, prefix)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
            ip.to_bits() & mask == base & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_at_every_place() {
        for length in 0..70 {
            for at in 0..length {
                let text: String = (0..length).map(|place| if place < at { 'a' } else { 'b' }).collect();
                for part in ["", "b", "ab", "abb", "abbbbbbbbbbbbbbbbbbbb", "aaab", "ba", "bb"] {
                    assert_eq!(contains(&text, part), text.contains(part), "{part} in {text}");
                }
            }
        }
    }

    #[test]
    fn wildcards_backtrack_and_anchor() {
        let star = Piece::AnyText;
        let one = Piece::OneCharacter;
        let lit = |text: &str| Piece::Literal(text.into());
        let a_b = [star.clone(), lit("a"), one.clone(), lit("b"), star.clone()];
        for (pieces, text, expected) in [
            (&a_b[..], "xaaéby", true),
            (&a_b[..], "aab", true),
            (&a_b[..], "ab", false),
            (&a_b[..4], "a-bzaxb", true),
            (&a_b[..4], "a-bz", false),
            (&a_b[1..4], "a\nb", true),
            (&[star.clone(), lit("aab")][..], "aaab", true),
            (&[lit("a"), star.clone(), lit("a")][..], "a", false),
            (&[one.clone()][..], "", false),
            (&[star.clone(), star.clone()][..], "", true),
        ] {
            assert_eq!(fits_wildcard(pieces, text), expected, "{pieces:?} {text:?}");
        }
    }
}
