//! Who counts what, and why some count otherwise.

use crate::race::Outcome;
use bench_protocol::Tally;
use std::collections::BTreeMap;

/// Known reasons: who (or everybody), the beginning of the rule's id, why.
const KNOWN: &[(&str, &str, &str)] = &[
    ("", "a136ac98", CONTAINS_ON_OBJECT),
    ("rsigma-eval", "8218eb3b", NO_CORRELATION),
    ("component-plain", "8218eb3b", NO_CORRELATION),
    ("rsigma-eval", "b0ce4164", NO_CORRELATION),
    ("component-plain", "b0ce4164", NO_CORRELATION),
    ("rsigma-eval", "f4076464", NO_CORRELATION),
    ("component-plain", "f4076464", NO_CORRELATION),
    ("sigma-rust", "38e7f511", NULL_ON_ABSENT),
    ("sigma-rust", "39c9f26d", NULL_ON_ABSENT),
    ("sigma-rust", "d2656e78", NULL_ON_ABSENT),
    ("sigma-rust", "e386b9b5", NULL_ON_ABSENT),
    ("sigma-rust", "97fbabf8", MEMBERS_OF_ARRAY),
];

const CONTAINS_ON_OBJECT: &str =
    "the rule asks `contains` of an object: tripwasm reads it as its JSON text, others match nothing";
const NO_CORRELATION: &str =
    "it was given the three correlations that it has; the first-seen one and two plain rules are left out";
const NULL_ON_ABSENT: &str = "it does not take `null` as matching an absent key, as Sigma does";
const MEMBERS_OF_ARRAY: &str = "the field is an array, and it does not ask its members";

/// The entrant that others are compared with: the first one that evaluates rules.
const MEASURE: [&str; 4] = ["component", "native", "component-tag", "rsigma-eval"];

/// One entrant's departure from the others.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) title: &'static str,
    /// Rule, counted here, counted by the measure.
    pub(crate) rules: Vec<(String, u64, u64)>,
    pub(crate) reasons: Vec<String>,
}

/// Everybody's departures.
pub(crate) fn differences(outcome: &Outcome) -> Vec<Difference> {
    let Some((measure, right)) = MEASURE.iter().find_map(|name| Some((*name, &outcome.of(name)?.tally)))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for line in &outcome.lines {
        let Ok(measured) = &line.result else { continue };
        if line.entrant.name == measure || measured.ready.rules == 0 || !line.entrant.reads_events() {
            continue;
        }
        let rules = departures(&measured.tally, right);
        if !rules.is_empty() {
            let reasons = rules.iter().map(|(rule, ..)| reason(line.entrant.name, rule)).collect();
            found.push(Difference { title: line.entrant.title, rules, reasons });
        }
    }
    found
}

fn departures(tally: &Tally, right: &Tally) -> Vec<(String, u64, u64)> {
    let mut both: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    tally.matches.iter().for_each(|(rule, count)| both.entry(rule).or_default().0 = *count);
    right.matches.iter().for_each(|(rule, count)| both.entry(rule).or_default().1 = *count);
    let differ = both.into_iter().filter(|(_, (here, there))| here != there);
    differ.map(|(rule, (here, there))| (rule.to_owned(), here, there)).collect()
}

fn reason(entrant: &str, rule: &str) -> String {
    let is_it = |who: &str, which: &str| (who.is_empty() || who == entrant) && rule.starts_with(which);
    let known = KNOWN.iter().find(|(who, which, _)| is_it(who, which));
    known.map_or("not explained".to_owned(), |(_, _, why)| (*why).to_owned())
}
