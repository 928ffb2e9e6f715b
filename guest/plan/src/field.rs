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
    /// an array on the path or at its end stands for each of its elements.
    Path(String),
    /// A value made from other fields, which have smaller ids.
    Calculated(Calculation),
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
