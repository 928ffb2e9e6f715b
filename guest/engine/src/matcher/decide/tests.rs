//! Steps, however they grew, decide as the conditions do.

use super::*;
use crate::limits::DECISION_BYTES_MAX;
use crate::matcher::{Compiled, Scratch};
use crate::scan::Scanner;
use tripwasm_plan::{
    Action, CaseRule, Cidr, Condition, Field, FieldId, FieldSource, Logic, Operator, Pattern, Piece, Plan,
    Predicate, Reference, Settings, Test, Types,
};

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

const FIELDS: &[&str] = &["a", "b.c", "d", "leaves"];
const TEXTS: &[&str] =
    &["", "A", "aB", "CreateUser", "1", "true", "a longer text than one that is told by its ends"];

fn predicate(dice: &mut Dice) -> Predicate {
    let text = dice.of(TEXTS).to_lowercase();
    let pattern = match dice.below(6) {
        0 | 1 => Pattern::Equals(text),
        2 => Pattern::StartsWith(text),
        3 => Pattern::EndsWith(text),
        4 => Pattern::Contains(text),
        _ => Pattern::Wildcard(vec![Piece::Literal(text), Piece::OneCharacter, Piece::AnyText]),
    };
    let (case, types) = (dice.of(&[CaseRule::Fold, CaseRule::Exact]), dice.of(&[Types::Any, Types::Strict]));
    let test = match dice.below(12) {
        0 => Test::Exists,
        1 => Test::Null,
        2 => Test::Bool { value: true, types },
        3 => Test::Number { value: "1".into(), types },
        4 => Test::Compare { operator: Operator::Gt, bound: "0".into() },
        5 => Test::FieldRef { other: FieldId(1), reference: Reference::StartsWith, case },
        6 => Test::Cidr(vec![Cidr::V4(0, 0)]),
        _ => Test::Text { pattern, case, types },
    };
    Predicate { field: FieldId(dice.below(FIELDS.len()) as u32), test }
}

fn condition(dice: &mut Dice, predicates: usize, depth: usize) -> Condition {
    let kind = if depth == 0 { 9 } else { dice.below(10) };
    let mut some = |least| {
        let count = least + dice.below(4);
        (0..count).map(|_| condition(dice, predicates, depth - 1)).collect::<Vec<_>>()
    };
    match kind {
        0 | 1 => Condition::All(some(0)),
        2..=4 => Condition::All(some(2)),
        5 => Condition::Any(some(0)),
        6 => Condition::AtLeast(2, some(1)),
        7 => Condition::Not(Box::new(condition(dice, predicates, depth - 1))),
        8 if dice.below(8) == 0 => Condition::Constant(dice.below(2) == 0),
        _ => Condition::Holds(PredicateId(dice.below(predicates) as u32)),
    }
}

fn rule(logic: Logic) -> Rule {
    let (id, name, level, author) = (None, None, None, None);
    let (title, tags, action) = (String::new(), Vec::new(), Action::Tag);
    Rule { id, name, title, level, tags, author, action, reported: true, logic }
}

fn plan(dice: &mut Dice) -> Plan {
    let source = |path: &str| match path {
        "leaves" => FieldSource::Leaves,
        path => FieldSource::Path(path.into()),
    };
    let predicates: Vec<Predicate> = (0..12).map(|_| predicate(dice)).collect();
    let conditions: Vec<Condition> = (0..6).map(|_| condition(dice, predicates.len(), 3)).collect();
    Plan {
        rules: conditions.into_iter().map(|one| rule(Logic::Detection(one))).collect(),
        fields: FIELDS.iter().map(|&path| Field { name: path.into(), source: source(path) }).collect(),
        predicates,
        scopes: vec![],
        time: vec![],
        event_id: vec![],
        settings: Settings::default(),
    }
}

fn value(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => "null".into(),
        1 => dice.of(&["true", "false", "1", "1.0", "-3"]).into(),
        2 => format!("[{},{}]", value(dice), value(dice)),
        3 => format!("{{\"x\":{}}}", value(dice)),
        4 => r#""\u0041""#.into(),
        5 => r#""10.1.2.3""#.into(),
        6 => format!("\"a longer text than one {:02} told by its ends\"", dice.below(40)),
        _ => format!("\"{}\"", dice.of(TEXTS)),
    }
}

fn event(dice: &mut Dice) -> String {
    let mut members = Vec::new();
    for path in ["a", "b", "b.c", "d"] {
        match (path, dice.below(5)) {
            (_, 0) => {}
            ("b", _) => members.push(format!("\"b\":{{\"c\":{}}}", value(dice))),
            ("b.c", 1..=3) => {}
            _ => members.push(format!("\"{path}\":{}", value(dice))),
        }
    }
    format!("{{{}}}", members.join(","))
}

/// Holds steps against conditions, over many events; `before` may spoil the steps.
fn check(seed: u64, events: usize, before: impl Fn(usize, &mut Decisions)) {
    let mut dice = Dice(seed);
    let mut plan = plan(&mut dice);
    let compiled = Compiled::new(&mut plan).unwrap();
    let (mut scanner, mut scratch) = (Scanner::default(), Scratch::default());
    let (mut decisions, mut found) = (Decisions::default(), Vec::new());
    for number in 0..events {
        let event = event(&mut dice);
        scanner.scan(&compiled.trie, &event).unwrap();
        before(number, &mut decisions);
        let mut matcher = Matcher::new(&compiled, &event, scanner.spans(), &mut scratch);
        decisions.matching(&mut matcher, &plan.rules, &mut found);
        let mut matcher = Matcher::new(&compiled, &event, scanner.spans(), &mut scratch);
        let holds = |rule: &u32| matcher.holds(open::condition(&plan.rules, *rule).unwrap());
        let expected: Vec<u32> = (0..plan.rules.len() as u32).filter(holds).collect();
        assert_eq!(found, expected, "seed {seed}, event {number}: {event}");
    }
}

#[test]
fn steps_decide_as_conditions_do() {
    (0..200).for_each(|seed| check(seed, 100, |_, _| {}));
}

#[test]
fn without_room_rules_are_asked() {
    (0..100).for_each(|seed| {
        check(seed, 60, |number, decisions| {
            if number > 10 {
                decisions.bytes = DECISION_BYTES_MAX;
            }
        });
    });
}

#[test]
fn what_is_remembered_may_be_forgotten_at_any_time() {
    (0..50).for_each(|seed| {
        check(seed, 60, |number, decisions| match number % 7 {
            3 => decisions.undecided = UNDECIDED_EVENTS_MAX,
            5 => decisions.recall.clear(),
            6 => decisions.looks.iter_mut().for_each(|look| look.from = number as u64 * 2 + 9),
            _ => {}
        });
    });
}

#[test]
fn fields_whose_values_do_not_repeat_are_not_looked_up() {
    let mut look = Look { place: NOWHERE, absent: NO_STEP, misses: 0, since: 0, from: 0 };
    (0..600).for_each(|event| look.count_miss(event * 3));
    assert_eq!(look.from, 0);
    (0..600).for_each(|event| look.count_miss(2000 + event));
    assert!(look.from > 2600);
}
