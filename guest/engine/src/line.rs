//! One line: scanned, matched, and cut into facts.

use crate::correlate::{Carried, Entry, EventId, Fact, Origin, Values};
use crate::finding::{Alert, Reason};
use crate::matcher::{CompileError, Compiled, Decisions, Matcher, Scratch};
use crate::scan::{Batch, Learned, Line, MarkMemory, Scanner};
use tripwasm_plan::{Action, Correlation, Logic, Onward, Plan, Reads, Rule, RuleIndex, Timestamp};

/// The stateless half: finds what a line matches and what it means for correlations.
#[derive(Debug, Clone)]
pub(crate) struct LineReader {
    compiled: Compiled,
    /// Per rule, the correlations that refer to it and the number of the reference.
    consumers: Vec<Vec<(RuleIndex, usize)>>,
    scanner: Scanner,
    learned: Learned,
    /// Memory of the batch before.
    memory: MarkMemory,
    scratch: Scratch,
    decisions: Decisions,
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
    /// The event's id; empty if it has none, or if nothing matched.
    pub(crate) id: String,
    /// The same for correlations; none if none refers to what matched.
    pub(crate) event_id: Option<String>,
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
        self.id.clear();
        self.event_id = None;
    }
}

impl LineReader {
    /// Lays out fields and predicates, which it takes out of the plan.
    pub(crate) fn new(plan: &mut Plan) -> Result<LineReader, CompileError> {
        let compiled = Compiled::new(plan)?;
        let mut consumers = vec![Vec::new(); plan.rules.len()];
        for (index, rule) in plan.rules.iter().enumerate() {
            let Logic::Correlation(correlation) = &rule.logic else { continue };
            for (number, source) in correlation.sources.iter().enumerate() {
                if let Some(of_rule) = consumers.get_mut(source.rule.0 as usize) {
                    of_rule.push((RuleIndex(index as u32), number));
                }
            }
        }
        Ok(LineReader {
            compiled,
            consumers,
            scanner: Scanner::default(),
            learned: Learned::default(),
            memory: MarkMemory::default(),
            scratch: Scratch::default(),
            decisions: Decisions::default(),
        })
    }

    /// The top-level keys of the last line that ours must not meet.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        self.scanner.reserved_keys()
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

    /// Matches the line that was scanned last; what it means for correlations comes back as facts.
    pub(crate) fn facts_of(
        &mut self,
        rules: &[Rule],
        line: Line<'_>,
        event: u64,
        outcome: &mut LineOutcome,
    ) -> Vec<Fact> {
        let text = match line.text {
            Ok(text) => text,
            Err(reason) => {
                outcome.remarks.push(reason);
                return Vec::new();
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
        let mut facts: Vec<Fact> = Vec::new();
        self.decisions.matching(&mut matcher, rules, &mut outcome.matched);
        if outcome.matched.is_empty() {
            return facts;
        }
        outcome.id.push_str(&matcher.event_id().unwrap_or_default());
        let matched = core::mem::take(&mut outcome.matched);
        for &index in &matched {
            let Some(Rule { action, reported, .. }) = rules.get(index as usize) else { continue };
            outcome.drop |= *action == Action::Drop;
            if *reported {
                outcome.reported.push(RuleIndex(index));
            }
            let consumers = self.consumers.get(index as usize).map(Vec::as_slice).unwrap_or_default();
            if !consumers.is_empty() && !outcome.id.is_empty() && outcome.event_id.is_none() {
                outcome.event_id = Some(outcome.id.clone());
            }
            for &(correlation, number) in consumers {
                match fact(&mut matcher, rules, correlation, number, event, outcome) {
                    // An event that several of the correlation's rules match is still one event.
                    Some(new) => match facts.iter_mut().find(|known| known.is_of(correlation, &new.group)) {
                        Some(known) => drop(known.entry.unite(new.entry)),
                        None => facts.push(new),
                    },
                    None => outcome.ungrouped.push(correlation),
                }
            }
        }
        outcome.matched = matched;
        facts
    }
}

/// The fact that an event is for the correlation at `index`; none if it joins no group.
fn fact(
    matcher: &mut Matcher<'_>,
    rules: &[Rule],
    index: RuleIndex,
    number: usize,
    event: u64,
    outcome: &LineOutcome,
) -> Option<Fact> {
    let time = outcome.time?;
    let correlation = correlation(rules, index)?;
    let source = correlation.sources.get(number)?;
    let Carried { group, values } = carried(matcher, &source.reads, correlation)?;
    let above = |(reads, onward): (&Reads, &Onward)| {
        carried(matcher, reads, self::correlation(rules, onward.correlation)?)
    };
    let onward = source.onward.iter().zip(&correlation.onward).map(above).collect();
    let sources = u32::try_from(number).ok().and_then(|number| 1u32.checked_shl(number)).unwrap_or(0);
    let event_id = outcome.event_id.as_deref().map(EventId::new);
    let entry = Entry { time, event_id, event, sources, origin: Origin::Event, values, onward };
    Some(Fact { correlation: index, group, entry })
}

/// What is read of an event for one correlation; none if it joins no group there.
fn carried(matcher: &mut Matcher<'_>, reads: &Reads, correlation: &Correlation) -> Option<Carried> {
    let group = reads.group_by.iter().map(|&field| matcher.text(field)).collect::<Option<_>>()?;
    let (tuple, number) = match (correlation.measure.is_numeric(), reads.measured.as_slice()) {
        (_, []) => (None, None),
        (true, [field, ..]) => (None, matcher.number(*field)),
        (false, fields) => (fields.iter().map(|&field| matcher.text(field)).collect(), None),
    };
    let observed = reads.observed.iter().map(|&field| matcher.texts(field)).collect();
    Some(Carried { group, values: Values { tuple, number, observed } })
}

/// The correlation at an index, if it is one.
pub(crate) fn correlation(rules: &[Rule], index: RuleIndex) -> Option<&Correlation> {
    match &rules.get(index.0 as usize)?.logic {
        Logic::Correlation(correlation) => Some(correlation),
        Logic::Detection(_) => None,
    }
}
