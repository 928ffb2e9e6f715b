//! Plans that no build makes.

use super::*;
use crate::matcher::Compiled;
use tripwasm_plan::{
    Action, Case, CaseRule, Clause, Comparison, Correlation, Decimal, Field, Measure, Onward, Operator,
    Order, PredicateId, Quantifier, Reads, Reference, Rule, RuleIndex, Settings, Source, Window,
};

fn rule(logic: Logic) -> Rule {
    Rule {
        id: None,
        name: None,
        title: String::new(),
        level: None,
        tags: vec![],
        author: None,
        action: Action::Tag,
        reported: true,
        logic,
    }
}

fn path(path: &str) -> Field {
    Field { name: path.into(), source: FieldSource::Path(path.into()) }
}

fn calculated(calculation: Calculation) -> Field {
    Field { name: "c".into(), source: FieldSource::Calculated(calculation) }
}

fn members(field: u32, scope: u32) -> Predicate {
    Predicate { field: FieldId(field), test: Test::Members { quantifier: Quantifier::Any, scope } }
}

fn correlation(source: u32, level: u32) -> Correlation {
    Correlation {
        sources: vec![Source {
            rule: RuleIndex(source),
            reads: Reads { group_by: vec![FieldId(0)], measured: vec![FieldId(0)], observed: vec![] },
            onward: vec![],
        }],
        group_by: vec!["a".into()],
        measure: Measure::Sum("a".into()),
        condition: vec![Comparison { operator: Operator::Gte, value: Decimal::whole(1) }],
        window: Window::Sliding,
        timespan_ms: 1,
        observed: vec![],
        learn_ms: None,
        suppress_ms: None,
        level,
        onward: vec![],
    }
}

/// A detection, a correlation of it, one of that, and scopes that use each other.
fn sound() -> Plan {
    let scope = |predicates, condition| Scope { fields: vec![path("")], predicates, condition };
    let mut low = correlation(0, 0);
    low.onward = vec![Onward { correlation: RuleIndex(2), source: 0, above: 0 }];
    low.sources[0].onward = vec![low.sources[0].reads.clone()];
    let high = correlation(1, 1);
    Plan {
        rules: vec![
            rule(Logic::Detection(Condition::Holds(PredicateId(0)))),
            rule(Logic::Correlation(low)),
            rule(Logic::Correlation(high)),
        ],
        fields: vec![path("a"), calculated(Calculation::Lower(Operand::Field(FieldId(0))))],
        predicates: vec![members(0, 1)],
        scopes: vec![
            scope(vec![], Condition::Constant(true)),
            scope(vec![members(0, 0)], Condition::Holds(PredicateId(0))),
        ],
        time: vec![FieldId(0)],
        event_id: vec![FieldId(1)],
        settings: Settings::default(),
    }
}

fn of_rule(plan: &mut Plan, index: usize) -> &mut Correlation {
    match &mut plan.rules[index].logic {
        Logic::Correlation(correlation) => correlation,
        Logic::Detection(_) => panic!("rule {index} is a detection"),
    }
}

fn without_above(plan: &mut Plan) {
    let low = of_rule(plan, 1);
    low.onward.clear();
    low.sources[0].onward.clear();
}

type Breaking = fn(&mut Plan);

#[test]
fn references_that_lead_nowhere_are_refused() {
    assert_eq!(check_plan(&sound()), Ok(()));
    let cases: [(&str, Breaking); 28] = [
        ("field", |plan| plan.time.push(FieldId(2))),
        ("field", |plan| plan.event_id.push(FieldId(2))),
        ("field", |plan| plan.predicates[0].field = FieldId(2)),
        ("field", |plan| plan.fields[1] = calculated(Calculation::Lower(Operand::Field(FieldId(1))))),
        ("field", |plan| {
            let test =
                Test::FieldRef { other: FieldId(9), reference: Reference::Equals, case: CaseRule::Fold };
            plan.predicates.push(Predicate { field: FieldId(0), test });
        }),
        ("field", |plan| {
            let when = Condition::Holds(PredicateId(1));
            let cases = vec![Case { when, value: Operand::Field(FieldId(0)) }];
            plan.fields[1] = calculated(Calculation::Cases { cases, otherwise: None });
            plan.predicates.push(members(1, 0));
        }),
        ("predicate", |plan| plan.rules[0].logic = Logic::Detection(Condition::Holds(PredicateId(9)))),
        ("predicate", |plan| plan.scopes[0].condition = Condition::Holds(PredicateId(0))),
        ("scope", |plan| plan.predicates[0] = members(0, 2)),
        ("scope", |plan| plan.scopes[1].predicates[0] = members(0, 1)),
        ("field", |plan| plan.scopes[1].predicates[0] = members(1, 0)),
        ("path inside a member", |plan| {
            plan.scopes[0].fields = vec![Field { name: String::new(), source: FieldSource::Leaves }];
        }),
        ("path inside a member", |plan| plan.scopes[0].fields = vec![plan.fields[1].clone()]),
        ("rule", |plan| of_rule(plan, 1).sources[0].rule = RuleIndex(3)),
        ("correlation of a lower level", |plan| {
            without_above(plan);
            of_rule(plan, 2).level = 0;
        }),
        ("correlation of a lower level", |plan| {
            without_above(plan);
            of_rule(plan, 2).sources[0].rule = RuleIndex(2);
        }),
        ("correlation above", |plan| of_rule(plan, 2).level = 0),
        ("field", |plan| of_rule(plan, 1).sources[0].reads.group_by = vec![FieldId(2)]),
        ("field", |plan| of_rule(plan, 1).sources[0].onward[0].measured = vec![FieldId(2)]),
        ("reading for each field of a correlation", |plan| {
            of_rule(plan, 1).sources[0].reads.group_by.clear()
        }),
        ("reading for each field of a correlation", |plan| {
            of_rule(plan, 1).sources[0].reads.measured.clear()
        }),
        ("reading for each field of a correlation", |plan| {
            of_rule(plan, 1).sources[0].onward[0].observed.push(FieldId(0));
        }),
        ("reading for each correlation above", |plan| of_rule(plan, 1).sources[0].onward.clear()),
        ("correlation above", |plan| of_rule(plan, 1).onward[0].above = 1),
        ("correlation above", |plan| of_rule(plan, 1).onward[0].source = 1),
        ("correlation", |plan| of_rule(plan, 1).onward[0].correlation = RuleIndex(0)),
        ("source of a temporal correlation", |plan| {
            let clauses = Some(vec![Clause { seen: vec![], unseen: vec![1] }]);
            let high = of_rule(plan, 1);
            high.measure = Measure::Temporal { order: Order::Any, clauses };
            high.sources[0].reads.measured.clear();
        }),
        ("source of a temporal correlation", |plan| {
            let high = of_rule(plan, 1);
            high.measure = Measure::Temporal { order: Order::AsListed, clauses: None };
            high.sources[0].reads.measured.clear();
            high.sources = vec![high.sources[0].clone(); 33];
        }),
    ];
    for (at, (what, change)) in cases.into_iter().enumerate() {
        let mut plan = sound();
        change(&mut plan);
        assert_eq!(check_plan(&plan), Err(CompileError::Reference(what)), "case {at}");
    }
}

#[test]
fn nesting_is_bounded_through_conditions_and_calculations() {
    let nested =
        |depth: u32| (0..depth).fold(Condition::Constant(true), |inner, _| Condition::Not(Box::new(inner)));
    let with = |condition: Condition| Plan { rules: vec![rule(Logic::Detection(condition))], ..sound() };
    assert_eq!(check_plan(&with(nested(RULE_DEPTH_MAX - 1))), Ok(()));
    assert_eq!(check_plan(&with(nested(RULE_DEPTH_MAX))), Err(CompileError::Depth));
    // Every field is one case deeper than the one before.
    let chain = |fields: u32| {
        let mut plan = with(Condition::Constant(true));
        for field in 2..fields {
            let earlier = Operand::Field(FieldId(field - 1));
            plan.fields.push(calculated(Calculation::FirstPresent(vec![earlier])));
        }
        plan.time = vec![FieldId(fields - 1)];
        plan
    };
    let mut deepest = chain(RULE_DEPTH_MAX + 1);
    let compiled = Compiled::new(&mut deepest).unwrap();
    let mut scratch = crate::matcher::Scratch::default();
    let mut scanner = crate::scan::Scanner::default();
    scanner.scan(&compiled.trie, r#"{"a":"2024-01-01T00:00:00Z"}"#).unwrap();
    let line = r#"{"a":"2024-01-01T00:00:00Z"}"#;
    let mut matcher = crate::matcher::Matcher::new(&compiled, line, scanner.spans(), &mut scratch);
    assert_eq!(matcher.time(), Some(1_704_067_200_000));
    assert_eq!(check_plan(&chain(RULE_DEPTH_MAX + 2)), Err(CompileError::Depth));
}
