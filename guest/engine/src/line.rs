//! One line: scanned, matched, and cut into facts.

use crate::facts::{Consumers, Facts, Occurrence, Referring, Wants};
use crate::finding::{Alert, Reason};
use crate::matcher::{CompileError, Compiled, Matcher, Scratch};
use crate::scan::Scanner;
use tripwasm_plan::{Action, Correlation, Logic, Plan, Rule, RuleIndex, Timestamp};

/// The stateless half: finds what a line matches and what it means for correlations.
#[derive(Debug, Clone)]
pub(crate) struct LineReader {
    compiled: Compiled,
    consumers: Consumers,
    scanner: Scanner,
    scratch: Scratch,
    /// Rules that the last line may have matched.
    candidates: Vec<u32>,
    /// Of the last line.
    facts: Facts,
}

/// What one line gave; reused from line to line.
#[derive(Debug, Default)]
pub(crate) struct LineOutcome {
    pub(crate) reported: Vec<RuleIndex>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) remarks: Vec<Reason>,
    pub(crate) drop: bool,
    /// Whether it could be evaluated.
    pub(crate) is_event: bool,
    /// Detection rules that hold, reported or not.
    pub(crate) matched: Vec<usize>,
    /// Correlations of which the event joins no group.
    pub(crate) ungrouped: Vec<RuleIndex>,
    pub(crate) time: Option<Timestamp>,
    /// Of an event that a rule matched; empty if it has none.
    pub(crate) event_id: String,
}

impl LineOutcome {
    /// The alerts that the line's event opened.
    pub(crate) fn opened(&self, event: u64) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(move |alert| alert.opened_by == Some(event))
    }

    pub(crate) fn clear(&mut self) {
        self.reported.clear();
        self.alerts.clear();
        self.remarks.clear();
        self.drop = false;
        self.is_event = false;
        self.matched.clear();
        self.ungrouped.clear();
        self.time = None;
        self.event_id.clear();
    }
}

impl LineReader {
    /// Lays out fields and predicates, which it takes out of the plan.
    pub(crate) fn new(plan: &mut Plan) -> Result<LineReader, CompileError> {
        let compiled = Compiled::new(plan)?;
        Ok(LineReader {
            compiled,
            consumers: Consumers::new(&plan.rules),
            scanner: Scanner::default(),
            scratch: Scratch::default(),
            candidates: Vec::new(),
            facts: Facts::default(),
        })
    }

    /// The top-level keys of the last line that ours must not meet.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        self.scanner.reserved_keys()
    }

    /// Scans and matches one line, and cuts it into facts.
    pub(crate) fn read(
        &mut self,
        rules: &[Rule],
        line: &[u8],
        event: u64,
        wants: &Wants<'_>,
        outcome: &mut LineOutcome,
    ) {
        self.facts.clear();
        let text = match self.scanner.read(&self.compiled.trie, line) {
            Ok(text) => text,
            Err(reason) => {
                outcome.remarks.push(reason);
                return;
            }
        };
        if self.scanner.duplicate_key() {
            outcome.remarks.push(Reason::DuplicateKey);
        }
        if self.scanner.reserved_keys().iter().any(|key| key == "tripwasm") {
            outcome.remarks.push(Reason::TaggedBefore);
        }
        let mut matcher = Matcher::new(&self.compiled, text, self.scanner.spans(), &mut self.scratch);
        outcome.time = matcher.time();
        outcome.is_event = true;
        matcher.candidates(&mut self.candidates);
        for &index in &self.candidates {
            let index = index as usize;
            let Some(Rule { logic: Logic::Detection(condition), action, reported, .. }) = rules.get(index)
            else {
                continue;
            };
            if !matcher.holds(condition) {
                continue;
            }
            outcome.matched.push(index);
            if outcome.event_id.is_empty() {
                matcher.event_id(&mut outcome.event_id);
            }
            outcome.drop |= *action == Action::Drop;
            if *reported {
                outcome.reported.push(RuleIndex(index as u32));
            }
            let of = Occurrence { event, time: outcome.time, id: &outcome.event_id };
            let referring = Referring { rules, consumers: self.consumers.of(index), wants };
            self.facts.add(&mut matcher, &referring, of, &mut outcome.ungrouped);
        }
    }

    /// What the last line means for correlations.
    pub(crate) fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

/// The correlation at an index, if it is one.
pub(crate) fn correlation(rules: &[Rule], index: RuleIndex) -> Option<&Correlation> {
    match &rules.get(index.0 as usize)?.logic {
        Logic::Correlation(correlation) => Some(correlation),
        Logic::Detection(_) => None,
    }
}
