//! Every scalar of an event, for keywords: a second pass over the text that only rules with keywords pay for.

use super::json::{after_number, after_string, unescape};
use super::spans::{Kind, Span};
use crate::order::order_of;
use std::borrow::Cow;

/// Puts the scalars of an event but nulls into `out`, in the order of the text. Of members with one key the last alone
/// counts. The event was scanned before.
pub(crate) fn leaves(text: &str, out: &mut Vec<Span>) {
    out.clear();
    let mut walk = Walk { text, open: Vec::new(), members: Vec::new(), doubled: false };
    walk.run(out);
    if walk.doubled {
        out.retain(|span| span.kind != Kind::Null);
    }
}

struct Walk<'e> {
    text: &'e str,
    open: Vec<Open>,
    /// Of the objects that are open, outer ones first.
    members: Vec<Member<'e>>,
    doubled: bool,
}

/// A container that is not over.
enum Open {
    Array,
    /// With how many of the walk's members belong to objects around it.
    Object(usize),
}

struct Member<'e> {
    key: Cow<'e, str>,
    /// How many leaves there were before it, and with it.
    before: usize,
    after: usize,
}

impl<'e> Walk<'e> {
    fn run(&mut self, out: &mut Vec<Span>) {
        let bytes = self.text.as_bytes();
        let (mut at, mut is_key) = (0, false);
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            let kind = match byte {
                b'"' => {
                    let Ok((end, escaped)) = after_string(bytes, start) else { return };
                    at = end;
                    if is_key {
                        self.begin_member(
                            self.text.get(start + 1..end - 1).unwrap_or_default(),
                            escaped,
                            out.len(),
                        );
                        continue;
                    }
                    let kind = if escaped { Kind::EscapedText } else { Kind::Text };
                    out.push(Span::apart(kind, start + 1, end - 1));
                    continue;
                }
                b'{' | b'[' => {
                    is_key = byte == b'{';
                    self.open.push(if is_key { Open::Object(self.members.len()) } else { Open::Array });
                    continue;
                }
                b'}' | b']' => {
                    self.close(out);
                    continue;
                }
                b',' => {
                    is_key = matches!(self.open.last(), Some(Open::Object(_)));
                    continue;
                }
                b':' => {
                    is_key = false;
                    continue;
                }
                b't' => Kind::True,
                b'f' => Kind::False,
                b'n' => Kind::Null,
                b'-' | b'0'..=b'9' => Kind::Number,
                _ => continue,
            };
            let Some(end) = after_scalar(bytes, start, kind) else { return };
            at = end;
            if kind != Kind::Null {
                out.push(Span::apart(kind, start, end));
            }
        }
    }

    fn begin_member(&mut self, raw: &'e str, escaped: bool, leaves: usize) {
        let Some(Open::Object(outer)) = self.open.last() else { return };
        end_member(self.members.get_mut(*outer..), leaves);
        let key = if escaped {
            let mut key = String::new();
            unescape(raw, &mut key);
            Cow::Owned(key)
        } else {
            Cow::Borrowed(raw)
        };
        self.members.push(Member { key, before: leaves, after: leaves });
    }

    /// Ends a container; what an object's doubled keys hold but the last time becomes null.
    fn close(&mut self, out: &mut [Span]) {
        let Some(Open::Object(outer)) = self.open.pop() else { return };
        let Some(members) = self.members.get_mut(outer..) else { return };
        end_member(Some(members), out.len());
        let in_order: Vec<_> = order_of(members, &|one, other| one.key.cmp(&other.key)).collect();
        for pair in in_order.windows(2) {
            if let [earlier, later] = pair
                && earlier.key == later.key
            {
                self.doubled = true;
                let dropped = out.get_mut(earlier.before..earlier.after).unwrap_or_default();
                dropped.iter_mut().for_each(|span| span.kind = Kind::Null);
            }
        }
        self.members.truncate(outer);
    }
}

fn end_member(members: Option<&mut [Member<'_>]>, leaves: usize) {
    if let Some(member) = members.and_then(<[_]>::last_mut) {
        member.after = leaves;
    }
}

fn after_scalar(bytes: &[u8], start: usize, kind: Kind) -> Option<usize> {
    match kind {
        Kind::False => Some(start + 5),
        Kind::Number => after_number(bytes, start).ok(),
        _ => Some(start + 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_any_depth_are_found_and_of_doubled_keys_the_last() {
        let cases: [(&str, &[&str]); 7] = [
            (
                r#"{"a":"x","b":{"c":[1,[true,null],{"d":"y\n"}]},"e":{},"f":-1.5e3 , "g":false}"#,
                &["x", "1", "true", r"y\n", "-1.5e3", "false"],
            ),
            (r#"{"a":"x","b":2,"a":"y"}"#, &["2", "y"]),
            (r#"{"a":{"b":1},"c":0,"\u0061":{"b":[2,3]},"a":{"b":4,"b":[5]}}"#, &["0", "5"]),
            (r#"{"a":[{"b":1},{"b":2}],"b":3}"#, &["1", "2", "3"]),
            (r#"{"a":1,"a":null}"#, &[]),
            (r#"{"x":{"a":1,"b":2},"a":3,"x":4}"#, &["3", "4"]),
            ("{}", &[]),
        ];
        for (event, expected) in cases {
            let mut found = Vec::new();
            leaves(event, &mut found);
            let found: Vec<&str> = found.iter().map(|span| &event[span.inside()]).collect();
            assert_eq!(found, expected, "{event}");
        }
    }
}
