//! The rules that a correlation refers to, and the fields it reads of their events.

use super::{Parts, chain::Chains};
use crate::{
    check::Kind,
    diagnostic::Notes,
    lower::{Draft, Lowering, field::Owner},
    spelling::nearest,
    yaml::{Map, Node},
};
use std::collections::BTreeSet;
use tripwasm_plan::{FieldId, Reads, RuleIndex, Source};

/// The names of the fields that a correlation reads.
#[derive(Debug, Default)]
pub(super) struct Names<'d> {
    pub(super) group_by: Vec<&'d str>,
    pub(super) measured: Vec<&'d str>,
    pub(super) observed: Vec<&'d str>,
}

impl<'d> Names<'d> {
    /// `None` if the document is no correlation, or was in error.
    pub(super) fn of(draft: &'d Draft<'d>) -> Option<Names<'d>> {
        let map = correlation(draft)?;
        let measured =
            map.get("condition").and_then(Node::as_map).and_then(|condition| condition.get("field"));
        Some(Names {
            group_by: map.get("group-by").map_or_else(|| Some(Vec::new()), texts)?,
            measured: measured.map_or_else(|| Some(Vec::new()), texts)?,
            observed: draft.block.observed.iter().map(|(observed, _)| observed.name.as_str()).collect(),
        })
    }

    fn all(&self) -> impl Iterator<Item = &'d str> + '_ {
        self.group_by.iter().chain(&self.measured).chain(&self.observed).copied()
    }
}

impl<'c> Lowering<'c> {
    /// The documents that a correlation refers to.
    pub(super) fn sources(&self, draft: &Draft<'_>, notes: &mut Notes<'_>) -> Option<Vec<usize>> {
        let references = draft.document.references();
        let found: Vec<Option<usize>> =
            references.iter().map(|&(reference, span)| self.referred(reference, span, notes)).collect();
        let sources: Vec<usize> = found.into_iter().collect::<Option<_>>()?;
        let listed: Vec<_> = references.iter().zip(&sources).collect();
        for (at, ((reference, span), base)) in listed.iter().enumerate() {
            let mut earlier = listed.iter().take(at);
            // The same text twice was reported where the document was checked.
            let same = earlier.find(|((name, _), other)| other == base && name != reference);
            if let Some(((name, _), _)) = same {
                let message = format!("`{reference}` is the rule that `rules` lists as `{name}`");
                notes.error(*span, message, "remove one of them");
                return None;
            }
        }
        Some(sources)
    }

    /// Aliases have to name rules of the correlation, and every one of them if they are used, as they should be.
    pub(super) fn check_aliases(
        &self,
        parts: &Parts<'_>,
        sources: &[usize],
        notes: &mut Notes<'_>,
    ) -> Option<()> {
        let used: BTreeSet<&str> = parts.names.all().collect();
        let mut complete = true;
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
                complete = false;
            }
            for &base in sources.iter().filter(|_| used.contains(entry.key.as_str())) {
                let Some(lower) = self.draft(base).filter(|lower| alias(&entry.node, lower).is_none()) else {
                    continue;
                };
                let label = lower.document.label();
                let message = format!("alias `{}` names no field of rule `{label}`", entry.key);
                notes.error(entry.key_span, message, format!("add `{label}: its_field`"));
                complete = false;
            }
        }
        complete.then_some(())
    }

    /// One rule referred to, with its own fields behind the names of the correlation and of those over it.
    pub(super) fn source(
        &mut self,
        parts: &Parts<'_>,
        base: usize,
        chains: &Chains,
        notes: &Notes<'_>,
    ) -> Option<Source> {
        let rule = chains.position(base).unwrap_or(RuleIndex(0));
        if self.draft(base)?.kind == Some(Kind::Correlation) {
            return Some(Source { rule, reads: Reads::default(), onward: Vec::new() });
        }
        let reads = self.reads(&[base, parts.position], notes);
        let onward: Vec<Option<Reads>> = chains
            .onward(parts.position)?
            .iter()
            .map(|step| {
                let mut path = vec![base, parts.position];
                path.extend(&step.path);
                self.reads(&path, notes)
            })
            .collect();
        Some(Source { rule, reads: reads?, onward: onward.into_iter().collect::<Option<_>>()? })
    }

    /// What the last document of a path reads of events of the first one, through the correlations between.
    fn reads(&mut self, path: &[usize], notes: &Notes<'_>) -> Option<Reads> {
        let names = Names::of(self.draft(*path.last()?)?)?;
        let mut fields = |names: &[&str]| -> Option<Vec<FieldId>> {
            names
                .iter()
                .map(|name| {
                    let (owner, name) = self.meaning(path, name)?;
                    self.field(Owner::Document(owner), name, notes)
                })
                .collect()
        };
        Some(Reads {
            group_by: fields(&names.group_by)?,
            measured: fields(&names.measured)?,
            observed: fields(&names.observed)?,
        })
    }

    /// In which document, and under which name, a name of the last document of a path is to be looked up. Recursion
    /// ends with the path, which chains bound.
    fn meaning<'n>(&self, path: &[usize], name: &'n str) -> Option<(usize, &'n str)>
    where
        'c: 'n,
    {
        let &top = path.last()?;
        Some(self.definition(path, name).unwrap_or((top, name)))
    }

    /// The nearest definition of a name: an alias or a calculated field of the last document, else of the one below it.
    /// An alias means the lower document's own field, and only then one of the document that wrote it.
    fn definition<'n>(&self, path: &[usize], name: &'n str) -> Option<(usize, &'n str)>
    where
        'c: 'n,
    {
        let (&top, below) = path.split_last()?;
        let own = |name| self.defines(top, name).then_some((top, name));
        let Some(&lower) = below.last() else { return own(name) };
        match self.aliased(top, name, lower) {
            Some(field) => self.definition(below, field).or_else(|| own(field)).or(Some((lower, field))),
            None => own(name).or_else(|| self.definition(below, name)),
        }
    }

    /// What a correlation's alias means in a rule it lists.
    fn aliased(&self, correlation: usize, name: &str, lower: usize) -> Option<&'c str> {
        let map = self::correlation(self.draft(correlation)?)?;
        alias(map.get("aliases")?.as_map()?.get(name)?, self.draft(lower)?)
    }
}

/// The field that an alias gives for a rule, which it calls by name or by id.
fn alias<'n>(alias: &'n Node, lower: &Draft<'_>) -> Option<&'n str> {
    let fields = alias.as_map()?;
    ["name", "id"].iter().find_map(|key| fields.get(lower.document.text(key)?)?.as_text())
}

fn correlation<'d>(draft: &Draft<'d>) -> Option<&'d Map> {
    draft.document.root.as_ref()?.get("correlation")?.as_map()
}

fn texts(node: &Node) -> Option<Vec<&str>> {
    match node.as_list() {
        Some(items) => items.iter().map(Node::as_text).collect(),
        None => node.as_text().map(|text| vec![text]),
    }
}
