//! Conditions and the tests of single fields.

use super::{
    calculate::{self, Fields},
    fold,
    json::Json,
    number, pattern,
};
use core::net::{Ipv4Addr, Ipv6Addr};
use regex_automata::{Input, dfa::Automaton as _, dfa::sparse::DFA};
use std::borrow::Cow;
use tripwasm_plan::{
    CaseRule, Cidr, Condition, FieldId, Plan, Predicate, PredicateId, Quantifier, Reference, Scope, Test,
    Types,
};

/// What conditions refer to.
#[derive(Clone, Copy)]
pub(super) struct Tests<'p> {
    predicates: &'p [Predicate],
    /// Those that a predicate may refer to.
    scopes: &'p [Scope],
}

impl<'p> Tests<'p> {
    /// Those of conditions over whole events.
    pub(super) fn of(plan: &'p Plan) -> Self {
        Tests { predicates: &plan.predicates, scopes: &plan.scopes }
    }
}

/// Whether a condition holds of an event. Recursion follows the condition, whose depth the build bounds.
pub(super) fn holds(condition: &Condition, tests: Tests<'_>, fields: &Fields<'_>) -> bool {
    let holds = |condition: &Condition| holds(condition, tests, fields);
    match condition {
        Condition::Constant(value) => *value,
        Condition::All(conditions) => conditions.iter().all(holds),
        Condition::Any(conditions) => conditions.iter().any(holds),
        Condition::AtLeast(bound, conditions) => {
            let held = conditions.iter().filter(|condition| holds(condition)).count();
            u32::try_from(held).is_ok_and(|held| held >= *bound)
        }
        Condition::Not(condition) => !holds(condition),
        Condition::Holds(PredicateId(predicate)) => usize::try_from(*predicate)
            .ok()
            .and_then(|at| tests.predicates.get(at))
            .is_some_and(|predicate| match &predicate.test {
                Test::Members { quantifier, scope } => {
                    members_fit(fields.members(predicate.field), *quantifier, *scope, tests.scopes)
                }
                test => passes(test, predicate.field, fields),
            }),
    }
}

/// Whether so many members as the quantifier says satisfy a scope. It sees the scopes before it alone.
fn members_fit<'e>(
    members: impl Iterator<Item = &'e Json>,
    quantifier: Quantifier,
    scope: u32,
    scopes: &[Scope],
) -> bool {
    let (earlier, later) = scopes.split_at(usize::try_from(scope).unwrap_or(usize::MAX).min(scopes.len()));
    let Some(scope) = later.first() else { return false };
    let tests = Tests { predicates: &scope.predicates, scopes: earlier };
    let answers: Vec<bool> = members
        .map(|member| holds(&scope.condition, tests, &calculate::member_fields(&scope.fields, member)))
        .collect();
    let (any, all) = (answers.contains(&true), !answers.contains(&false));
    match quantifier {
        Quantifier::Any => any,
        Quantifier::All => all && any,
        Quantifier::AllOrEmpty => all,
        Quantifier::None => !any,
    }
}

/// Whether any value of a field passes a test.
fn passes(test: &Test, field: FieldId, fields: &Fields<'_>) -> bool {
    let absent = fields.all(field).next().is_none();
    let any = |passes: &dyn Fn(&Json) -> bool| fields.all(field).any(passes);
    match test {
        // Answered by the members, not by values.
        Test::Members { .. } => false,
        Test::Exists => !absent,
        Test::Null => absent || any(&|value| *value == Json::Null),
        Test::Text { pattern, case, types } => any(&|value| {
            let text = match types {
                Types::Strict if !matches!(value, Json::Text(_)) => None,
                _ => value.text(),
            };
            text.is_some_and(|text| pattern::fits(pattern, &cased(&text, *case)))
        }),
        Test::Bool { value: wanted, types } => any(&|value| match (value, types) {
            (Json::Bool(value), _) => value == wanted,
            (Json::Text(text), Types::Any) => {
                text.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
            }
            _ => false,
        }),
        Test::Number { value: wanted, types } => any(&|value| match (value, types) {
            (Json::Number(text), _) => number::compare(text, wanted).is_some_and(core::cmp::Ordering::is_eq),
            (Json::Text(text), Types::Any) => text == wanted,
            _ => false,
        }),
        Test::Compare { operator, bound } => any(&|value| {
            let text = match value {
                Json::Number(text) => text,
                Json::Text(text) if number::is_plain_decimal(text) => text,
                _ => return false,
            };
            number::compare(text, bound).is_some_and(|ordering| number::satisfies(ordering, *operator))
        }),
        Test::Regex { dfa, .. } => any(&|value| value.text().is_some_and(|text| regex_finds(dfa, &text))),
        Test::Cidr(networks) => any(&|value| match value {
            Json::Text(text) => networks.iter().any(|network| contains(network, text)),
            _ => false,
        }),
        Test::FieldRef { other, reference, case } => any(&|value| {
            value.scalar_text().is_some_and(|one| {
                fields
                    .all(*other)
                    .filter_map(Json::scalar_text)
                    .any(|other| relates(*reference, &cased(&one, *case), &cased(&other, *case)))
            })
        }),
    }
}

fn cased(text: &str, case: CaseRule) -> Cow<'_, str> {
    match case {
        CaseRule::Fold => fold::fold(text).into(),
        CaseRule::Exact => text.into(),
    }
}

fn relates(reference: Reference, one: &str, other: &str) -> bool {
    match reference {
        Reference::Equals => one == other,
        Reference::StartsWith => one.starts_with(other),
        Reference::EndsWith => one.ends_with(other),
        Reference::Contains => one.contains(other),
    }
}

fn regex_finds(dfa: &[u8], text: &str) -> bool {
    let Ok((dfa, _)) = DFA::from_bytes(dfa) else { return false };
    matches!(dfa.try_search_fwd(&Input::new(text)), Ok(Some(_)))
}

/// Whether a text is an address of a network. A v6 address may carry one non-empty scope.
fn contains(network: &Cidr, text: &str) -> bool {
    match *network {
        Cidr::V4(base, prefix) => text.parse::<Ipv4Addr>().is_ok_and(|address| {
            let host_bits = 32_u32.saturating_sub(u32::from(prefix));
            u64::from(base) >> host_bits == u64::from(address.to_bits()) >> host_bits
        }),
        Cidr::V6(base, prefix) => {
            let address = match text.split_once('%') {
                Some((_, scope)) if scope.is_empty() || scope.contains('%') => return false,
                Some((address, _)) => address,
                None => text,
            };
            let host_bits = 128_u32.saturating_sub(u32::from(prefix));
            let network_part = |bits: u128| bits.checked_shr(host_bits).unwrap_or(0);
            address
                .parse::<Ipv6Addr>()
                .is_ok_and(|address| network_part(base) == network_part(address.to_bits()))
        }
    }
}

#[cfg(test)]
mod tests;
