//! Boolean conditions over sources as alternatives of sources seen and unseen.

use tripwasm_plan::{Clause, Order};

/// Alternatives that a temporal condition has at most: the engine looks at each when an event arrives.
pub(crate) const CLAUSES_MAX: usize = 64;

/// Steps that a condition's rewriting may take, which bounds the time of a build.
const STEPS_MAX: usize = 1 << 20;

/// A boolean expression; a source is meant by its bit.
#[derive(Debug, Clone)]
pub(super) enum Formula {
    Source(u32),
    All(Vec<Formula>),
    Any(Vec<Formula>),
    AtLeast(usize, Vec<Formula>),
    Not(Box<Formula>),
}

/// Sources that have to be seen and sources that must not, as sets of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Term {
    seen: u32,
    unseen: u32,
}

/// Alternatives none of which contains another one.
type Terms = Vec<Term>;

/// A condition whose alternatives are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// Alternatives that say the same, none of which could be left out or shortened, sorted. Where order counts they only
/// absorb each other: what is
/// true of sets of sources (`a and b`, or `a and not b`, is `a`) is not true of sequences.
pub(super) fn clauses(formula: &Formula, order: Order) -> Result<Vec<Clause>, TooMany> {
    let mut rewriting = Rewriting { steps: 0 };
    let mut terms = rewriting.expand(formula, Polarity::Asserted)?;
    if order == Order::Any {
        rewriting.prime(&mut terms)?;
        rewriting.drop_covered(&mut terms)?;
    }
    if terms.len() > CLAUSES_MAX {
        return Err(TooMany);
    }
    let mut clauses: Vec<Clause> =
        terms.iter().map(|term| Clause { seen: sources(term.seen), unseen: sources(term.unseen) }).collect();
    clauses.sort();
    Ok(clauses)
}

fn sources(bits: u32) -> Vec<u32> {
    (0..u32::BITS).filter(|&source| bits & (1 << source) != 0).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Asserted,
    Negated,
}

impl Polarity {
    fn reversed(self) -> Polarity {
        match self {
            Polarity::Asserted => Polarity::Negated,
            Polarity::Negated => Polarity::Asserted,
        }
    }
}

impl Term {
    const TRUE: Term = Term { seen: 0, unseen: 0 };

    fn and(self, other: Term) -> Term {
        Term { seen: self.seen | other.seen, unseen: self.unseen | other.unseen }
    }

    fn is_contradiction(self) -> bool {
        self.seen & self.unseen != 0
    }

    /// Whether this holds wherever the other one does.
    fn contains(self, other: Term) -> bool {
        self.seen & !other.seen == 0 && self.unseen & !other.unseen == 0
    }

    /// What two terms that disagree about one source alone say of the others together.
    fn consensus(self, other: Term) -> Option<Term> {
        let disputed = (self.seen & other.unseen) | (self.unseen & other.seen);
        let both = self.and(other);
        let agreed = Term { seen: both.seen & !disputed, unseen: both.unseen & !disputed };
        (disputed.count_ones() == 1).then_some(agreed)
    }

    /// The term where the other one holds; `None` if they exclude each other.
    fn given(self, other: Term) -> Option<Term> {
        let agreed = Term { seen: self.seen & !other.seen, unseen: self.unseen & !other.unseen };
        (!self.and(other).is_contradiction()).then_some(agreed)
    }
}

struct Rewriting {
    steps: usize,
}

impl Rewriting {
    fn step(&mut self, count: usize) -> Result<(), TooMany> {
        self.steps = self.steps.saturating_add(count.max(1));
        if self.steps > STEPS_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// Recursion is bounded with the nesting of conditions.
    fn expand(&mut self, formula: &Formula, polarity: Polarity) -> Result<Terms, TooMany> {
        match (formula, polarity) {
            (Formula::Source(bit), Polarity::Asserted) => Ok(vec![Term { seen: *bit, unseen: 0 }]),
            (Formula::Source(bit), Polarity::Negated) => Ok(vec![Term { seen: 0, unseen: *bit }]),
            (Formula::Not(part), _) => self.expand(part, polarity.reversed()),
            (Formula::All(parts), Polarity::Asserted) | (Formula::Any(parts), Polarity::Negated) => {
                let mut all = vec![Term::TRUE];
                for part in parts {
                    let part = self.expand(part, polarity)?;
                    all = self.product(&all, &part)?;
                }
                Ok(all)
            }
            (Formula::Any(parts), Polarity::Asserted) | (Formula::All(parts), Polarity::Negated) => {
                let mut any = Vec::new();
                for part in parts {
                    for term in self.expand(part, polarity)? {
                        self.add(&mut any, term)?;
                    }
                }
                Ok(any)
            }
            (Formula::AtLeast(count, parts), Polarity::Asserted) => self.at_least(*count, parts, polarity),
            (Formula::AtLeast(count, parts), Polarity::Negated) => {
                let others = (parts.len() + 1).saturating_sub(*count);
                self.at_least(others, parts, polarity)
            }
        }
    }

    /// That so many of the parts hold, by adding one part after the other to alternatives by how many they have.
    fn at_least(&mut self, count: usize, parts: &[Formula], polarity: Polarity) -> Result<Terms, TooMany> {
        if count > parts.len() {
            return Ok(Vec::new());
        }
        let mut by_count = vec![Vec::new(); count + 1];
        if let Some(none) = by_count.first_mut() {
            none.push(Term::TRUE);
        }
        for part in parts {
            let part = self.expand(part, polarity)?;
            for held in (0..count).rev() {
                let fewer = by_count.get(held).cloned().unwrap_or_default();
                let more = self.product(&fewer, &part)?;
                if let Some(terms) = by_count.get_mut(held + 1) {
                    for term in more {
                        self.add(terms, term)?;
                    }
                }
            }
        }
        Ok(by_count.pop().unwrap_or_default())
    }

    fn product(&mut self, left: &[Term], right: &[Term]) -> Result<Terms, TooMany> {
        let mut terms = Vec::new();
        for &one in left {
            for &other in right {
                self.add(&mut terms, one.and(other))?;
            }
        }
        Ok(terms)
    }

    /// Adds an alternative unless another one says as much; drops those that it makes superfluous.
    fn add(&mut self, terms: &mut Terms, term: Term) -> Result<(), TooMany> {
        self.step(terms.len())?;
        if !term.is_contradiction() && !terms.iter().any(|known| known.contains(term)) {
            terms.retain(|known| !term.contains(*known));
            terms.push(term);
        }
        Ok(())
    }

    /// Adds what pairs of alternatives say together until nothing is new: then all are prime.
    fn prime(&mut self, terms: &mut Terms) -> Result<(), TooMany> {
        while let Some(agreed) = self.new_consensus(terms)? {
            self.add(terms, agreed)?;
        }
        Ok(())
    }

    fn new_consensus(&mut self, terms: &[Term]) -> Result<Option<Term>, TooMany> {
        for (at, &one) in terms.iter().enumerate() {
            for &other in terms.iter().skip(at + 1) {
                self.step(1)?;
                let Some(agreed) = one.consensus(other) else { continue };
                self.step(terms.len())?;
                if !terms.iter().any(|known| known.contains(agreed)) {
                    return Ok(Some(agreed));
                }
            }
        }
        Ok(None)
    }

    /// Drops alternatives that the others cover together.
    fn drop_covered(&mut self, terms: &mut Terms) -> Result<(), TooMany> {
        terms.sort();
        for term in terms.clone().into_iter().rev() {
            let others: Terms =
                terms.iter().filter(|&&other| other != term).filter_map(|other| other.given(term)).collect();
            if self.is_always_true(&others)? {
                terms.retain(|&known| known != term);
            }
        }
        Ok(())
    }

    /// Recursion ends after as many sources as there are bits.
    fn is_always_true(&mut self, terms: &[Term]) -> Result<bool, TooMany> {
        self.step(terms.len())?;
        if terms.contains(&Term::TRUE) {
            return Ok(true);
        }
        let seen = terms.iter().fold(0, |bits, term| bits | term.seen);
        let unseen = terms.iter().fold(0, |bits, term| bits | term.unseen);
        // A source that only stands on one side cannot help: alternatives without disputed sources cover nothing more.
        let disputed = seen & unseen;
        if disputed == 0 {
            return Ok(false);
        }
        let bit = 1 << disputed.trailing_zeros();
        for half in [Term { seen: bit, unseen: 0 }, Term { seen: 0, unseen: bit }] {
            let rest: Terms = terms.iter().filter_map(|term| term.given(half)).collect();
            if !self.is_always_true(&rest)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn truth(formula: &Formula, seen: u32) -> bool {
        match formula {
            Formula::Source(bit) => seen & bit != 0,
            Formula::All(parts) => parts.iter().all(|part| truth(part, seen)),
            Formula::Any(parts) => parts.iter().any(|part| truth(part, seen)),
            Formula::AtLeast(count, parts) => parts.iter().filter(|part| truth(part, seen)).count() >= *count,
            Formula::Not(part) => !truth(part, seen),
        }
    }

    fn holds(clauses: &[Clause], seen: u32) -> bool {
        let is_seen = |source: &u32| seen & (1 << source) != 0;
        clauses.iter().any(|clause| clause.seen.iter().all(is_seen) && !clause.unseen.iter().any(is_seen))
    }

    fn formula() -> impl Strategy<Value = Formula> {
        let leaf = (0u32..5).prop_map(|source| Formula::Source(1 << source));
        leaf.prop_recursive(4, 24, 4, |inner| {
            let parts = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                parts.clone().prop_map(Formula::All),
                parts.clone().prop_map(Formula::Any),
                (0usize..4, parts).prop_map(|(count, parts)| Formula::AtLeast(count, parts)),
                inner.prop_map(|part| Formula::Not(Box::new(part))),
            ]
        })
    }

    proptest! {
        #[test]
        fn clauses_say_what_the_formula_says_and_none_is_superfluous(formula in formula()) {
            for order in [Order::Any, Order::AsListed] {
                let found = clauses(&formula, order).unwrap();
                for seen in 0..32 {
                    prop_assert_eq!(holds(&found, seen), truth(&formula, seen), "{:?} {}", found, seen);
                }
                let without = |at: usize| {
                    let mut rest = found.clone();
                    rest.remove(at);
                    rest
                };
                let needed = |at: usize| (0..32).any(|seen| !holds(&without(at), seen) && holds(&found, seen));
                prop_assert!(order == Order::AsListed || (0..found.len()).all(needed), "{:?}", found);
                prop_assert!(found.is_sorted());
            }
        }
    }

    #[test]
    fn sequences_are_not_simplified_as_sets_are() {
        let (a, b) = (Formula::Source(1), Formula::Source(2));
        let with = Formula::All(vec![a.clone(), b.clone()]);
        let without = Formula::All(vec![a, Formula::Not(Box::new(b))]);
        let formula = Formula::Any(vec![with, without]);
        let clause = |seen: &[u32], unseen: &[u32]| Clause { seen: seen.to_vec(), unseen: unseen.to_vec() };
        assert_eq!(clauses(&formula, Order::Any), Ok(vec![clause(&[0], &[])]));
        assert_eq!(clauses(&formula, Order::AsListed), Ok(vec![clause(&[0], &[1]), clause(&[0, 1], &[])]));
    }

    #[test]
    fn alternatives_have_a_bound() {
        let pairs = |count: u32| {
            let pair =
                |at: u32| Formula::Any(vec![Formula::Source(1 << (2 * at)), Formula::Source(2 << (2 * at))]);
            Formula::All((0..count).map(pair).collect())
        };
        assert_eq!(clauses(&pairs(6), Order::Any).map(|found| found.len()), Ok(CLAUSES_MAX));
        assert_eq!(clauses(&pairs(7), Order::Any), Err(TooMany));
        let half = Formula::AtLeast(16, (0..32).map(|at| Formula::Source(1 << at)).collect());
        assert_eq!(clauses(&half, Order::Any), Err(TooMany));
    }
}
