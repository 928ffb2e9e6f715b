//! SigmaHQ's CloudTrail rules on real events: the rules that load, and what they match.

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tripwasm_plan::{Plan, Settings};
use tripwasm_tests::corpus::{NAMES, directory, events};
use tripwasm_tests::engines::{Component, Engine, Native, Reference, Resumed, batches};
use tripwasm_tests::rules::{compile_pack, compile_tree};

/// An event with at least one match.
#[derive(Deserialize)]
struct Hit {
    i: u64,
    ids: BTreeSet<String>,
    /// Rules that match where an object is read as its JSON text, as here.
    #[serde(default)]
    text_ids: BTreeSet<String>,
}

#[test]
fn the_rules_that_can_be_built_are_and_the_others_are_refused() {
    let Some(corpus) = directory() else { return };
    let (plan, left_out) = compile_tree(&corpus.join("rules/sigmahq")).unwrap();
    let text = std::fs::read_to_string(corpus.join("expected/sigma-rules.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let ids = |list: &Value| -> BTreeSet<String> {
        let rules = list.as_array().into_iter().flatten();
        rules.filter_map(|rule| rule["id"].as_str().or(rule[1].as_str()).map(str::to_owned)).collect()
    };
    let built: BTreeSet<String> = plan.rules.iter().filter_map(|rule| rule.id.clone()).collect();
    assert_eq!(built, ids(&expected["rules"]));
    let refused = ids(&expected["rejected"]);
    assert_eq!(left_out.iter().map(|rule| rule.rule.clone()).collect::<BTreeSet<_>>(), refused);
    for rule in &left_out {
        // The corpus names the reasons in the words of the program that it was made with.
        let because = match reason_of(&expected["rejected"], &rule.rule).as_str() {
            "Unsupported: placeholder" => "placeholder",
            _ => "aggregations after `|` left Sigma",
        };
        assert!(rule.reason.contains(because), "{} {}: {}", rule.file, rule.rule, rule.reason);
        assert!(rule.line > 0 && rule.file.ends_with(".yml"), "{rule:?}");
    }
}

fn reason_of(rejected: &Value, id: &str) -> String {
    let rules = rejected.as_array().into_iter().flatten();
    let mut of_rule = rules.filter(|rule| rule[1] == id);
    of_rule.next().and_then(|rule| rule[2].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn strict_refusal_builds_nothing() {
    let Some(corpus) = directory() else { return };
    let refused = compile_pack(&corpus.join("rules/sigmahq/unsupported"), None).unwrap_err().to_string();
    assert_eq!(refused.matches("aggregations after `|` left Sigma").count(), 7, "{refused}");
    let plan = compile_pack(&corpus.join("rules/sigmahq/rules"), None).unwrap();
    assert_eq!(plan.rules.len(), 57);
    assert!(plan.rules.iter().all(|rule| rule.reported && rule.author.is_some()));
}

#[test]
fn rules_match_the_events_that_are_expected() {
    let Some(corpus) = directory() else { return };
    let (plan, _) = compile_tree(&corpus.join("rules/sigmahq")).unwrap();
    for name in NAMES {
        let text = std::fs::read_to_string(corpus.join(format!("expected/sigma-{name}.jsonl"))).unwrap();
        let hits: Vec<Hit> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: BTreeMap<u64, BTreeSet<String>> =
            hits.into_iter().map(|hit| (hit.i, &hit.ids | &hit.text_ids)).collect();
        let input = events(&corpus, name).unwrap().concat();
        for engine in [&Reference as &dyn Engine, &Native, &Resumed, &Component] {
            assert_eq!(matches(engine, &plan, &input), expected, "{} on {name}", engine.name());
        }
    }
}

fn matches(engine: &dyn Engine, plan: &Plan, input: &[u8]) -> BTreeMap<u64, BTreeSet<String>> {
    let outcome = engine.run(plan, Settings::default(), &batches(input, 64 << 10)).unwrap();
    let mut found: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for one in outcome.matches {
        let rule = usize::try_from(one.rule.0).ok().and_then(|at| plan.rules.get(at));
        found.entry(one.event).or_default().extend(rule.and_then(|rule| rule.id.clone()));
    }
    found
}
