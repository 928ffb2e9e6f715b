//! Tests of one field, and boolean conditions over them.

use crate::{Field, FieldId};
use serde::{Deserialize, Serialize};

/// Position of a predicate in [`crate::Plan::predicates`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PredicateId(pub u32);

/// A boolean condition over predicates. Its nesting is bounded by the lowering, never by an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// Holds, or does not, whatever the event.
    Constant(bool),
    /// Every one holds; true when empty.
    All(Vec<Condition>),
    /// At least one holds; false when empty.
    Any(Vec<Condition>),
    /// At least this many hold.
    AtLeast(u32, Vec<Condition>),
    /// It does not hold; classical, so true over an absent field.
    Not(Box<Condition>),
    /// The predicate holds.
    Holds(PredicateId),
}

/// One test of one field. A field with several values (an array) passes when any value passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicate {
    /// The field tested.
    pub field: FieldId,
    /// The test.
    pub test: Test,
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// The field is present, be it null or empty.
    Exists,
    /// The field is absent, or a value is JSON null.
    Null,
    /// The value's text fits a pattern. The text of a number is its JSON text, of a boolean `true` or `false`,
    /// of an object or array its compact JSON; null has none.
    Text {
        /// The pattern; already folded when `case` is [`CaseRule::Fold`].
        pattern: Pattern,
        /// Whether letters of either case are the same.
        case: CaseRule,
        /// Which JSON types may fit.
        types: Types,
    },
    /// The value is this boolean, or, where `types` is [`Types::Any`], a string that says so in any case.
    Bool {
        /// The boolean.
        value: bool,
        /// Which JSON types may fit.
        types: Types,
    },
    /// The value is this number: numerically when it is a number, or, where `types` is [`Types::Any`],
    /// as text when it is a string.
    Number {
        /// The number's JSON text.
        value: String,
        /// Which JSON types may fit.
        types: Types,
    },
    /// The value is a number, or a string that is a plain decimal number, and compares so.
    Compare {
        /// The comparison: value `operator` bound.
        operator: crate::Operator,
        /// The bound's JSON text.
        bound: String,
    },
    /// The value's text contains a match of a regular expression.
    Regex {
        /// A little-endian sparse DFA of regex-automata, unanchored, over UTF-8.
        dfa: Vec<u8>,
        /// A text that stands in every match; empty where none is known.
        literal: String,
    },
    /// The value is a string that is an IP address inside one of the networks. A v6 address may carry one
    /// non-empty `%scope`; v4-mapped addresses are v6 addresses.
    Cidr(Vec<Cidr>),
    /// The value and the value of another field, both scalar, stand in a text relation.
    FieldRef {
        /// The other field; any of its values may fit.
        other: FieldId,
        /// The relation.
        reference: Reference,
        /// Whether letters of either case are the same.
        case: CaseRule,
    },
    /// Members of an array satisfy a condition together (`field[any]` of Sigma's array matching). The field's path
    /// does not step into the array at its end; a value that is no array is one with that value alone, null or absence
    /// is one without members. The members of several arrays (`a.b` where `a` is one) count as those of one.
    Members {
        /// How many have to.
        quantifier: Quantifier,
        /// Position of the condition in [`crate::Plan::scopes`].
        scope: u32,
    },
}

/// How many members of an array have to satisfy a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one, and there is one.
    All,
    /// Every one, if there is any.
    AllOrEmpty,
    /// Not one.
    None,
}

/// A condition over one member of an array. Its predicates and fields are its own; its [`Test::Members`] refer to scopes
/// that stand before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Paths inside the member; never calculated.
    pub fields: Vec<Field>,
    /// Tests of these fields.
    pub predicates: Vec<Predicate>,
    /// Over these predicates.
    pub condition: Condition,
}

/// Which JSON types a test accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Types {
    /// Sigma's loose reading: every scalar compares as text, so `false`, `"false"` and `"False"` are alike.
    Any,
    /// The `strict` list of the rule: a string pattern takes strings only, a boolean only that boolean, a number
    /// only numbers.
    Strict,
}

/// Whether letter case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseRule {
    /// It does not: Unicode simple case folding, as `(?i)` of a regular expression.
    Fold,
    /// It does (Sigma's `cased`).
    Exact,
}

/// A text pattern; always about the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Any text, also the empty one.
    Anything,
    /// Exactly this text.
    Equals(String),
    /// Begins with it.
    StartsWith(String),
    /// Ends with it.
    EndsWith(String),
    /// Contains it.
    Contains(String),
    /// The general case.
    Wildcard(Vec<Piece>),
}

/// A piece of a wildcard pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// This text.
    Literal(String),
    /// Sigma's `*`: any number of characters, line breaks included.
    AnyText,
    /// Sigma's `?`: one character.
    OneCharacter,
}

/// An IP network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cidr {
    /// Network address and prefix length, 0 to 32.
    V4(u32, u8),
    /// Network address and prefix length, 0 to 128.
    V6(u128, u8),
}

/// The relation of [`Test::FieldRef`]: this field `relation` the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reference {
    /// Same text.
    Equals,
    /// Begins with the other's text.
    StartsWith,
    /// Ends with the other's text.
    EndsWith,
    /// Contains the other's text.
    Contains,
}
