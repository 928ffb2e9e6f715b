//! Plans that the lowering could have made.

use super::correlations::{Draft, correlation, link};
use super::predicates::{PATH_PREDICATES, calculation, condition, predicate, scopes};
use proptest::prelude::*;
use std::fmt;
use std::ops::Deref;
use tripwasm_plan::{
    Action, CaseRule, Condition, Field, FieldId, FieldSource, Logic, Pattern, Plan, Predicate, PredicateId,
    Rule, Settings, Test, Types,
};

/// Event paths of a plan that is about matching; the event's leaves and calculated fields stand behind them.
const PATHS: [&str; 12] = ["t", "id", "g", "a", "b", "o", "o.k", "l", "l.k", "o.k.m", "l[0]", "l[-1].k"];
const CALCULATED: u32 = 3;
const PREDICATES: u32 = 6;
const DETECTIONS: usize = 3;

/// Event paths of a plan that is about correlations.
const FACT_PATHS: [&str; 7] = ["t", "id", "k", "g", "h", "n", "u"];
/// Values of `k`, one a detection.
const KINDS: [&str; 4] = ["p", "q", "r", "s"];

/// A generated plan; failures show it in few lines.
#[derive(Clone)]
pub struct Generated(pub Plan);

impl Deref for Generated {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            writeln!(f, "rule {index}, reported {}: {:?}", rule.reported, rule.logic)?;
        }
        for (index, predicate) in self.predicates.iter().enumerate() {
            writeln!(f, "predicate {index}: {predicate:?}")?;
        }
        for (index, scope) in self.scopes.iter().enumerate() {
            writeln!(f, "scope {index}: {scope:?}")?;
        }
        let fields: Vec<_> = self.fields.iter().map(|field| &field.source).collect();
        write!(f, "fields: {fields:?}\n{:?}", self.settings)
    }
}

/// A plan with every kind of test, and a few correlations.
pub fn plan() -> impl Strategy<Value = Generated> {
    let paths = u32::try_from(PATHS.len()).unwrap_or(u32::MAX) + 1;
    let fields = paths + CALCULATED;
    let calculated: Vec<_> = (paths..fields).map(|below| calculation(below).boxed()).collect();
    let predicates: Vec<_> = (0..PREDICATES)
        .map(|index| predicate(if index < PATH_PREDICATES { paths } else { fields }).boxed())
        .collect();
    let detections = prop::collection::vec((condition(PREDICATES), any::<bool>()), DETECTIONS);
    let group = prop::sample::subsequence(vec![FieldId(2)], 0..=1);
    let read = || (0..fields).prop_map(FieldId);
    let correlations = prop::collection::vec(correlation(group, read()), 0..3);
    (calculated, predicates, scopes(), detections, correlations).prop_map(
        |(calculated, predicates, scopes, detections, correlations)| {
            let calculated = calculated
                .into_iter()
                .map(|calculation| Field { name: "c".into(), source: FieldSource::Calculated(calculation) });
            let leaves = Field { name: "leaves".into(), source: FieldSource::Leaves };
            Generated(Plan {
                rules: rules(detections, &correlations),
                fields: PATHS.map(path).into_iter().chain([leaves]).chain(calculated).collect(),
                predicates,
                scopes,
                time: vec![FieldId(0)],
                event_id: vec![FieldId(1)],
                settings: Settings::default(),
            })
        },
    )
}

/// A plan with plain detections, and correlations of every kind over them and over each other.
pub fn correlation_plan() -> impl Strategy<Value = Generated> {
    let group = prop::sample::subsequence(vec![FieldId(3), FieldId(4)], 0..=2);
    let read = prop_oneof![2 => Just(FieldId(5)), 1 => Just(FieldId(6))];
    let correlations = prop::collection::vec(correlation(group, read), 1..5);
    let reported = prop::collection::vec(any::<bool>(), KINDS.len());
    let learn_from = prop::option::of(-10..40_i64);
    (reported, correlations, learn_from).prop_map(|(reported, correlations, learn_from)| {
        let is_kind = |kind: &str| Predicate {
            field: FieldId(2),
            test: Test::Text {
                pattern: Pattern::Equals(kind.to_owned()),
                case: CaseRule::Fold,
                types: Types::Any,
            },
        };
        let holds = (0..).map(|predicate| Condition::Holds(PredicateId(predicate)));
        Generated(Plan {
            rules: rules(holds.zip(reported).collect(), &correlations),
            fields: FACT_PATHS.map(path).into(),
            predicates: KINDS.map(is_kind).into(),
            scopes: vec![],
            time: vec![FieldId(0)],
            event_id: vec![FieldId(1)],
            settings: Settings { learn_from, ..Settings::default() },
        })
    })
}

fn path(path: &str) -> Field {
    Field { name: path.into(), source: FieldSource::Path(path.into()) }
}

fn rules(detections: Vec<(Condition, bool)>, correlations: &[Draft]) -> Vec<Rule> {
    let linked = link(detections.len(), correlations).into_iter().zip(correlations);
    let correlations = linked.map(|(correlation, draft)| (Logic::Correlation(correlation), draft.reported));
    let detections =
        detections.into_iter().map(|(condition, reported)| (Logic::Detection(condition), reported));
    detections
        .chain(correlations)
        .enumerate()
        .map(|(index, (logic, reported))| Rule {
            id: None,
            name: Some(format!("rule_{index}")),
            title: format!("Rule {index}"),
            level: None,
            tags: vec![],
            author: None,
            action: Action::Tag,
            reported,
            logic,
        })
        .collect()
}
