//! The field in a selection's key: a path, perhaps with array selectors (`field[any]`, `field[0]`).

use crate::{diagnostic::Notes, source::Span, spelling::nearest};
use rsigma_parser::{ArrayQuantifier, fieldpath, version};
use tripwasm_plan::Quantifier;

/// Whether brackets select members of arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brackets {
    /// Sigma 3: they do.
    Select,
    /// Before: they are refused, because older tools take them for parts of the name.
    Refused,
}

impl Brackets {
    /// What a specification version makes of them.
    pub(crate) fn of_version(major: u32) -> Self {
        match version::array_matching_enabled(Some(major)) {
            true => Brackets::Select,
            false => Brackets::Refused,
        }
    }
}

/// What the field part of a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldPath {
    /// A path as the plan writes it, indices in brackets.
    Plain {
        path: String,
        /// Whether some part has an index: then a map as value describes that element.
        is_indexed: bool,
    },
    /// Members of an array, and the key's field part inside a member; empty for the member itself.
    Members { array: String, quantifier: Quantifier, inside: String },
}

/// Reads the part of a key before the modifiers.
pub(crate) fn read(field: &str, brackets: Brackets, span: Span, notes: &mut Notes<'_>) -> Option<FieldPath> {
    if field.trim() != field {
        notes.error(span, format!("white space around the field name `{field}`"), "remove it");
        return None;
    }
    if brackets == Brackets::Refused && fieldpath::first_unescaped(field, b'[').is_some() {
        let message = format!("`{field}` has an array selector, which Sigma 2 does not know");
        let remedy = "declare `sigma-version: 3` at the top of the document; without a selector an array stands for \
                      each of its elements; `\\[` is a plain bracket";
        notes.error(span, message, remedy);
        return None;
    }
    let mut path = String::new();
    let mut is_indexed = false;
    let mut rest = field;
    loop {
        let (segment, after) = match rest.split_once('.') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        let (name, selector) = segment_of(segment, field, span, notes)?;
        path.push_str(&name);
        match selector {
            Some(Selector::Each(quantifier)) => {
                let inside = after.unwrap_or_default().to_owned();
                return Some(FieldPath::Members { array: path, quantifier, inside });
            }
            Some(Selector::Index(index)) => {
                path.push_str(&format!("[{index}]"));
                is_indexed = true;
            }
            None => {}
        }
        match after {
            Some(after) => {
                path.push('.');
                rest = after;
            }
            None => return Some(FieldPath::Plain { path, is_indexed }),
        }
    }
}

enum Selector {
    Each(Quantifier),
    Index(i64),
}

/// One part of a path: its name without escapes, and what stands in brackets behind it.
fn segment_of(
    segment: &str,
    field: &str,
    span: Span,
    notes: &mut Notes<'_>,
) -> Option<(String, Option<Selector>)> {
    let open = fieldpath::first_unescaped(segment, b'[');
    let selected = open.filter(|_| fieldpath::ends_with_unescaped(segment, b']'));
    let Some(open) = selected else {
        let name = fieldpath::unescape_brackets(segment).into_owned();
        if open.is_some() || fieldpath::first_unescaped(segment, b']').is_some() {
            let message = format!("a bracket without its partner in `{field}`");
            notes.error(span, message, "write `\\[` and `\\]` for plain brackets");
            return None;
        }
        if looks_indexed(&name) {
            let message = format!("a member named `{name}` cannot be told from an element of an array");
            notes.error(span, message, "match the object that holds it, as text with `contains`");
            return None;
        }
        return Some((name, None));
    };
    let name = fieldpath::unescape_brackets(segment.get(..open).unwrap_or_default()).into_owned();
    let word = segment.get(open + 1..segment.len() - 1).unwrap_or_default();
    if name.is_empty() || name.contains(['[', ']']) {
        let message = format!("an array selector without a plain name before it in `{field}`");
        notes.error(span, message, "write `name[any]`");
        return None;
    }
    selector(word, field, span, notes).map(|selector| (name, Some(selector)))
}

fn selector(word: &str, field: &str, span: Span, notes: &mut Notes<'_>) -> Option<Selector> {
    let words = [
        (ArrayQuantifier::Any.to_string(), Quantifier::Any),
        (ArrayQuantifier::All.to_string(), Quantifier::All),
        (ArrayQuantifier::AllOrEmpty.to_string(), Quantifier::AllOrEmpty),
        (ArrayQuantifier::None.to_string(), Quantifier::None),
    ];
    if let Some((_, quantifier)) = words.iter().find(|(known, _)| known == word) {
        return Some(Selector::Each(*quantifier));
    }
    if let Ok(index) = word.parse::<i32>() {
        return Some(Selector::Index(index.into()));
    }
    let remedy = match nearest(word, words.iter().map(|(known, _)| known.as_str())) {
        Some(near) => format!("did you mean `[{near}]`?"),
        None => {
            "known are `[any]`, `[all]`, `[all_or_empty]`, `[none]`, and numbers such as `[0]` and `[-1]`"
                .to_owned()
        }
    };
    notes.error(span, format!("unknown array selector `[{word}]` in `{field}`"), remedy);
    None
}

/// Whether a plain name ends as an indexed part of a plan's path does.
fn looks_indexed(name: &str) -> bool {
    let inner = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
    inner.is_some_and(|(_, word)| word.parse::<i64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceFile};

    fn reading(field: &str) -> Option<FieldPath> {
        let file = SourceFile { path: "r.yml".to_owned(), text: String::new() };
        let source = Source::new(&file);
        read(field, Brackets::Select, Span::START, &mut Notes::new(&source))
    }

    #[test]
    fn paths_and_selectors() {
        let plain = |path: &str, is_indexed| Some(FieldPath::Plain { path: path.to_owned(), is_indexed });
        let members = |array: &str, quantifier, inside: &str| {
            Some(FieldPath::Members { array: array.to_owned(), quantifier, inside: inside.to_owned() })
        };
        let cases = [
            ("a.b", plain("a.b", false)),
            ("a[0].b[-1]", plain("a[0].b[-1]", true)),
            ("a[any]", members("a", Quantifier::Any, "")),
            ("a[1].b[none].c[all].d", members("a[1].b", Quantifier::None, "c[all].d")),
            (r"a\[x\]", plain("a[x]", false)),
            (r"a\[x\][all_or_empty]", None),
            (r"a\[0\]", None),
            ("a[every]", None),
            ("a[99999999999]", None),
            ("[any]", None),
            ("a[any", None),
            ("a]", None),
        ];
        for (field, expected) in cases {
            assert_eq!(reading(field), expected, "{field}");
        }
    }
}
