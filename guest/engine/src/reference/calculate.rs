//! The values of all of a plan's fields in one event, calculated ones included.

use super::{date, fold, json::Json, matcher, number, value};
use std::borrow::Cow;
use tripwasm_plan::{Calculation, Case, Field, FieldId, FieldSource, Literal, Operand, Part, Plan};

/// The values of a plan's or a scope's fields, by field. While they are being made, those of the fields made so far.
pub(super) struct Fields<'e> {
    values: Vec<Values<'e>>,
}

#[derive(Default)]
struct Values<'e> {
    /// An array stands for itself and for each of its elements.
    all: Vec<Cow<'e, Json>>,
    /// An array stands for itself alone.
    whole: Vec<Cow<'e, Json>>,
}

impl Fields<'_> {
    /// Every value of a field; none if it is absent.
    pub(super) fn all(&self, field: FieldId) -> impl Iterator<Item = &Json> {
        self.of(field).flat_map(|values| &values.all).map(AsRef::as_ref)
    }

    /// The members of a field's arrays. A value that is no array is a member, null is none.
    pub(super) fn members(&self, field: FieldId) -> impl Iterator<Item = &Json> {
        self.of(field).flat_map(|values| &values.whole).flat_map(|value| match value.as_ref() {
            Json::Null => &[],
            Json::Array(items) => items.as_slice(),
            other => core::slice::from_ref(other),
        })
    }

    fn of(&self, field: FieldId) -> impl Iterator<Item = &Values<'_>> {
        usize::try_from(field.0).ok().and_then(|at| self.values.get(at)).into_iter()
    }

    /// The first value of a field that is no container, else the first.
    pub(super) fn first(&self, field: FieldId) -> Option<&Json> {
        self.all(field).find(|value| !value.is_container()).or_else(|| self.all(field).next())
    }
}

/// Looks up and calculates every field.
pub(super) fn fields<'e>(plan: &Plan, event: &'e Json) -> Fields<'e> {
    let mut fields = Fields { values: Vec::with_capacity(plan.fields.len()) };
    for field in &plan.fields {
        let values = match &field.source {
            FieldSource::Path(path) => at_ends(value::ends_at(event, path)),
            FieldSource::Leaves => alone(value::leaves(event).into_iter().map(Cow::Borrowed)),
            FieldSource::Calculated(calculation) => {
                alone(calculate(calculation, plan, &fields).map(Cow::Owned).into_iter())
            }
        };
        fields.values.push(values);
    }
    fields
}

/// Looks up the fields of a scope in a member of an array. The empty path is the member itself.
pub(super) fn member_fields<'e>(fields: &[Field], member: &'e Json) -> Fields<'e> {
    let values = fields.iter().map(|field| match &field.source {
        FieldSource::Path(path) if path.is_empty() => at_ends(vec![member]),
        FieldSource::Path(path) => at_ends(value::ends_at(member, path)),
        FieldSource::Leaves | FieldSource::Calculated(_) => Values::default(),
    });
    Fields { values: values.collect() }
}

fn at_ends(ends: Vec<&Json>) -> Values<'_> {
    let all = ends.iter().copied().flat_map(value::with_elements).map(Cow::Borrowed).collect();
    Values { all, whole: ends.into_iter().map(Cow::Borrowed).collect() }
}

fn alone<'e>(values: impl Iterator<Item = Cow<'e, Json>>) -> Values<'e> {
    let all: Vec<_> = values.collect();
    Values { whole: all.clone(), all }
}

fn calculate(calculation: &Calculation, plan: &Plan, fields: &Fields<'_>) -> Option<Json> {
    let values = |operands: &[Operand]| -> Vec<Json> {
        operands.iter().filter_map(|operand| operand_value(operand, fields)).collect()
    };
    match calculation {
        Calculation::FirstPresent(operands) => values(operands).into_iter().next(),
        Calculation::FirstNonNull(operands) => {
            values(operands).into_iter().find(|value| *value != Json::Null)
        }
        Calculation::FirstTruthy(operands) => values(operands).into_iter().find(is_truthy),
        Calculation::Cases { cases, otherwise } => {
            let holds = |case: &&Case| matcher::holds(&case.when, matcher::Tests::of(plan), fields);
            let operand = cases.iter().find(holds).map(|case| &case.value).or(otherwise.as_ref())?;
            operand_value(operand, fields)
        }
        Calculation::Split { of, separator, part } => {
            let text = operand_text(of, fields)?;
            let part = match part {
                Part::First => text.split(separator.as_str()).next(),
                Part::Last => text.rsplit(separator.as_str()).next(),
                Part::Nth(number) => text.split(separator.as_str()).nth(usize::try_from(*number).ok()?),
            };
            part.map(|part| Json::Text(part.to_owned()))
        }
        Calculation::TimePart(of, part) => {
            let number = date::part(&operand_value(of, fields)?, *part)?;
            Some(Json::Number(number.to_string()))
        }
        Calculation::Lower(of) => operand_text(of, fields).map(|text| Json::Text(fold::fold(&text))),
    }
}

fn operand_value(operand: &Operand, fields: &Fields<'_>) -> Option<Json> {
    match operand {
        Operand::Field(field) => fields.first(*field).cloned(),
        Operand::Literal(literal) => Some(match literal {
            Literal::Null => Json::Null,
            Literal::Bool(value) => Json::Bool(*value),
            Literal::Number(text) => Json::Number(text.clone()),
            Literal::Text(text) => Json::Text(text.clone()),
        }),
    }
}

fn operand_text(operand: &Operand, fields: &Fields<'_>) -> Option<String> {
    match operand_value(operand, fields)? {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

/// Truth in Python's sense.
fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(text) => !number::is_zero(text),
        Json::Text(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;
    use tripwasm_plan::{Condition, Field, Predicate, PredicateId, Settings, Test, TimePart};

    const A: Operand = Operand::Field(FieldId(0));
    const B: Operand = Operand::Field(FieldId(1));

    fn literal(text: &str) -> Operand {
        Operand::Literal(Literal::Text(text.into()))
    }

    /// The calculation's value over the paths `a` and `b`, as text; `-` is null, nothing is absent.
    fn result(calculation: Calculation, event: &str) -> Option<String> {
        let path = |path: &str| Field { name: path.into(), source: FieldSource::Path(path.into()) };
        let calculated = Field { name: "c".into(), source: FieldSource::Calculated(calculation) };
        let plan = Plan {
            scopes: vec![],
            rules: vec![],
            fields: vec![path("a"), path("b"), calculated],
            predicates: vec![Predicate { field: FieldId(0), test: Test::Null }],
            time: vec![],
            event_id: vec![],
            settings: Settings::default(),
        };
        let event = parse(event).unwrap();
        let fields = fields(&plan, &event);
        assert!(fields.all(FieldId(2)).count() <= 1);
        fields.first(FieldId(2)).map(|value| value.text().map_or("-".into(), Cow::into_owned))
    }

    #[test]
    fn the_first_present_non_null_or_truthy_operand_is_taken() {
        let cases = [
            (r#"{}"#, "x", "x", "x"),
            (r#"{"a":null,"b":1}"#, "-", "1", "1"),
            (r#"{"a":"","b":1}"#, "", "", "1"),
            (r#"{"a":0.0,"b":false}"#, "0.0", "0.0", "x"),
            (r#"{"a":[],"b":{}}"#, "[]", "[]", "x"),
            (r#"{"a":"0"}"#, "0", "0", "0"),
            (r#"{"a":[[],"y","z"]}"#, "y", "y", "y"),
            (r#"{"a":{"k": 1}}"#, r#"{"k":1}"#, r#"{"k":1}"#, r#"{"k":1}"#),
        ];
        for (event, present, non_null, truthy) in cases {
            let operands = vec![A, B, literal("x")];
            assert_eq!(
                result(Calculation::FirstPresent(operands.clone()), event).as_deref(),
                Some(present),
                "{event}"
            );
            assert_eq!(
                result(Calculation::FirstNonNull(operands.clone()), event).as_deref(),
                Some(non_null),
                "{event}"
            );
            assert_eq!(result(Calculation::FirstTruthy(operands), event).as_deref(), Some(truthy), "{event}");
        }
        assert_eq!(result(Calculation::FirstPresent(vec![A, B]), "{}"), None);
    }

    #[test]
    fn a_text_is_cut_at_a_separator() {
        let cases = [
            (r#"{"a":"x/y/z"}"#, [Some("x"), Some("z"), Some("y")]),
            (r#"{"a":"x"}"#, [Some("x"), Some("x"), None]),
            (r#"{"a":"/"}"#, [Some(""), Some(""), Some("")]),
            (r#"{"a":""}"#, [Some(""), Some(""), None]),
            (r#"{"a":1}"#, [None; 3]),
            (r#"{"a":null}"#, [None; 3]),
            (r#"{}"#, [None; 3]),
        ];
        for (event, expected) in cases {
            for (part, expected) in [Part::First, Part::Last, Part::Nth(1)].into_iter().zip(expected) {
                let split = Calculation::Split { of: A, separator: "/".into(), part };
                assert_eq!(result(split, event).as_deref(), expected, "{part:?} of {event}");
            }
        }
    }

    #[test]
    fn a_part_of_a_time_is_a_number() {
        let part = |part| Calculation::TimePart(A, part);
        let event = r#"{"a":["2024-02-03T04:05:06+01:00"]}"#;
        assert_eq!(result(part(TimePart::Hour), event).as_deref(), Some("4"));
        assert_eq!(result(part(TimePart::Year), r#"{"a":1707000000000}"#).as_deref(), Some("2024"));
        assert_eq!(result(part(TimePart::Day), r#"{"a":"today"}"#), None);
        assert_eq!(result(part(TimePart::Day), "{}"), None);
    }

    #[test]
    fn cases_are_tried_in_order_and_lower_takes_strings_only() {
        let cases = |otherwise| Calculation::Cases {
            cases: vec![
                Case { when: Condition::Holds(PredicateId(0)), value: literal("null") },
                Case { when: Condition::Constant(false), value: literal("never") },
            ],
            otherwise,
        };
        assert_eq!(result(cases(None), "{}").as_deref(), Some("null"));
        assert_eq!(result(cases(None), r#"{"a":1}"#), None);
        assert_eq!(result(cases(Some(A)), r#"{"a":1}"#).as_deref(), Some("1"));
        assert_eq!(result(Calculation::Lower(A), r#"{"a":"ÄB"}"#).as_deref(), Some("äb"));
        assert_eq!(result(Calculation::Lower(A), r#"{"a":true}"#), None);
    }
}
