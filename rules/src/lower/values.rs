//! Values of a selection's item to tests of its field.

use super::{
    Lowering,
    field::Owner,
    modifiers::{Comparison, FieldTest, Link},
    network,
    regex::{self, RegexError, RegexFlags},
    text::WildText,
};
use crate::{
    diagnostic::Notes,
    settings::Settings,
    shape,
    yaml::{Entry, Node, Value},
};
use std::ops::RangeInclusive;
use tripwasm_plan::{CaseRule, Cidr, Operator, Reference, Test, TimePart, Types};

impl Lowering<'_> {
    /// The tests of each value; any of those of one value may hold. Several networks become one test.
    pub(crate) fn tests(
        &mut self,
        owner: Owner,
        test: &FieldTest,
        values: &[Node],
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Vec<Test>>> {
        let types = self.types(owner, &test.field);
        let tests: Vec<Option<Vec<Test>>> = values
            .iter()
            .map(|value| match test.comparison {
                Comparison::Equality if test.part.is_some() => time_part(value, test, notes),
                Comparison::Equality => equality(value, test, types, notes),
                Comparison::Regex(flags) => regex(value, flags, notes).map(|test| vec![test]),
                Comparison::Network => cidr(value, notes).map(|cidr| vec![Test::Cidr(vec![cidr])]),
                Comparison::Order(operator) => order(value, operator, notes).map(|test| vec![test]),
                Comparison::FieldRef(reference) => {
                    self.field_ref(owner, value, reference, test.case, notes).map(|test| vec![test])
                }
                Comparison::Exists => Some(Vec::new()),
            })
            .collect();
        let tests: Vec<Vec<Test>> = tests.into_iter().collect::<Option<_>>()?;
        if test.comparison == Comparison::Network && test.link == Link::Any {
            let networks = tests.into_iter().flatten().flat_map(|test| match test {
                Test::Cidr(networks) => networks,
                _ => Vec::new(),
            });
            return Some(vec![vec![Test::Cidr(networks.collect())]]);
        }
        Some(tests)
    }

    /// The settings under which `owner` was written.
    pub(crate) fn settings_of(&self, owner: Owner) -> Option<&Settings> {
        let position = match owner {
            Owner::Document(document) | Owner::Member(document) => self.draft(document)?.settings,
            Owner::Shared(settings) => settings,
        };
        self.context.settings.get(position)
    }

    fn types(&self, owner: Owner, field: &str) -> Types {
        let draft = owner.document().and_then(|document| self.draft(document));
        match draft.is_some_and(|draft| draft.block.is_strict(field)) {
            true => Types::Strict,
            false => Types::Any,
        }
    }

    fn field_ref(
        &mut self,
        owner: Owner,
        value: &Node,
        reference: Reference,
        case: CaseRule,
        notes: &mut Notes<'_>,
    ) -> Option<Test> {
        let name = shape::text(value, "the value of `fieldref`", notes)?;
        let other = self.referred_field(owner, value, name, notes)?;
        Some(Test::FieldRef { other, reference, case })
    }
}

/// The value of `exists`.
pub(crate) fn exists(values: &[Node], entry: &Entry, notes: &mut Notes<'_>) -> Option<bool> {
    match values {
        [value] => shape::boolean(value, "the value of `exists`", notes),
        _ => {
            notes.error(entry.node.span, "`exists` with a list of values", "write `true` or `false`");
            None
        }
    }
}

/// A whole number that a part of a time can be.
fn time_part(value: &Node, test: &FieldTest, notes: &mut Notes<'_>) -> Option<Vec<Test>> {
    let part = test.part?;
    let range = time_part_range(part);
    let number = match &value.value {
        Value::Number(number) => number.parse::<u32>().ok().filter(|number| range.contains(number)),
        _ => None,
    };
    if number.is_none() {
        let (field, part) = (&test.field, time_part_word(part));
        let message = format!("`{field}|{part}` is compared with {}", value.described());
        let remedy = match range.end() {
            &u32::MAX => "write a year such as `2024`".to_owned(),
            end => format!("write a whole number from {} to {end}", range.start()),
        };
        notes.error(value.span, message, remedy);
    }
    number.map(|number| vec![Test::Number { value: number.to_string(), types: Types::Any }])
}

fn time_part_word(part: TimePart) -> &'static str {
    match part {
        TimePart::Minute => "minute",
        TimePart::Hour => "hour",
        TimePart::Day => "day",
        TimePart::Week => "week",
        TimePart::Month => "month",
        TimePart::Year => "year",
    }
}

fn time_part_range(part: TimePart) -> RangeInclusive<u32> {
    match part {
        TimePart::Minute => 0..=59,
        TimePart::Hour => 0..=23,
        TimePart::Day => 1..=31,
        TimePart::Week => 1..=53,
        TimePart::Month => 1..=12,
        TimePart::Year => 0..=u32::MAX,
    }
}

fn equality(value: &Node, test: &FieldTest, types: Types, notes: &mut Notes<'_>) -> Option<Vec<Test>> {
    let rewritten = !test.rewrites.is_empty();
    match &value.value {
        Value::Null if rewritten => {
            notes.error(
                value.span,
                "null is no text that modifiers could change",
                "test null in a selection of its own",
            );
            None
        }
        Value::Null => Some(vec![Test::Null]),
        Value::Bool(value) if !rewritten && test.case == CaseRule::Fold => {
            Some(vec![Test::Bool { value: *value, types }])
        }
        Value::Number(number) if !rewritten => Some(vec![Test::Number { value: number.clone(), types }]),
        _ => text(value, test, types, notes),
    }
}

fn text(value: &Node, test: &FieldTest, types: Types, notes: &mut Notes<'_>) -> Option<Vec<Test>> {
    let mut texts = vec![WildText::read(&value.scalar_text()?)];
    let mut failed = None;
    for &rewrite in &test.rewrites {
        let rewritten: Result<Vec<_>, _> = texts.drain(..).map(|text| text.rewrite(rewrite)).collect();
        match rewritten {
            Ok(rewritten) => texts = rewritten.concat(),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let patterns: Result<Vec<_>, _> = texts.into_iter().map(|text| text.pattern(test.case)).collect();
    match (patterns, failed) {
        (Ok(patterns), None) => {
            let tests = patterns.into_iter().map(|pattern| Test::Text { pattern, case: test.case, types });
            Some(tests.collect())
        }
        (Err(error), _) | (_, Some(error)) => {
            notes.error(value.span, format!("a value of `{}`: {error}", test.field), error.remedy());
            None
        }
    }
}

fn regex(value: &Node, flags: RegexFlags, notes: &mut Notes<'_>) -> Option<Test> {
    let Some(pattern) = value.scalar_text() else {
        notes.error(
            value.span,
            format!("a regular expression has to be a text, this is {}", value.kind()),
            "quote it",
        );
        return None;
    };
    match regex::compile(&pattern, flags) {
        Ok((dfa, literal)) => Some(Test::Regex { dfa, literal }),
        Err(error) => {
            let offset = match error {
                RegexError::Syntax { offset, .. } => offset,
                RegexError::WordBoundary => pattern.find("\\b").or(pattern.find("\\B")).unwrap_or(0),
                RegexError::TooLarge => 0,
            };
            let place = match error {
                RegexError::TooLarge => value.span,
                _ => notes.source().inside(value.span, &pattern, offset),
            };
            notes.error(place, error.to_string(), error.remedy());
            None
        }
    }
}

fn cidr(value: &Node, notes: &mut Notes<'_>) -> Option<Cidr> {
    let text = shape::text(value, "the value of `cidr`", notes)?;
    match network::parse(text) {
        Ok((network, had_host_bits)) => {
            if had_host_bits {
                let message = format!("`{text}` has bits set behind its prefix, which are ignored");
                notes.warning(value.span, message, "write the address of the network, or a longer prefix");
            }
            Some(network)
        }
        Err(error) => {
            notes.error(
                value.span,
                format!("`{text}` is {error}"),
                "write a network such as `10.0.0.0/8` or `::1/128`",
            );
            None
        }
    }
}

fn order(value: &Node, operator: Operator, notes: &mut Notes<'_>) -> Option<Test> {
    match &value.value {
        Value::Number(bound) => Some(Test::Compare { operator, bound: bound.clone() }),
        _ => {
            let found = value.described();
            let message = format!("a comparison by size needs a number, this is {found}");
            notes.error(value.span, message, "write digits without quotes");
            None
        }
    }
}
