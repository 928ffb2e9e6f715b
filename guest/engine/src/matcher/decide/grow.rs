//! How steps grow: what an outcome decides, and what is asked next.

use super::open::{condition, decide};
use super::{Asks, Decisions, Look, NO_STEP, NOWHERE, Outcomes, Step, StepId};
use crate::limits::{DECISION_BYTES_MAX, DECISION_STEPS_MAX};
use crate::matcher::Matcher;
use crate::matcher::compiled::{Compiled, CompiledField, Tables};
use crate::matcher::index::Place;
use crate::order::{sort_by, sort_numbers};
use tripwasm_plan::{FieldId, Pattern, Predicate, PredicateId, Rule, Test};

/// Predicates that one step asks, a bit of its outcome each.
const PREDICATES_MAX: usize = 64;

/// What an outcome takes, about.
const OUTCOME_BYTES: usize = 32;

impl Decisions {
    /// Forgets all, and lays the first steps.
    pub(super) fn begin(&mut self, compiled: &Compiled, rules: &[Rule]) {
        self.steps.clear();
        self.looks.clear();
        self.recall.clear();
        (self.bytes, self.undecided) = (0, 0);
        self.known.clear();
        self.known.resize(compiled.tables.predicates.len(), None);
        for (number, field) in compiled.index.fields.iter().enumerate() {
            let outcomes = Outcomes::Named(Vec::new());
            self.push(field.place, Step { outcomes, ..Step::new(Asks::Candidates(number)) });
        }
        let mut holding = Vec::new();
        let (open, wanted) = self.still_open(&compiled.index.always, rules, &mut holding);
        let (place, asks) = question(&compiled.tables, wanted, NOWHERE);
        self.push(place, Step { open, holding, ..Step::new(asks) });
        self.entries = self.steps.len() as StepId - StepId::from(compiled.index.always.is_empty());
        self.nothing = self.push(NOWHERE, Step::new(Asks::Nothing));
        // Where the field is absent, none of its anchors holds.
        for look in self.looks.iter_mut().take(compiled.index.fields.len()) {
            look.absent = self.nothing;
        }
    }

    fn push(&mut self, place: Place, step: Step) -> StepId {
        self.bytes += size_of::<Look>() + step.bytes();
        self.steps.push(step);
        self.looks.push(Look { place, absent: NO_STEP, misses: 0, since: 0, from: 0 });
        self.steps.len() as StepId - 1
    }

    /// The step that the event's outcome leads to, grown if need be; none without room for it.
    pub(super) fn next(&mut self, at: StepId, matcher: &mut Matcher<'_>, rules: &[Rule]) -> Option<StepId> {
        let step = self.steps.get(at as usize)?;
        let (found, answers) = match (&step.asks, &step.outcomes) {
            (Asks::Candidates(field), Outcomes::Named(named)) => {
                let field = matcher.compiled.index.fields.get(*field)?;
                field.candidates(matcher, &mut self.candidates);
                if self.candidates.is_empty() {
                    return Some(self.nothing);
                }
                (named.binary_search_by(|(rules, _)| rules.cmp(&self.candidates)), 0)
            }
            (Asks::Predicates(predicates), Outcomes::Answered(answered)) => {
                let bits = (0..).zip(predicates).map(|(bit, one)| u64::from(matcher.answer(*one)) << bit);
                let answers = bits.fold(0, |all, bit: u64| all | bit);
                (answered.binary_search_by_key(&answers, |(bits, _)| *bits), answers)
            }
            _ => return None,
        };
        match found {
            Ok(at) => step.outcomes.get(at),
            Err(place) => self.grow(at, answers, place, matcher.compiled, rules),
        }
    }

    /// Notes the outcome at `place` among those of its parent, and the step that it leads to.
    fn grow(
        &mut self,
        parent: StepId,
        answers: u64,
        place: usize,
        compiled: &Compiled,
        rules: &[Rule],
    ) -> Option<StepId> {
        if self.steps.len() >= DECISION_STEPS_MAX || self.bytes >= DECISION_BYTES_MAX {
            return None;
        }
        let before = self.steps.get(parent as usize)?;
        let looked_at = self.looks.get(parent as usize)?.place;
        let mut holding = before.holding.clone();
        let undecided = match before.asks {
            Asks::Candidates(_) => self.candidates.clone(),
            _ => before.open.clone(),
        };
        self.learn(parent, answers);
        let (open, wanted) = self.still_open(&undecided, rules, &mut holding);
        self.known.fill(None);
        let next = if open.is_empty() && holding.is_empty() {
            self.nothing
        } else {
            let (place, asks) = question(&compiled.tables, wanted, looked_at);
            self.push(place, Step { open, holding, parent, answers, ..Step::new(asks) })
        };
        match self.steps.get_mut(parent as usize).map(|step| &mut step.outcomes) {
            Some(Outcomes::Named(named)) => {
                self.bytes += OUTCOME_BYTES + 4 * undecided.len();
                named.insert(place.min(named.len()), (undecided, next));
            }
            Some(Outcomes::Answered(answered)) => {
                self.bytes += OUTCOME_BYTES;
                answered.insert(place.min(answered.len()), (answers, next));
            }
            None => {}
        }
        Some(next)
    }

    /// Notes the answers of a step, and those on the way to it.
    fn learn(&mut self, mut at: StepId, mut answers: u64) {
        while let Some(step) = self.steps.get(at as usize) {
            if let Asks::Predicates(predicates) = &step.asks {
                for (bit, predicate) in (0..).zip(predicates) {
                    if let Some(known) = self.known.get_mut(predicate.0 as usize) {
                        *known = Some(answers >> bit & 1 == 1);
                    }
                }
            }
            (at, answers) = (step.parent, step.answers);
        }
    }

    /// The rules that what is known does not decide, and the predicates that may decide them; rules that hold go to
    /// `holding`.
    fn still_open(
        &self,
        candidates: &[u32],
        rules: &[Rule],
        holding: &mut Vec<u32>,
    ) -> (Vec<u32>, Vec<PredicateId>) {
        let (mut open, mut wanted) = (Vec::new(), Vec::new());
        for &rule in candidates {
            let decided =
                condition(rules, rule).map_or(Some(false), |one| decide(one, &self.known, &mut wanted));
            match decided {
                Some(true) => holding.push(rule),
                Some(false) => {}
                None => open.push(rule),
            }
        }
        sort_numbers(holding);
        (open, wanted)
    }
}

/// What to ask next: the predicates of the field just looked at, else of the one that is asked most cheaply, and by the most
/// rules; and where that stands if its value alone decides.
fn question(tables: &Tables, wanted: Vec<PredicateId>, before: Place) -> (Place, Asks) {
    let asked = |id: PredicateId| {
        let predicate = tables.predicates.get(id.0 as usize)?;
        let cost = Cost::of(tables, predicate);
        Some((cost == Cost::Elsewhere, predicate.field, id, cost))
    };
    let mut wanted: Vec<_> = wanted.into_iter().filter_map(asked).collect();
    sort_by(&mut wanted, &|one, other| one.cmp(other));
    let groups = wanted.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
    let place_of = |group: &[(bool, FieldId, PredicateId, Cost)]| {
        let (elsewhere, field, ..) = group.first()?;
        tables.place(*field).filter(|_| !elsewhere)
    };
    let rank = |group: &&[(bool, FieldId, PredicateId, Cost)]| {
        let cost = group.iter().map(|one| one.3).max();
        (place_of(group) != Some(before), cost, usize::MAX - group.len())
    };
    let Some(group) = groups.min_by_key(rank) else { return (NOWHERE, Asks::Nothing) };
    let mut predicates: Vec<PredicateId> = group.iter().map(|one| one.2).collect();
    predicates.dedup();
    predicates.truncate(PREDICATES_MAX);
    (place_of(group).unwrap_or(NOWHERE), Asks::Predicates(predicates))
}

/// What it takes to ask a predicate, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Compared,
    Searched,
    Expression,
    /// Not told by the value of one field of the event: another field, a member, a calculation.
    Elsewhere,
}

impl Cost {
    fn of(tables: &Tables, Predicate { field, test }: &Predicate) -> Cost {
        if !matches!(tables.field(*field), Some(CompiledField::Path { .. })) {
            return Cost::Elsewhere;
        }
        match test {
            Test::FieldRef { .. } | Test::Members { .. } => Cost::Elsewhere,
            Test::Regex { .. } => Cost::Expression,
            Test::Compare { .. } | Test::Cidr(_) => Cost::Searched,
            Test::Text {
                pattern: Pattern::EndsWith(_) | Pattern::Contains(_) | Pattern::Wildcard(_),
                ..
            } => Cost::Searched,
            Test::Exists | Test::Null | Test::Text { .. } | Test::Bool { .. } | Test::Number { .. } => {
                Cost::Compared
            }
        }
    }
}

impl Outcomes {
    fn get(&self, at: usize) -> Option<StepId> {
        match self {
            Outcomes::Named(named) => named.get(at).map(|(_, next)| *next),
            Outcomes::Answered(answered) => answered.get(at).map(|(_, next)| *next),
        }
    }
}

impl Step {
    fn new(asks: Asks) -> Step {
        Step {
            asks,
            holding: Vec::new(),
            open: Vec::new(),
            outcomes: Outcomes::Answered(Vec::new()),
            parent: NO_STEP,
            answers: 0,
        }
    }

    /// What it takes, about.
    fn bytes(&self) -> usize {
        let predicates = match &self.asks {
            Asks::Predicates(predicates) => predicates.len(),
            _ => 0,
        };
        size_of::<Step>() + 4 * (self.holding.len() + self.open.len() + predicates)
    }
}
