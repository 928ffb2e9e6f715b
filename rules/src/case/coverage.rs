//! Which rules have no test that shows them at work, or at rest.

use super::{ExpectedMatches, TestCase};
use serde::{Deserialize, Serialize};
use tripwasm_plan::{Logic, Plan, RuleIndex};

/// A rule whose tests leave something open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncovered {
    /// The rule in the plan.
    pub rule: RuleIndex,
    /// Its label: `name`, else `id`, else `title`.
    pub label: String,
    /// What no test shows.
    pub missing: Missing,
}

/// What tests of a rule leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// No test expects a match, or an alert.
    Positive,
    /// No test expects that an event does not match, or that there is no alert.
    Negative,
    /// There is neither.
    Both,
}

/// The rules without a positive and a negative test, in the order of the plan; `tests` are those of the plan's rules.
///
/// A test of several events, some of which match, is both. A rule that is not reported is there for the correlations over
/// it: their tests show it, too, as those of correlations over them do.
pub fn coverage(plan: &Plan, tests: &[TestCase]) -> Vec<Uncovered> {
    let mut shown: Vec<Shown> = vec![Shown::default(); plan.rules.len()];
    for case in tests {
        let at = case.rule_index.0 as usize;
        if let (Some(slot), Some(rule)) = (shown.get_mut(at), plan.rules.get(at)) {
            *slot = slot.and(Shown::by(case, &rule.logic));
        }
    }
    for correlation in highest_first(plan) {
        let above = shown.get(correlation).copied().unwrap_or_default();
        let Some(Logic::Correlation(logic)) = plan.rules.get(correlation).map(|rule| &rule.logic) else {
            continue;
        };
        for base in logic.sources.iter().map(|source| source.rule.0 as usize) {
            if let Some(slot) = shown.get_mut(base)
                && plan.rules.get(base).is_some_and(|rule| !rule.reported)
            {
                *slot = slot.and(above);
            }
        }
    }
    let indexed = (0..).map(RuleIndex).zip(&plan.rules).zip(&shown);
    indexed
        .filter_map(|((rule, described), shown)| {
            Some(Uncovered { rule, label: described.label().to_owned(), missing: shown.missing()? })
        })
        .collect()
}

/// What tests show of a rule.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    positive: bool,
    negative: bool,
}

impl Shown {
    fn by(case: &TestCase, logic: &Logic) -> Shown {
        if let Logic::Correlation(_) = logic {
            let alerts = case.expect.alerts.as_ref().map(Vec::len);
            let positive = case.expect.fires || alerts.is_some_and(|count| count > 0);
            return Shown { positive, negative: alerts == Some(0) };
        }
        let events = case.events.len() as u64;
        let matched = match &case.expect.matches {
            Some(ExpectedMatches::All) => events,
            Some(ExpectedMatches::None) => 0,
            Some(ExpectedMatches::Positions(positions)) => positions.len() as u64,
            Some(ExpectedMatches::Count(count)) => *count,
            None => return Shown::default(),
        };
        Shown { positive: matched > 0, negative: matched < events }
    }

    fn and(self, other: Shown) -> Shown {
        Shown { positive: self.positive || other.positive, negative: self.negative || other.negative }
    }

    fn missing(self) -> Option<Missing> {
        match (self.positive, self.negative) {
            (true, true) => None,
            (false, true) => Some(Missing::Positive),
            (true, false) => Some(Missing::Negative),
            (false, false) => Some(Missing::Both),
        }
    }
}

/// The correlations of a plan, each before those it refers to.
fn highest_first(plan: &Plan) -> Vec<usize> {
    let level = |logic: &Logic| match logic {
        Logic::Correlation(correlation) => Some(correlation.level),
        Logic::Detection(_) => None,
    };
    let all = plan.rules.iter().enumerate();
    let mut correlations: Vec<(u32, usize)> =
        all.filter_map(|(position, rule)| Some((level(&rule.logic)?, position))).collect();
    correlations.sort_unstable_by(|one, other| other.cmp(one));
    correlations.into_iter().map(|(_, position)| position).collect()
}
