//! One rule set and its state, fed batch by batch.

use crate::correlate::{
    Correlator, CorrelatorState, Eviction, LostState, Outcome, RuleStatistics, Watermark,
};
use crate::facts::Facts;
use crate::finding::{Alert, FlatMatch, Match, Remark};
use crate::glance::Sifting;
use crate::line::{LineOutcome, LineReader, correlation};
use crate::matcher::{CompileError, check_plan};
use crate::order::sort_by;
use crate::scan::Line;
use crate::sealed::{self, StateError};
use crate::tag::tag_of;
use crate::wire::{Reader, Wire, wire_struct};
use tripwasm_plan::{FieldSource, Plan, Rule, RuleIndex, Settings, Timestamp, Window};

/// A running rule set. The same calls give the same results on every platform.
#[derive(Debug, Clone)]
pub struct Detector {
    pub(crate) plan: Plan,
    pub(crate) rules_hash: u64,
    /// Per rule what it means, see [`tripwasm_plan::fingerprints`].
    fingerprints: Vec<u128>,
    /// Per rule, what its tags begin with.
    pub(crate) tags: Vec<String>,
    pub(crate) reader: LineReader,
    pub(crate) settings: Settings,
    pub(crate) correlator: Correlator,
    pub(crate) watermark: Watermark,
    pub(crate) events: u64,
    without_time: u64,
    pub(crate) sifting: Sifting,
}

/// Options were changed after the first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyRunning;

/// The outcome of [`Detector::evaluate`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that are not a plain pass, in order.
    pub verdicts: Vec<Verdict>,
    /// In order of event, and of the rule for one event.
    pub matches: Vec<FlatMatch>,
    /// The ids that matches refer to.
    pub texts: String,
    /// Alerts that opened, closed or were withdrawn, in the order in which that happened.
    pub alerts: Vec<Alert>,
    /// Lines that the host should count.
    pub remarks: Vec<Remark>,
}

impl Report {
    /// The matches, each with its id.
    pub fn matches_with_ids(&self) -> impl Iterator<Item = Match> {
        self.matches.iter().map(|&FlatMatch { event, time, rule, id_start, id_end }| {
            let id = self.texts.get(id_start as usize..id_end as usize).filter(|id| !id.is_empty());
            Match { event, rule, time, event_id: id.map(str::to_owned) }
        })
    }

    fn push_matches(&mut self, event: u64, outcome: &LineOutcome) {
        if outcome.reported.is_empty() {
            return;
        }
        let id_start = self.texts_end();
        self.texts.push_str(&outcome.event_id);
        let id_end = self.texts_end();
        let time = outcome.time;
        let matched = outcome.reported.iter();
        self.matches.extend(matched.map(|&rule| FlatMatch { event, time, rule, id_start, id_end }));
    }

    /// Ids beyond 4 GiB, which no sandbox holds, would not be found again.
    fn texts_end(&self) -> u32 {
        u32::try_from(self.texts.len()).unwrap_or(u32::MAX)
    }
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

/// Counts since the detector began, of the rules whose counts changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Lines seen, rejected ones included.
    pub events: u64,
    /// Events whose time was not believed when they came.
    pub future: u64,
    /// Events without a usable time.
    pub without_time: u64,
    /// Estimate of the memory that correlation state takes.
    pub state_bytes: u64,
    /// In no order.
    pub rules: Vec<(RuleIndex, RuleStatistics)>,
}

/// What [`Detector::learn`] took in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lesson {
    /// Events that entered a baseline.
    pub learned: u64,
    /// Lines that the host should count.
    pub remarks: Vec<Remark>,
}

/// What a snapshot holds; the bytes of groups stand behind it.
struct Snapshot {
    watermark: Watermark,
    events: u64,
    without_time: u64,
    correlator: CorrelatorState,
}

wire_struct!(Snapshot { watermark, events, without_time, correlator });

/// Stands in the place of the rules' hash: a snapshot says rule by rule what it belongs to.
const SNAPSHOT: u64 = u64::from_le_bytes(*b"snapshot");

impl Detector {
    /// Lays the plan out. An error means that the plan was not made by the lowering of this version.
    pub fn new(mut plan: Plan) -> Result<Detector, CompileError> {
        check_plan(&plan)?;
        let rules_hash = xxhash_rust::xxh3::xxh3_64(&tripwasm_plan::encode(&plan));
        let fingerprints = tripwasm_plan::fingerprints(&plan);
        let reader = LineReader::new(&mut plan)?;
        Ok(Detector {
            rules_hash,
            fingerprints,
            tags: plan.rules.iter().map(tag_of).collect(),
            reader,
            settings: plan.settings,
            correlator: Correlator::new(&plan),
            watermark: Watermark::default(),
            events: 0,
            without_time: 0,
            sifting: Sifting::default(),
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
        sort_by(&mut paths, &|one, other| one.cmp(other));
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
        self.for_each_line(events, first_event, |detector, line, event| {
            detector.process(line, event, now, &mut outcome);
            if !outcome.remarks.is_empty() {
                report.remarks.extend(outcome.remarks.iter().map(|&reason| Remark { event, reason }));
            }
            if outcome.drop || !outcome.reported.is_empty() || outcome.opened(event).next().is_some() {
                let action = if outcome.drop { VerdictAction::Drop } else { VerdictAction::Tag };
                report.verdicts.push(Verdict { event, action });
            }
            report.push_matches(event, &outcome);
            if !outcome.alerts.is_empty() {
                report.alerts.append(&mut outcome.alerts);
            }
        });
        report
    }

    /// Pushes the watermark to `watermark` if that is further, and closes what ends by it.
    pub fn close(&mut self, watermark: Timestamp) -> Vec<Alert> {
        let mut out = Outcome::default();
        self.watermark.push(watermark);
        self.advance(&mut out);
        out.alerts
    }

    /// Counts so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            events: self.events,
            future: self.watermark.future,
            without_time: self.without_time,
            rules: self.correlator.statistics(),
            watermark: self.watermark.get(self.lateness()),
            state_bytes: self.correlator.ledger.bytes,
            evictions: self.correlator.ledger.evictions.iter().cloned().collect(),
        }
    }

    /// Counts of the rules whose counts changed since this was last asked; a restored state is not told.
    pub fn changes(&mut self) -> Changes {
        Changes {
            events: self.events,
            future: self.watermark.future,
            without_time: self.without_time,
            state_bytes: self.correlator.ledger.bytes,
            rules: self.correlator.take_changed(),
        }
    }

    /// The state of all correlations and the counters. Equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let (correlator, groups) = self.correlator.snapshot(&self.plan.rules, &self.fingerprints);
        let (watermark, events, without_time) = (self.watermark.clone(), self.events, self.without_time);
        let mut head = Vec::new();
        Snapshot { watermark, events, without_time, correlator }.write(&mut head);
        sealed::seal_bytes(SNAPSHOT, &[&head, &groups])
    }

    /// Puts a snapshot in the place of the state, but for correlations that were changed or removed since: those are
    /// returned. On an error the old state stays.
    pub fn restore(&mut self, state: &[u8]) -> Result<Vec<LostState>, StateError> {
        let body = sealed::open_bytes(SNAPSHOT, state)?;
        let mut body = Reader::new(body);
        let head = Snapshot::read(&mut body).ok_or(StateError::Damaged)?;
        let restored = self
            .correlator
            .read(head.correlator, body.rest(), &self.fingerprints)
            .ok_or(StateError::Damaged)?;
        if !restored.any_known && !self.plan.rules.is_empty() {
            return Err(StateError::OtherRules);
        }
        let lost = restored.lost.clone();
        self.correlator.restore(restored);
        self.watermark = head.watermark;
        self.sifting.forget_time();
        self.events = head.events;
        self.without_time = head.without_time;
        Ok(lost)
    }

    /// Feeds the baselines of first-seen rules from history, in any order, without alerts. Nothing else changes: no window,
    /// no watermark, no count but of groups given up for want of memory.
    pub fn learn(&mut self, events: &[u8]) -> Lesson {
        let mut lesson = Lesson::default();
        let mut outcome = LineOutcome::default();
        self.for_each_line(events, 0, |detector, line, event| {
            outcome.clear();
            detector.reader.read(&detector.plan.rules, line, event, &|_, _, _| false, &mut outcome);
            lesson.remarks.extend(outcome.remarks.iter().map(|&reason| Remark { event, reason }));
            let mut is_learned = false;
            let mut out = Outcome::default();
            for (index, group, entry) in detector.reader.facts().drain() {
                if is_first_seen(&detector.plan.rules, index) {
                    detector.correlator.learn(index, group, entry.time, &detector.settings, &mut out);
                    is_learned = true;
                }
            }
            lesson.learned += u64::from(is_learned);
        });
        lesson
    }

    /// Estimate of the memory that one group of a correlation takes at most behind the watermark.
    pub fn group_bytes_max(&self, correlation: RuleIndex) -> Option<u64> {
        self.correlator.group_bytes_max(correlation)
    }

    /// Scans the lines of a batch, one after the other, and hands each to `take` with its position.
    pub(crate) fn for_each_line<'b>(
        &mut self,
        events: &'b [u8],
        first_event: u64,
        mut take: impl FnMut(&mut Detector, Line<'b>, u64),
    ) {
        let mut batch = self.reader.begin(events);
        let mut event = first_event;
        while let Some(line) = self.reader.next_line(&mut batch) {
            take(self, line, event);
            event += 1;
        }
        self.reader.end(batch);
    }

    /// Evaluates the line that was scanned last, and moves the watermark.
    pub(crate) fn process(
        &mut self,
        line: Line<'_>,
        event: u64,
        now: Option<Timestamp>,
        outcome: &mut LineOutcome,
    ) {
        outcome.clear();
        self.events += 1;
        let mut out = Outcome { alerts: std::mem::take(&mut outcome.alerts), facts: Vec::new() };
        let correlator = &self.correlator;
        let wants = |index, group: &_, time| correlator.wants_values(index, group, time);
        self.reader.read(&self.plan.rules, line, event, &wants, outcome);
        self.count(outcome);
        for (index, group, entry) in self.reader.facts().drain() {
            self.correlator.enter(index, group, entry, &self.settings, &mut out);
        }
        // Behind all of them: what was not read of one event must not be missed because another made room.
        self.correlator.keep_bound(&self.settings, &mut out);
        if let Some(time) = outcome.time {
            self.watermark.observe(time, now, self.lateness());
            self.advance(&mut out);
        }
        outcome.alerts = out.alerts;
    }

    /// Adds what a line gave to the counts.
    pub(crate) fn count(&mut self, outcome: &LineOutcome) {
        self.without_time += u64::from(outcome.is_event && outcome.time.is_none());
        let ledger = &mut self.correlator.ledger;
        outcome.matched.iter().for_each(|rule| ledger.of(*rule as usize).matched += 1);
        outcome.ungrouped.iter().for_each(|rule| ledger.of(rule.0 as usize).ungrouped += 1);
    }

    /// Closes what the watermark has reached.
    pub(crate) fn advance(&mut self, out: &mut Outcome) {
        let Some(watermark) = self.watermark.get(self.lateness()) else { return };
        self.correlator.advance(watermark, &self.settings, out);
    }

    /// Matches the line that was scanned last; what it means for correlations comes back whole, wherever it may go.
    pub(crate) fn facts_of(&mut self, line: Line<'_>, event: u64, outcome: &mut LineOutcome) -> &mut Facts {
        self.reader.read(&self.plan.rules, line, event, &|_, _, _| true, outcome);
        self.reader.facts()
    }

    /// The top-level keys of the last line that ours must not meet.
    pub(crate) fn reserved_keys(&self) -> &[String] {
        self.reader.reserved_keys()
    }

    pub(crate) fn lateness(&self) -> Timestamp {
        Timestamp::try_from(self.settings.lateness_ms).unwrap_or(Timestamp::MAX)
    }
}

fn is_first_seen(rules: &[Rule], index: RuleIndex) -> bool {
    correlation(rules, index)
        .is_some_and(|correlation| matches!(correlation.window, Window::FirstSeen { .. }))
}
