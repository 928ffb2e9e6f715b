//! Sigma text: documents that build, or are refused with a message, never anything else.

use proptest::prelude::*;
use proptest::sample::select;

/// A text of several Sigma documents, with correlations over the detections and over each other.
pub fn sigma() -> impl Strategy<Value = String> {
    let detections = prop::collection::vec(detection(), 3);
    let correlations = prop::collection::vec(correlation(), 0..4);
    let filter = prop::option::weighted(0.3, selection());
    (detections, correlations, filter).prop_map(|(detections, correlations, filter)| {
        let detections = detections
            .into_iter()
            .enumerate()
            .map(|(number, body)| format!("title: Detection {number}\nname: rule_{number}\n{body}"));
        let first = 3;
        let correlations = correlations.into_iter().enumerate().map(|(number, body)| {
            let body = body.replace("BELOW", &format!("rule_{}", first + number - 1));
            format!("title: Correlation {number}\nname: rule_{}\n{body}", first + number)
        });
        let filter = filter.map(|selection| {
            let parts = ["title: Filter\nfilter:\n  rules: [rule_0]\n  selection: ", &selection];
            parts.concat() + "\n  condition: not selection\n"
        });
        detections.chain(correlations).chain(filter).collect::<Vec<_>>().join("---\n")
    })
}

fn detection() -> impl Strategy<Value = String> {
    let condition = select(vec![
        "one or two",
        "one or two",
        "two and one",
        "one or two",
        "one and not two",
        "not (one or two)",
        "1 of them",
        "all of them",
        "one and 1 of t*",
        "not (one and two)",
        "2 of them",
        "two and not one",
        "one and",
    ]);
    (selection(), selection(), condition, prop::bool::weighted(0.9)).prop_map(
        |(one, two, condition, brackets)| {
            let version = if brackets { "sigma-version: 3\n" } else { "" };
            format!("{version}detection:\n  one: {one}\n  two: {two}\n  condition: {condition}\n")
        },
    )
}

/// A selection in flow style: maps, lists of maps, keywords.
fn selection() -> impl Strategy<Value = String> {
    let map = || {
        prop::collection::btree_map(field(), test(), 1..3).prop_map(|items| {
            let item = |(field, (modifiers, value)): (&str, (&str, String))| {
                format!("'{field}{modifiers}': {value}")
            };
            format!("{{ {} }}", items.into_iter().map(item).collect::<Vec<_>>().join(", "))
        })
    };
    prop_oneof![
        8 => map(),
        1 => prop::collection::vec(map(), 1..3).prop_map(|maps| format!("[{}]", maps.join(", "))),
        1 => list(text()),
    ]
}

fn field() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => select(vec!["a", "b", "o.k", "l", "l.k", "o", "t"]),
        1 => select(vec!["l[any]", "l[0]", "l[none].k"]),
    ]
}

/// Modifiers with a value that suits them, mostly.
fn test() -> impl Strategy<Value = (&'static str, String)> {
    let of = |modifiers: &[&'static str], values: BoxedStrategy<String>| {
        (select(modifiers.to_vec()), values).boxed()
    };
    let any_value = prop_oneof![4 => text(), 1 => number(), 1 => Just("null".to_owned())].boxed();
    let number = || number().boxed();
    let one_of =
        |values: &[&str]| select(values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>()).boxed();
    prop_oneof![
        6 => of(&["", "", "|neq"], prop_oneof![any_value.clone(), list(any_value.clone())].boxed()),
        6 => of(
            &["|contains", "|startswith", "|endswith|cased", "|contains|all", "|base64offset|contains", "|wide", "|windash"],
            prop_oneof![text(), list(text())].boxed(),
        ),
        2 => of(&["|re", "|re|i"], one_of(&["'^x'", "'b+|y'", "''", "'(?i)É$'"])),
        1 => of(&["|cidr"], one_of(&["10.0.0.0/8", "'::/0'", "['0.0.0.0/0', 'fe80::/10']"])),
        1 => of(&["|exists"], one_of(&["true", "false"])),
        2 => of(&["|gte", "|lt"], number()),
        1 => of(&["|hour", "|week|gt", "|minute|neq"], one_of(&["0", "1", "5"])),
        1 => of(&["|fieldref", "|fieldref|contains"], one_of(&["a", "b", "o.k"])),
        1 => of(&["|expand"], one_of(&["'%x%'", "'-%x%'"])),
        1 => of(&["", "|re", "|cidr", "|gte", "|hour", "|exists", "|contains|base64"], any_value),
    ]
}

fn list(of: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(of, 1..4).prop_map(|values| format!("[{}]", values.join(", ")))
}

fn text() -> impl Strategy<Value = String> {
    let texts = vec!["x", "X", "xy", "x\\*", "\\", "b", "é", "-x", "true", "1", "10.0.0.1"];
    let wild = vec!["x*", "*y", "?", "*", ""];
    prop_oneof![4 => select(texts), 1 => select(wild)].prop_map(|text| format!("'{text}'"))
}

fn number() -> impl Strategy<Value = String> {
    select(vec!["1", "10", "1.5", "-2.5", "0"]).prop_map(str::to_owned)
}

/// A correlation over detections, and over the one before it.
fn correlation() -> impl Strategy<Value = String> {
    let kind = select(vec![
        ("event_count", "{ gte: 2 }"),
        ("event_count", "{ gt: 1, lte: 4 }"),
        ("value_count", "{ field: a, gte: 2 }"),
        ("value_count", "{ field: [a, b], gte: 2 }"),
        ("temporal", "{ gte: 2 }"),
        ("temporal", "rule_0 and not rule_1"),
        ("temporal_ordered", "rule_0 and rule_1"),
        ("temporal_ordered", "{ gte: 1 }"),
        ("value_sum", "{ field: a, gt: 1.5 }"),
        ("value_avg", "{ field: b, lt: 2 }"),
        ("value_percentile", "{ field: a, percentile: 90, gte: 1 }"),
        ("value_median", "{ field: a, neq: 1 }"),
    ]);
    let block = select(vec![
        "",
        "tripwasm: { window: tumbling }\n",
        "tripwasm: { window: anchored, alert: { values: [b], distinct: [a] } }\n",
        "tripwasm: { window: session, gap: 1s }\n",
        "tripwasm: { suppress: 1s }\n",
    ]);
    let windowed = (kind, block);
    let first_seen =
        select(vec!["tripwasm: { learn: 1s, forget: never }\n", "tripwasm: { suppress: 1s }\n", ""])
            .prop_map(|block| (("event_count", "{ eq: 1 }"), block));
    let group = select(vec!["", "  group-by: [g]\n", "  group-by: [g, b]\n"]);
    let what = prop_oneof![5 => windowed, 1 => first_seen];
    (what, group, any::<bool>(), any::<bool>()).prop_map(|(((kind, condition), block), group, generate, chained)| {
        let below = if chained { ", BELOW" } else { "" };
        format!(
            "generate: {generate}\ncorrelation:\n  type: {kind}\n  rules: [rule_0, rule_1{below}]\n{group}  \
             timespan: 1s\n  condition: {condition}\n{block}"
        )
    })
}
