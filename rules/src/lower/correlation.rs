//! Correlations.

use super::{
    Draft, Lowering,
    detection::{level, strict_fields},
    field::Owner,
    window::{Frame, frame},
};
use crate::{
    check::Kind,
    diagnostic::Notes,
    quantity::duration_ms,
    sigma::Syntax,
    source::Span,
    spelling::nearest,
    yaml::{Map, Node},
};
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType};
use std::collections::BTreeSet;
use tripwasm_plan::{
    Action, Comparison, Correlation, Decimal, FieldId, Logic, Measure, Operator, Reads, Rule, RuleIndex,
    Source, Window,
};

/// Where documents stand in the plan: the rule of each, `None` for one that is left out.
pub(crate) type Position = Option<RuleIndex>;

/// A correlation and the places of its parts.
struct Parts<'d> {
    position: usize,
    draft: &'d Draft<'d>,
    rule: &'d CorrelationRule,
    map: &'d Map,
}

impl Lowering<'_> {
    /// The rule of a correlation document; `positions` is parallel to the drafts.
    pub(crate) fn correlation(
        &mut self,
        position: usize,
        positions: &[Position],
        notes: &mut Notes<'_>,
    ) -> Option<Rule> {
        let draft = self.draft(position)?;
        refuse_detection_keys(draft, notes);
        let sources = self.sources(draft, notes);
        let map = draft.document.root.as_ref()?.get("correlation")?.as_map()?;
        let frame = frame(draft, map, notes);
        let Some(Syntax::Correlation(rule)) = &draft.syntax else { return None };
        let parts = Parts { position, draft, rule, map };
        let (measure, condition) = measure(&parts, notes)?;
        let timespan_ms = duration_ms(&rule.timespan.original).ok()?;
        let window = window(&parts, frame?, timespan_ms, notes);
        let sources = sources?;
        self.check_aliases(&parts, &measure, &sources, notes);
        let lowered: Vec<Option<Source>> =
            sources.iter().map(|&base| self.source(&parts, base, &measure, positions, notes)).collect();
        let correlation = Correlation {
            sources: lowered.into_iter().collect::<Option<_>>()?,
            group_by: rule.group_by.clone(),
            measure,
            condition,
            window: window?,
            timespan_ms,
            learn_ms: None,
            suppress_ms: None,
            level: 0,
            onward: Vec::new(),
            observed: draft.block.observed.iter().map(|(observed, _)| observed.clone()).collect(),
        };
        Some(Rule {
            id: rule.id.clone(),
            name: rule.name.clone(),
            title: rule.title.clone(),
            level: rule.level.map(level),
            tags: rule.tags.clone(),
            author: rule.author.clone(),
            action: Action::Tag,
            reported: true,
            logic: Logic::Correlation(correlation),
        })
    }

    /// The documents that a correlation refers to.
    fn sources(&self, draft: &Draft<'_>, notes: &mut Notes<'_>) -> Option<Vec<usize>> {
        let found: Vec<Option<usize>> = draft
            .document
            .references()
            .into_iter()
            .map(|(reference, span)| self.referred(reference, span, notes))
            .collect();
        found.into_iter().collect()
    }

    fn referred(&self, reference: &str, span: Span, notes: &mut Notes<'_>) -> Option<usize> {
        let index = self.context.index;
        let Some(found) = index.find(reference) else {
            let (message, remedy) = match index.titled(reference).and_then(|titled| self.draft(titled)) {
                Some(titled) => {
                    let place =
                        format!("{}:{}", titled.document.source.path, titled.document.key_span("title").line);
                    let message =
                        format!("`{reference}` is the title of the rule at {place}, not its name or id");
                    (message, "add `name:` to that rule and refer to it".to_owned())
                }
                None => {
                    let near = nearest(reference, index.known());
                    let remedy = near
                        .map_or("build it together with the rule, in any file".to_owned(), |near| {
                            format!("did you mean `{near}`?")
                        });
                    (format!("no rule has the name or id `{reference}`"), remedy)
                }
            };
            notes.error(span, message, remedy);
            return None;
        };
        match self.draft(found)?.kind {
            Some(Kind::Correlation) => {
                notes.unsupported(span, format!("a correlation over a correlation (`{reference}`)"));
                None
            }
            Some(Kind::Detection) | None => Some(found),
        }
    }

    /// Aliases have to name rules of the correlation, and should be used.
    fn check_aliases(&self, parts: &Parts<'_>, measure: &Measure, sources: &[usize], notes: &mut Notes<'_>) {
        let mut used: BTreeSet<&str> = parts.rule.group_by.iter().map(String::as_str).collect();
        used.extend(parts.draft.block.observed.iter().map(|(observed, _)| observed.name.as_str()));
        if let Measure::ValueCount(fields) = measure {
            used.extend(fields.iter().map(String::as_str));
        }
        for entry in parts.map.get("aliases").and_then(Node::as_map).iter().flat_map(|map| &map.entries) {
            if !used.contains(entry.key.as_str()) {
                let remedy = "use it in `group-by`, `field` or `alert`, or remove it";
                notes.warning(entry.key_span, format!("alias `{}` is not used", entry.key), remedy);
            }
            for rule in entry.node.as_map().iter().flat_map(|map| &map.entries) {
                if self.context.index.find(&rule.key).is_some_and(|found| sources.contains(&found)) {
                    continue;
                }
                let remedy = nearest(&rule.key, parts.rule.rules.iter().map(String::as_str))
                    .map_or("name a rule of `rules`".to_owned(), |near| format!("did you mean `{near}`?"));
                let message =
                    format!("alias `{}` names `{}`, which `rules` does not list", entry.key, rule.key);
                notes.error(rule.key_span, message, remedy);
            }
        }
    }

    /// One rule referred to, with its own fields behind the correlation's names.
    fn source(
        &mut self,
        parts: &Parts<'_>,
        base: usize,
        measure: &Measure,
        positions: &[Position],
        notes: &mut Notes<'_>,
    ) -> Option<Source> {
        let observed: Vec<String> =
            parts.draft.block.observed.iter().map(|(observed, _)| observed.name.clone()).collect();
        let reads = Reads {
            group_by: self.source_fields(parts, base, &parts.rule.group_by, notes)?,
            measured: self.source_fields(parts, base, measure.fields(), notes)?,
            observed: self.source_fields(parts, base, &observed, notes)?,
        };
        let rule = positions.get(base).copied().flatten().unwrap_or(RuleIndex(0));
        Some(Source { rule, reads, onward: Vec::new() })
    }

    fn source_fields(
        &mut self,
        parts: &Parts<'_>,
        base: usize,
        names: &[String],
        notes: &mut Notes<'_>,
    ) -> Option<Vec<FieldId>> {
        names.iter().map(|name| self.source_field(parts, base, name, notes)).collect()
    }

    /// A correlation's name in the events of one of its rules. An alias names the rule's own field; other names are
    /// the correlation's calculated fields, then the rule's, then paths.
    fn source_field(
        &mut self,
        parts: &Parts<'_>,
        base: usize,
        name: &str,
        notes: &mut Notes<'_>,
    ) -> Option<FieldId> {
        let Some(alias) = parts.rule.aliases.iter().find(|alias| alias.alias == name) else {
            let of_rule = self.defines(base, name) && !self.defines(parts.position, name);
            let owner = if of_rule { base } else { parts.position };
            return self.field(Owner::Document(owner), name, notes);
        };
        let document = self.draft(base)?.document;
        let own = ["name", "id"].iter().find_map(|key| alias.mapping.get(document.text(key)?));
        match own {
            Some(field) if self.defines(base, field) || !self.defines(parts.position, field) => {
                self.field(Owner::Document(base), field, notes)
            }
            Some(field) => self.field(Owner::Document(parts.position), field, notes),
            None => {
                let span = alias_span(parts.map, name).unwrap_or(parts.draft.document.span);
                let message = format!("alias `{name}` names no field of rule `{}`", document.label());
                notes.error(span, message, format!("add `{}: its_field`", document.label()));
                None
            }
        }
    }
}

fn measure(parts: &Parts<'_>, notes: &mut Notes<'_>) -> Option<(Measure, Vec<Comparison>)> {
    let CorrelationCondition::Threshold { predicates, field, .. } = &parts.rule.condition else {
        return None;
    };
    let comparisons: Vec<Comparison> = predicates
        .iter()
        .map(|&(operator, value)| Comparison {
            operator: plan_operator(operator),
            value: Decimal::whole(value),
        })
        .collect();
    let span = parts.map.entry("condition").map_or(parts.draft.document.span, |entry| entry.key_span);
    if holds(&comparisons, 0) {
        let message = "this condition holds where nothing happens, and silence starts no window";
        notes.error(span, message, "add a lower bound such as `gte: 1`");
        return None;
    }
    let candidates =
        predicates.iter().flat_map(|&(_, value)| [value.saturating_sub(1), value, value.saturating_add(1)]);
    if !candidates.into_iter().any(|count| holds(&comparisons, count)) {
        notes.error(span, "this condition can never hold", "correct its bounds");
        return None;
    }
    let measure = match parts.rule.correlation_type {
        CorrelationType::ValueCount => Measure::ValueCount(field.clone()?),
        _ => Measure::EventCount,
    };
    Some((measure, comparisons))
}

fn holds(comparisons: &[Comparison], count: u64) -> bool {
    let count = Decimal::whole(count);
    comparisons.iter().all(|comparison| match comparison.operator {
        Operator::Lt => count < comparison.value,
        Operator::Lte => count <= comparison.value,
        Operator::Gt => count > comparison.value,
        Operator::Gte => count >= comparison.value,
        Operator::Eq => count == comparison.value,
        Operator::Neq => count != comparison.value,
    })
}

fn plan_operator(operator: ConditionOperator) -> Operator {
    match operator {
        ConditionOperator::Lt => Operator::Lt,
        ConditionOperator::Lte => Operator::Lte,
        ConditionOperator::Gt => Operator::Gt,
        ConditionOperator::Gte => Operator::Gte,
        ConditionOperator::Eq => Operator::Eq,
        ConditionOperator::Neq => Operator::Neq,
    }
}

fn window(parts: &Parts<'_>, frame: Frame, timespan_ms: u64, notes: &mut Notes<'_>) -> Option<Window> {
    let CorrelationCondition::Threshold { predicates, .. } = &parts.rule.condition else { return None };
    let first_seen = frame == Frame::Sliding
        && parts.rule.correlation_type == CorrelationType::EventCount
        && predicates.as_slice() == [(ConditionOperator::Eq, 1)];
    if let Some((_, span)) = parts.draft.block.forget_ms.filter(|_| !first_seen) {
        let remedy = "first-seen is `event_count` with `eq: 1` alone in a sliding window";
        notes.error(span, "`forget` of a correlation that is not first-seen", remedy);
        return None;
    }
    let forget = parts.draft.forget_ms.or(parts.draft.block.forget_ms.map(|(forget, _)| forget));
    Some(match frame {
        Frame::Sliding if first_seen => Window::FirstSeen { forget_ms: forget.unwrap_or(Some(timespan_ms)) },
        Frame::Sliding => Window::Sliding,
        Frame::Tumbling => Window::Tumbling,
        Frame::Anchored => Window::Anchored,
        Frame::Session { gap_ms } => Window::Session { gap_ms },
    })
}

fn alias_span(map: &Map, name: &str) -> Option<Span> {
    map.get("aliases")
        .and_then(Node::as_map)
        .and_then(|aliases| aliases.entry(name))
        .map(|entry| entry.key_span)
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
