//! Sigma filters: conditions that are joined to those of other rules with `and`.

use super::{Draft, Lowering, builder::all, condition, correlation::Position, detection::strict_fields};
use crate::{
    check::{FILTER_KEYS, Kind, log_source_of},
    diagnostic::{Diagnostic, Notes},
    sigma::Syntax,
    source::Span,
};
use tripwasm_plan::{Condition, RuleIndex};

/// A filter that is in the plan, as part of the rules that it is for.
#[derive(Debug)]
pub(crate) struct Filter<'c> {
    pub(crate) draft: &'c Draft<'c>,
    condition: Condition,
    /// The documents that it is for, ascending.
    documents: Vec<usize>,
    /// Their rules in the plan, parallel to `documents`.
    pub(crate) rules: Vec<RuleIndex>,
}

impl<'c> Lowering<'c> {
    /// The filters among the included documents; `positions`, `included` and `found` are parallel to the drafts.
    pub(crate) fn filters(
        &mut self,
        positions: &[Position],
        included: &[bool],
        found: &mut [Vec<Diagnostic>],
    ) -> Vec<Filter<'c>> {
        let mut filters = Vec::new();
        for (position, draft) in self.context.drafts.iter().enumerate() {
            let is_included = included.get(position).copied().unwrap_or(false);
            if !draft.document.is_filter() || !is_included {
                continue;
            }
            let mut notes = Notes::new(draft.document.source);
            filters.extend(self.filter(position, draft, positions, &mut notes));
            if let Some(found) = found.get_mut(position) {
                found.append(&mut notes.list);
            }
        }
        filters
    }

    fn filter(
        &mut self,
        position: usize,
        draft: &'c Draft<'c>,
        positions: &[Position],
        notes: &mut Notes<'_>,
    ) -> Option<Filter<'c>> {
        let node = draft.document.root.as_ref()?.get("filter")?;
        strict_fields(draft, node.as_map(), notes);
        let documents = self.filtered_documents(draft, positions, notes);
        let selections = self.named_selections(position, node, &FILTER_KEYS, notes);
        let Some(Syntax::Filter(rule)) = &draft.syntax else { return None };
        let span =
            node.as_map().and_then(|map| map.entry("condition")).map_or(node.span, |entry| entry.node.span);
        let condition = condition::lower(&rule.detection.conditions, &selections?, span, notes)?;
        let documents = documents?;
        let rules = documents.iter().filter_map(|&document| positions.get(document).copied().flatten());
        let rules: Vec<RuleIndex> = rules.collect();
        if rules.is_empty() {
            let message = "this filter is for no rule of the run";
            notes.warning(draft.document.key_span("filter"), message, "check its `logsource` and `rules`");
        }
        Some(Filter { draft, condition, documents, rules })
    }

    /// The documents that a filter names and whose log source it fits.
    fn filtered_documents(
        &self,
        draft: &Draft<'_>,
        positions: &[Position],
        notes: &mut Notes<'_>,
    ) -> Option<Vec<usize>> {
        let own = log_source_of(draft.document);
        let fits = |document: usize| {
            self.draft(document).is_some_and(|draft| own.accepts(&log_source_of(draft.document)))
        };
        let is_built = |document: usize| positions.get(document).is_some_and(Option::is_some);
        let references = draft.document.filter_references();
        if let [(word, _)] = references.as_slice()
            && is_for_all(draft, word)
            && self.context.index.find(word).is_none()
        {
            let detections = self.context.drafts.iter().enumerate();
            let detections = detections.filter(|(_, draft)| draft.kind == Some(Kind::Detection));
            let documents = detections.map(|(position, _)| position);
            return Some(documents.filter(|&document| fits(document) && is_built(document)).collect());
        }
        let found: Vec<Option<usize>> =
            references.iter().map(|&(name, span)| self.filtered_rule(name, span, notes)).collect();
        for (&(name, span), &document) in references.iter().zip(&found) {
            if document.is_some_and(|document| !fits(document)) {
                let message =
                    format!("the filter's `logsource` does not fit that of `{name}`, which stays unfiltered");
                notes.warning(span, message, "write the log source that both have");
            }
        }
        let mut documents: Vec<usize> = found.into_iter().collect::<Option<_>>()?;
        documents.retain(|&document| fits(document) && is_built(document));
        documents.sort_unstable();
        documents.dedup();
        Some(documents)
    }

    fn filtered_rule(&self, name: &str, span: Span, notes: &mut Notes<'_>) -> Option<usize> {
        let found = self.referred(name, span, notes)?;
        if self.draft(found)?.kind == Some(Kind::Correlation) {
            let message = format!("`{name}` is a correlation: filters are for detections");
            notes.error(span, message, "name the rules under it");
            return None;
        }
        Some(found)
    }

    /// A rule's condition and those of the filters for it.
    pub(crate) fn filtered(
        &self,
        condition: Condition,
        position: usize,
        filters: &[Filter<'_>],
        span: Span,
        notes: &mut Notes<'_>,
    ) -> Option<Condition> {
        let own = filters.iter().filter(|filter| filter.documents.binary_search(&position).is_ok());
        let can_match = self.contradiction(position, &condition).is_none();
        let mut parts = vec![condition.clone()];
        for filter in own {
            let joined = Condition::All(vec![condition.clone(), filter.condition.clone()]);
            if let Some(contradiction) = self.contradiction(position, &joined).filter(|_| can_match) {
                let label = filter.draft.document.label();
                let message = format!("the filter `{label}` leaves nothing of this rule: {contradiction}");
                let remedy = "check the filter's condition: `not selection` leaves a selection out";
                notes.warning(span, message, remedy);
            }
            parts.push(filter.condition.clone());
        }
        condition::bounded(all(parts), span, notes)
    }
}

/// Whether `rules` is the word for every rule that the log source fits.
fn is_for_all(draft: &Draft<'_>, word: &str) -> bool {
    let filter =
        draft.document.root.as_ref().and_then(|root| root.get("filter")).and_then(|node| node.as_map());
    let is_word = filter.and_then(|map| map.get("rules")).is_some_and(|node| node.as_list().is_none());
    is_word && matches!(word, "any" | "all")
}
