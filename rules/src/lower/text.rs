//! Sigma's strings: wildcards and escapes, the modifiers that rewrite them, and the pattern that comes out.

use base64::{Engine, engine::general_purpose::STANDARD};
use rsigma_parser::{SigmaString, SpecialChar, StringPart};
use tripwasm_plan::{CaseRule, Pattern, Piece};

/// Dashes of one value that `windash` may vary: each stands for five, so four give 625 patterns.
const WINDASH_MAX: usize = 4;

const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A Sigma string: text and wildcards. Text is bytes, because an encoding may give what is no text until another
/// encoding follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WildText(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    AnyText,
    OneCharacter,
}

/// A modifier that rewrites a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rewrite {
    Contains,
    StartsWith,
    EndsWith,
    Base64,
    Base64Offset,
    Utf16Le,
    Utf16Be,
    /// Little-endian behind a byte order mark.
    Utf16,
    Windash,
}

/// Why a string cannot be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error("a wildcard cannot be encoded")]
    EncodedWildcard,
    #[error("UTF-16 of this value is no text that an event can hold")]
    NoText,
    #[error("more than {WINDASH_MAX} dashes to vary")]
    TooManyDashes,
}

impl RewriteError {
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            RewriteError::EncodedWildcard => "escape it (`\\*`), or put the encoding before `contains`",
            RewriteError::NoText => "put `base64` or `base64offset` after the encoding",
            RewriteError::TooManyDashes => "list the spellings that matter",
        }
    }
}

impl WildText {
    /// Reads wildcards (`*`, `?`) and their escapes.
    pub(crate) fn read(text: &str) -> Self {
        let parts = SigmaString::new(text).parts.into_iter().map(|part| match part {
            StringPart::Plain(text) => Part::Bytes(text.into_bytes()),
            StringPart::Special(SpecialChar::WildcardMulti) => Part::AnyText,
            StringPart::Special(SpecialChar::WildcardSingle) => Part::OneCharacter,
        });
        WildText(parts.collect())
    }

    /// Every string that the rewriting makes of this one; several mean any of them.
    pub(crate) fn rewrite(mut self, rewrite: Rewrite) -> Result<Vec<Self>, RewriteError> {
        match rewrite {
            Rewrite::Contains => {
                self.0.insert(0, Part::AnyText);
                self.0.push(Part::AnyText);
            }
            Rewrite::StartsWith => self.0.push(Part::AnyText),
            Rewrite::EndsWith => self.0.insert(0, Part::AnyText),
            Rewrite::Base64 => self = WildText::of(STANDARD.encode(self.encodable()?)),
            Rewrite::Base64Offset => {
                let value = self.encodable()?;
                return Ok((0..3).map(|offset| WildText::of(base64_at(&value, offset))).collect());
            }
            Rewrite::Utf16Le => self.encode_text(|text, out| out.extend(text.flat_map(u16::to_le_bytes)))?,
            Rewrite::Utf16Be => self.encode_text(|text, out| out.extend(text.flat_map(u16::to_be_bytes)))?,
            Rewrite::Utf16 => {
                self.encode_text(|text, out| out.extend(text.flat_map(u16::to_le_bytes)))?;
                self.0.insert(0, Part::Bytes(vec![0xff, 0xfe]));
            }
            Rewrite::Windash => return self.windash(),
        }
        Ok(vec![self])
    }

    /// The pattern, folded unless letter case counts.
    pub(crate) fn pattern(self, case: CaseRule) -> Result<Pattern, RewriteError> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut bytes: Vec<u8> = Vec::new();
        for part in self.0 {
            let wildcard = match part {
                Part::Bytes(more) => {
                    bytes.extend(more);
                    continue;
                }
                Part::AnyText => Piece::AnyText,
                Part::OneCharacter => Piece::OneCharacter,
            };
            literal(&mut bytes, case, &mut pieces)?;
            if !(wildcard == Piece::AnyText && pieces.last() == Some(&Piece::AnyText)) {
                pieces.push(wildcard);
            }
        }
        literal(&mut bytes, case, &mut pieces)?;
        Ok(simplest(pieces))
    }

    fn of(text: String) -> Self {
        WildText(vec![Part::Bytes(text.into_bytes())])
    }

    fn encodable(&self) -> Result<Vec<u8>, RewriteError> {
        let parts = self.0.iter().map(|part| match part {
            Part::Bytes(bytes) => Ok(bytes.as_slice()),
            Part::AnyText | Part::OneCharacter => Err(RewriteError::EncodedWildcard),
        });
        Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn encode_text(
        &mut self,
        encode: fn(&mut dyn Iterator<Item = u16>, &mut Vec<u8>),
    ) -> Result<(), RewriteError> {
        for part in &mut self.0 {
            if let Part::Bytes(bytes) = part {
                let text = std::str::from_utf8(bytes).map_err(|_| RewriteError::NoText)?;
                let mut encoded = Vec::with_capacity(bytes.len() * 2);
                encode(&mut text.encode_utf16(), &mut encoded);
                *bytes = encoded;
            }
        }
        Ok(())
    }

    /// Each dash that begins a word (`-flag`, `/flag`) becomes every kind of dash.
    fn windash(self) -> Result<Vec<Self>, RewriteError> {
        let mut variants = vec![Vec::new()];
        let mut dashes = 0;
        let mut before = None;
        for part in self.0 {
            let Part::Bytes(bytes) = &part else {
                before = None;
                variants.iter_mut().for_each(|variant: &mut Vec<Part>| variant.push(part.clone()));
                continue;
            };
            let text = std::str::from_utf8(bytes).map_err(|_| RewriteError::NoText)?;
            let mut characters = text.chars().peekable();
            while let Some(c) = characters.next() {
                let begins_word = !before.is_some_and(word) && characters.peek().copied().is_some_and(word);
                let kinds = if DASHES.contains(&c) && begins_word { &DASHES[..] } else { &[c] };
                dashes += usize::from(kinds.len() > 1);
                if dashes > WINDASH_MAX {
                    return Err(RewriteError::TooManyDashes);
                }
                variants = variants
                    .iter()
                    .flat_map(|variant| kinds.iter().map(|&kind| with_char(variant, kind)))
                    .collect();
                before = Some(c);
            }
        }
        Ok(variants.into_iter().map(WildText).collect())
    }
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn with_char(parts: &[Part], c: char) -> Vec<Part> {
    let mut parts = parts.to_vec();
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    match parts.last_mut() {
        Some(Part::Bytes(last)) => last.extend_from_slice(bytes),
        _ => parts.push(Part::Bytes(bytes.to_vec())),
    }
    parts
}

/// What base64 makes of `value` at this byte offset, less the characters that its neighbours decide.
fn base64_at(value: &[u8], offset: usize) -> String {
    let mut padded = vec![b' '; offset];
    padded.extend_from_slice(value);
    let encoded = STANDARD.encode(&padded);
    let start = [0, 2, 3].get(offset).copied().unwrap_or(0);
    let cut = [0, 3, 2].get(padded.len() % 3).copied().unwrap_or(0);
    encoded.get(start..encoded.len().saturating_sub(cut)).unwrap_or_default().to_owned()
}

/// Ends the literal that has gathered so far.
fn literal(bytes: &mut Vec<u8>, case: CaseRule, pieces: &mut Vec<Piece>) -> Result<(), RewriteError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let text = String::from_utf8(std::mem::take(bytes)).map_err(|_| RewriteError::NoText)?;
    pieces.push(Piece::Literal(match case {
        CaseRule::Fold => text.chars().map(tripwasm_plan::fold_char).collect(),
        CaseRule::Exact => text,
    }));
    Ok(())
}

fn simplest(mut pieces: Vec<Piece>) -> Pattern {
    use Piece::{AnyText, Literal};
    match pieces.as_mut_slice() {
        [] => Pattern::Equals(String::new()),
        [AnyText] => Pattern::Anything,
        [Literal(text)] => Pattern::Equals(std::mem::take(text)),
        [Literal(text), AnyText] => Pattern::StartsWith(std::mem::take(text)),
        [AnyText, Literal(text)] => Pattern::EndsWith(std::mem::take(text)),
        [AnyText, Literal(text), AnyText] => Pattern::Contains(std::mem::take(text)),
        _ => Pattern::Wildcard(pieces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, rewrites: &[Rewrite]) -> Result<Vec<Pattern>, RewriteError> {
        let mut texts = vec![WildText::read(text)];
        for &rewrite in rewrites {
            let rewritten: Result<Vec<_>, _> = texts.into_iter().map(|text| text.rewrite(rewrite)).collect();
            texts = rewritten?.concat();
        }
        texts.into_iter().map(|text| text.pattern(CaseRule::Fold)).collect()
    }

    fn equals(text: &str) -> Pattern {
        Pattern::Equals(text.to_owned())
    }

    #[test]
    fn wildcards_and_escapes() {
        let cases = [
            ("Abc", equals("abc")),
            ("", equals("")),
            ("*", Pattern::Anything),
            ("**", Pattern::Anything),
            ("a*", Pattern::StartsWith("a".to_owned())),
            ("*a", Pattern::EndsWith("a".to_owned())),
            ("**a*", Pattern::Contains("a".to_owned())),
            (r"\*", equals("*")),
            (r"\\*", Pattern::StartsWith(r"\".to_owned())),
            (r"\\\*", equals(r"\*")),
            (r"a\b", equals(r"a\b")),
            (r"a\\b", equals(r"a\b")),
            (r"\\\\", equals(r"\\")),
            (r"\\\", equals(r"\\")),
            (
                "a?*b",
                Pattern::Wildcard(vec![
                    Piece::Literal("a".to_owned()),
                    Piece::OneCharacter,
                    Piece::AnyText,
                    Piece::Literal("b".to_owned()),
                ]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(pattern(text, &[]), Ok(vec![expected]), "{text}");
        }
        assert_eq!(pattern("", &[Rewrite::Contains]), Ok(vec![Pattern::Anything]));
    }

    #[test]
    fn encodings() {
        use Rewrite::{Base64, Base64Offset, Contains, Utf16, Utf16Be, Utf16Le};
        let one = |text: &str| Ok(vec![equals(&text.to_lowercase())]);
        assert_eq!(pattern("foobar", &[Base64]), one("Zm9vYmFy"));
        assert_eq!(pattern("foobar", &[Utf16Le, Base64]), one("ZgBvAG8AYgBhAHIA"));
        assert_eq!(pattern("foobar", &[Utf16Be, Base64]), one("AGYAbwBvAGIAYQBy"));
        assert_eq!(pattern("foobar", &[Utf16, Base64]), one("//5mAG8AbwBiAGEAcgA="));
        assert_eq!(pattern("ab", &[Utf16Le]), one("a\0b\0"));
        assert_eq!(pattern("ab", &[Utf16]), Err(RewriteError::NoText));
        assert_eq!(pattern("a*", &[Base64]), Err(RewriteError::EncodedWildcard));
        let offsets = ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"].map(|text| Pattern::Contains(text.to_lowercase()));
        assert_eq!(pattern("foobar", &[Base64Offset, Contains]), Ok(offsets.to_vec()));
    }

    #[test]
    fn windash_varies_dashes_that_begin_words() {
        let varied = pattern("a-b -c", &[Rewrite::Windash]);
        assert_eq!(varied, Ok(DASHES.map(|dash| equals(&format!("a-b {dash}c"))).to_vec()));
        assert_eq!(pattern("-a -b", &[Rewrite::Windash]).map(|all| all.len()), Ok(25));
        assert_eq!(pattern("-a -b -c -d -e", &[Rewrite::Windash]), Err(RewriteError::TooManyDashes));
    }
}
