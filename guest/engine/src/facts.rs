//! What a match means for the correlations that refer to its rule: a fact each, while the event is at hand.
//!
//! A line's facts stand in buffers that the next line uses again. Of what an event says, only what a correlation keeps is
//! copied.

use crate::correlate::{Carried, Entry, EventId, Fact, Lists, Origin, Texts, Values, put_list};
use crate::line::correlation;
use crate::matcher::Matcher;
use crate::wire::put_varint;
use core::ops::Range;
use tripwasm_plan::{Correlation, FieldId, Logic, Onward, Reads, Rule, RuleIndex, Source, Timestamp};

/// Per rule, the correlations that refer to it and the number of the reference.
#[derive(Debug, Clone)]
pub(crate) struct Consumers(Vec<Vec<(RuleIndex, usize)>>);

/// The facts of one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    made: Vec<Made>,
    /// Their groups, one behind the other, each as a list of texts.
    groups: Vec<u8>,
    /// Values that are read just now.
    values: Vec<u8>,
}

/// A fact whose group stands elsewhere.
#[derive(Debug, Clone)]
struct Made {
    correlation: RuleIndex,
    group: Range<usize>,
    entry: Entry,
}

/// Whether the values of an event of this time are worth reading, for a correlation and group.
pub(crate) type Wants<'w> = dyn Fn(RuleIndex, &[u8], Timestamp) -> bool + 'w;

/// The correlations that refer to a rule that matched.
pub(crate) struct Referring<'r> {
    pub(crate) rules: &'r [Rule],
    /// With the number of the reference.
    pub(crate) consumers: &'r [(RuleIndex, usize)],
    pub(crate) wants: &'r Wants<'r>,
}

/// What every fact of an event has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occurrence<'l> {
    pub(crate) event: u64,
    pub(crate) time: Option<Timestamp>,
    /// Empty if it has none.
    pub(crate) id: &'l str,
}

impl Consumers {
    pub(crate) fn new(rules: &[Rule]) -> Consumers {
        let mut consumers = vec![Vec::new(); rules.len()];
        for (index, rule) in rules.iter().enumerate() {
            let Logic::Correlation(correlation) = &rule.logic else { continue };
            for (number, source) in correlation.sources.iter().enumerate() {
                if let Some(of_rule) = consumers.get_mut(source.rule.0 as usize) {
                    of_rule.push((RuleIndex(index as u32), number));
                }
            }
        }
        Consumers(consumers)
    }

    pub(crate) fn of(&self, rule: usize) -> &[(RuleIndex, usize)] {
        self.0.get(rule).map_or(&[], Vec::as_slice)
    }
}

impl Facts {
    pub(crate) fn clear(&mut self) {
        self.made.clear();
        self.groups.clear();
    }

    /// Adds what the match of a rule means; the correlations that the event joins no group of go to `ungrouped`.
    pub(crate) fn add(
        &mut self,
        matcher: &mut Matcher<'_>,
        referring: &Referring<'_>,
        of: Occurrence<'_>,
        ungrouped: &mut Vec<RuleIndex>,
    ) {
        for &(index, number) in referring.consumers {
            match self.make(matcher, referring, (index, number), of) {
                Some(made) => self.put(made),
                None => ungrouped.push(index),
            }
        }
    }

    /// The facts with their groups; afterwards there are none.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (RuleIndex, &[u8], Entry)> {
        let groups = &self.groups;
        self.made.drain(..).map(|made| {
            let group = groups.get(made.group).unwrap_or_default();
            (made.correlation, group, made.entry)
        })
    }

    /// The facts as they travel.
    pub(crate) fn drain_whole(&mut self) -> impl Iterator<Item = Fact> {
        self.drain().map(|(correlation, group, entry)| Fact {
            correlation,
            group: Texts::of_bytes(group),
            entry,
        })
    }

    /// An event that several of the correlation's rules match is still one event.
    fn put(&mut self, new: Made) {
        let groups = &self.groups;
        let is_same = |known: &&mut Made| {
            known.correlation == new.correlation
                && groups.get(known.group.clone()) == groups.get(new.group.clone())
        };
        match self.made.iter_mut().find(is_same) {
            Some(known) => drop(known.entry.unite(new.entry)),
            None => self.made.push(new),
        }
    }

    /// The fact that an event is for the correlation at `index`; none if it joins no group.
    fn make(
        &mut self,
        matcher: &mut Matcher<'_>,
        &Referring { rules, wants, .. }: &Referring<'_>,
        (index, number): (RuleIndex, usize),
        of: Occurrence<'_>,
    ) -> Option<Made> {
        let time = of.time?;
        let correlation = correlation(rules, index)?;
        let source = correlation.sources.get(number)?;
        let start = self.groups.len();
        if !put_group(matcher, &source.reads.group_by, &mut self.groups) {
            self.groups.truncate(start);
            return None;
        }
        let group = start..self.groups.len();
        let (values, onward) = match wants(index, self.groups.get(group.clone()).unwrap_or_default(), time) {
            true => self.read(matcher, rules, source, correlation),
            false => Default::default(),
        };
        let sources = u32::try_from(number).ok().and_then(|number| 1u32.checked_shl(number)).unwrap_or(0);
        let event_id = (!of.id.is_empty()).then(|| EventId::new(of.id));
        let entry = Entry { time, event_id, event: of.event, sources, origin: Origin::Event, values, onward };
        Some(Made { correlation: index, group, entry })
    }

    /// What is read of an event for a correlation, and for those above it.
    fn read(
        &mut self,
        matcher: &mut Matcher<'_>,
        rules: &[Rule],
        source: &Source,
        own: &Correlation,
    ) -> (Values, Vec<Option<Carried>>) {
        let values = self.values(matcher, &source.reads, own);
        let above = |(reads, onward): (&Reads, &Onward)| {
            self.carried(matcher, reads, correlation(rules, onward.correlation)?)
        };
        (values, source.onward.iter().zip(&own.onward).map(above).collect())
    }

    /// What is read of an event for a correlation above; none if it joins no group there.
    fn carried(
        &mut self,
        matcher: &mut Matcher<'_>,
        reads: &Reads,
        correlation: &Correlation,
    ) -> Option<Carried> {
        let group = self.texts(matcher, &reads.group_by)?;
        Some(Carried { group, values: self.values(matcher, reads, correlation) })
    }

    fn values(&mut self, matcher: &mut Matcher<'_>, reads: &Reads, correlation: &Correlation) -> Values {
        let (tuple, number) = match (correlation.measure.is_numeric(), reads.measured.as_slice()) {
            (_, []) => (None, None),
            (true, [field, ..]) => (None, matcher.number(*field)),
            (false, fields) => (self.texts(matcher, fields), None),
        };
        Values { tuple, number, observed: self.lists(matcher, &reads.observed) }
    }

    fn lists(&mut self, matcher: &mut Matcher<'_>, fields: &[FieldId]) -> Lists {
        if fields.is_empty() {
            return Lists::default();
        }
        self.values.clear();
        put_varint(&mut self.values, fields.len() as u64);
        for &field in fields {
            put_list(&mut self.values, |put| matcher.each_text(field, put));
        }
        Lists::of_bytes(&self.values)
    }

    fn texts(&mut self, matcher: &mut Matcher<'_>, fields: &[FieldId]) -> Option<Texts> {
        self.values.clear();
        put_group(matcher, fields, &mut self.values).then(|| Texts::of_bytes(&self.values))
    }
}

/// Writes the text of each field; false if one has none.
fn put_group(matcher: &mut Matcher<'_>, fields: &[FieldId], out: &mut Vec<u8>) -> bool {
    let mut is_whole = true;
    put_list(out, |put| is_whole = fields.iter().all(|&field| matcher.first_text(field, put)));
    is_whole
}
