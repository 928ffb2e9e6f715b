//! Unicode simple case folding, character by character.

/// The text with every character folded.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

/// A character in the case that comparisons use.
fn fold_char(character: char) -> char {
    match character {
        // Dotted and dotless i belong to no other letter.
        '\u{130}' | '\u{131}' => character,
        // Pairs whose only common upper case is several characters.
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb05}' => '\u{fb06}',
        _ => {
            let upper = only(character.to_uppercase()).unwrap_or(character);
            only(upper.to_lowercase()).unwrap_or(upper)
        }
    }
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    #[test]
    fn letters_of_either_case_are_alike_beyond_ascii() {
        for (one, other) in [
            ("ABC", "abc"),
            ("ÄÖ", "äö"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u{212a}elvin", "kelvin"),
            ("ſ", "S"),
            ("ẞ", "ß"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
        for (one, other) in [("ß", "ss"), ("ı", "i"), ("İ", "i"), ("ﬁ", "fi")] {
            assert_ne!(fold(one), fold(other), "{one} and {other}");
        }
    }

    /// Letters that the regular expressions' tables know alone are left out: the standard library's are
    /// newer.
    #[test]
    fn folding_is_that_of_case_insensitive_regular_expressions() {
        for character in '\0'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
            class.try_case_fold_simple().unwrap();
            let alike: Vec<char> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
            if alike.len() > 1 {
                let folded = fold_char(character);
                assert!(alike.contains(&folded), "{character:?} folds to {folded:?}");
                assert!(alike.iter().all(|&other| fold_char(other) == folded), "{alike:?}");
            }
        }
    }
}
