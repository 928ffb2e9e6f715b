//! Case folding, as patterns are written and texts are compared: Unicode simple folding, as `(?i)` of a regular
//! expression.

/// The representative of all letters that differ from `c` in case only.
pub fn fold_char(c: char) -> char {
    match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        _ if c.is_ascii() => c,
        // Dotted capital and dotless small i fold to nothing else under simple folding.
        '\u{130}' | '\u{131}' => c,
        // Letters with two code points, whose only capital is a sequence.
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb05}' => '\u{fb06}',
        _ => single(single(c, char::to_uppercase), char::to_lowercase),
    }
}

fn single<I: Iterator<Item = char>>(c: char, map: impl Fn(char) -> I) -> char {
    let mut mapped = map(c);
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::fold_char;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    #[test]
    fn folding_agrees_with_regular_expressions_on_every_character() {
        for c in '\0'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.try_case_fold_simple().unwrap();
            for range in class.ranges() {
                for other in range.start()..=range.end() {
                    assert_eq!(fold_char(c), fold_char(other), "{c:?} {other:?}");
                }
            }
            let folded = fold_char(c);
            let in_class = class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&folded));
            // The standard library may know letters of a later Unicode version.
            let is_known = class.ranges().iter().map(|range| range.len()).sum::<usize>() > 1;
            assert!(in_class || !is_known, "{c:?} folds to {folded:?}, which is another letter");
        }
    }
}
