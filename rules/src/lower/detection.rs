//! Detection rules.

use super::{
    Draft, Lowering,
    condition::{self, Named},
    field::Owner,
    filter::Filter,
    member::SCOPE_DEPTH_MAX,
    path::{self, Brackets, FieldPath},
};
use crate::{
    diagnostic::Notes,
    sigma::Syntax,
    spelling::{near_miss, suggestion},
    yaml::{Map, Node},
};
use rsigma_parser::{Level, SigmaRule};
use std::collections::BTreeSet;
use tripwasm_plan::{Action, Logic, Rule};

impl Lowering<'_> {
    /// The rule of a detection document, with the conditions of the filters that are for it. Its selections are read
    /// even if the parser refused it, so that all of its errors show at once.
    pub(crate) fn detection(
        &mut self,
        position: usize,
        filters: &[Filter<'_>],
        notes: &mut Notes<'_>,
    ) -> Option<Rule> {
        let draft = self.draft(position)?;
        let detection = draft.document.root.as_ref()?.get("detection")?;
        refuse_correlation_keys(draft, notes);
        strict_fields(draft, detection.as_map(), notes);
        let selections = self.named_selections(position, detection, &["condition", "timeframe"], notes);
        let Some(Syntax::Rule(rule)) = &draft.syntax else { return None };
        let span = detection.as_map().and_then(|map| map.entry("condition")).map(|entry| entry.node.span);
        let span = span.unwrap_or(detection.span);
        let condition = condition::lower(&rule.detection.conditions, &selections?, span, notes)?;
        if let Some(contradiction) = self.contradiction(position, &condition) {
            notes.warning(span, format!("this rule can never match: {contradiction}"), "check the condition");
        }
        let condition = self.filtered(condition, position, filters, span, notes)?;
        Some(plan_rule(rule, draft, Logic::Detection(condition)))
    }

    /// The selections in a map, in its order; keys that are `reserved` are none.
    pub(crate) fn named_selections<'n>(
        &mut self,
        position: usize,
        node: &'n Node,
        reserved: &[&str],
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Named<'n>>> {
        let map = node.as_map()?;
        let has_condition = map.get("condition").is_some();
        // Without a condition, a slip for it was reported already and is no selection.
        let is_reserved =
            |key: &str| reserved.contains(&key) || !has_condition && near_miss(key, &["condition"]).is_some();
        let mut selections = Vec::new();
        for entry in map.entries.iter().filter(|entry| !is_reserved(&entry.key)) {
            let name = format!("`{}`", entry.key);
            let condition = self.selection(Owner::Document(position), &entry.node, &name, notes);
            selections.push(condition.map(|condition| (entry.key.as_str(), condition)));
        }
        selections.into_iter().collect()
    }
}

fn plan_rule(rule: &SigmaRule, draft: &Draft<'_>, logic: Logic) -> Rule {
    Rule {
        id: rule.id.clone(),
        name: rule.name.clone(),
        title: rule.title.clone(),
        level: rule.level.map(level),
        tags: rule.tags.clone(),
        author: rule.author.clone(),
        action: draft.action.or(draft.block.action.map(|(action, _)| action)).unwrap_or(Action::Tag),
        reported: true,
        logic,
    }
}

/// Sigma's level in the plan's words.
pub(crate) fn level(level: Level) -> tripwasm_plan::Level {
    match level {
        Level::Informational => tripwasm_plan::Level::Informational,
        Level::Low => tripwasm_plan::Level::Low,
        Level::Medium => tripwasm_plan::Level::Medium,
        Level::High => tripwasm_plan::Level::High,
        Level::Critical => tripwasm_plan::Level::Critical,
    }
}

fn refuse_correlation_keys(draft: &Draft<'_>, notes: &mut Notes<'_>) {
    let block = &draft.block;
    let keys = [
        ("window", block.window.map(|(_, span)| span)),
        ("gap", block.gap_ms.map(|(_, span)| span)),
        ("forget", block.forget_ms.map(|(_, span)| span)),
        ("learn", block.learn_ms.map(|(_, span)| span)),
        ("suppress", block.suppress_ms.map(|(_, span)| span)),
        ("alert", block.alert),
    ];
    for (key, span) in keys {
        if let Some(span) = span {
            let message = format!("`{key}` of a detection rule has no effect");
            notes.error(span, message, "write it in the correlation over this rule");
        }
    }
}

/// A name in `strict` that no selection reads is a slip.
pub(crate) fn strict_fields(draft: &Draft<'_>, detection: Option<&Map>, notes: &mut Notes<'_>) {
    let mut fields = FieldsRead {
        brackets: Brackets::of_version(draft.document.sigma_version()),
        unheard: Notes::new(notes.source()),
        names: BTreeSet::new(),
    };
    for entry in detection.iter().flat_map(|map| &map.entries) {
        fields.add(&entry.node);
    }
    for entry in draft.block.fields.iter().flat_map(|map| &map.entries) {
        fields.add(&entry.node);
    }
    let read: Vec<&str> = fields.names.iter().map(String::as_str).collect();
    for (name, span) in &draft.block.strict {
        if !read.contains(name) {
            let message = format!("`strict` names `{name}`, which no selection of this rule reads");
            notes.error(*span, message, suggestion(name, &read));
        }
    }
}

/// Names of fields as comparisons know them: inside a member of an array, what stands behind the selector.
struct FieldsRead<'s> {
    brackets: Brackets,
    unheard: Notes<'s>,
    names: BTreeSet<String>,
}

impl FieldsRead<'_> {
    /// The keys of all maps inside, without modifiers.
    fn add(&mut self, node: &Node) {
        for item in node.as_list().unwrap_or_default() {
            self.add(item);
        }
        for entry in node.as_map().iter().flat_map(|map| &map.entries) {
            let mut field = entry.key.split('|').next().unwrap_or_default().to_owned();
            for _ in 0..=SCOPE_DEPTH_MAX {
                match path::read(&field, self.brackets, entry.key_span, &mut self.unheard) {
                    Some(FieldPath::Members { inside, .. }) => field = inside,
                    Some(FieldPath::Plain { path, .. }) => {
                        self.names.extend(Some(path).filter(|path| !path.is_empty()));
                        break;
                    }
                    None => break,
                }
            }
            self.add(&entry.node);
        }
    }
}
