//! `condition` of a correlation.

use super::{distinct_texts, meant};
use crate::{
    diagnostic::Notes,
    document::Document,
    shape,
    spelling::suggestion,
    yaml::{Map, Node, Value},
};
use tripwasm_plan::Decimal;

/// Sigma's comparison operators.
pub(crate) const OPERATORS: [&str; 6] = ["lt", "lte", "gt", "gte", "eq", "neq"];

/// Digits behind the point of a bound; the engine counts in billionths.
const FRACTION_DIGITS_MAX: usize = 9;

/// What a type of correlation asks of its condition.
#[derive(Debug)]
pub(super) struct Demands<'d> {
    kind: &'d str,
    presence: Presence,
    bounds: Bounds,
    fields: Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    /// May also be a text over the names of rules.
    Optional,
}

/// What thresholds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bounds {
    Counts,
    Numbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    None,
    One,
    Several,
}

impl<'d> Demands<'d> {
    pub(super) fn of(kind: &'d str) -> Demands<'d> {
        let (presence, bounds, fields) = match kind {
            "event_count" => (Presence::Required, Bounds::Counts, Fields::None),
            "value_count" => (Presence::Required, Bounds::Counts, Fields::Several),
            "temporal" | "temporal_ordered" => (Presence::Optional, Bounds::Counts, Fields::None),
            _ => (Presence::Required, Bounds::Numbers, Fields::One),
        };
        Demands { kind, presence, bounds, fields }
    }
}

/// The bound of a numeric measure, exactly; else what is wrong with it.
pub(crate) fn bound(node: &Node) -> Result<Decimal, &'static str> {
    let Value::Number(text) = &node.value else { return Err("has to be a number") };
    if fraction_digits(text) > FRACTION_DIGITS_MAX {
        return Err("has more than nine digits behind the point");
    }
    Decimal::parse(text).ok_or("is too large")
}

/// The `percentile` of a condition, 1 to 100.
pub(crate) fn percentile(node: &Node) -> Option<u8> {
    let Value::Number(text) = &node.value else { return None };
    text.parse().ok().filter(|percentile| (1..=100).contains(percentile))
}

pub(super) fn check(document: &Document<'_>, map: &Map, demands: &Demands<'_>, notes: &mut Notes<'_>) {
    let Some(entry) = map.entry("condition") else {
        if demands.presence == Presence::Required && !meant(map, "condition") {
            let message = "`correlation` without `condition`";
            let remedy = "add a threshold, such as `condition: { gte: 5 }`";
            notes.error(document.key_span("correlation"), message, remedy);
        }
        return;
    };
    if let Value::Text(_) = entry.node.value {
        if demands.presence == Presence::Required {
            let message = "a text as condition belongs to `temporal` correlations";
            notes.error(entry.node.span, message, "write a threshold, such as `gte: 5`");
        }
        return;
    }
    let Some(condition) = shape::map(&entry.node, "`condition`", notes) else { return };
    let mut known: Vec<&str> = OPERATORS.to_vec();
    known.push("field");
    if demands.kind == "value_percentile" || condition.get("percentile").is_some() {
        known.push("percentile");
    }
    shape::known_keys(condition, "the condition of `correlation`", &known, notes);
    for node in OPERATORS.iter().filter_map(|operator| Some((operator, condition.get(operator)?))) {
        threshold(node, demands.bounds, notes);
    }
    let field_is_meant =
        condition.entries.iter().any(|entry| suggestion(&entry.key, &known).contains("`field`"));
    match condition.entry("field") {
        None if demands.fields != Fields::None && !field_is_meant => {
            let message = format!("`{}` without `field`", demands.kind);
            notes.error(entry.key_span, message, missing_field_remedy(demands));
        }
        None => {}
        Some(_) => fields(condition, demands, notes),
    }
    percentile_key(condition, demands, notes);
    if !OPERATORS.iter().any(|operator| condition.get(operator).is_some()) {
        let message = "a condition without threshold";
        notes.error(entry.key_span, message, format!("add one of {}", OPERATORS.join(", ")));
    }
}

fn threshold((operator, node): (&&str, &Node), bounds: Bounds, notes: &mut Notes<'_>) {
    match bounds {
        Bounds::Counts => {
            shape::natural(node, &format!("`{operator}`"), notes);
        }
        Bounds::Numbers => {
            if let Err(problem) = bound(node) {
                let message = format!("`{operator}` {problem}; this is {}", node.described());
                notes.error(node.span, message, "write a number such as `1.5`, without quotes");
            }
        }
    }
}

fn fields(condition: &Map, demands: &Demands<'_>, notes: &mut Notes<'_>) {
    let Some(entry) = condition.entry("field") else { return };
    match demands.fields {
        Fields::None => {
            let message = format!("`field` means nothing to `{}`", demands.kind);
            let remedy = match demands.presence {
                Presence::Required => "count distinct values with `type: value_count`",
                Presence::Optional => "remove it; `group-by` names the fields that have to agree",
            };
            notes.error(entry.key_span, message, remedy);
        }
        Fields::One if entry.node.as_list().is_some_and(|items| items.len() != 1) => {
            let message = format!("`{}` measures one field", demands.kind);
            notes.error(entry.node.span, message, "name one field, such as `field: bytesOut`");
        }
        Fields::One | Fields::Several => distinct_texts(&entry.node, "field", notes),
    }
}

fn missing_field_remedy(demands: &Demands<'_>) -> &'static str {
    match demands.fields {
        Fields::One => "name the field whose numbers are measured: `field: bytesOut`",
        Fields::None | Fields::Several => "name the field whose values are counted: `field: userName`",
    }
}

fn percentile_key(condition: &Map, demands: &Demands<'_>, notes: &mut Notes<'_>) {
    match condition.entry("percentile") {
        Some(entry) if demands.kind != "value_percentile" => {
            let message = format!("`percentile` means nothing to `{}`", demands.kind);
            notes.error(entry.key_span, message, "write `type: value_percentile`, or remove it");
        }
        Some(entry) if percentile(&entry.node).is_none() => {
            let message = format!(
                "`percentile` has to be a whole number from 1 to 100; this is {}",
                entry.node.described()
            );
            notes.error(entry.node.span, message, "write for example `percentile: 95`");
        }
        None if demands.kind == "value_percentile" => {
            let Some(first) = condition.entries.first() else { return };
            let message = "`value_percentile` without `percentile` measures the 50th, the median";
            notes.warning(first.key_span, message, "say which one: `percentile: 50`");
        }
        Some(_) | None => {}
    }
}

/// Digits behind the point of a JSON number once its exponent is worked in; zeros at the end do not count.
fn fraction_digits(text: &str) -> usize {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent: i64 = exponent.parse().unwrap_or(i64::MIN / 2);
    let behind = fraction.len() as i64 - zeros as i64 - exponent;
    match digits.bytes().all(|digit| matches!(digit, b'0' | b'-' | b'+')) {
        true => 0,
        false => usize::try_from(behind).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_behind_the_point_are_counted_exactly() {
        for (text, digits) in [
            ("5", 0),
            ("500", 0),
            ("1.50", 1),
            ("-0.000000001", 9),
            ("1.0000000001", 10),
            ("15e-10", 10),
            ("150e-10", 9),
            ("1.5e1", 0),
            ("0e-99", 0),
            ("0.0", 0),
        ] {
            assert_eq!(fraction_digits(text), digits, "{text}");
        }
    }
}
