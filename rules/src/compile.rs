//! All files of a run to a plan, its tests, and everything that is wrong with them.

use crate::{
    block::Block,
    case::{self, CaseContext, TestCase},
    check::{self, Kind},
    config::{self, Configuration},
    diagnostic::{Diagnostic, Notes, Severity},
    document::{Document, Index},
    lower::{Chains, Context, Draft, Lowering, Position},
    sigma,
    source::{Source, SourceFile},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tripwasm_plan::{Plan, Rule, RuleIndex};

/// What an error in one document means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing is built.
    Refuse,
    /// Documents with errors are left out, and correlations over them.
    KeepGoing,
}

/// What came out of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// `None` after an error under [`OnError::Refuse`], and after any error in a configuration.
    pub plan: Option<Plan>,
    /// Everything found, in the order of the files and of the lines inside them.
    pub diagnostics: Vec<Diagnostic>,
    /// The tests of the rules that are in the plan; empty without a plan.
    pub tests: Vec<TestCase>,
    /// What [`OnError::KeepGoing`] left out.
    pub left_out: Vec<LeftOut>,
}

/// A document that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its file.
    pub file: String,
    /// The 1-based line at which it begins.
    pub line: u32,
    /// Its `name`, else `id`, else `title`, else its place.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// Compiles rule files. `packs` are the `pack.yml` files: each holds for the rules in its folder and below, the
/// nearest wins; `config` overrides them key by key. All errors are reported, not the first alone.
pub fn compile(
    rules: &[SourceFile],
    packs: &[SourceFile],
    config: Option<&SourceFile>,
    mode: OnError,
) -> Compiled {
    let sources: Vec<Source<'_>> = rules.iter().map(Source::new).collect();
    let config_sources: Vec<Source<'_>> = packs.iter().chain(config).map(Source::new).collect();
    let documents: Vec<Document<'_>> = sources.iter().flat_map(Document::all_of).collect();
    let mut found: Vec<Vec<Diagnostic>> =
        documents.iter().map(|document| document.diagnostics.clone()).collect();
    let index = Index::new(&documents, &mut found);
    let mut configuration = Configuration::read(&config_sources, packs.len());
    configuration.check_rules(&config_sources, &documents);
    let mut config_found = std::mem::take(&mut configuration.found);
    let drafts: Vec<Draft<'_>> = documents
        .iter()
        .zip(&mut found)
        .map(|(document, found)| draft(document, &configuration, found))
        .collect();
    let context = Context {
        drafts: &drafts,
        settings: &configuration.settings,
        config_sources: &config_sources,
        index: &index,
    };
    check_calculations(context, &mut found, &mut config_found);
    let everything = vec![true; drafts.len()];
    let mut run = lower(context, &configuration, &everything);
    for ((found, lowered), draft) in found.iter_mut().zip(&mut run.found).zip(&drafts) {
        found.append(lowered);
        if !has_errors(found) {
            found.extend(draft.refusals.clone());
        }
    }
    config_found.extend(config::check_overrides(context, &run.plan));
    outcome(context, &configuration, (config_found, found), run, mode)
}

/// What one pass over the documents gave.
struct Run {
    plan: Plan,
    tests: Vec<TestCase>,
    /// Parallel to the drafts.
    found: Vec<Vec<Diagnostic>>,
}

fn draft<'d>(
    document: &'d Document<'d>,
    configuration: &Configuration,
    found: &mut Vec<Diagnostic>,
) -> Draft<'d> {
    let mut notes = Notes::new(document.source);
    notes.list.append(found);
    let settings = configuration.settings_for(document.source.path);
    let own = configuration.settings.get(settings).cloned().unwrap_or_default();
    let kind = check::document(document, &own, &mut notes);
    let mut refusals = Notes::new(document.source);
    let syntax = match notes.has_errors() || kind.is_none() {
        true => None,
        false => sigma::parse(document, &mut refusals),
    };
    let block = document.root.as_ref().map(|root| Block::read(root, &mut notes)).unwrap_or_default();
    let changed = ["name", "id"].iter().find_map(|key| own.rules.get(document.text(key)?));
    *found = notes.list;
    Draft {
        document,
        kind,
        syntax,
        refusals: refusals.list,
        block,
        settings,
        forget_ms: changed.and_then(|changed| changed.forget_ms),
        learn_ms: changed.and_then(|changed| changed.learn_ms),
        suppress_ms: changed.and_then(|changed| changed.suppress_ms),
        action: changed.and_then(|changed| changed.action),
    }
}

/// Calculated fields are checked where they stand, used or not; their users need not repeat it.
fn check_calculations(
    context: Context<'_>,
    found: &mut [Vec<Diagnostic>],
    config_found: &mut Vec<Diagnostic>,
) {
    let mut lowering = Lowering::new(context);
    for (position, (draft, found)) in context.drafts.iter().zip(found).enumerate() {
        let mut notes = Notes::new(draft.document.source);
        lowering.check_document(position, &mut notes);
        found.append(&mut notes.list);
    }
    for (position, settings) in context.settings.iter().enumerate() {
        for (name, mapped) in &settings.fields {
            let Some(source) = context.config_sources.get(mapped.file) else { continue };
            let mut notes = Notes::new(source);
            lowering.check_shared(position, name, &mapped.node, &mut notes);
            notes.list.retain(|new| !config_found.contains(new));
            config_found.append(&mut notes.list);
        }
    }
}

/// Lowers the documents that `included` (parallel to the drafts) marks.
fn lower(context: Context<'_>, configuration: &Configuration, included: &[bool]) -> Run {
    let chains = Chains::new(context, positions(context, included));
    let mut lowering = Lowering::new(context);
    let time = configuration.paths.time.iter().map(|path| lowering.path(path)).collect();
    let event_id = configuration.paths.id.iter().map(|path| lowering.path(path)).collect();
    let (mut rules, mut tests, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for (position, draft) in context.drafts.iter().enumerate() {
        let mut notes = Notes::new(draft.document.source);
        if let (Some(kind), Some(rule)) = (draft.kind, chains.position(position)) {
            let rule_or_none = match kind {
                Kind::Detection => lowering.detection(position, &mut notes),
                Kind::Correlation => lowering.correlation(position, &chains, &mut notes),
            };
            rules.extend(rule_or_none);
            let label = draft.document.label();
            let case = CaseContext { kind, label: &label, rule, paths: &configuration.paths };
            if let Some(node) = draft.block.tests {
                tests.extend(case::read(node, case, &mut notes));
            }
        }
        found.push(notes.list);
    }
    silence(context, &chains, &mut rules);
    Run { plan: lowering.finish(rules, time, event_id, configuration.plan_settings), tests, found }
}

fn positions(context: Context<'_>, included: &[bool]) -> Vec<Position> {
    let mut next = 0;
    let one = |(draft, included): (&Draft<'_>, &bool)| {
        (*included && draft.kind.is_some()).then(|| {
            next += 1;
            RuleIndex(next - 1)
        })
    };
    context.drafts.iter().zip(included).map(one).collect()
}

/// Rules that only correlations without `generate` refer to are no findings of their own. A correlation that is left out
/// silences nothing: nothing else would tell of those matches.
fn silence(context: Context<'_>, chains: &Chains, rules: &mut [Rule]) {
    let (mut silenced, mut generated) = (BTreeSet::new(), BTreeSet::new());
    let built =
        context.drafts.iter().enumerate().filter(|(document, _)| chains.position(*document).is_some());
    for (_, draft) in built {
        for (reference, _) in draft.document.references() {
            let Some(base) = context.index.find(reference).and_then(|base| chains.position(base)) else {
                continue;
            };
            if draft.document.generates() {
                generated.insert(base)
            } else {
                silenced.insert(base)
            };
        }
    }
    for (position, rule) in (0..).zip(rules) {
        if silenced.contains(&RuleIndex(position)) && !generated.contains(&RuleIndex(position)) {
            rule.reported = false;
        }
    }
}

fn outcome(
    context: Context<'_>,
    configuration: &Configuration,
    (config_found, mut found): (Vec<Diagnostic>, Vec<Vec<Diagnostic>>),
    run: Run,
    mode: OnError,
) -> Compiled {
    let failed: Vec<bool> = found.iter().map(|found| has_errors(found)).collect();
    let config_failed = has_errors(&config_found);
    let (plan, tests, left_out) = match mode {
        _ if config_failed => (None, Vec::new(), Vec::new()),
        _ if !failed.contains(&true) => (Some(run.plan), run.tests, Vec::new()),
        OnError::Refuse => (None, Vec::new(), Vec::new()),
        OnError::KeepGoing => {
            let (included, left_out) = leave_out(context, &found);
            let run = lower(context, configuration, &included);
            (Some(run.plan), run.tests, left_out)
        }
    };
    for list in &mut found {
        list.sort_by_key(|found| (found.line, found.column));
    }
    let diagnostics = config_found.into_iter().chain(found.into_iter().flatten()).collect();
    Compiled { plan, diagnostics, tests, left_out }
}

fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|found| found.severity == Severity::Error)
}

/// The documents that can be built without those in error, and the others with the reason.
fn leave_out(context: Context<'_>, found: &[Vec<Diagnostic>]) -> (Vec<bool>, Vec<LeftOut>) {
    let first_error = |found: &Vec<Diagnostic>| {
        found.iter().find(|found| found.severity == Severity::Error).map(|error| error.message.clone())
    };
    let mut reasons: Vec<Option<String>> = found.iter().map(first_error).collect();
    for _ in 0..context.drafts.len() {
        let mut changed = false;
        for (position, draft) in context.drafts.iter().enumerate() {
            let missing = draft.document.references().into_iter().find(|(reference, _)| {
                context.index.find(reference).and_then(|base| reasons.get(base)).is_some_and(Option::is_some)
            });
            if let (Some((reference, _)), Some(reason @ None)) = (missing, reasons.get_mut(position)) {
                *reason = Some(format!("it refers to `{reference}`, which is left out"));
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let left_out = context.drafts.iter().zip(&reasons).filter_map(|(draft, reason)| {
        reason.as_ref().map(|reason| LeftOut {
            file: draft.document.source.path.to_owned(),
            line: draft.document.span.line,
            rule: draft.document.label(),
            reason: reason.clone(),
        })
    });
    (reasons.iter().map(Option::is_none).collect(), left_out.collect())
}
