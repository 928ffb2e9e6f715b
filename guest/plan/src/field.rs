//! Fields: paths into the event, and values calculated from them.

use crate::Condition;
use serde::{Deserialize, Serialize};

/// Position of a field in [`crate::Plan::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldId(pub u32);

/// A named value of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The name as the rule writes it; findings show it.
    pub name: String,
    /// Where the value comes from.
    pub source: FieldSource,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FieldSource {
    /// A dotted path into the event. A top-level member whose key is the whole path wins over the walk;
    /// an array on the path or at its end stands for each of its elements. `name[2]` is the third element of an array
    /// alone, `name[-1]` its last; such a path has no literal form. Inside a [`crate::Scope`] the path begins at the member,
    /// and the empty path is the member itself.
    Path(String),
    /// A value made from other fields, which have smaller ids.
    Calculated(Calculation),
    /// Every scalar value of the event but nulls, at any depth; keys are none. Sigma's keywords search it.
    Leaves,
}

/// How a calculated field (Splunk's word; Panther says data model) gets its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Calculation {
    /// The first operand that is present, null included.
    FirstPresent(Vec<Operand>),
    /// The first operand that is present and not null.
    FirstNonNull(Vec<Operand>),
    /// The first operand that is truthy in Python's sense: not absent, null, false, zero, `""`, `[]` or `{}`.
    FirstTruthy(Vec<Operand>),
    /// The value of the first case whose condition holds, else `otherwise`.
    Cases {
        /// Tried in order.
        cases: Vec<Case>,
        /// The value when no case holds; absent when there is none.
        otherwise: Option<Operand>,
    },
    /// One part of a text cut at a separator; absent when there is no such part or the value is no text.
    Split {
        /// The value to cut.
        of: Operand,
        /// A non-empty separator.
        separator: String,
        /// Which part.
        part: Part,
    },
    /// The text in lower case (Unicode simple folding); absent when the value is no text.
    Lower(Operand),
    /// A part of a time, as a number. The time is RFC 3339 text, whose parts are taken as written, whatever its offset, or a
    /// number of milliseconds, taken as UTC; absent for anything else.
    TimePart(Operand, TimePart),
}

/// Sigma's time modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimePart {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    Day,
    /// ISO 8601 week of the year, 1 to 53.
    Week,
    /// 1 to 12.
    Month,
    /// Such as 2024.
    Year,
}

/// One case of [`Calculation::Cases`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Reads only fields with smaller ids than the field calculated.
    pub when: Condition,
    /// The field's value where `when` holds.
    pub value: Operand,
}

/// An input of a calculation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Operand {
    /// The first value of another field.
    Field(FieldId),
    /// A constant.
    Literal(Literal),
}

/// A JSON scalar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Literal {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as its JSON text.
    Number(String),
    /// A string.
    Text(String),
}

/// Which part of a split text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// What stands before the first separator, or the whole text.
    First,
    /// What stands after the last separator, or the whole text.
    Last,
    /// The part with this 0-based number; absent when there are fewer.
    Nth(u32),
}
