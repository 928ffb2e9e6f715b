//! What of a condition is open while only some predicates are answered.

use tripwasm_plan::{Condition, Logic, PredicateId, Rule};

/// The condition of a detection rule.
pub(super) fn condition(rules: &[Rule], rule: u32) -> Option<&Condition> {
    match &rules.get(rule as usize)?.logic {
        Logic::Detection(condition) => Some(condition),
        Logic::Correlation(_) => None,
    }
}

/// Whether the condition holds, if the answers known decide that. Puts the predicates that may still decide it into
/// `wanted`, some of them again. Recursion follows the rule, whose nesting the build bounds.
pub(super) fn decide(
    condition: &Condition,
    known: &[Option<bool>],
    wanted: &mut Vec<PredicateId>,
) -> Option<bool> {
    let before = wanted.len();
    let decided = match condition {
        Condition::Constant(value) => Some(*value),
        Condition::Not(inner) => decide(inner, known, wanted).map(|holds| !holds),
        Condition::Holds(predicate) => {
            let answer = known.get(predicate.0 as usize).copied().flatten();
            if answer.is_none() {
                wanted.push(*predicate);
            }
            answer
        }
        Condition::All(all) => decide_count(all, all.len(), known, wanted),
        Condition::Any(any) => decide_count(any, 1, known, wanted),
        Condition::AtLeast(count, of) => decide_count(of, *count as usize, known, wanted),
    };
    if decided.is_some() {
        wanted.truncate(before);
    }
    decided
}

/// Whether at least `count` hold.
fn decide_count(
    of: &[Condition],
    count: usize,
    known: &[Option<bool>],
    wanted: &mut Vec<PredicateId>,
) -> Option<bool> {
    if count == 0 || count > of.len() {
        return Some(count == 0);
    }
    let (mut holding, mut open) = (0, 0);
    for (number, one) in of.iter().enumerate() {
        match decide(one, known, wanted) {
            Some(true) => holding += 1,
            Some(false) => {}
            None => open += 1,
        }
        if holding >= count {
            return Some(true);
        }
        let left = of.len() - number - 1;
        if holding + open + left < count {
            return Some(false);
        }
    }
    None
}
