//! One value of an event.

use crate::scan::{Kind, Span, number_time, text_time, unescape};
use std::borrow::Cow;
use tripwasm_plan::{Literal, Timestamp};

/// A JSON value as the tests see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'e> {
    Null,
    Bool(bool),
    /// Its JSON text.
    Number(Cow<'e, str>),
    /// What the string stands for.
    Text(Cow<'e, str>),
    /// An object or array as its JSON text.
    Container(&'e str),
}

impl<'e> Value<'e> {
    #[inline]
    pub(crate) fn of_span(span: &Span, line: &'e str) -> Value<'e> {
        let raw = line.get(span.inside()).unwrap_or_default();
        match span.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => Value::Number(Cow::Borrowed(raw)),
            Kind::Text => Value::Text(Cow::Borrowed(raw)),
            Kind::EscapedText => {
                let mut text = String::with_capacity(raw.len());
                unescape(raw, &mut text);
                Value::Text(Cow::Owned(text))
            }
            Kind::Object | Kind::Array => Value::Container(raw),
        }
    }

    pub(crate) fn of_literal(literal: &'e Literal) -> Value<'e> {
        match literal {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Number(number) => Value::Number(Cow::Borrowed(number)),
            Literal::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Value::Container(_))
    }

    /// The text of a scalar that is not null.
    pub(crate) fn scalar_text(self) -> Option<Cow<'e, str>> {
        match self {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            Value::Null | Value::Container(_) => None,
        }
    }

    pub(crate) fn time(&self) -> Option<Timestamp> {
        match self {
            Value::Text(text) => text_time(text),
            Value::Number(number) => number_time(number),
            _ => None,
        }
    }

    /// Truth in Python's sense.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => number.parse::<f64>().is_ok_and(|number| number != 0.0),
            Value::Text(text) => !text.is_empty(),
            Value::Container(raw) => raw.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() > 2,
        }
    }
}
