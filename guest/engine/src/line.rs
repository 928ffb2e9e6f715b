//! One line: scanned, matched, and cut into facts.

use crate::facts::{Consumers, Facts, Occurrence, Referring, Wants};
use crate::finding::{Alert, Reason};
use crate::matcher::{CompileError, Compiled, Decisions, Matcher, Scratch};
use crate::scan::{Batch, Learned, Line, MarkMemory, Scanner};
use tripwasm_plan::{Action, Correlation, Logic, Plan, Rule, RuleIndex, Timestamp};

/// The stateless half: finds what a line matches and what it means for correlations.
#[derive(Debug, Clone)]
pub(crate) struct LineReader {
    compiled: Compiled,
    consumers: Consumers,
    scanner: Scanner,
    learned: Learned,
    /// Memory of the batch before.
    memory: MarkMemory,
    scratch: Scratch,
    decisions: Decisions,
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
    pub(crate) matched: Vec<u32>,
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
            learned: Learned::default(),
            memory: MarkMemory::default(),
            scratch: Scratch::default(),
            decisions: Decisions::default(),
            facts: Facts::default(),
        })
    }

    /// The top-level keys of the last line that ours must not meet.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        self.scanner.reserved_keys()
    }

    /// Fields and predicates, laid out.
    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Begins a batch.
    pub(crate) fn begin<'b>(&mut self, events: &'b [u8]) -> Batch<'b> {
        Batch::new(events, core::mem::take(&mut self.memory))
    }

    /// Ends a batch.
    pub(crate) fn end(&mut self, batch: Batch<'_>) {
        self.memory = batch.into_memory();
    }

    /// Scans the next line of a batch.
    #[inline]
    pub(crate) fn next_line<'b>(&mut self, batch: &mut Batch<'b>) -> Option<Line<'b>> {
        self.scanner.next_line(&mut self.learned, &self.compiled.trie, batch)
    }

    /// Matches the line that was scanned last, and cuts it into facts.
    pub(crate) fn read(
        &mut self,
        rules: &[Rule],
        line: Line<'_>,
        event: u64,
        wants: &Wants<'_>,
        outcome: &mut LineOutcome,
    ) {
        self.facts.clear();
        let text = match line.text {
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
        self.decisions.matching(&mut matcher, rules, &mut outcome.matched);
        if !outcome.matched.is_empty() {
            matcher.event_id(&mut outcome.event_id);
        }
        for &index in &outcome.matched {
            let Some(Rule { action, reported, .. }) = rules.get(index as usize) else { continue };
            outcome.drop |= *action == Action::Drop;
            if *reported {
                outcome.reported.push(RuleIndex(index));
            }
            let of = Occurrence { event, time: outcome.time, id: &outcome.event_id };
            let consumers = self.consumers.of(index as usize);
            if !consumers.is_empty() {
                let referring = Referring { rules, consumers, wants };
                self.facts.add(&mut matcher, &referring, of, &mut outcome.ungrouped);
            }
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
