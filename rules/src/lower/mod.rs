//! Checked documents to the plan.

mod builder;
mod calculation;
mod condition;
mod correlation;
mod detection;
mod field;
mod filter;
mod keyword;
mod member;
mod modifiers;
mod network;
mod path;
mod placeholder;
mod regex;
mod selection;
mod text;
mod values;
mod window;

pub(crate) use correlation::{Chains, Position};
pub(crate) use filter::Filter;
pub(crate) use modifiers::{Comparison, FieldTest};
pub(crate) use path::{Brackets, FieldPath, read as read_path};

use crate::{
    block::Block,
    check::{self, Kind},
    diagnostic::{Diagnostic, Notes},
    document::{Document, Index},
    lint::{self, Events},
    settings::Settings,
    sigma::Syntax,
    source::{Source, Span},
    spelling::nearest,
};
use builder::Builder;
use field::{Owner, Trouble};
use member::Scopes;
use std::collections::BTreeMap;
use tripwasm_plan::{Action, Condition, FieldId, Plan, Rule};

/// A document that was checked: what the lowering needs of it.
#[derive(Debug)]
pub(crate) struct Draft<'d> {
    pub(crate) document: &'d Document<'d>,
    /// `None` if it makes no rule: a filter, or something in error.
    pub(crate) kind: Option<Kind>,
    /// `None` if it was in error before the Sigma parser read it, or that refused it.
    pub(crate) syntax: Option<Syntax>,
    /// Why the Sigma parser refused it. Shown where our own checks, which know places, found nothing.
    pub(crate) refusals: Vec<Diagnostic>,
    pub(crate) block: Block<'d>,
    /// Position of its settings in [`Context::settings`].
    pub(crate) settings: usize,
    /// What a configuration says of this rule.
    pub(crate) forget_ms: Option<Option<u64>>,
    pub(crate) learn_ms: Option<u64>,
    pub(crate) suppress_ms: Option<u64>,
    pub(crate) action: Option<Action>,
}

/// Everything that lowering a document may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) drafts: &'c [Draft<'c>],
    pub(crate) settings: &'c [Settings],
    /// Configuration files, for messages about what they say.
    pub(crate) config_sources: &'c [Source<'c>],
    pub(crate) index: &'c Index<'c>,
}

/// Lowers documents one by one into one plan.
#[derive(Debug)]
pub(crate) struct Lowering<'c> {
    context: Context<'c>,
    builder: Builder,
    scopes: Scopes,
    /// Calculated fields by who defines them; `None` where the calculation is in error.
    calculated: BTreeMap<(Owner, String), Option<FieldId>>,
    /// Calculations that are being lowered, outermost first.
    open: Vec<(Owner, String)>,
    /// Why the last calculated field had no value, if another one is to blame.
    trouble: Option<Trouble>,
}

impl<'c> Lowering<'c> {
    pub(crate) fn new(context: Context<'c>) -> Self {
        Lowering {
            context,
            builder: Builder::default(),
            scopes: Scopes::default(),
            calculated: BTreeMap::new(),
            open: Vec::new(),
            trouble: None,
        }
    }

    /// A field read by its event path alone.
    pub(crate) fn path(&mut self, path: &str) -> FieldId {
        self.builder.path(path, path)
    }

    /// The plan of what was lowered.
    pub(crate) fn finish(
        self,
        rules: Vec<Rule>,
        time: Vec<FieldId>,
        event_id: Vec<FieldId>,
        settings: tripwasm_plan::Settings,
    ) -> Plan {
        self.builder.plan(rules, self.scopes.list, time, event_id, settings)
    }

    /// Why a condition of this document never holds; `None` if it may.
    fn contradiction(&self, position: usize, condition: &Condition) -> Option<String> {
        let (fields, predicates) = self.builder.view();
        let events = match check::is_cloudtrail(self.draft(position)?.document) {
            true => Events::CloudTrail,
            false => Events::Others,
        };
        lint::contradiction(condition, lint::Tables { fields, predicates, events })
    }

    /// The document that a correlation or a filter names.
    fn referred(&self, reference: &str, span: Span, notes: &mut Notes<'_>) -> Option<usize> {
        let index = self.context.index;
        if let Some(found) = index.find(reference) {
            return Some(found);
        }
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
                let remedy = near.map_or("build it together with the rule, in any file".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                (format!("no rule has the name or id `{reference}`"), remedy)
            }
        };
        notes.error(span, message, remedy);
        None
    }

    fn draft(&self, position: usize) -> Option<&'c Draft<'c>> {
        self.context.drafts.get(position)
    }
}
