//! The condition of a detection, before the parser sees it: its errors get places, its nesting a bound.

use crate::{
    diagnostic::Notes,
    source::Span,
    spelling::{nearest, suggestion},
};
use std::collections::BTreeSet;

/// Deepest nesting of brackets and `not` in a condition, which parsers read by recursion.
const CONDITION_NESTING_MAX: usize = 32;

/// Longest text of a condition.
const CONDITION_BYTES_MAX: usize = 16 << 10;

const KEYWORDS: [&str; 7] = ["and", "or", "not", "of", "them", "all", "any"];

/// Checks a condition against the identifiers of its detection, and adds those it refers to to `used`.
pub(crate) fn check<'n>(
    text: &str,
    span: Span,
    names: &[&'n str],
    used: &mut BTreeSet<&'n str>,
    notes: &mut Notes<'_>,
) {
    if text.len() > CONDITION_BYTES_MAX {
        let message =
            format!("a condition of {} bytes, the longest allowed is {CONDITION_BYTES_MAX}", text.len());
        return notes.error(span, message, "name selections alike and use `1 of name_*`");
    }
    if text.contains('|') {
        let remedy = "write a correlation over this rule: `event_count` for `count()`, `temporal` for `near`";
        return notes.error(notes.source().inside(span, "|", 0), "aggregations after `|` left Sigma", remedy);
    }
    if nesting(text) > CONDITION_NESTING_MAX {
        let message = format!("a condition nested deeper than {CONDITION_NESTING_MAX} levels");
        return notes.error(span, message, "split it into selections");
    }
    let before = notes.list.len();
    let words: Vec<&str> = text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).collect();
    for (position, &word) in words.iter().enumerate() {
        let previous = position.checked_sub(1).and_then(|at| words.get(at)).copied();
        let next = words.get(position + 1).copied();
        let nth = words.iter().take(position).filter(|&&earlier| earlier == word).count();
        let place = notes.source().word(span, word, nth);
        match previous == Some("of") {
            true => selector(word, quantifier(&words, position), place, names, used, notes),
            false if next == Some("of") || KEYWORDS.contains(&word) => {}
            false => identifier(word, place, names, used, notes),
        }
    }
    if notes.list.len() == before
        && let Err(error) = rsigma_parser::parse_condition(text)
    {
        syntax_error(text, span, &error, notes);
    }
}

/// Whether `pattern` (`them`, or a text with `*`) stands for the identifier. Identifiers that begin with `_` are
/// left out unless the pattern begins so too.
pub(crate) fn selects(pattern: &str, name: &str) -> bool {
    if name.starts_with('_') && !pattern.starts_with('_') {
        return false;
    }
    if pattern == "them" {
        return true;
    }
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece).and_then(|at| rest.get(at + piece.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '*')
}

/// The deepest nesting that a parser may reach: brackets, and each `not` before what it negates.
fn nesting(text: &str) -> usize {
    let mut outer: Vec<usize> = Vec::new();
    let (mut depth, mut deepest) = (0, 0);
    for token in text.split_inclusive(|c: char| !is_word(c)) {
        let word = token.trim_end_matches(|c: char| !is_word(c));
        match word {
            "not" => depth += 1,
            "" => {}
            _ => depth = outer.last().copied().unwrap_or(0),
        }
        if token.ends_with('(') {
            depth += 1;
            outer.push(depth);
        }
        deepest = deepest.max(depth);
        if token.ends_with(')') {
            outer.pop();
            depth = outer.last().copied().unwrap_or(0);
        }
    }
    deepest
}

fn quantifier<'w>(words: &[&'w str], position: usize) -> &'w str {
    position.checked_sub(2).and_then(|at| words.get(at)).copied().unwrap_or_default()
}

fn identifier<'n>(
    word: &str,
    place: Span,
    names: &[&'n str],
    used: &mut BTreeSet<&'n str>,
    notes: &mut Notes<'_>,
) {
    if let Some(name) = names.iter().find(|&&name| name == word) {
        used.insert(name);
        return;
    }
    let lower = word.to_lowercase();
    if KEYWORDS.contains(&lower.as_str()) && lower != word {
        let message = format!("`{word}` in the condition is no identifier");
        return notes.error(place, message, format!("write `{lower}` in lower case"));
    }
    if word.contains('*') {
        let message = format!("the pattern `{word}` without a number before it");
        return notes.error(place, message, format!("write `1 of {word}` or `all of {word}`"));
    }
    let remedy = match nearest(word, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => suggestion(word, names),
    };
    notes.error(place, format!("unknown identifier `{word}` in the condition"), remedy);
}

fn selector<'n>(
    pattern: &str,
    quantifier: &str,
    place: Span,
    names: &[&'n str],
    used: &mut BTreeSet<&'n str>,
    notes: &mut Notes<'_>,
) {
    let selected: Vec<&'n str> = names.iter().copied().filter(|name| selects(pattern, name)).collect();
    used.extend(&selected);
    if selected.is_empty() {
        let message = format!("`{pattern}` in the condition fits no identifier");
        return notes.error(place, message, suggestion(pattern.trim_end_matches('*'), names));
    }
    if let Ok(count) = quantifier.parse::<usize>()
        && !(1..=selected.len()).contains(&count)
    {
        let message = format!("`{count} of {pattern}`, where {} fit", selected.len());
        notes.error(place, message, format!("write a number from 1 to {}", selected.len()));
    }
}

fn syntax_error(text: &str, span: Span, error: &rsigma_parser::SigmaParserError, notes: &mut Notes<'_>) {
    let whole = error.to_string();
    let expected = whole.lines().rev().find_map(|line| line.trim().strip_prefix("= "));
    let reason =
        expected.unwrap_or("not a condition").replace("EOI", "its end").replace("ident", "an identifier");
    let reason = reason.replace("or_op", "`or`").replace("and_op", "`and`").replace("not_op", "`not`");
    let place = match error.location() {
        Some(place) if place.line == 1 && !text.contains('\n') => {
            notes.source().inside(span, text, (place.col as usize).saturating_sub(1))
        }
        _ => span,
    };
    let remedy = "conditions are made of identifiers, `and`, `or`, `not`, `1 of`, `all of` and brackets";
    notes.error(place, format!("the condition cannot be read: {reason}"), remedy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_identifiers() {
        let cases = [
            ("them", "selection", true),
            ("them", "_hidden", false),
            ("*", "selection", true),
            ("*", "_hidden", false),
            ("_*", "_hidden", true),
            ("sel*", "selection", true),
            ("*ion", "selection", true),
            ("s*e*n", "selection", true),
            ("sel*lection", "selection", false),
            ("selection", "selection", true),
            ("selection", "selection_2", false),
            ("*a*a*", "aba", true),
            ("*a*a*", "ab", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(selects(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn nesting_counts_brackets_and_nots() {
        assert_eq!(nesting("a and b"), 0);
        assert_eq!(nesting("not (a or (b))"), 3);
        assert_eq!(nesting("not not not a"), 3);
        assert_eq!(nesting("not a and not b"), 1);
        assert_eq!(nesting(&"(".repeat(1000)), 1000);
    }
}
