//! What correlations mean, in the plan's terms.

use proptest::prelude::*;
use tripwasm_plan::{
    Clause, Correlation, FieldId, FieldSource, Logic, Measure, Onward, Operator, Order, Plan, Reads,
    RuleIndex, Window,
};
use tripwasm_rules::{OnError, SourceFile, compile};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn plan(text: &str, config: Option<&str>) -> Plan {
    let config = config.map(|text| file("config.yml", text));
    let compiled = compile(&[file("rule.yml", text)], &[], config.as_ref(), OnError::Refuse);
    let shown: Vec<String> = compiled.diagnostics.iter().map(ToString::to_string).collect();
    compiled.plan.unwrap_or_else(|| panic!("{text}\n{}", shown.join("\n")))
}

fn correlation<'p>(plan: &'p Plan, name: &str) -> &'p Correlation {
    let rule = plan.rules.iter().find(|rule| rule.label() == name).unwrap();
    let Logic::Correlation(correlation) = &rule.logic else { panic!("{name} is no correlation") };
    correlation
}

const BASES: &str = "
title: A
name: a
id: 0a000000-0000-4000-8000-000000000000
detection: { s: { x: a }, condition: s }
---
title: B
name: b
detection: { s: { x: b }, condition: s }
---
title: C
name: x_c
detection: { s: { x: c }, condition: s }
---
title: D
name: x_d
detection: { s: { x: d }, condition: s }
---
";

/// What a correlation over the four rules measures and compares.
fn condition(kind: &str, condition: &str) -> String {
    let plan = plan(
        &format!(
            "{BASES}title: T\nname: t\ncorrelation: {{ type: {kind}, rules: [a, b, x_c, x_d], timespan: 1h{condition} }}\n"
        ),
        None,
    );
    let found = correlation(&plan, "t");
    let operator = |operator| match operator {
        Operator::Lt => "<",
        Operator::Lte => "<=",
        Operator::Gt => ">",
        Operator::Gte => ">=",
        Operator::Eq => "=",
        Operator::Neq => "!=",
    };
    let bounds: Vec<String> = found
        .condition
        .iter()
        .map(|comparison| format!(" {}{}", operator(comparison.operator), comparison.value))
        .collect();
    format!("{}{}", measure(&found.measure), bounds.concat())
}

fn measure(measure: &Measure) -> String {
    match measure {
        Measure::EventCount => "count".to_owned(),
        Measure::ValueCount(fields) => format!("distinct {}", fields.join(", ")),
        Measure::Sum(field) => format!("sum {field}"),
        Measure::Average(field) => format!("average {field}"),
        Measure::Percentile(field, percentile) => format!("percentile {percentile} {field}"),
        Measure::Median(field) => format!("median {field}"),
        Measure::Temporal { order, clauses } => {
            let order = if *order == Order::AsListed { "in order" } else { "seen" };
            let clauses: Vec<String> = clauses.iter().flatten().map(clause).collect();
            format!("{order}{}{}", if clauses.is_empty() { "" } else { " " }, clauses.join(" | "))
        }
    }
}

fn clause(clause: &Clause) -> String {
    let seen = clause.seen.iter().map(u32::to_string);
    let unseen = clause.unseen.iter().map(|source| format!("-{source}"));
    seen.chain(unseen).collect::<Vec<_>>().join(" ")
}

#[test]
fn conditions() {
    let cases = [
        ("event_count", "gte: 5", "count >=5"),
        ("event_count", "lte: 200, gt: 100", "count <=200 >100"),
        ("event_count", "neq: 0", "count !=0"),
        ("event_count", "gte: 0x10", "count >=16"),
        ("value_count", "gte: 3, field: ip", "distinct ip >=3"),
        ("value_count", "gte: 3, field: [ip, user]", "distinct ip, user >=3"),
        ("value_sum", "gt: 1000000, field: bytes", "sum bytes >1000000"),
        ("value_sum", "lt: -2.5, field: bytes", "sum bytes <-2.5"),
        ("value_sum", "lt: 0, field: bytes", "sum bytes <0"),
        ("value_sum", "gte: 99999999999999999999, field: bytes", "sum bytes >=99999999999999999999"),
        ("value_avg", "gte: 1.5e3, field: [bytes]", "average bytes >=1500"),
        ("value_avg", "gt: 0.1, lt: 0.100000001, field: bytes", "average bytes <0.100000001 >0.1"),
        ("value_median", "eq: 0.000000001, field: bytes", "median bytes =0.000000001"),
        ("value_percentile", "lte: 1, field: bytes", "percentile 50 bytes <=1"),
        ("value_percentile", "lte: 1, field: bytes, percentile: 99", "percentile 99 bytes <=1"),
        ("temporal", "gte: 2", "seen >=2"),
        ("temporal", "eq: 4", "seen =4"),
        ("temporal_ordered", "gt: 1, lt: 4", "in order <4 >1"),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(condition(kind, &format!(", condition: {{ {text} }}")), expected, "{kind} {text}");
    }
    assert_eq!(condition("temporal", ""), "seen >=4");
    assert_eq!(condition("temporal_ordered", ""), "in order >=4");
}

#[test]
fn boolean_conditions_become_alternatives_none_of_which_could_be_left_out() {
    let cases = [
        ("a", "seen 0"),
        ("a and b and not x_c", "seen 0 1 -2"),
        ("a or b and x_c", "seen 0 | 1 2"),
        ("(a or b) and x_c", "seen 0 2 | 1 2"),
        ("1 of x_*", "seen 2 | 3"),
        ("all of x_* and not a", "seen 2 3 -0"),
        ("all of them", "seen 0 1 2 3"),
        ("3 of them", "seen 0 1 2 | 0 1 3 | 0 2 3 | 1 2 3"),
        ("a and not 1 of x_*", "seen 0 -2 -3"),
        ("a and not all of x_*", "seen 0 -2 | 0 -3"),
        ("b and not 2 of them", "seen 1 -0 -2 -3"),
        ("a or a and b", "seen 0"),
        ("a and b or a and not b", "seen 0"),
        ("a and (b or not b)", "seen 0"),
        ("a and not b or b and not a or a and b", "seen 0 | 1"),
        ("a and not not b", "seen 0 1"),
        ("0a000000-0000-4000-8000-000000000000 and b", "seen 0 1"),
    ];
    for (text, expected) in cases {
        let text = format!(", condition: {text}");
        assert_eq!(condition("temporal", &text), expected, "{text}");
    }
    assert_eq!(condition("temporal_ordered", ", condition: a and b and not x_c"), "in order 0 1 -2");
    assert_eq!(condition("temporal_ordered", ", condition: a and b or a and not b"), "in order 0 -1 | 0 1");
}

#[test]
fn learning_and_suppression_come_from_the_rule_or_the_configuration() {
    let text = format!(
        "{BASES}title: T\nname: t\ncorrelation: {{ type: event_count, rules: [a], timespan: 1h, condition: {{ eq: 1 }} }}\n\
         tripwasm: {{ learn: 7d, suppress: 1h }}\n"
    );
    let day = 24 * 60 * 60 * 1000;
    let of = |config| {
        let plan = plan(&text, config);
        let found = correlation(&plan, "t");
        let Window::FirstSeen { forget_ms } = found.window else { panic!("not first-seen") };
        (found.learn_ms, found.suppress_ms, forget_ms)
    };
    assert_eq!(of(None), (Some(7 * day), Some(day / 24), Some(day / 24)));
    let config = "rules: { t: { learn: 1d, suppress: 2d, forget: never } }";
    assert_eq!(of(Some(config)), (Some(day), Some(2 * day), None));
}

const CHAIN: &str = "
title: Login
name: login
detection: { s: { x: a }, condition: s }
tripwasm: { fields: { who: { lower: user } } }
---
title: Denied
name: denied
detection: { s: { x: b }, condition: s }
---
title: Many
name: many
correlation:
  type: event_count
  rules: [login, denied]
  group-by: [who, host]
  timespan: 10m
  condition: { gte: 10 }
  aliases: { host: { login: computer, denied: sourceIPAddress } }
---
title: Then
name: then
correlation:
  type: temporal_ordered
  rules: [many, denied]
  group-by: [person, host]
  timespan: 1h
  aliases: { person: { many: who, denied: name } }
tripwasm:
  fields: { what: { lower: eventName } }
  alert: { values: [what] }
---
title: Top
name: top
correlation:
  type: value_count
  rules: [many, then]
  group-by: [what, account]
  timespan: 1d
  condition: { gte: 2, field: person }
";

fn field(plan: &Plan, id: FieldId) -> String {
    let field = &plan.fields[id.0 as usize];
    match &field.source {
        FieldSource::Path(path) => path.clone(),
        FieldSource::Calculated(_) => format!("{}()", field.name),
        FieldSource::Leaves => "leaves".to_owned(),
    }
}

fn reads(plan: &Plan, reads: &Reads) -> String {
    let list = |ids: &[FieldId]| ids.iter().map(|&id| field(plan, id)).collect::<Vec<_>>().join(" ");
    format!("{} / {} / {}", list(&reads.group_by), list(&reads.measured), list(&reads.observed))
}

#[test]
fn chains_read_the_events_at_the_bottom() {
    let plan = plan(CHAIN, None);
    let (many, then, top) =
        (correlation(&plan, "many"), correlation(&plan, "then"), correlation(&plan, "top"));
    assert_eq!([many.level, then.level, top.level], [0, 1, 2]);
    let onward =
        |correlation: u32, source, above| Onward { correlation: RuleIndex(correlation), source, above };
    assert_eq!(many.onward, [onward(3, 0, 1), onward(4, 1, 0), onward(4, 0, 0)]);
    assert_eq!(then.onward, [onward(4, 1, 0)]);
    assert_eq!(top.onward, []);
    let bottom = |correlation: &Correlation, source: usize| {
        let source = &correlation.sources[source];
        let all = std::iter::once(&source.reads).chain(&source.onward);
        all.map(|found| reads(&plan, found)).collect::<Vec<_>>()
    };
    // `what` is calculated by `then` alone, and `person` is an alias of it: straight over `many` they are paths.
    assert_eq!(
        bottom(many, 0),
        [
            "who() computer /  / ",
            "who() computer /  / what()",
            "what() account / who() / ",
            "what account / person / ",
        ]
    );
    assert_eq!(bottom(many, 1)[..2], ["who sourceIPAddress /  / ", "who sourceIPAddress /  / what()"]);
    assert_eq!(bottom(then, 1), ["name host /  / what()", "what() account / name / "]);
    assert_eq!(then.sources[0].reads, Reads::default());
    assert_eq!(then.sources[0].onward, []);
    assert_eq!(
        plan.rules.iter().map(|rule| rule.reported).collect::<Vec<_>>(),
        [false, false, false, false, true]
    );
}

#[test]
fn correlations_may_stand_before_what_they_refer_to_and_let_it_be_reported() {
    let text = "
title: Top
name: top
generate: true
correlation: { type: event_count, rules: [middle], timespan: 1h, condition: { gte: 2 } }
---
title: Middle
name: middle
correlation: { type: event_count, rules: [base], timespan: 1h, condition: { gte: 2 } }
---
title: Base
name: base
detection: { s: { x: a }, condition: s }
";
    let plan = plan(text, None);
    assert_eq!(correlation(&plan, "top").level, 1);
    assert_eq!(correlation(&plan, "middle").onward[0].correlation, RuleIndex(0));
    assert_eq!(plan.rules.iter().map(|rule| rule.reported).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn a_correlation_left_out_leaves_the_chain_below_it() {
    let broken = CHAIN.replace("gte: 2, field: person", "gte: 0, field: person");
    let compiled = compile(&[file("r.yml", &broken)], &[], None, OnError::KeepGoing);
    let plan = compiled.plan.unwrap();
    assert_eq!(compiled.left_out.len(), 1);
    assert_eq!(correlation(&plan, "many").onward.len(), 1);
    assert_eq!(plan.rules.iter().map(|rule| rule.reported).collect::<Vec<_>>(), [false, false, false, true]);
    let broken = CHAIN.replace("gte: 10", "gte: 0");
    let compiled = compile(&[file("r.yml", &broken)], &[], None, OnError::KeepGoing);
    let reasons: Vec<_> = compiled.left_out.iter().map(|left| left.rule.as_str()).collect();
    assert_eq!(reasons, ["many", "then", "top"]);
    assert!(compiled.plan.unwrap().rules.iter().all(|rule| rule.reported));
}

const MUTATED: &str = "
title: A
name: a
detection: { s: { x: a }, condition: s }
---
title: Median
name: median
correlation: { type: value_median, rules: [a], group-by: [g], timespan: 1h, condition: { lt: -1.5e1, neq: 0.25, field: n } }
---
title: Then
name: then
correlation:
  type: temporal_ordered
  rules: [median, a]
  group-by: [who]
  timespan: 1h
  condition: (median or a) and not 2 of them
  aliases: { who: { median: g, a: user } }
tripwasm: { suppress: 1h, tests: [{ name: t, event: {}, expect: { alerts: [{ measured: 1.5 }] } }] }
---
title: First
name: first
correlation: { type: event_count, rules: [then, median], timespan: 1h, condition: { eq: 1 } }
tripwasm: { learn: 7d, forget: never }
";

proptest! {
    #[test]
    fn mutated_correlations_never_panic(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..8, prop::sample::select(vec![
                "", "0", "-", "9", "9".repeat(30).as_str(), "e", ".", "a", "then", "first", "median", "not ", "(", ")",
                "them", "1 of ", " and ", " or ", "[", "]", "{", "}", ", ", ": ", "\n", "percentile: 5", "temporal",
            ].into_iter().map(str::to_owned).collect::<Vec<_>>())),
            1..6,
        ),
    ) {
        let mut text: Vec<char> = MUTATED.chars().collect();
        for (at, removed, added) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        let rule = file("r.yml", &text.into_iter().collect::<String>());
        for mode in [OnError::Refuse, OnError::KeepGoing] {
            let compiled = compile(std::slice::from_ref(&rule), &[], None, mode);
            if let Some(plan) = compiled.plan {
                prop_assert_eq!(tripwasm_plan::decode(&tripwasm_plan::encode(&plan)), Ok(plan.clone()));
                let indices = plan.rules.iter().filter_map(|rule| match &rule.logic {
                    Logic::Correlation(correlation) => Some(correlation),
                    Logic::Detection(_) => None,
                });
                for correlation in indices {
                    for source in &correlation.sources {
                        let base = &plan.rules[source.rule.0 as usize];
                        let expected = match base.logic {
                            Logic::Detection(_) => correlation.onward.len(),
                            Logic::Correlation(_) => 0,
                        };
                        prop_assert_eq!(source.onward.len(), expected);
                    }
                }
            }
        }
    }
}

#[test]
fn the_unchanged_correlations_build() {
    let plan = plan(MUTATED, None);
    assert_eq!(correlation(&plan, "first").level, 2);
}
