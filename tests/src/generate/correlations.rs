//! Correlations: every measure, window and clause, over detections and over each other.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use tripwasm_plan::{
    Clause, Comparison, Correlation, Decimal, FieldId, Measure, Observed, Onward, Operator, Order, Reads,
    RuleIndex, Source, Window,
};

/// Levels of correlations that are generated at most.
const LEVELS_MAX: u32 = 3;

/// A correlation whose sources are not chosen yet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Whether its alerts are findings.
    pub(super) reported: bool,
    sources: Vec<Index>,
    group_by: Vec<FieldId>,
    /// This detection has its group-by values in the reverse order: an alias.
    reversed: Option<usize>,
    read: Vec<FieldId>,
    observed: Vec<(FieldId, bool)>,
    /// Its clauses say 0 (does not matter), 1 (seen) or 2 (unseen) of each source.
    measure: Measured,
    condition: Vec<Comparison>,
    window: Window,
    timespan_ms: u64,
    learn_ms: Option<u64>,
    suppress_ms: Option<u64>,
}

#[derive(Debug, Clone)]
enum Measured {
    EventCount,
    ValueCount,
    Temporal(Order, Option<Vec<[u8; 4]>>),
    Sum,
    Average,
    Percentile(u8),
    Median,
}

/// A correlation that groups by `group` and measures `read`.
pub(super) fn correlation(
    group: impl Strategy<Value = Vec<FieldId>>,
    read: impl Strategy<Value = FieldId> + Clone,
) -> impl Strategy<Value = Draft> {
    let what = (
        prop::collection::vec(any::<Index>(), 1..4),
        group,
        prop::option::weighted(0.2, 0..4_usize),
        prop::collection::vec(read.clone(), 2),
        prop::collection::vec((read, any::<bool>()), 0..2),
        measured(),
    );
    let when = (
        window(),
        1..25_u64,
        prop::option::weighted(0.3, 1..40_u64),
        prop::option::weighted(0.25, 1..30_u64),
        prop::bool::weighted(0.8),
    );
    (what, when).prop_flat_map(|(what, when)| {
        let (sources, group_by, reversed, read, observed, measure) = what;
        let (window, timespan_ms, learn_ms, suppress_ms, reported) = when;
        let measure = match window {
            Window::FirstSeen { .. } => Measured::EventCount,
            _ => measure,
        };
        condition(&measure, window).prop_map(move |condition| Draft {
            reported,
            sources: sources.clone(),
            group_by: group_by.clone(),
            reversed,
            read: read.clone(),
            observed: observed.clone(),
            measure: measure.clone(),
            condition,
            window,
            timespan_ms,
            learn_ms: learn_ms.filter(|_| matches!(window, Window::FirstSeen { .. })),
            suppress_ms,
        })
    })
}

fn measured() -> impl Strategy<Value = Measured> {
    let order = || select(vec![Order::Any, Order::AsListed]);
    let clauses = prop::collection::vec(prop::array::uniform4(0..3_u8), 1..3);
    prop_oneof![
        3 => Just(Measured::EventCount),
        2 => Just(Measured::ValueCount),
        2 => order().prop_map(|order| Measured::Temporal(order, None)),
        2 => (order(), clauses).prop_map(|(order, clauses)| Measured::Temporal(order, Some(clauses))),
        1 => Just(Measured::Sum),
        1 => Just(Measured::Average),
        1 => select(vec![1, 25, 50, 90, 100]).prop_map(Measured::Percentile),
        1 => Just(Measured::Median),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        3 => Just(Window::Sliding),
        1 => Just(Window::Tumbling),
        1 => Just(Window::Anchored),
        1 => (1..15_u64).prop_map(|gap_ms| Window::Session { gap_ms }),
        1 => prop::option::of(1..20_u64).prop_map(|forget_ms| Window::FirstSeen { forget_ms }),
    ]
}

fn condition(measure: &Measured, window: Window) -> BoxedStrategy<Vec<Comparison>> {
    if matches!(window, Window::FirstSeen { .. }) {
        return Just(vec![Comparison { operator: Operator::Eq, value: Decimal::whole(1) }]).boxed();
    }
    let operator = select(vec![
        Operator::Gte,
        Operator::Gte,
        Operator::Gt,
        Operator::Eq,
        Operator::Neq,
        Operator::Lte,
        Operator::Lt,
    ]);
    let bound = match measure {
        Measured::Temporal(_, Some(_)) => return Just(Vec::new()).boxed(),
        Measured::EventCount | Measured::ValueCount | Measured::Temporal(_, None) => {
            (1..5_u64).prop_map(Decimal::whole).boxed()
        }
        _ => select(vec!["-2.5", "0", "0.5", "1", "3", "10"])
            .prop_map(|text| Decimal::parse(text).unwrap_or_default())
            .boxed(),
    };
    let comparison = (operator, bound).prop_map(|(operator, value)| Comparison { operator, value });
    prop::collection::vec(comparison, 1..3).boxed()
}

/// The correlations over so many detections: sources chosen, levels and what is handed on worked out.
pub(super) fn link(detections: usize, drafts: &[Draft]) -> Vec<Correlation> {
    let mut made: Vec<Correlation> = Vec::new();
    for draft in drafts {
        let below: Vec<usize> = (0..detections + made.len())
            .filter(|&rule| level_of(rule, detections, &made).is_none_or(|level| level + 1 < LEVELS_MAX))
            .collect();
        let mut sources: Vec<usize> = Vec::new();
        for index in &draft.sources {
            let rule = *index.get(&below);
            if !sources.contains(&rule) {
                sources.push(rule);
            }
        }
        let level = sources.iter().filter_map(|&rule| level_of(rule, detections, &made)).max();
        made.push(draft.made(&sources, level.map_or(0, |level| level + 1)));
    }
    // What stands above a correlation comes behind it.
    for index in (0..made.len()).rev() {
        let onward = onward(rule_index(detections + index), &made, detections);
        made[index].onward = onward;
    }
    for index in 0..made.len() {
        let onward = made[index].onward.clone();
        for source in &mut made[index].sources {
            let rule = position(source.rule);
            if rule < detections {
                source.reads = drafts[index].reads(rule);
                let above = onward.iter().map(|entry| position(entry.correlation) - detections);
                source.onward = above.map(|above| drafts[above].reads(rule)).collect();
            }
        }
    }
    made
}

fn onward(of: RuleIndex, made: &[Correlation], detections: usize) -> Vec<Onward> {
    let mut entries = Vec::new();
    for (index, above) in made.iter().enumerate() {
        for (number, _) in above.sources.iter().enumerate().filter(|(_, source)| source.rule == of) {
            entries.push(Onward {
                correlation: rule_index(detections + index),
                source: u32::try_from(number).unwrap_or(u32::MAX),
                above: u32::try_from(above.onward.len()).unwrap_or(u32::MAX),
            });
            entries.extend(above.onward.iter().copied());
        }
    }
    entries
}

fn level_of(rule: usize, detections: usize, made: &[Correlation]) -> Option<u32> {
    made.get(rule.checked_sub(detections)?).map(|correlation| correlation.level)
}

fn rule_index(rule: usize) -> RuleIndex {
    RuleIndex(u32::try_from(rule).unwrap_or(u32::MAX))
}

fn position(rule: RuleIndex) -> usize {
    usize::try_from(rule.0).unwrap_or(usize::MAX)
}

impl Draft {
    fn made(&self, sources: &[usize], level: u32) -> Correlation {
        let source =
            |&rule: &usize| Source { rule: rule_index(rule), reads: Reads::default(), onward: Vec::new() };
        let named =
            |fields: &[FieldId]| fields.iter().map(|field| format!("f{}", field.0)).collect::<Vec<_>>();
        Correlation {
            sources: sources.iter().map(source).collect(),
            group_by: named(&self.group_by),
            measure: self.measure(sources.len()),
            condition: self.condition.clone(),
            window: self.window,
            timespan_ms: self.timespan_ms,
            observed: self
                .observed
                .iter()
                .map(|(field, values)| Observed {
                    name: format!("f{}", field.0),
                    values: *values,
                    distinct: true,
                })
                .collect(),
            learn_ms: self.learn_ms,
            suppress_ms: self.suppress_ms,
            level,
            onward: Vec::new(),
        }
    }

    fn measured_fields(&self) -> &[FieldId] {
        match self.measure {
            Measured::EventCount | Measured::Temporal(..) => &[],
            Measured::ValueCount => &self.read,
            _ => self.read.get(..1).unwrap_or_default(),
        }
    }

    fn reads(&self, detection: usize) -> Reads {
        let mut group_by = self.group_by.clone();
        if self.reversed == Some(detection) {
            group_by.reverse();
        }
        Reads {
            group_by,
            measured: self.measured_fields().to_vec(),
            observed: self.observed.iter().map(|(field, _)| *field).collect(),
        }
    }

    fn measure(&self, sources: usize) -> Measure {
        let field = || self.read.first().map_or_else(String::new, |field| format!("f{}", field.0));
        match &self.measure {
            Measured::EventCount => Measure::EventCount,
            Measured::ValueCount => {
                Measure::ValueCount(self.read.iter().map(|field| format!("f{}", field.0)).collect())
            }
            Measured::Temporal(order, clauses) => Measure::Temporal {
                order: *order,
                clauses: clauses
                    .as_ref()
                    .map(|clauses| clauses.iter().map(|says| clause(says, sources)).collect()),
            },
            Measured::Sum => Measure::Sum(field()),
            Measured::Average => Measure::Average(field()),
            Measured::Percentile(rank) => Measure::Percentile(field(), *rank),
            Measured::Median => Measure::Median(field()),
        }
    }
}

/// A clause that asks for at least one source.
fn clause(says: &[u8; 4], sources: usize) -> Clause {
    let of = |word: u8| -> Vec<u32> {
        let positions = (0_u32..).zip(says).take(sources);
        positions.filter(|(_, says)| **says == word).map(|(position, _)| position).collect()
    };
    let (mut seen, mut unseen) = (of(1), of(2));
    if seen.is_empty() {
        seen.push(0);
        unseen.retain(|&position| position != 0);
    }
    Clause { seen, unseen }
}
