//! The boolean part of every rule over the values of one event.

mod calculate;
mod check;
mod compiled;
mod decide;
mod fold;
mod index;
mod members;
mod number;
mod sieve;
mod sought;
mod test;
mod value;

pub(crate) use check::check_plan;
pub use compiled::CompileError;
pub(crate) use compiled::Compiled;
pub(crate) use decide::Decisions;
pub(crate) use sieve::{Glance, Sieve, Sighting, depth};
pub(crate) use value::Value;

use crate::scan::{Kind, Linked, Scanner, Span, Spans, text_time};
use calculate::Outcome;
use compiled::{CompiledField, Tables};
use sought::Found;
use tripwasm_plan::{Condition, Decimal, FieldId, PredicateId, Test, Timestamp};

/// Buffers of a matcher, reused from event to event.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scratch {
    buffers: Buffers,
    /// Parallel to the plan's scopes.
    scopes: Vec<ScopeScratch>,
}

/// Buffers for one member of an array.
#[derive(Debug, Default, Clone)]
struct ScopeScratch {
    scanner: Scanner,
    buffers: Buffers,
}

/// What is known of one event, or one member.
#[derive(Debug, Default, Clone)]
struct Buffers {
    /// Per predicate: twice the number of the event that it was asked of last, and one more if it held.
    answers: Vec<u64>,
    /// Number of the event.
    event: u64,
    /// Per calculated field: the number of the event that it was calculated for last, and the outcome.
    outcomes: Vec<(u64, Outcome)>,
    /// Per sought field.
    found: Vec<Found>,
    /// For the elements that indices pick.
    scanner: Scanner,
    /// Text folded or decoded for one comparison.
    folded: String,
    /// The text of the last time in the usual form, and what it says: events come in order, and many in one second.
    time: ([u8; 20], Option<Timestamp>),
}

/// One event, or one member of an array, and the conditions over it, asking each question once.
pub(crate) struct Matcher<'e> {
    compiled: &'e Compiled,
    tables: &'e Tables,
    line: &'e str,
    spans: &'e Spans,
    buffers: &'e mut Buffers,
    /// Of the scopes that members are held against.
    scopes: &'e mut [ScopeScratch],
}

impl Buffers {
    #[inline]
    fn begin(&mut self, tables: &Tables) {
        self.event += 1;
        if self.event == 1 {
            self.lay_out(tables);
        }
    }

    #[cold]
    fn lay_out(&mut self, tables: &Tables) {
        self.answers.resize(tables.predicates.len(), 0);
        self.outcomes.resize(tables.calculated, (0, Outcome::Absent));
        self.found.resize_with(tables.sought, Found::default);
    }

    /// The time that a text says.
    #[inline]
    fn text_time(&mut self, text: &str) -> Option<Timestamp> {
        let Ok(usual) = <[u8; 20]>::try_from(text.as_bytes()) else { return text_time(text) };
        if self.time.0 != usual {
            self.time = (usual, text_time(text));
        }
        self.time.1
    }
}

impl<'e> Matcher<'e> {
    /// `spans` are those of `line`.
    #[inline]
    pub(crate) fn new(
        compiled: &'e Compiled,
        line: &'e str,
        spans: &'e Spans,
        scratch: &'e mut Scratch,
    ) -> Matcher<'e> {
        let Scratch { buffers, scopes } = scratch;
        if scopes.len() < compiled.scopes.len() {
            scopes.resize_with(compiled.scopes.len(), ScopeScratch::default);
        }
        buffers.begin(&compiled.tables);
        Matcher { compiled, tables: &compiled.tables, line, spans, buffers, scopes }
    }

    /// Whether the condition holds. Recursion follows the rule, whose nesting the build bounds.
    pub(crate) fn holds(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Constant(value) => *value,
            Condition::All(all) => all.iter().all(|one| self.holds(one)),
            Condition::Any(any) => any.iter().any(|one| self.holds(one)),
            Condition::AtLeast(count, of) => {
                let holding = of.iter().filter(|one| self.holds(one)).take(*count as usize).count();
                holding >= *count as usize
            }
            Condition::Not(inner) => !self.holds(inner),
            Condition::Holds(predicate) => self.answer(*predicate),
        }
    }

    /// Hands over the text of a field's first value that is no container; false if there is none: absent and null have
    /// none.
    pub(crate) fn first_text(&mut self, field: FieldId, put: &mut dyn FnMut(&str)) -> bool {
        self.calculate(field);
        self.first_value(field, |value| {
            (!value.is_container()).then(|| value.scalar_text().map(|text| put(&text)))
        })
        .flatten()
        .is_some()
    }

    /// Hands over the texts of all scalar values of a field that are not null.
    pub(crate) fn each_text(&mut self, field: FieldId, put: &mut dyn FnMut(&str)) {
        self.calculate(field);
        self.any_value(field, |value| {
            if let Some(text) = value.scalar_text() {
                put(&text);
            }
            false
        });
    }

    /// The texts of all scalar values of a field that are not null.
    pub(crate) fn texts(&mut self, field: FieldId) -> Vec<String> {
        let mut texts = Vec::new();
        self.each_text(field, &mut |text| texts.push(text.to_owned()));
        texts
    }

    /// The number of a field's first value that is no container: a number, or a string that is a plain decimal one.
    pub(crate) fn number(&mut self, field: FieldId) -> Option<Decimal> {
        self.calculate(field);
        self.first_scalar(field, |value| match value {
            Value::Number(text) => Decimal::parse(&text),
            Value::Text(text) if number::is_plain_decimal(&text) => Decimal::parse(&text),
            _ => None,
        })
    }

    /// The event's time: of the first field with a usable one.
    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        let compiled = self.compiled;
        compiled.time.iter().find_map(|&field| {
            if let Some(text) = self.plain_text(field) {
                return self.buffers.text_time(text);
            }
            self.calculate(field);
            self.first_value(field, |value| value.time())
        })
    }

    /// Writes the event's id: of the first field that is a non-empty string.
    pub(crate) fn event_id(&mut self, out: &mut String) {
        let compiled = self.compiled;
        compiled.event_id.iter().find_map(|&field| {
            if let Some(text) = self.plain_text(field).filter(|text| !text.is_empty()) {
                out.push_str(text);
                return Some(());
            }
            self.calculate(field);
            self.first_value(field, |value| match value {
                Value::Text(text) if !text.is_empty() => {
                    out.push_str(&text);
                    Some(())
                }
                _ => None,
            })
        });
    }

    /// The first value of a field of the event, if that is a string without escapes.
    #[inline]
    fn plain_text(&self, field: FieldId) -> Option<&'e str> {
        let place = self.tables.place(field)?;
        let span = self.spans.of(place.of(self.spans)).next()?;
        if span.kind == Kind::Text { self.line.get(span.inside()) } else { None }
    }

    fn answer(&mut self, id: PredicateId) -> bool {
        let asked = self.buffers.event * 2;
        if let Some(answer) = self.buffers.answers.get(id.0 as usize)
            && *answer >= asked
        {
            return *answer > asked;
        }
        let answer = self.ask(id);
        if let Some(place) = self.buffers.answers.get_mut(id.0 as usize) {
            *place = asked + u64::from(answer);
        }
        answer
    }

    fn ask(&mut self, id: PredicateId) -> bool {
        let tables = self.tables;
        let Some(predicate) = tables.predicates.get(id.0 as usize) else { return false };
        self.calculate(predicate.field);
        match &predicate.test {
            Test::Exists => self.is_present(predicate.field),
            Test::Null => {
                !self.is_present(predicate.field)
                    || self.any_value(predicate.field, |value| value == Value::Null)
            }
            Test::FieldRef { other, reference, case } => {
                self.calculate(*other);
                let others = self.texts(*other);
                self.any_value(predicate.field, |value| {
                    let Some(text) = value.scalar_text() else { return false };
                    others.iter().any(|other| test::refers(&text, other, *reference, *case))
                })
            }
            Test::Members { quantifier, scope } => self.members_fit(predicate.field, *quantifier, *scope),
            test => {
                let dfa = if let Test::Regex { .. } = test { tables.dfa(id) } else { None };
                if let Some(place) = tables.place(predicate.field) {
                    let (line, folded) = (self.line, &mut self.buffers.folded);
                    let mut values = self.spans.of(place.of(self.spans));
                    return values.any(|span| test::passes(test, &Value::of_span(span, line), dfa, folded));
                }
                let mut folded = core::mem::take(&mut self.buffers.folded);
                let passes =
                    self.any_value(predicate.field, |value| test::passes(test, &value, dfa, &mut folded));
                self.buffers.folded = folded;
                passes
            }
        }
    }

    fn is_present(&self, field: FieldId) -> bool {
        let is_calculated = !matches!(self.outcome(field), None | Some(Outcome::Absent));
        is_calculated || self.spans_of(field).next().is_some()
    }

    /// What `take` makes of the first value of a field from which it makes something. A calculated or sought field has been
    /// calculated before.
    #[inline]
    fn first_value<T>(&self, field: FieldId, mut take: impl FnMut(Value<'_>) -> Option<T>) -> Option<T> {
        let outcome = match self.tables.field(field) {
            Some(CompiledField::Calculated { .. }) => self.outcome(field),
            _ => None,
        };
        match outcome {
            Some(outcome) => self.outcome_value(outcome).and_then(take),
            None => self.spans_of(field).find_map(|span| take(Value::of_span(span, self.line))),
        }
    }

    fn any_value(&self, field: FieldId, mut fits: impl FnMut(Value<'_>) -> bool) -> bool {
        self.first_value(field, |value| fits(value).then_some(())).is_some()
    }

    /// What `take` makes of the first value that is no container.
    fn first_scalar<T>(&self, field: FieldId, take: impl Fn(Value<'_>) -> Option<T>) -> Option<T> {
        self.first_value(field, |value| (!value.is_container()).then(|| take(value))).flatten()
    }

    /// The values of a field that stand in the event; none of a calculated one.
    #[inline]
    fn spans_of(&self, field: FieldId) -> SpansOf<'_> {
        match self.tables.field(field) {
            Some(CompiledField::Path { walk, literal }) => {
                SpansOf::Linked(self.spans.of(if self.spans.is_present(*literal) { *literal } else { *walk }))
            }
            Some(CompiledField::Sought { slot, .. }) => {
                SpansOf::Listed(self.buffers.found.get(*slot).map_or(&[][..], |found| &found.spans).iter())
            }
            Some(CompiledField::Calculated { .. }) | None => SpansOf::Listed([].iter()),
        }
    }
}

/// Where the values of a field stand.
enum SpansOf<'s> {
    /// Those of a place in the trie.
    Linked(Linked<'s>),
    /// Those that another pass found.
    Listed(core::slice::Iter<'s, Span>),
}

impl<'s> Iterator for SpansOf<'s> {
    type Item = &'s Span;

    #[inline]
    fn next(&mut self) -> Option<&'s Span> {
        match self {
            SpansOf::Linked(spans) => spans.next(),
            SpansOf::Listed(spans) => spans.next(),
        }
    }
}

#[cfg(test)]
mod tests;
