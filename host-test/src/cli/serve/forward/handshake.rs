//! The handshake by a shared key: each side shows that it has the key, and neither sends it.
//!
//! | who | message |
//! |---|---|
//! | server | `["HELO", {"nonce", "auth": "", "keepalive": true}]` |
//! | client | `["PING", name, salt, sha512(salt + name + nonce + key), "", ""]` |
//! | server | `["PONG", true, "", name, sha512(salt + name + nonce + key)]` |

use sha2::{Digest, Sha256, Sha512};

use super::msgpack::{Bad, Cursor, Head, push_array, push_map, push_text};

/// What this process calls itself.
const NAME: &str = "tripwasm";

/// Why the other side is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("what it says is no {expected}: {bad}")]
    Bad { expected: &'static str, bad: Bad },
    #[error("its shared key is another one")]
    Key,
    #[error(
        "it refuses the shared key: {0:?}; if it asks for a user name and a password, leave it the shared key alone"
    )]
    Pong(String),
    #[error(
        "it sends events before it has shown the shared key: set its shared key to the token of this service"
    )]
    NoPing,
}

/// What a handshake is begun with, new for each connection.
#[derive(Debug, Clone)]
pub(super) struct Nonce(String);

impl Nonce {
    /// 122 bits by chance.
    pub(super) fn new() -> Self {
        Nonce(uuid::Uuid::new_v4().simple().to_string())
    }
}

/// The server's first message.
pub(super) fn helo(nonce: &Nonce) -> Vec<u8> {
    let mut out = Vec::new();
    push_array(&mut out, 2);
    push_text(&mut out, "HELO");
    push_map(&mut out, 3);
    push_text(&mut out, "nonce");
    push_text(&mut out, &nonce.0);
    push_text(&mut out, "auth");
    push_text(&mut out, "");
    push_text(&mut out, "keepalive");
    out.push(0xc3);
    out
}

/// The server's answer to a client's message, and whether the client is trusted.
pub(super) fn answer_ping(message: &[u8], nonce: &Nonce, key: &str) -> (Vec<u8>, Result<(), Refused>) {
    let checked = read_ping(message).and_then(|ping| {
        let expected = digest(&[ping.salt, ping.name, nonce.0.as_bytes(), key.as_bytes()]);
        if is_same(expected.as_bytes(), ping.digest) { Ok(ping.salt) } else { Err(Refused::Key) }
    });
    let own =
        checked.as_ref().map(|salt| digest(&[salt, NAME.as_bytes(), nonce.0.as_bytes(), key.as_bytes()]));
    let mut out = Vec::new();
    push_array(&mut out, 5);
    push_text(&mut out, "PONG");
    out.push(if checked.is_ok() { 0xc3 } else { 0xc2 });
    push_text(&mut out, if checked.is_ok() { "" } else { "the shared key does not fit" });
    push_text(&mut out, NAME);
    push_text(&mut out, own.as_deref().unwrap_or_default());
    (out, checked.map(drop))
}

struct Ping<'m> {
    name: &'m [u8],
    salt: &'m [u8],
    digest: &'m [u8],
}

fn read_ping(message: &[u8]) -> Result<Ping<'_>, Refused> {
    let mut cursor = Cursor::new(message);
    let bad = |bad| Refused::Bad { expected: "PING", bad };
    cursor.array().map_err(bad)?;
    if cursor.bytes().map_err(bad)? != b"PING" {
        return Err(Refused::NoPing);
    }
    let mut next = || cursor.bytes().map_err(bad);
    Ok(Ping { name: next()?, salt: next()?, digest: next()? })
}

/// The client's message to a server's first one, and what it will check the answer by.
pub(super) fn answer_helo(message: &[u8], key: &str) -> Result<(Vec<u8>, Expected), Refused> {
    let nonce = read_helo(message)?;
    let salt = Nonce::new().0;
    let mut out = Vec::new();
    push_array(&mut out, 6);
    push_text(&mut out, "PING");
    push_text(&mut out, NAME);
    push_text(&mut out, &salt);
    push_text(&mut out, &digest(&[salt.as_bytes(), NAME.as_bytes(), &nonce, key.as_bytes()]));
    push_text(&mut out, "");
    push_text(&mut out, "");
    Ok((out, Expected { salt, nonce, key: key.to_owned() }))
}

fn read_helo(message: &[u8]) -> Result<Vec<u8>, Refused> {
    let bad = |bad| Refused::Bad { expected: "HELO", bad };
    let mut cursor = Cursor::new(message);
    cursor.array().map_err(bad)?;
    if cursor.bytes().map_err(bad)? != b"HELO" {
        return Err(bad(Head::Text(0).instead_of("HELO")));
    }
    let mut nonce = None;
    for _ in 0..cursor.map().map_err(bad)? {
        let key = cursor.bytes().map_err(bad)?;
        let value = cursor.value().map_err(bad)?;
        // Fluent Bit salts passwords even if it asks for none: the member `auth` says nothing.
        if key == b"nonce" {
            nonce = Some(Cursor::new(value).bytes().map_err(bad)?.to_vec());
        }
    }
    nonce.ok_or(bad(Bad::Unexpected { expected: "a nonce", found: "none" }))
}

/// Whether a message is a server's first one.
pub(super) fn is_helo(message: &[u8]) -> bool {
    let mut cursor = Cursor::new(message);
    cursor.array().is_ok() && cursor.bytes() == Ok(b"HELO")
}

/// What a server has to show.
#[derive(Debug)]
pub(super) struct Expected {
    salt: String,
    nonce: Vec<u8>,
    key: String,
}

impl Expected {
    /// Checks the server's answer.
    pub(super) fn check(&self, message: &[u8]) -> Result<(), Refused> {
        let bad = |bad| Refused::Bad { expected: "PONG", bad };
        let mut cursor = Cursor::new(message);
        cursor.array().map_err(bad)?;
        if cursor.bytes().map_err(bad)? != b"PONG" {
            return Err(bad(Head::Text(0).instead_of("PONG")));
        }
        let accepted = cursor.head().map_err(bad)?;
        let reason = cursor.bytes().map_err(bad)?;
        if accepted != Head::Bool(true) {
            return Err(Refused::Pong(String::from_utf8_lossy(reason).into_owned()));
        }
        let name = cursor.bytes().map_err(bad)?;
        let shown = cursor.bytes().map_err(bad)?;
        let expected = digest(&[self.salt.as_bytes(), name, &self.nonce, self.key.as_bytes()]);
        if is_same(expected.as_bytes(), shown) { Ok(()) } else { Err(Refused::Key) }
    }
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Comparing hashes tells nothing of how much of a guess is right.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_show_that_they_have_the_key() {
        let nonce = Nonce::new();
        let (ping, expected) = answer_helo(&helo(&nonce), "secret").unwrap();
        let (pong, trusted) = answer_ping(&ping, &nonce, "secret");
        assert_eq!(trusted, Ok(()));
        assert_eq!(expected.check(&pong), Ok(()));
        let (pong, trusted) = answer_ping(&ping, &nonce, "other");
        assert_eq!(trusted, Err(Refused::Key));
        assert!(matches!(expected.check(&pong), Err(Refused::Pong(_))));
        // A message that was overheard opens no other connection.
        assert_eq!(answer_ping(&ping, &Nonce::new(), "secret").1, Err(Refused::Key));
        // Who says yes without the key is not trusted.
        let mut lie = Vec::new();
        push_array(&mut lie, 5);
        push_text(&mut lie, "PONG");
        lie.push(0xc3);
        ["", "server", "00"].into_iter().for_each(|text| push_text(&mut lie, text));
        assert_eq!(expected.check(&lie), Err(Refused::Key));
    }

    #[test]
    fn the_digest_is_that_of_the_protocol() {
        // As `sha512sum` has it of `saltnamenoncekey`.
        let expected = "88381052ede9508a48828f8466ea764c73715c0638eb93e188b33ef53e9c7ed1\
                        ac41fb0e18fc8ca181302f2445711bbf411de6e4c44a8f73244f103358b1c449";
        assert_eq!(digest(&[b"salt", b"name", b"nonce", b"key"]), expected);
    }

    #[test]
    fn other_messages_are_refused() {
        let nonce = Nonce::new();
        for message in
            [&b""[..], &[0xc0], &[0x92, 0xa1, b't', 0x90], &[0x96, 0xa4, b'P', b'I', b'N', b'G', 1]]
        {
            let (pong, trusted) = answer_ping(message, &nonce, "secret");
            assert!(trusted.is_err() && pong.contains(&0xc2));
        }
        assert!(is_helo(&helo(&nonce)) && !is_helo(&[0x81, 0xa3, b'a', b'c', b'k', 0xa1, b'c']));
    }
}
