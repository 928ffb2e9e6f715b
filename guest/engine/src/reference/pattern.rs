//! Text patterns: always about the whole text.

use std::collections::BTreeSet;
use tripwasm_plan::{Pattern, Piece};

/// Whether a text fits a pattern, letter by letter.
pub(super) fn fits(pattern: &Pattern, text: &str) -> bool {
    match pattern {
        Pattern::Anything => true,
        Pattern::Equals(literal) => text == literal,
        Pattern::StartsWith(literal) => text.starts_with(literal.as_str()),
        Pattern::EndsWith(literal) => text.ends_with(literal.as_str()),
        Pattern::Contains(literal) => text.contains(literal.as_str()),
        Pattern::Wildcard(pieces) => fits_pieces(pieces, text),
    }
}

/// Follows, piece by piece, every place of the text that the pieces so far can end at.
fn fits_pieces(pieces: &[Piece], text: &str) -> bool {
    let mut places = BTreeSet::from([0]);
    for piece in pieces {
        places = match piece {
            Piece::Literal(literal) => {
                let fits =
                    |place: &usize| text.get(*place..).is_some_and(|rest| rest.starts_with(literal.as_str()));
                places.into_iter().filter(fits).map(|place| place + literal.len()).collect()
            }
            Piece::OneCharacter => {
                let behind = |place: usize| Some(place + text.get(place..)?.chars().next()?.len_utf8());
                places.into_iter().filter_map(behind).collect()
            }
            Piece::AnyText => match places.first() {
                Some(&first) => (first..=text.len()).filter(|&place| text.is_char_boundary(place)).collect(),
                None => return false,
            },
        };
    }
    places.contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern of `*`, `?` and literal text.
    fn pieces(pattern: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for character in pattern.chars() {
            pieces.push(match character {
                '*' => Piece::AnyText,
                '?' => Piece::OneCharacter,
                _ => Piece::Literal(character.into()),
            });
        }
        pieces
    }

    #[test]
    fn wildcards_are_anchored_and_take_characters_not_bytes() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "a\nb", true),
            ("?", "é", true),
            ("?", "\n", true),
            ("??", "é", false),
            ("?*", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab", "aab", true),
            ("a?c*", "abcd", true),
            ("*a?", "aaa", true),
            ("é*", "é", true),
            ("b", "abc", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(fits(&Pattern::Wildcard(pieces(pattern)), text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn plain_patterns_are_about_the_whole_text() {
        let cases = [
            (Pattern::Anything, [true, true, true]),
            (Pattern::Equals("ab".into()), [false, true, false]),
            (Pattern::StartsWith("a".into()), [false, true, true]),
            (Pattern::EndsWith("b".into()), [false, true, false]),
            (Pattern::Contains("b".into()), [false, true, true]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(["", "ab", "abc"].map(|text| fits(&pattern, text)), expected, "{pattern:?}");
        }
    }
}
