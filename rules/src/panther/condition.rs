//! The conditions of key and value expressions.

use super::{
    key::Key,
    logic::Logic,
    selection::{Case, Selections, list, one_or_list, text},
};
use crate::{
    diagnostic::Notes,
    shape,
    source::Span,
    spelling::nearest,
    yaml::{Map, Node, Value},
};

/// A condition's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals(Case),
    /// A text modifier of Sigma.
    Text(&'static str, Case),
    /// A comparison modifier of Sigma.
    Size(&'static str),
    In,
    Exists,
    Null,
    NullOrEmpty,
    /// An address in one of these networks.
    Address(&'static [&'static str]),
    /// An address in the networks given.
    Network,
    /// No exact counterpart.
    Refused(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Holds,
    Fails,
}

const V4: &str = "0.0.0.0/0";
const V6: &str = "::/0";
const PRIVATE: &str =
    "Panther does not say which networks it takes for private ones: list them with `IsIPAddressInCIDR`";
const HOLDS_NETWORK: &str = "a network in the event and addresses in the rule have no counterpart";

use Polarity::{Fails, Holds};

const CONDITIONS: [(&str, Test, Polarity); 39] = [
    ("Equals", Test::Equals(Case::Exact), Holds),
    ("DoesNotEqual", Test::Equals(Case::Exact), Fails),
    ("IEquals", Test::Equals(Case::Fold), Holds),
    ("IDoesNotEqual", Test::Equals(Case::Fold), Fails),
    ("StartsWith", Test::Text("|startswith", Case::Exact), Holds),
    ("DoesNotStartWith", Test::Text("|startswith", Case::Exact), Fails),
    ("IStartsWith", Test::Text("|startswith", Case::Fold), Holds),
    ("IDoesNotStartWith", Test::Text("|startswith", Case::Fold), Fails),
    ("EndsWith", Test::Text("|endswith", Case::Exact), Holds),
    ("DoesNotEndWith", Test::Text("|endswith", Case::Exact), Fails),
    ("IEndsWith", Test::Text("|endswith", Case::Fold), Holds),
    ("IDoesNotEndWith", Test::Text("|endswith", Case::Fold), Fails),
    ("Contains", Test::Text("|contains", Case::Exact), Holds),
    ("DoesNotContain", Test::Text("|contains", Case::Exact), Fails),
    ("IContains", Test::Text("|contains", Case::Fold), Holds),
    ("IDoesNotContain", Test::Text("|contains", Case::Fold), Fails),
    ("IsGreaterThan", Test::Size("|gt"), Holds),
    ("IsGreaterThanOrEqual", Test::Size("|gte"), Holds),
    ("IsGreaterThanOrEquals", Test::Size("|gte"), Holds),
    ("IsLessThan", Test::Size("|lt"), Holds),
    ("IsLessThanOrEqual", Test::Size("|lte"), Holds),
    ("IsLessThanOrEquals", Test::Size("|lte"), Holds),
    ("IsIn", Test::In, Holds),
    ("IsNotIn", Test::In, Fails),
    ("Exists", Test::Exists, Holds),
    ("DoesNotExist", Test::Exists, Fails),
    ("IsNull", Test::Null, Holds),
    ("IsNotNull", Test::Null, Fails),
    ("IsNullOrEmpty", Test::NullOrEmpty, Holds),
    ("IsNotNullOrEmpty", Test::NullOrEmpty, Fails),
    ("IsIPAddress", Test::Address(&[V4, V6]), Holds),
    ("IsIPv4Address", Test::Address(&[V4]), Holds),
    ("IsIPv6Address", Test::Address(&[V6]), Holds),
    ("IsIPAddressInCIDR", Test::Network, Holds),
    ("IsIPAddressNotInCIDR", Test::Network, Fails),
    ("IsIPAddressPublic", Test::Refused(PRIVATE), Holds),
    ("IsIPAddressPrivate", Test::Refused(PRIVATE), Holds),
    ("CIDRContainsIPAddresses", Test::Refused(HOLDS_NETWORK), Holds),
    ("CIDRDoesNotContainIPAddresses", Test::Refused(HOLDS_NETWORK), Holds),
];

/// Members of an event in which CloudTrail puts what a service sends: there, lists are common.
const OPEN_FIELDS: [&str; 4] =
    ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];

/// The condition `word` on a key, with the `Value` or `Values` that stand beside it.
pub(super) fn condition(
    word: &str,
    span: Span,
    key: &Key,
    map: &Map,
    selections: &mut Selections,
    notes: &mut Notes<'_>,
) -> Option<Logic> {
    let Some((_, test, polarity)) = CONDITIONS.iter().find(|(name, ..)| *name == word) else {
        let near = nearest(word, CONDITIONS.iter().map(|(name, ..)| *name));
        let remedy = near.map_or("use a condition that Panther documents".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        notes.error(span, format!("unknown condition `{word}`"), remedy);
        return None;
    };
    if let Test::Refused(reason) = test {
        notes.error(span, format!("`{word}` cannot be imported exactly"), *reason);
        return None;
    }
    if key.is_list && !matches!(test, Test::Text("|contains", Case::Exact)) {
        let message = format!("`{word}` of `[*]`, which is a list of all that the path finds");
        notes.error(key.span, message, "use `Contains`, or `AnyElement` with `Expressions`");
        return None;
    }
    let logic = evaluated(*test, word, span, key, map, selections, notes)?;
    if (*test, *polarity) == (Test::Exists, Fails) {
        return Some(selections.modified(key, "|exists", Node { span, value: Value::Bool(false) }));
    }
    Some(match polarity {
        Holds => logic,
        Fails => logic.negated(),
    })
}

fn evaluated(
    test: Test,
    word: &str,
    span: Span,
    key: &Key,
    map: &Map,
    selections: &mut Selections,
    notes: &mut Notes<'_>,
) -> Option<Logic> {
    let yes = Node { span, value: Value::Bool(true) };
    let logic = match test {
        Test::Exists => selections.modified(key, "|exists", yes),
        Test::Null => selections.modified(key, "", Node { span, value: Value::Null }),
        Test::NullOrEmpty => selections.null_or_empty(key),
        Test::Address(networks) => {
            let networks = networks.iter().map(|network| text(network, span)).collect();
            selections.modified(key, "|cidr", list(networks, span))
        }
        Test::Equals(case) => selections.equals(key, &[value(map, word, span, notes)?.clone()], case),
        // The list of what `[*]` finds contains a value if one of them is it.
        Test::Text(_, case) if key.is_list => {
            selections.equals(key, &[value(map, word, span, notes)?.clone()], case)
        }
        Test::Text(modifier, case) => {
            let value = value(map, word, span, notes)?;
            shape::text(value, &format!("the value of `{word}`"), notes)?;
            if modifier == "|contains" {
                note_contains(key, word, notes);
            }
            selections.text(key, modifier, value, case)
        }
        Test::Size(modifier) => {
            let value = value(map, word, span, notes)?;
            if !matches!(value.value, Value::Number(_)) {
                let message = format!("`{word}` needs a number, this is {}", value.described());
                notes.error(value.span, message, "write digits without quotes");
                return None;
            }
            selections.modified(key, modifier, value.clone())
        }
        Test::In => selections.equals(key, &values(map, word, span, notes)?, Case::Exact),
        Test::Network => {
            let networks = match map.get("Values") {
                Some(_) => values(map, word, span, notes)?,
                None => vec![value(map, word, span, notes)?.clone()],
            };
            selections.modified(key, "|cidr", one_or_list(networks, span))
        }
        Test::Refused(_) => return None,
    };
    if let (Test::Exists | Test::Null | Test::NullOrEmpty | Test::Address(_), Some(extra)) =
        (test, map.entry("Value").or(map.entry("Values")))
    {
        notes.error(
            extra.key_span,
            format!("`{}` beside `{word}`, which needs none", extra.key),
            "remove it",
        );
        return None;
    }
    Some(logic)
}

fn value<'n>(map: &'n Map, word: &str, span: Span, notes: &mut Notes<'_>) -> Option<&'n Node> {
    let Some(value) = map.get("Value") else {
        notes.error(span, format!("`{word}` without `Value`"), "add the value to compare with");
        return None;
    };
    is_scalar(value, word, notes).then_some(value)
}

fn values(map: &Map, word: &str, span: Span, notes: &mut Notes<'_>) -> Option<Vec<Node>> {
    let Some(values) = map.get("Values") else {
        notes.error(span, format!("`{word}` without `Values`"), "list the values to compare with");
        return None;
    };
    let items = shape::list(values, "`Values`", notes)?;
    items.iter().all(|item| is_scalar(item, word, notes)).then(|| items.to_vec())
}

fn is_scalar(node: &Node, word: &str, notes: &mut Notes<'_>) -> bool {
    let is_scalar = node.scalar_text().is_some();
    if !is_scalar {
        let message =
            format!("a value of `{word}` has to be a text, a number or a boolean, this is {}", node.kind());
        notes.error(node.span, message, "write one value");
    }
    is_scalar
}

fn note_contains(key: &Key, word: &str, notes: &mut Notes<'_>) {
    let first = key.path.split(['.', '[']).next().unwrap_or_default();
    if OPEN_FIELDS.contains(&first) {
        let message = format!(
            "`{word}` looks inside a text; of a list, Panther asks whether it has the value as element"
        );
        notes.note(
            key.span,
            message,
            format!("if `{}` is a list, write the condition without `contains`", key.path),
        );
    }
}
