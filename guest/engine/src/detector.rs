//! One rule set and its state, fed batch by batch.

use crate::correlate::{Correlator, Entry, Fact, Groups, RuleStatistics, Watermark};
use crate::finding::{Alert, Finding, Match, Reason, Remark};
use crate::matcher::{CompileError, Compiled, Matcher, Scratch};
use crate::scan::{Lines, Scanner};
use crate::sealed::{self, StateError};
use tripwasm_plan::{
    Action, Correlation, FieldSource, Logic, Measure, Plan, Rule, RuleIndex, Settings, Timestamp,
};

/// A running rule set. The same calls give the same results on every platform.
#[derive(Debug, Clone)]
pub struct Detector {
    plan: Plan,
    pub(crate) rules_hash: u64,
    compiled: Compiled,
    /// Per rule, the correlations that refer to it and the number of the reference.
    consumers: Vec<Vec<(RuleIndex, usize)>>,
    scanner: Scanner,
    scratch: Scratch,
    pub(crate) settings: Settings,
    pub(crate) correlator: Correlator,
    watermark: Watermark,
    events: u64,
    without_time: u64,
}

/// Options were changed after the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyRunning;

/// The outcome of [`Detector::evaluate`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that are not a plain pass, in order.
    pub verdicts: Vec<Verdict>,
    /// Matches in order of event, alerts between them.
    pub findings: Vec<Finding>,
    /// Lines that the host should count.
    pub remarks: Vec<Remark>,
}

/// What becomes of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Its position in the whole input.
    pub event: u64,
    /// What becomes of it.
    pub action: VerdictAction,
}

/// What a pipeline does with an event that rules matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictAction {
    /// Keeps and tags it.
    Tag,
    /// Leaves it out, where it may.
    Drop,
}

/// Counts since the detector began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Lines seen, rejected ones included.
    pub events: u64,
    /// Events whose time was not believed when they came.
    pub future: u64,
    /// Events without a usable time.
    pub without_time: u64,
    /// Parallel to the plan's rules.
    pub rules: Vec<RuleStatistics>,
    /// Where the watermark stands.
    pub watermark: Option<Timestamp>,
    /// Estimate of the memory that correlation state takes.
    pub state_bytes: u64,
    /// The groups given up last, oldest first; at most [`crate::limits::EVICTIONS_TOLD_MAX`].
    pub evictions: Vec<Eviction>,
}

/// A group that was given up because state reached its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eviction {
    /// The correlation.
    pub rule: RuleIndex,
    /// Group-by values as text.
    pub group: Vec<String>,
}

/// What [`Detector::restore`] dropped because the snapshot was taken under other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostState {
    /// The rule's label in the snapshot.
    pub rule: String,
    /// How many groups it had.
    pub groups: u64,
}

/// What [`Detector::learn`] took in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lesson {
    /// Events that entered a baseline.
    pub learned: u64,
    /// Lines that the host should count.
    pub remarks: Vec<Remark>,
}

/// What one line gave; reused from line to line.
#[derive(Debug, Default)]
pub(crate) struct LineOutcome {
    pub(crate) reported: Vec<RuleIndex>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) remarks: Vec<Reason>,
    pub(crate) drop: bool,
    time: Option<Timestamp>,
    event_id: Option<String>,
}

/// What a snapshot holds.
type Snapshot<G, S> = (G, S, Watermark, u64, u64);

impl LineOutcome {
    /// The alerts that the line's event opened.
    pub(crate) fn opened(&self, event: u64) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(move |alert| alert.opened_by == Some(event))
    }

    fn clear(&mut self) {
        self.reported.clear();
        self.alerts.clear();
        self.remarks.clear();
        self.drop = false;
        self.time = None;
        self.event_id = None;
    }
}

impl Detector {
    /// Lays the plan out. An error means that the plan was not made by the lowering of this version.
    pub fn new(mut plan: Plan) -> Result<Detector, CompileError> {
        let rules_hash = xxhash_rust::xxh3::xxh3_64(&tripwasm_plan::encode(&plan));
        let compiled = Compiled::new(&mut plan)?;
        let mut consumers = vec![Vec::new(); plan.rules.len()];
        for (index, rule) in plan.rules.iter().enumerate() {
            let Logic::Correlation(correlation) = &rule.logic else { continue };
            for (number, source) in correlation.sources.iter().enumerate() {
                if let Some(of_rule) = consumers.get_mut(source.rule.0 as usize) {
                    of_rule.push((RuleIndex(index as u32), number));
                }
            }
        }
        Ok(Detector {
            rules_hash,
            compiled,
            consumers,
            scanner: Scanner::default(),
            scratch: Scratch::default(),
            settings: plan.settings,
            correlator: Correlator::new(&plan),
            watermark: Watermark::default(),
            events: 0,
            without_time: 0,
            plan,
        })
    }

    /// The rules, in the order of their indices.
    pub fn rules(&self) -> &[Rule] {
        &self.plan.rules
    }

    /// Event paths that some rule reads, sorted.
    pub fn field_paths(&self) -> Vec<&str> {
        let paths = self.plan.fields.iter().filter_map(|field| match &field.source {
            FieldSource::Path(path) => Some(path.as_str()),
            FieldSource::Calculated(_) | FieldSource::Leaves => None,
        });
        let mut paths: Vec<&str> = paths.collect();
        paths.sort_unstable();
        paths
    }

    /// The options in force.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes options; only before the first event.
    pub fn configure(&mut self, settings: Settings) -> Result<(), AlreadyRunning> {
        if self.events > 0 {
            return Err(AlreadyRunning);
        }
        self.settings = settings;
        Ok(())
    }

    /// Evaluates newline-separated JSON events, in order. `first_event` is the position of the first line in the
    /// whole input; `now` is the wall clock of a live host.
    pub fn evaluate(&mut self, events: &[u8], first_event: u64, now: Option<Timestamp>) -> Report {
        let mut report = Report::default();
        let mut outcome = LineOutcome::default();
        for (event, (line, _)) in (first_event..).zip(Lines::new(events)) {
            self.process(line, event, now, &mut outcome);
            report.remarks.extend(outcome.remarks.iter().map(|&reason| Remark { event, reason }));
            if outcome.drop || !outcome.reported.is_empty() || outcome.opened(event).next().is_some() {
                let action = if outcome.drop { VerdictAction::Drop } else { VerdictAction::Tag };
                report.verdicts.push(Verdict { event, action });
            }
            for &rule in &outcome.reported {
                let (time, event_id) = (outcome.time, outcome.event_id.clone());
                report.findings.push(Finding::Match(Match { event, rule, time, event_id }));
            }
            report.findings.extend(outcome.alerts.drain(..).map(Finding::Alert));
        }
        report
    }

    /// Pushes the watermark to `watermark` if that is further, and closes what ends by it.
    pub fn close(&mut self, watermark: Timestamp) -> Vec<Alert> {
        let mut alerts = Vec::new();
        self.watermark.push(watermark);
        self.advance(&mut alerts);
        alerts
    }

    /// Counts so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            events: self.events,
            future: self.watermark.future,
            without_time: self.without_time,
            rules: self.correlator.statistics(),
            watermark: self.watermark.get(self.lateness()),
            state_bytes: self.correlator.bytes(),
            evictions: Vec::new(),
        }
    }

    /// The state of all correlations and the counters. Equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let snapshot: Snapshot<&Groups, &Vec<RuleStatistics>> = (
            self.correlator.groups(),
            &self.correlator.statistics,
            self.watermark.clone(),
            self.events,
            self.without_time,
        );
        sealed::seal(self.rules_hash, &snapshot)
    }

    /// Puts a snapshot in the place of the state, but for correlations that were changed or removed since: those are
    /// returned. On an error the old state stays.
    pub fn restore(&mut self, state: &[u8]) -> Result<Vec<LostState>, StateError> {
        let snapshot: Snapshot<Groups, Vec<RuleStatistics>> = sealed::open(self.rules_hash, state)?;
        let (groups, statistics, watermark, events, without_time) = snapshot;
        if groups.len() != self.plan.rules.len() || statistics.len() != self.plan.rules.len() {
            return Err(StateError::OtherRules);
        }
        self.correlator.restore(groups, statistics);
        self.watermark = watermark;
        self.events = events;
        self.without_time = without_time;
        Ok(Vec::new())
    }

    /// Feeds the baselines of first-seen rules from history, in any order, without alerts.
    pub fn learn(&mut self, _events: &[u8]) -> Lesson {
        Lesson::default()
    }

    /// Estimate of the memory that one group of a correlation takes at most behind the watermark.
    pub fn group_bytes_max(&self, _correlation: RuleIndex) -> Option<u64> {
        None
    }

    /// Evaluates one line and moves the watermark.
    pub(crate) fn process(
        &mut self,
        line: &[u8],
        event: u64,
        now: Option<Timestamp>,
        outcome: &mut LineOutcome,
    ) {
        outcome.clear();
        self.events += 1;
        let facts = self.facts_of(line, event, outcome);
        for fact in facts {
            let watermark = self.watermark.get(self.lateness());
            self.correlator.feed(fact, watermark, &self.settings, &mut outcome.alerts);
        }
        if let Some(time) = outcome.time {
            self.watermark.observe(time, now, self.lateness());
            self.advance(&mut outcome.alerts);
        }
    }

    /// Scans and matches one line; what it means for correlations comes back as facts.
    pub(crate) fn facts_of(&mut self, line: &[u8], event: u64, outcome: &mut LineOutcome) -> Vec<Fact> {
        let text = match Scanner::text(line) {
            Ok(text) => text,
            Err(reason) => {
                outcome.remarks.push(reason);
                return Vec::new();
            }
        };
        if let Err(reason) = self.scanner.scan(&self.compiled.trie, text) {
            outcome.remarks.push(reason);
            return Vec::new();
        }
        if self.scanner.duplicate_key() {
            outcome.remarks.push(Reason::DuplicateKey);
        }
        if self.scanner.reserved_keys().iter().any(|key| key == "tripwasm") {
            outcome.remarks.push(Reason::TaggedBefore);
        }
        let mut matcher = Matcher::new(&self.compiled, text, self.scanner.spans(), &mut self.scratch);
        outcome.time = matcher.time();
        self.without_time += u64::from(outcome.time.is_none());
        let mut facts = Vec::new();
        for (index, rule) in self.plan.rules.iter().enumerate() {
            let Logic::Detection(condition) = &rule.logic else { continue };
            if !matcher.holds(condition) {
                continue;
            }
            if let Some(statistics) = self.correlator.statistics.get_mut(index) {
                statistics.matched += 1;
            }
            outcome.event_id = outcome.event_id.take().or_else(|| matcher.event_id());
            outcome.drop |= rule.action == Action::Drop;
            if rule.reported {
                outcome.reported.push(RuleIndex(index as u32));
            }
            for &(correlation, number) in self.consumers.get(index).into_iter().flatten() {
                let Some(Logic::Correlation(spec)) =
                    self.plan.rules.get(correlation.0 as usize).map(|rule| &rule.logic)
                else {
                    continue;
                };
                match fact(&mut matcher, spec, number, event, outcome) {
                    // An event that several of the correlation's rules match is still one event.
                    Some((group, _)) if facts.iter().any(|fact: &Fact| fact.is_of(correlation, &group)) => {}
                    Some((group, entry)) => facts.push(Fact { correlation, group, entry }),
                    None => {
                        if let Some(statistics) = self.correlator.statistics.get_mut(correlation.0 as usize) {
                            statistics.ungrouped += 1;
                        }
                    }
                }
            }
        }
        facts
    }

    /// Closes what the watermark has reached.
    pub(crate) fn advance(&mut self, alerts: &mut Vec<Alert>) {
        let Some(watermark) = self.watermark.get(self.lateness()) else { return };
        self.correlator.advance(watermark, alerts);
    }

    /// The top-level keys of the last line that ours must not meet.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        self.scanner.reserved_keys()
    }

    fn lateness(&self) -> Timestamp {
        Timestamp::try_from(self.settings.lateness_ms).unwrap_or(Timestamp::MAX)
    }
}

/// Group and entry of an event for a correlation; none if it joins no group.
fn fact(
    matcher: &mut Matcher<'_>,
    correlation: &Correlation,
    number: usize,
    event: u64,
    outcome: &LineOutcome,
) -> Option<(Vec<String>, Entry)> {
    let time = outcome.time?;
    let source = correlation.sources.get(number)?;
    let group = source.reads.group_by.iter().map(|&field| matcher.text(field)).collect::<Option<Vec<_>>>()?;
    let counted = match correlation.measure {
        Measure::EventCount | Measure::Temporal { .. } => None,
        _ => source.reads.measured.iter().map(|&field| matcher.text(field)).collect(),
    };
    let observed = source.reads.observed.iter().map(|&field| matcher.texts(field)).collect();
    Some((group, Entry { time, event_id: outcome.event_id.clone(), event, counted, observed }))
}
