//! Correlations.

mod chain;
mod clauses;
mod source;
mod temporal;
mod threshold;

pub(crate) use chain::Chains;
pub(super) use threshold::is_first;

use super::{
    Draft, Lowering,
    detection::{level, strict_fields},
    window::{learn_ms, window},
};
use crate::{diagnostic::Notes, document::Document, quantity::duration_ms, sigma::Syntax, yaml::Map};
use chain::{CHAIN_LENGTH_MAX, ONWARD_MAX, Place};
use rsigma_parser::{CorrelationRule, CorrelationType};
use source::Names;
use tripwasm_plan::{Action, Comparison, Correlation, Logic, Measure, Onward, Rule, RuleIndex, Source};

/// Where documents stand in the plan: the rule of each, `None` for one that is left out.
pub(crate) type Position = Option<RuleIndex>;

/// A correlation and the places of its parts.
pub(super) struct Parts<'d> {
    position: usize,
    pub(super) draft: &'d Draft<'d>,
    pub(super) rule: &'d CorrelationRule,
    pub(super) map: &'d Map,
    names: Names<'d>,
}

impl<'c> Lowering<'c> {
    /// The rule of a correlation document.
    pub(crate) fn correlation(
        &mut self,
        position: usize,
        chains: &Chains,
        notes: &mut Notes<'_>,
    ) -> Option<Rule> {
        let draft = self.draft(position)?;
        refuse_detection_keys(draft, notes);
        let sources = self.sources(draft, notes);
        let map = draft.document.root.as_ref()?.get("correlation")?.as_map()?;
        let level = self.level(draft, position, chains, notes);
        let onward = self.onward(draft, position, chains, notes);
        let Some(Syntax::Correlation(rule)) = &draft.syntax else { return None };
        let parts = Parts { position, draft, rule, map, names: Names::of(draft)? };
        let window = window(&parts, notes);
        let sources = sources?;
        let measure = self.measure(&parts, &sources, notes);
        self.check_aliases(&parts, &sources, notes)?;
        let lowered: Vec<Option<Source>> =
            sources.iter().map(|&base| self.source(&parts, base, chains, notes)).collect();
        let (measure, condition) = measure?;
        let window = window?;
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let correlation = Correlation {
            sources: lowered.into_iter().collect::<Option<_>>()?,
            group_by: owned(&parts.names.group_by),
            measure,
            condition,
            window,
            timespan_ms: duration_ms(&rule.timespan.original).ok()?,
            learn_ms: learn_ms(&parts, window, notes)?,
            suppress_ms: draft.suppress_ms.or(draft.block.suppress_ms.map(|(suppress, _)| suppress)),
            level: level?,
            onward: onward?,
            observed: draft.block.observed.iter().map(|(observed, _)| observed.clone()).collect(),
        };
        Some(plan_rule(rule, Logic::Correlation(correlation)))
    }

    fn measure(
        &self,
        parts: &Parts<'_>,
        sources: &[usize],
        notes: &mut Notes<'_>,
    ) -> Option<(Measure, Vec<Comparison>)> {
        if !matches!(
            parts.rule.correlation_type,
            CorrelationType::Temporal | CorrelationType::TemporalOrdered
        ) {
            return threshold::measure(parts, notes);
        }
        let documents: Vec<&Document<'_>> =
            sources.iter().filter_map(|&base| self.draft(base)).map(|draft| draft.document).collect();
        temporal::measure(parts, &documents, notes)
    }

    /// How many correlations stand below, if they stand on detections in the end.
    fn level(
        &self,
        draft: &Draft<'_>,
        position: usize,
        chains: &Chains,
        notes: &mut Notes<'_>,
    ) -> Option<u32> {
        let (message, remedy, next) = match chains.place(position) {
            Place::Level(level) => return Some(level),
            Place::OverCircle => return None,
            Place::Circle(path) => {
                let labels = path.iter().filter_map(|&document| self.draft(document));
                let labels: Vec<String> = labels.map(|draft| draft.document.label()).collect();
                let message = format!("correlations refer to each other: `{}`", labels.join("` -> `"));
                (message, "break the circle", path.get(1).copied())
            }
            Place::TooHigh => {
                let message = format!("more than {CHAIN_LENGTH_MAX} correlations stand on each other here");
                (message, "put some of them into one", None)
            }
        };
        let references = draft.document.references();
        let leading =
            references.iter().find(|(text, _)| next.is_some() && self.context.index.find(text) == next);
        let span = leading.map_or(draft.document.key_span("correlation"), |(_, span)| *span);
        notes.error(span, message, remedy);
        None
    }

    fn onward(
        &self,
        draft: &Draft<'_>,
        position: usize,
        chains: &Chains,
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Onward>> {
        let Some(steps) = chains.onward(position) else {
            let message = format!("more than {ONWARD_MAX} correlations stand over this one");
            notes.error(draft.document.key_span("correlation"), message, "put some of them into one");
            return None;
        };
        steps
            .iter()
            .map(|step| {
                let correlation = chains.position(*step.path.last()?)?;
                Some(Onward { correlation, source: step.source, above: step.above })
            })
            .collect()
    }
}

fn plan_rule(rule: &CorrelationRule, logic: Logic) -> Rule {
    Rule {
        id: rule.id.clone(),
        name: rule.name.clone(),
        title: rule.title.clone(),
        level: rule.level.map(level),
        tags: rule.tags.clone(),
        author: rule.author.clone(),
        action: Action::Tag,
        reported: true,
        logic,
    }
}

fn refuse_detection_keys(draft: &Draft<'_>, notes: &mut Notes<'_>) {
    strict_fields(draft, None, notes);
    if let Some((_, span)) = draft.block.action {
        notes.error(
            span,
            "`action` in a correlation has no effect",
            "write it in the rule whose events it is about",
        );
    }
}
