//! Regular expressions to the bytes of an automaton.

use regex_automata::{
    dfa::{StartKind, dense},
    nfa::thompson,
};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind},
};

/// Bound on an automaton: a pattern that needs more belongs into simpler ones.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// Bound on the memory that building one takes.
const BUILD_BYTES_MAX: usize = 16 << 20;

/// Sigma's `re|i`, `re|m`, `re|s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegexFlags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("{message} (character {} of the pattern)", offset + 1)]
    Syntax { message: String, offset: usize },
    #[error("a Unicode word boundary needs unbounded memory")]
    WordBoundary,
    #[error("regex too large: its automaton exceeds 1 MiB")]
    TooLarge,
}

impl RegexError {
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            RegexError::Syntax { message, .. } if message.contains("look-around") => {
                "match what has to be absent in a selection of its own, and negate that in the condition"
            }
            RegexError::Syntax { .. } => {
                "the syntax is that of the Rust crate `regex`: no look-around, no back-references"
            }
            RegexError::WordBoundary => "write `(?-u:\\b)` for the ASCII word boundary",
            RegexError::TooLarge => {
                "use smaller repetition counts, or ASCII classes such as `[0-9]` for `\\d`"
            }
        }
    }
}

/// An automaton that finds the pattern anywhere in a text, as little-endian sparse DFA bytes; and a text that every match
/// contains, empty where none is known.
pub(crate) fn compile(pattern: &str, flags: RegexFlags) -> Result<(Vec<u8>, String), RegexError> {
    let mut parser = ParserBuilder::new()
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .build();
    let hir = parser.parse(pattern).map_err(|error| syntax_error(pattern, &error))?;
    if hir.properties().look_set().contains_word_unicode() {
        return Err(RegexError::WordBoundary);
    }
    let limits = thompson::Config::new().nfa_size_limit(Some(BUILD_BYTES_MAX)).shrink(false);
    let nfa =
        thompson::Compiler::new().configure(limits).build_from_hir(&hir).map_err(|_| RegexError::TooLarge)?;
    let limits = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(BUILD_BYTES_MAX))
        .determinize_size_limit(Some(BUILD_BYTES_MAX));
    let dense =
        dense::Builder::new().configure(limits).build_from_nfa(&nfa).map_err(|_| RegexError::TooLarge)?;
    let bytes = dense.to_sparse().map_err(|_| RegexError::TooLarge)?.to_bytes_little_endian();
    if bytes.len() > AUTOMATON_BYTES_MAX {
        return Err(RegexError::TooLarge);
    }
    Ok((bytes, required_literal(&hir).unwrap_or_default()))
}

/// The longest text that the pattern cannot do without, as far as its outermost parts say.
fn required_literal(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        HirKind::Capture(capture) => required_literal(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_literal(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(required_literal).max_by_key(String::len),
        _ => None,
    }
}

fn syntax_error(pattern: &str, error: &regex_syntax::Error) -> RegexError {
    let (message, byte) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
        _ => (error.to_string(), 0),
    };
    let offset = pattern.get(..byte).map_or(0, |before| before.chars().count());
    RegexError::Syntax { message: format!("regular expression: {message}"), offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::{
        Input,
        dfa::{Automaton, sparse},
    };

    fn finds(pattern: &str, flags: RegexFlags, text: &str) -> bool {
        let (bytes, literal) = compile(pattern, flags).unwrap();
        let (dfa, _) = sparse::DFA::from_bytes(&bytes).unwrap();
        let found = dfa.try_search_fwd(&Input::new(text).earliest(true)).unwrap().is_some();
        assert!(!found || text.contains(&literal), "{pattern:?} matches {text:?} without {literal:?}");
        found
    }

    #[test]
    fn a_literal_that_every_match_holds_is_known() {
        let literal = |pattern: &str| compile(pattern, RegexFlags::default()).unwrap().1;
        assert_eq!(literal(".+:assumed-role/aws:.+"), ":assumed-role/aws:");
        assert_eq!(literal("^(ab)+[xy](c|d)efgh?"), "efg");
        assert_eq!(literal("(abc)*|d"), "");
        assert_eq!(literal("(?i)abc"), "");
        assert_eq!(literal("(abcdef){0,3}x"), "x");
        assert!(finds("^(ab)+[xy](c|d)efgh?", RegexFlags::default(), "ababxdefg"));
    }

    #[test]
    fn searches_anywhere_and_minds_case_unless_told() {
        let plain = RegexFlags::default();
        assert!(finds("b+c", plain, "aabbcc"));
        assert!(!finds("B+c", plain, "aabbcc"));
        assert!(finds("B+c", RegexFlags { ignore_case: true, ..plain }, "aabbcc"));
        assert!(!finds("^b", plain, "a\nb"));
        assert!(finds("^b", RegexFlags { multi_line: true, ..plain }, "a\nb"));
        assert!(!finds("a.b", plain, "a\nb"));
        assert!(finds("a.b", RegexFlags { dot_all: true, ..plain }, "a\nb"));
        assert!(finds("", plain, ""));
    }

    #[test]
    fn what_cannot_run_is_refused() {
        let refused = |pattern: &str| compile(pattern, RegexFlags::default()).unwrap_err();
        assert!(matches!(refused("ä(?=b)"), RegexError::Syntax { offset: 1, .. }));
        assert!(matches!(refused("(a"), RegexError::Syntax { offset: 0, .. }));
        assert_eq!(refused(r"\bword"), RegexError::WordBoundary);
        assert_eq!(refused(r"(\w{50}x){50}"), RegexError::TooLarge);
        assert_eq!(refused("(a|b)*a(a|b){18}"), RegexError::TooLarge);
        assert!(compile(r"(?-u:\b)word", RegexFlags::default()).is_ok());
    }
}
