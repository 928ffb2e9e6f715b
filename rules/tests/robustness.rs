//! No text makes the crate panic, whatever it finds.

use proptest::prelude::*;
use tripwasm_rules::{OnError, SourceFile, compile};

const RULES: &str = "
title: Base
id: 7a2b
name: base
level: high
sigma-version: 3
tags: [attack.t1078]
logsource: { product: aws, service: cloudtrail }
detection:
  selection: &anchor
    eventName|contains|all: ['Get*', \"L\\x69st?\"]
    'sourceIPAddress|cidr': [10.0.0.0/8, '::/0']
    userAgent|re|i: '^(curl|wget)/[0-9]+'
    who|expand: '%people%-x'
    requestParameters.a|base64offset|contains: foobar
    requestParameters.b|windash: ' -x /y'
    readOnly: false
    requestParameters.count|gte: 5
    eventTime|hour|lt: 6
    resources[all_or_empty]: { condition: 1 of a*, a1: { 'type|startswith': 'AWS' }, a2: [{ 'ARN[0]': x }] }
    '|all': [one, tw?o]
  filter_one: [*anchor, other, [5]]
  condition: selection or not 1 of filter_*
tripwasm:
  strict: [readOnly]
  fields:
    who: { cases: [{ when: { type|neq: Root }, value: { split: arn, separator: '/', part: 1 } }], otherwise: user }
  tests:
    - name: copies
      events:
        - { repeat: 3, every: 1m, event: { eventTime: '2019-01-01T00:00:00Z', eventID: x } }
      expect: { matches: [0] }
---
title: Many
correlation:
  type: value_count
  rules: [base]
  group-by: [who]
  timespan: 1h
  condition: { gte: 5, field: eventName }
  aliases: { who: { base: user } }
tripwasm:
  window: anchored
  alert: { values: [eventName] }
rsigma.exemplars:
  - { name: two, expect: no-match, events: [{ offset: 0s, event: { a: b } }, { offset: 30s, event: {} }] }
---
action: global
logsource: { product: aws }
filter: { rules: any, condition: not selection }
---
title: Filter
filter: { selection: { 'userAgent|contains': console } }
---
action: repeat
title: Other
filter: { rules: [base], selection: { 'userAgent|contains': cli } }
---
action: reset
";

const CONFIG: &str = "
placeholders: { people: [alice, 5] }
fields: { user: userIdentity.userName, arn: { lower: userIdentity.arn } }
limits: { memory: 64MiB, lateness: 5m }
rules: { base: { action: drop } }
";

const FRAGMENTS: [&str; 30] = [
    "\n",
    " ",
    "  ",
    ": ",
    "- ",
    "|",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "---\n",
    "...\n",
    "!t ",
    "#",
    "\\",
    "%",
    "*",
    "?",
    "not ",
    "(",
    "~",
    "é\u{301}🦀",
    "\u{feff}",
    "\t",
];

fn run(rules: &str, config: &str) {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let rules = [file("rules.yml", rules)];
    let config = file("config.yml", config);
    for mode in [OnError::Refuse, OnError::KeepGoing] {
        let compiled = compile(&rules, std::slice::from_ref(&config), Some(&config), mode);
        for found in &compiled.diagnostics {
            assert!(found.line >= 1 && found.column >= 1 && !found.to_string().is_empty());
        }
        if let Some(plan) = &compiled.plan {
            assert_eq!(tripwasm_plan::decode(&tripwasm_plan::encode(plan)).as_ref(), Ok(plan));
        }
    }
}

/// A text with a few places overwritten by fragments.
fn mutated(text: &str, edits: &[(prop::sample::Index, usize, prop::sample::Index)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, removed, fragment) in edits {
        let at = at.index(characters.len() + 1);
        let end = (at + removed).min(characters.len());
        characters.splice(at..end, fragment.get(&FRAGMENTS).chars());
    }
    characters.into_iter().collect()
}

#[test]
fn the_unchanged_rules_build() {
    let file = |text: &str| SourceFile { path: "r.yml".to_owned(), text: text.to_owned() };
    let compiled = compile(&[file(RULES)], &[], Some(&file(CONFIG)), OnError::Refuse);
    let shown: Vec<String> = compiled.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, Vec::<String>::new());
    run(RULES, CONFIG);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_rules_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, any::<prop::sample::Index>()), 1..6),
        config_edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, any::<prop::sample::Index>()), 0..2),
    ) {
        run(&mutated(RULES, &edits), &mutated(CONFIG, &config_edits));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        run(&text, &text);
    }
}

#[test]
fn truncated_rules_never_panic() {
    for end in (0..RULES.len()).filter(|&end| RULES.is_char_boundary(end)).step_by(7) {
        run(&RULES[..end], CONFIG);
    }
}

#[test]
fn a_document_of_nothing_but_errors_stays_readable() {
    let line = format!(
        "title: T\ndetection: {{ s: {{ {} }}, condition: s }}\n",
        "'a|x': 1, 'b|y': 2, ".repeat(20_000)
    );
    let file = SourceFile { path: "r.yml".to_owned(), text: line };
    let compiled = compile(&[file], &[], None, OnError::KeepGoing);
    assert!(compiled.diagnostics.len() < 400);
    assert!(compiled.diagnostics.iter().all(|found| found.to_string().len() < 1000));
}
