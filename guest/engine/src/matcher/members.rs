//! Conditions over the members of arrays.

use super::compiled::CompiledField;
use super::{Matcher, Outcome, ScopeScratch, Value};
use crate::scan::{elements, push_json_string};
use core::ops::Range;
use tripwasm_plan::{FieldId, Quantifier};

/// A value of a field, arrays in one piece.
enum Whole {
    /// Where its JSON text stands in the event.
    InEvent(Range<usize>),
    /// The JSON text of a calculated value.
    Made(String),
}

impl Matcher<'_> {
    /// Whether so many members of a field's arrays as the quantifier says satisfy a scope. The field has been calculated
    /// before. A value that is no array is a member, null is none.
    pub(super) fn members_fit(&mut self, field: FieldId, quantifier: Quantifier, scope: u32) -> bool {
        let mut are_there = false;
        for whole in self.wholes(field) {
            let (text, range) = match &whole {
                Whole::InEvent(range) => (self.line, range.clone()),
                Whole::Made(json) => (json.as_str(), 0..json.len()),
            };
            let (array, single) = match text.as_bytes().get(range.start) {
                Some(b'[') => (Some(elements(text, range)), None),
                // Null.
                Some(b'n') | None => (None, None),
                Some(_) => (None, Some(range)),
            };
            for member in array.into_iter().flatten().chain(single) {
                are_there = true;
                match (quantifier, self.member_fits(scope, text, member)) {
                    (Quantifier::Any, true) => return true,
                    (Quantifier::None, true) | (Quantifier::All | Quantifier::AllOrEmpty, false) => {
                        return false;
                    }
                    _ => {}
                }
            }
        }
        match quantifier {
            Quantifier::Any => false,
            Quantifier::All => are_there,
            Quantifier::AllOrEmpty | Quantifier::None => true,
        }
    }

    fn wholes(&self, field: FieldId) -> Vec<Whole> {
        match self.tables.field(field) {
            Some(CompiledField::Calculated { .. }) => {
                self.outcome(field).and_then(|outcome| self.made(outcome)).into_iter().collect()
            }
            _ => {
                let whole = self.spans_of(field).filter(|span| !span.is_element);
                whole.map(|span| Whole::InEvent(span.json())).collect()
            }
        }
    }

    fn made(&self, outcome: &Outcome) -> Option<Whole> {
        if let Outcome::Span(span) = outcome {
            return Some(Whole::InEvent(span.json()));
        }
        Some(Whole::Made(match self.outcome_value(outcome)? {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.into_owned(),
            Value::Container(text) => text.to_owned(),
            Value::Text(text) => {
                let mut json = String::with_capacity(text.len() + 2);
                push_json_string(&text, &mut json);
                json
            }
        }))
    }

    /// Whether a member, which stands at `range` of `text`, satisfies a scope. Recursion ends, as a scope's own tests see
    /// the buffers of earlier scopes alone.
    fn member_fits(&mut self, scope: u32, text: &str, range: Range<usize>) -> bool {
        let index = scope as usize;
        let Some(scope) = self.compiled.scopes.get(index) else { return false };
        let Some((earlier, [own, ..])) = self.scopes.split_at_mut_checked(index) else { return false };
        let ScopeScratch { scanner, buffers } = own;
        if scanner.scan_value(&scope.trie, text, range).is_err() {
            return false;
        }
        buffers.begin(&scope.tables);
        let mut matcher = Matcher {
            compiled: self.compiled,
            tables: &scope.tables,
            line: text,
            spans: scanner.spans(),
            buffers,
            scopes: earlier,
        };
        matcher.holds(&scope.condition)
    }
}
