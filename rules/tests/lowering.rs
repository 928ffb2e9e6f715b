//! What rules mean, in the plan's terms.

mod plan_text;

use plan_text::{built, field, file, plan, selection, shown};
use tripwasm_plan::{Cidr, Decimal, FieldId, FieldSource, Logic, Measure, Operator, Plan, RuleIndex, Window};
use tripwasm_rules::{OnError, compile};

#[test]
fn selections() {
    let cases = [
        ("{ a: Abc }", r#"a ="abc""#),
        ("{ a: x, b: y }", r#"all(a ="x", b ="y")"#),
        ("[{ a: x }, { b: y }]", r#"any(a ="x", b ="y")"#),
        ("{ a: [x, y] }", r#"any(a ="x", a ="y")"#),
        ("{ 'a|contains|all': [x, y] }", r#"all(a *"x"*, a *"y"*)"#),
        ("{ 'a|startswith': x }", r#"a "x"*"#),
        ("{ 'a|endswith': x }", r#"a *"x""#),
        ("{ 'a|cased': X }", r#"a cased ="X""#),
        ("{ 'a|contains|cased': X }", r#"a cased *"X"*"#),
        ("{ a: '*' }", "a *"),
        ("{ a: '' }", r#"a ="""#),
        ("{ 'a|contains': '' }", "a *"),
        ("{ a: null }", "a null"),
        ("{ a: false }", "a bool false"),
        ("{ a: 'false' }", r#"a ="false""#),
        ("{ 'a|cased': false }", r#"a cased ="false""#),
        ("{ a: 5 }", "a number 5"),
        ("{ a: 123456789012345678901234567890 }", "a number 123456789012345678901234567890"),
        ("{ a: 1.10 }", "a number 1.10"),
        ("{ 'a|contains': 22 }", r#"a *"22"*"#),
        ("{ 'a|exists': true }", "a exists"),
        ("{ 'a|exists': false }", "not(a exists)"),
        ("{ 'a|neq': x }", r#"all(a exists, not(a ="x"))"#),
        ("{ 'a|neq': [x, y] }", r#"all(a exists, not(any(a ="x", a ="y")))"#),
        ("{ 'a|neq|contains': x }", r#"all(a exists, not(a *"x"*))"#),
        ("{ 'a|lt': 5 }", "a Lt 5"),
        ("{ 'a|gte': 1.5 }", "a Gte 1.5"),
        ("{ 'a|re': x.y }", "a regex"),
        ("{ 'a|fieldref': b.c }", "a = b.c"),
        ("{ 'a|fieldref|endswith': b }", "a endswith b"),
        ("{ 'a|contains|fieldref|cased': b }", "a cased contains b"),
        ("{ 'a|fieldref|neq': b }", "all(a exists, not(a = b))"),
        ("{ 'a|base64offset|contains': foobar }", r#"any(a *"zm9vymfy"*, a *"zvb2jhc"*, a *"mb29iyx"*)"#),
        ("{ 'a|wide|base64': foo }", r#"a ="zgbvag8a""#),
        (r"{ 'a\[x\]': x }", r#"a[x] ="x""#),
    ];
    for (text, expected) in cases {
        assert_eq!(selection(text), expected, "{text}");
    }
}

#[test]
fn networks_form_one_test() {
    let expected = format!("a {:?}", [Cidr::V4(0x0a00_0000, 8), Cidr::V6(0, 0)]);
    assert_eq!(selection("{ 'a|cidr': [10.0.0.0/8, '::/0'] }"), expected);
}

#[test]
fn conditions() {
    let cases = [
        ("a and b or not c", r#"any(all(x ="a", x ="b"), not(x ="c"))"#),
        ("a and (b or c)", r#"all(x ="a", any(x ="b", x ="c"))"#),
        ("1 of them", r#"any(x ="a", x ="b", x ="c")"#),
        ("all of *", r#"all(x ="a", x ="b", x ="c")"#),
        ("2 of them", r#"2 of(x ="a", x ="b", x ="c")"#),
        ("1 of _*", r#"x ="hidden""#),
        ("any of a*", r#"x ="a""#),
        ("_d", r#"x ="hidden""#),
    ];
    for (condition, expected) in cases {
        let text = format!(
            "title: T\ndetection: {{ c: {{ x: c }}, a: {{ x: a }}, b: {{ x: b }}, _d: {{ x: hidden }}, condition: {condition} }}"
        );
        let text =
            text.replace("c: { x: c }, a: { x: a }, b: { x: b },", "a: { x: a }, b: { x: b }, c: { x: c },");
        assert_eq!(shown(&plan(&text), 0), expected, "{condition}");
    }
    let list = plan("title: T\ndetection: { a: { x: a }, b: { x: b }, condition: [a, b] }");
    assert_eq!(shown(&list, 0), r#"any(x ="a", x ="b")"#);
}

#[test]
fn equal_tests_are_shared_and_metadata_is_kept() {
    let plan = plan(
        concat!(
            "title: A\nid: 11\nname: a\nauthor: Me\nlevel: high\ntags: [attack.t1078]\n",
            "detection: { s: { x: 1, y: z }, condition: s }\n---\n",
            "title: B\ndetection: { s: { x: 1 }, condition: s }\n",
        )
        .replace("id: 11", "id: '11'")
        .as_str(),
    );
    assert_eq!(plan.predicates.len(), 2);
    let rule = &plan.rules[0];
    assert_eq!((rule.id.as_deref(), rule.label(), rule.author.as_deref()), (Some("11"), "a", Some("Me")));
    assert_eq!(rule.level, Some(tripwasm_plan::Level::High));
    assert_eq!(rule.tags, ["attack.t1078"]);
    let paths = |ids: &[FieldId]| ids.iter().map(|&id| field(&plan, id)).collect::<Vec<_>>();
    assert_eq!(paths(&plan.time), ["eventTime", "time"]);
    assert_eq!(paths(&plan.event_id), ["eventID", "metadata.uid"]);
}

#[test]
fn strict_fields_keep_json_types() {
    let plan = plan(concat!(
        "title: T\ndetection: { s: { a: [true, x, 5], b: true }, condition: s }\n",
        "tripwasm: { strict: [a], action: drop }\n",
    ));
    assert_eq!(shown(&plan, 0), r#"all(any(a bool true!, a ="x"!, a number 5!), b bool true)"#);
    assert_eq!(plan.rules[0].action, tripwasm_plan::Action::Drop);
}

#[test]
fn calculated_fields_stand_after_their_inputs() {
    let plan = plan(
        "
title: T
detection: { s: { who: x }, condition: s }
tripwasm:
  fields:
    who: { first_truthy: [last_part, { literal: nobody }] }
    last_part: { split: { lower: userIdentity.arn }, separator: '/', part: last }
    unused: { cases: [{ when: { type: Root }, value: { literal: root } }], otherwise: userName }
",
    );
    assert_eq!(shown(&plan, 0), r#"who() ="x""#);
    let names: Vec<String> = (0..plan.fields.len()).map(|id| field(&plan, FieldId(id as u32))).collect();
    let after_time_and_id = names.iter().skip(4).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(after_time_and_id, ["userIdentity.arn", "last_part()", "last_part()", "who()"]);
}

#[test]
fn configured_fields_are_mapped_once() {
    let rule = file(
        "rules/a.yml",
        "title: T\ndetection: { s: { eventName: x, user: y, 'z|fieldref': user }, condition: s }",
    );
    let config = file(
        "config.yml",
        "fields: { eventName: api.operation, user: { lower: user }, z: { first_present: [eventName, user] } }\ntime: [time]\nid: metadata.uid",
    );
    let plan = built(&[rule], Some(&config), OnError::Refuse).plan.unwrap();
    assert_eq!(shown(&plan, 0), r#"all(eventName@api.operation ="x", user() ="y", z() = user())"#);
    assert!(plan.fields.iter().any(|field| field.source == FieldSource::Path("eventName".to_owned())));
    assert_eq!((plan.time.len(), plan.event_id.len()), (1, 1));
}

#[test]
fn the_nearest_pack_counts_and_the_config_overrides_it() {
    let rule = |path: &str| file(path, "title: T\ndetection: { s: { 'a|expand': '%who%' }, condition: s }");
    let packs = [
        file("r/pack.yml", "placeholders: { who: [outer] }\nlimits: { lateness: 5m }"),
        file("r/in/pack.yml", "placeholders: { who: [inner, 5] }"),
    ];
    let rules = [rule("r/a.yml"), rule("r/in/b.yml"), rule("r/inside/c.yml")];
    let plan = compile(&rules, &packs, None, OnError::Refuse).plan.unwrap();
    assert_eq!(plan.settings.lateness_ms, 300_000);
    assert_eq!(
        [0, 1, 2].map(|rule| shown(&plan, rule)),
        [r#"a ="outer""#, r#"any(a ="inner", a number 5)"#, r#"a ="outer""#]
    );
    let config = file("c.yml", "placeholders: { who: me }\nlimits: { memory: 1MiB, duplicates: count }");
    let plan = compile(&rules, &packs, Some(&config), OnError::Refuse).plan.unwrap();
    assert_eq!(shown(&plan, 1), r#"a ="me""#);
    assert_eq!((plan.settings.lateness_ms, plan.settings.state_bytes_max), (300_000, 1 << 20));
}

const BASES: &str = "
title: One
name: one
detection: { s: { a: x }, condition: s }
tripwasm: { fields: { who: { lower: user } } }
---
title: Two
name: two
detection: { s: { a: y }, condition: s }
---
";

fn correlation(body: &str) -> (Plan, tripwasm_plan::Correlation) {
    let plan = plan(&format!("{BASES}title: C\nname: c\n{body}"));
    let Logic::Correlation(correlation) = plan.rules[2].logic.clone() else { panic!("no correlation") };
    (plan, correlation)
}

#[test]
fn correlations() {
    let (plan, found) = correlation(
        "
correlation:
  type: value_count
  rules: [two, one]
  group-by: [who, ip]
  timespan: 15m
  condition: { gte: 3, lt: 10, field: [eventName, b] }
  aliases: { ip: { one: sourceIPAddress, two: src } }
tripwasm: { window: session, gap: 5m, alert: { values: [who], distinct: [eventName, who] } }
",
    );
    assert_eq!(found.group_by, ["who", "ip"]);
    assert_eq!(found.measure, Measure::ValueCount(vec!["eventName".to_owned(), "b".to_owned()]));
    assert_eq!(found.window, Window::Session { gap_ms: 300_000 });
    assert_eq!(found.timespan_ms, 900_000);
    let operators: Vec<_> =
        found.condition.iter().map(|comparison| (comparison.operator, comparison.value)).collect();
    assert_eq!(operators, [(Operator::Lt, Decimal::whole(10)), (Operator::Gte, Decimal::whole(3))]);
    let fields = |ids: &[FieldId]| ids.iter().map(|&id| field(&plan, id)).collect::<Vec<_>>();
    assert_eq!(
        found.sources.iter().map(|source| source.rule).collect::<Vec<_>>(),
        [RuleIndex(1), RuleIndex(0)]
    );
    assert_eq!(fields(&found.sources[0].reads.group_by), ["who", "src"]);
    assert_eq!(fields(&found.sources[1].reads.group_by), ["who()", "sourceIPAddress"]);
    assert_eq!(fields(&found.sources[1].reads.measured), ["eventName", "b"]);
    let observed: Vec<_> =
        found.observed.iter().map(|field| (field.name.as_str(), field.values, field.distinct)).collect();
    assert_eq!(observed, [("who", true, true), ("eventName", false, true)]);
    assert_eq!(plan.rules.iter().map(|rule| rule.reported).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn windows() {
    let sigma =
        "correlation: { type: event_count, rules: [one], timespan: 1h, condition: { CONDITION } WINDOW }\n";
    let text =
        |condition: &str, window: &str| sigma.replace("CONDITION", condition).replace("WINDOW", window);
    let window = |text: String| correlation(&text).1.window;
    let forget = Some(30 * 24 * 60 * 60 * 1000);
    let cases = [
        (text("gte: 5", ""), Window::Sliding),
        (text("gte: 5", ", window: tumbling"), Window::Tumbling),
        (text("gte: 5", ", window: session, gap: 1m"), Window::Session { gap_ms: 60_000 }),
        (text("gte: 5", "") + "tripwasm: { window: anchored }", Window::Anchored),
        (text("eq: 1", ""), Window::FirstSeen { forget_ms: Some(3_600_000) }),
        (text("eq: 1", "") + "tripwasm: { forget: 30d }", Window::FirstSeen { forget_ms: forget }),
        (text("eq: 1", "") + "tripwasm: { forget: never }", Window::FirstSeen { forget_ms: None }),
        (text("eq: 1", ", window: tumbling"), Window::Tumbling),
    ];
    for (text, expected) in cases {
        assert_eq!(window(text.clone()), expected, "{text}");
    }
}

#[test]
fn generate_lets_base_rules_be_findings() {
    for (generate, place) in [("generate: true\n", ""), ("", ", generate: true")] {
        let (plan, _) = correlation(&format!(
            "{generate}correlation: {{ type: event_count, rules: [one], timespan: 1h, condition: {{ gte: 5 }}{place} }}\n"
        ));
        assert!(plan.rules.iter().all(|rule| rule.reported));
    }
}

#[test]
fn keeping_going_leaves_out_errors_and_what_stands_on_them() {
    let text = "
title: Good
name: good
detection: { s: { a: x }, condition: s }
---
title: [
---
title: Bad
name: bad
detection: { s: { 'a|contain': x }, condition: s }
---
title: Over bad
correlation: { type: event_count, rules: [good, bad], timespan: 1h, condition: { gte: 5 } }
---
title: Also good
name: also
detection: { s: { b: x }, condition: s }
tripwasm: { tests: [{ name: t, event: { b: x }, expect: match }] }
";
    let compiled = compile(&[file("r.yml", text)], &[], None, OnError::KeepGoing);
    let plan = compiled.plan.unwrap();
    assert_eq!(plan.rules.iter().map(|rule| rule.label()).collect::<Vec<_>>(), ["good", "also"]);
    assert!(plan.rules[0].reported, "a correlation left out must silence nothing");
    assert_eq!(plan.predicates.len(), 2);
    let left: Vec<_> = compiled.left_out.iter().map(|left| (left.line, left.rule.as_str())).collect();
    assert_eq!(left, [(6, "document in line 6"), (8, "bad"), (12, "Over bad")]);
    assert_eq!(compiled.left_out[2].reason, "it refers to `bad`, which is left out");
    assert_eq!(compiled.tests.len(), 1);
    assert_eq!(compiled.tests[0].rule_index, RuleIndex(1));
    assert!(compile(&[file("r.yml", text)], &[], None, OnError::Refuse).plan.is_none());
}
