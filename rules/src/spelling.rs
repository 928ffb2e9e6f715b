//! Words that are nearly right.

/// The candidate nearest to `word`, if it is near enough to be a slip.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = (word.chars().count() / 3).max(1);
    let word = plain(word);
    let scored = candidates.into_iter().map(|known| (strsim::osa_distance(&word, &plain(known)), known));
    scored
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
}

/// The known word that `word` misses by one edit, by letter case, or by `-` against `_`.
pub(crate) fn near_miss<'c>(word: &str, known: &[&'c str]) -> Option<&'c str> {
    let word = plain(word);
    known.iter().copied().find(|candidate| strsim::osa_distance(&word, &plain(candidate)) <= 1)
}

/// A remedy for an unknown word of a closed set.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["detection", "group-by", "rules", "field"];
        for (word, meant) in [
            ("detecton", "detection"),
            ("group_by", "group-by"),
            ("rule", "rules"),
            ("feild", "field"),
            ("Rules", "rules"),
        ] {
            assert_eq!(near_miss(word, &known), Some(meant));
        }
        for word in ["owner", "fidelity", "severity", ""] {
            assert_eq!(near_miss(word, &known), None, "{word}");
        }
    }
}
