//! Who may send events.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// A secret that senders show.
#[derive(Clone)]
pub(in crate::cli::serve) struct Token([u8; 32]);

impl Token {
    /// Keeps a hash of it: comparing hashes tells nothing of how much of a guess is right.
    pub(in crate::cli::serve) fn new(text: &str) -> Self {
        Token(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether a request shows it: as a bearer token, or in Firehose's own header.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).and_then(|value| {
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        let firehose = headers.get("x-amz-firehose-access-key").map(|value| value.as_bytes());
        bearer.or(firehose).is_some_and(|shown| self.0 == <[u8; 32]>::from(Sha256::digest(shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for() {
        let token = Token::new("secret");
        let shown = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            token.is_shown(&headers)
        };
        assert!(shown("authorization", "Bearer secret") && shown("authorization", "bearer secret"));
        assert!(shown("x-amz-firehose-access-key", "secret"));
        for (name, value) in [
            ("authorization", "Bearer secre"),
            ("authorization", "Bearer"),
            ("authorization", "Basic secret"),
            ("authorization", ""),
            ("x-amz-firehose-access-key", "Bearer secret"),
        ] {
            assert!(!shown(name, value), "{name}: {value}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
    }
}
