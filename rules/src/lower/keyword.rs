//! Keywords: values without a field, which any scalar value of the event may hold.

use super::{
    Lowering,
    builder::{all, any},
    field::Owner,
    modifiers::{Comparison, FieldTest, Link, Polarity},
    text::Rewrite,
};
use crate::{
    diagnostic::Notes,
    source::Span,
    yaml::{Entry, Node, Value},
};
use tripwasm_plan::{Condition, Pattern, Test};

/// What messages call the field that keywords do not have.
const NO_FIELD: &str = "keywords";

impl Lowering<'_> {
    /// A keyword that stands alone or in a list.
    pub(crate) fn keyword(&mut self, owner: Owner, node: &Node, notes: &mut Notes<'_>) -> Option<Condition> {
        let test = FieldTest::plain(NO_FIELD);
        self.keywords(owner, test, vec![node.clone()], node.span, notes)
    }

    /// Keywords behind a key that is modifiers alone, such as `'|all'`.
    pub(crate) fn keyword_entry(
        &mut self,
        owner: Owner,
        entry: &Entry,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let test = FieldTest::read(NO_FIELD.to_owned(), &entry.key, entry.key_span, notes)?;
        let values = self.item_values(owner, &test, entry, notes)?;
        if test.link == Link::All && values.len() < 2 {
            notes.warning(entry.key_span, "`all` of a single keyword", "remove `all`, or list more keywords");
        }
        self.keywords(owner, test, values, entry.key_span, notes)
    }

    fn keywords(
        &mut self,
        owner: Owner,
        mut test: FieldTest,
        values: Vec<Node>,
        span: Span,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        self.refuse_keywords(owner, &test, span, notes)?;
        if test.comparison == Comparison::Equality && !test.is_positioned() {
            test.rewrites.push(Rewrite::Contains);
        }
        if let Some(null) = values.iter().find(|value| value.value == Value::Null) {
            notes.error(null.span, "null is no keyword", "test a field for null: `field: null`");
            return None;
        }
        let tests = self.tests(owner, &test, &values, notes)?;
        for (value, tests) in values.iter().zip(&tests) {
            let fits_all = |test: &Test| matches!(test, Test::Text { pattern: Pattern::Anything, .. });
            if tests.iter().any(fits_all) {
                notes.warning(value.span, "a keyword that every event holds", "remove it, or write a text");
            }
        }
        let leaves = self.builder.leaves();
        let holds: Vec<Vec<Condition>> = tests
            .into_iter()
            .map(|tests| tests.into_iter().map(|test| self.builder.holds(leaves, test)).collect())
            .collect();
        Some(match test.link {
            Link::All => all(holds.into_iter().map(any).collect()),
            Link::Any => any(holds.concat()),
        })
    }

    /// Keywords search a whole event for texts.
    fn refuse_keywords(
        &self,
        owner: Owner,
        test: &FieldTest,
        span: Span,
        notes: &mut Notes<'_>,
    ) -> Option<()> {
        let compares_text = matches!(test.comparison, Comparison::Equality | Comparison::Regex(_));
        let (message, remedy) = match owner {
            Owner::Member(_) => {
                ("a keyword inside an array's block", "name a field, or `.` for the member itself")
            }
            _ if !self.open.is_empty() => ("a keyword in a calculated field", "name a field: `field: value`"),
            _ if test.part.is_some() || !compares_text => {
                ("a modifier that needs a field", "write the field's name before the modifiers")
            }
            _ if test.polarity == Polarity::Differs => {
                ("`neq` of keywords", "negate in the condition: `not keywords`")
            }
            _ => return Some(()),
        };
        notes.error(span, message, remedy);
        None
    }
}
