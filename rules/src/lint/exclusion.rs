//! Which tests of one field exclude or imply each other.

use super::cloudtrail::{self, Kind};
use std::cmp::Ordering;
use tripwasm_plan::{
    Calculation, Decimal, Field, FieldSource, Operator, Pattern, Piece, Quantifier, Test, fold_char,
};

/// Whose events a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// CloudTrail's, whose fields are known.
    CloudTrail,
    /// Those of another log source.
    Others,
}

/// Whether no value passes both tests of the field. A field that may have several values passes whatever any of them
/// passes, so only fields with one value at most are judged.
pub(super) fn excludes(field: &Field, one: &Test, other: &Test, events: Events) -> bool {
    let has_one_value = match &field.source {
        FieldSource::Path(path) => {
            events == Events::CloudTrail && cloudtrail::kind_of(path) == Some(Kind::Scalar)
        }
        FieldSource::Calculated(calculation) => matches!(calculation, Calculation::TimePart(..)),
        FieldSource::Leaves => false,
    };
    has_one_value && (disjoint(one, other) || disjoint(other, one))
}

/// Whether a field that passes `one` passes `other` for certain.
pub(super) fn implies(one: &Test, other: &Test) -> bool {
    if one == other {
        return true;
    }
    match (one, other) {
        (one, Test::Exists) => needs_value(one),
        (Test::Text { pattern: Pattern::Equals(text), .. }, Test::Text { pattern, case, types }) => {
            let is_loose = *case == tripwasm_plan::CaseRule::Fold && *types == tripwasm_plan::Types::Any;
            is_loose && fits(pattern, text)
        }
        _ => false,
    }
}

/// A test in a message.
pub(super) fn described(test: &Test) -> String {
    match test {
        Test::Null => "absent or null".to_owned(),
        Test::Bool { value, .. } => format!("`{value}`"),
        Test::Number { value, .. } => format!("`{value}`"),
        Test::Compare { operator, bound } => {
            let sign = match operator {
                Operator::Lt => "<",
                Operator::Lte => "<=",
                Operator::Gt => ">",
                Operator::Gte => ">=",
                Operator::Eq => "=",
                Operator::Neq => "!=",
            };
            format!("{sign} {bound}")
        }
        Test::Text { pattern, .. } => {
            let text: String = pieces(pattern)
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.as_str(),
                    Piece::AnyText => "*",
                    Piece::OneCharacter => "?",
                })
                .collect();
            format!("`{text}`")
        }
        Test::Exists | Test::Regex { .. } | Test::Cidr(_) | Test::FieldRef { .. } | Test::Members { .. } => {
            "something else".to_owned()
        }
    }
}

/// Whether a test passes only where the field is present.
fn needs_value(test: &Test) -> bool {
    match test {
        Test::Null => false,
        Test::Members { quantifier, .. } => matches!(quantifier, Quantifier::Any | Quantifier::All),
        _ => true,
    }
}

/// Whether no single value passes both; one direction.
fn disjoint(one: &Test, other: &Test) -> bool {
    use Test::{Bool, Cidr, Compare, Null, Number, Regex, Text};
    match (one, other) {
        (Null, Text { .. } | Bool { .. } | Number { .. } | Compare { .. } | Regex { .. } | Cidr(_)) => true,
        (Text { pattern: Pattern::Equals(text), .. }, Text { pattern, .. }) => !fits(&folded(pattern), text),
        (
            Text { pattern: Pattern::StartsWith(one), .. },
            Text { pattern: Pattern::StartsWith(other), .. },
        ) => {
            let (one, other) = (fold(one), fold(other));
            !one.starts_with(&other) && !other.starts_with(&one)
        }
        (Text { pattern: Pattern::EndsWith(one), .. }, Text { pattern: Pattern::EndsWith(other), .. }) => {
            let (one, other) = (fold(one), fold(other));
            !one.ends_with(&other) && !other.ends_with(&one)
        }
        (Bool { value: one, .. }, Bool { value: other, .. }) => one != other,
        (Bool { .. }, Number { .. } | Compare { .. }) => true,
        (Bool { value, .. }, Text { pattern: Pattern::Equals(text), .. }) => fold(text) != value.to_string(),
        (Number { .. } | Compare { .. }, Text { pattern: Pattern::Equals(text), .. }) => {
            Decimal::parse(text).is_none()
                && !text.starts_with(['+', '-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        }
        (Number { .. } | Compare { .. }, Number { .. } | Compare { .. }) => apart(one, other),
        _ => false,
    }
}

/// Whether the numbers that fit one test lie below all that fit the other.
fn apart(one: &Test, other: &Test) -> bool {
    let (Some(one), Some(other)) = (range(one), range(other)) else { return false };
    let below = |(_, high): Range, (low, _): Range| match (high, low) {
        (Some((high, high_fits)), Some((low, low_fits))) => match high.cmp(&low) {
            Ordering::Less => true,
            Ordering::Equal => !(high_fits && low_fits),
            Ordering::Greater => false,
        },
        _ => false,
    };
    below(one, other) || below(other, one)
}

/// Lowest and highest number, each with whether it fits itself; `None` has no end.
type Range = (Option<(Decimal, bool)>, Option<(Decimal, bool)>);

fn range(test: &Test) -> Option<Range> {
    match test {
        Test::Number { value, .. } => {
            let value = Decimal::parse(value)?;
            Some((Some((value, true)), Some((value, true))))
        }
        Test::Compare { operator, bound } => {
            let bound = Decimal::parse(bound)?;
            match operator {
                Operator::Lt => Some((None, Some((bound, false)))),
                Operator::Lte => Some((None, Some((bound, true)))),
                Operator::Gt => Some((Some((bound, false)), None)),
                Operator::Gte => Some((Some((bound, true)), None)),
                Operator::Eq => Some((Some((bound, true)), Some((bound, true)))),
                Operator::Neq => None,
            }
        }
        _ => None,
    }
}

/// Whether a pattern fits a text, letter case aside; the pattern is folded.
fn fits(pattern: &Pattern, text: &str) -> bool {
    let text: Vec<char> = text.chars().map(fold_char).collect();
    // Which beginnings of the text the pieces so far may stand for.
    let mut ends = vec![false; text.len() + 1];
    if let Some(first) = ends.first_mut() {
        *first = true;
    }
    for piece in pieces(pattern) {
        let reached = |at: usize| ends.get(at).copied().unwrap_or(false);
        ends = match piece {
            Piece::AnyText => {
                let first = ends.iter().position(|&reached| reached);
                (0..=text.len()).map(|at| first.is_some_and(|first| first <= at)).collect()
            }
            Piece::OneCharacter => (0..=text.len()).map(|at| at > 0 && reached(at - 1)).collect(),
            Piece::Literal(literal) => {
                let literal: Vec<char> = literal.chars().collect();
                let begins = |at: usize| at.checked_sub(literal.len());
                (0..=text.len())
                    .map(|at| {
                        begins(at).is_some_and(|from| reached(from) && text.get(from..at) == Some(&literal))
                    })
                    .collect()
            }
        };
    }
    ends.last().copied().unwrap_or(false)
}

fn pieces(pattern: &Pattern) -> Vec<Piece> {
    let literal = |text: &String| Piece::Literal(text.clone());
    match pattern {
        Pattern::Anything => vec![Piece::AnyText],
        Pattern::Equals(text) => vec![literal(text)],
        Pattern::StartsWith(text) => vec![literal(text), Piece::AnyText],
        Pattern::EndsWith(text) => vec![Piece::AnyText, literal(text)],
        Pattern::Contains(text) => vec![Piece::AnyText, literal(text), Piece::AnyText],
        Pattern::Wildcard(pieces) => pieces.clone(),
    }
}

fn folded(pattern: &Pattern) -> Pattern {
    let piece = |piece| match piece {
        Piece::Literal(text) => Piece::Literal(fold(&text)),
        other => other,
    };
    Pattern::Wildcard(pieces(pattern).into_iter().map(piece).collect())
}

fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}
