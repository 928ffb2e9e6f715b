//! The same rules, cut where a cluster shuffles.

use crate::correlate::{Fact, FactError, Outcome, Step};
use crate::detector::Detector;
use crate::finding::Alert;
use crate::line::LineOutcome;
use crate::sealed;
use tripwasm_plan::{Logic, RuleIndex, Timestamp};

/// The outcome of [`Detector::correlate`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Correlated {
    /// Alerts that opened, closed or were withdrawn.
    pub alerts: Vec<Alert>,
    /// Facts for correlations over those of this level.
    pub facts: Vec<Fact>,
}

impl Detector {
    /// The facts of a batch. Any split of the input gives the same facts.
    pub fn facts(&mut self, events: &[u8], first_event: u64) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut outcome = LineOutcome::default();
        self.for_each_line(events, first_event, |detector, line, event| {
            outcome.clear();
            facts.extend(detector.facts_of(line, event, &mut outcome).drain_whole());
            detector.count(&outcome);
        });
        facts
    }

    /// Feeds facts of one level to the state of this detector, then pushes the watermark of that level.
    pub fn correlate(&mut self, level: u32, facts: Vec<Fact>, watermark: Timestamp) -> Correlated {
        let mut outcome = Outcome::default();
        for Fact { correlation, group, entry } in facts {
            self.correlator.feed(correlation, group.bytes(), entry, &self.settings, &mut outcome);
        }
        self.correlator.advance_level(level as usize, watermark, &self.settings, &mut outcome);
        Correlated { alerts: outcome.alerts, facts: outcome.facts }
    }

    /// Feeds facts of one (correlation, group) to the state an engine keeps for it, empty at first. Pure.
    pub fn step(&self, state: &[u8], facts: Vec<Fact>, watermark: Timestamp) -> Result<Step, FactError> {
        self.correlator.step(self.rules_hash, state, facts, watermark, &self.settings)
    }

    /// The level of a correlation, see [`tripwasm_plan::Correlation::level`].
    pub fn level(&self, correlation: RuleIndex) -> u32 {
        match self.rules().get(correlation.0 as usize).map(|rule| &rule.logic) {
            Some(Logic::Correlation(correlation)) => correlation.level,
            _ => 0,
        }
    }

    /// How many levels of correlations there are.
    pub fn levels(&self) -> u32 {
        let levels = self.rules().iter().filter_map(|rule| match &rule.logic {
            Logic::Correlation(correlation) => Some(correlation.level + 1),
            Logic::Detection(_) => None,
        });
        levels.max().unwrap_or(0)
    }

    /// A fact as bytes that travel.
    pub fn write_fact(&self, fact: &Fact) -> Vec<u8> {
        sealed::seal(self.rules_hash, fact)
    }

    /// Reads what [`Detector::write_fact`] of the same rules wrote.
    pub fn read_fact(&self, bytes: &[u8]) -> Result<Fact, FactError> {
        let fact: Fact = sealed::open(self.rules_hash, bytes).map_err(|_| FactError::ForeignFact)?;
        let is_known = (fact.correlation.0 as usize) < self.rules().len();
        if is_known { Ok(fact) } else { Err(FactError::ForeignFact) }
    }
}
