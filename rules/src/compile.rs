//! All files of a run to a plan, its tests, and everything that is wrong with them.

use crate::{
    block::Block,
    case::{self, CaseContext, TestCase},
    check::{self, Kind},
    collection,
    config::{self, Configuration},
    diagnostic::{Diagnostic, Notes, Severity},
    document::{Document, Index},
    exemplar, keep_going, lint,
    lower::{Chains, Context, Draft, Filter, Lowering, Position},
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
    /// The filters that are part of rules in the plan; empty without a plan.
    pub filters: Vec<AppliedFilter>,
    /// What [`OnError::KeepGoing`] left out.
    pub left_out: Vec<LeftOut>,
}

/// A Sigma filter, and the rules whose conditions it narrows: a test of such a rule that expects a match and finds
/// none may have to blame the filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedFilter {
    /// Its file.
    pub file: String,
    /// The 1-based line at which it begins.
    pub line: u32,
    /// Its `name`, else `id`, else `title`.
    pub label: String,
    /// The rules, ascending.
    pub rules: Vec<RuleIndex>,
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
    let documents: Vec<Document<'_>> = sources.iter().flat_map(collection::documents).collect();
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
    let is_refused = has_errors(&config_found) || found.iter().any(|found| has_errors(found));
    for (draft, found) in drafts.iter().zip(&mut found) {
        // Errors come first: what is refused is read anew once it is corrected.
        if !has_errors(found) && (mode == OnError::KeepGoing || !is_refused) {
            found.extend(lints(context, draft));
        }
    }
    outcome(context, &configuration, (config_found, found), run, mode)
}

/// What one pass over the documents gave.
struct Run {
    plan: Plan,
    tests: Vec<TestCase>,
    filters: Vec<AppliedFilter>,
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
    let syntax = match notes.has_errors() || kind.is_none() && !document.is_filter() {
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
    let positions = positions(context, included);
    let mut lowering = Lowering::new(context);
    let time = configuration.paths.time.iter().map(|path| lowering.path(path)).collect();
    let event_id = configuration.paths.id.iter().map(|path| lowering.path(path)).collect();
    let (mut rules, mut tests) = (Vec::new(), Vec::new());
    let mut found = vec![Vec::new(); context.drafts.len()];
    let filters = lowering.filters(&positions, included, &mut found);
    let chains = Chains::new(context, positions);
    for (position, (draft, found)) in context.drafts.iter().zip(&mut found).enumerate() {
        let mut notes = Notes::new(draft.document.source);
        if let (Some(kind), Some(rule)) = (draft.kind, chains.position(position)) {
            let rule_or_none = match kind {
                Kind::Detection => lowering.detection(position, &filters, &mut notes),
                Kind::Correlation => lowering.correlation(position, &chains, &mut notes),
            };
            rules.extend(rule_or_none);
            let label = draft.document.label();
            let case = CaseContext { kind, label: &label, rule, paths: &configuration.paths };
            let own = draft.block.tests.map(|node| case::read(node, case, &mut notes)).unwrap_or_default();
            let exemplars = exemplar::read(draft.document, case, &own, &mut notes);
            tests.extend(own.into_iter().chain(exemplars));
        }
        found.append(&mut notes.list);
    }
    silence(context, &chains, &mut rules);
    let filters = filters.into_iter().map(|filter| applied(&filter)).collect();
    let plan = lowering.finish(rules, time, event_id, configuration.plan_settings);
    Run { plan, tests, filters, found }
}

fn applied(filter: &Filter<'_>) -> AppliedFilter {
    let document = filter.draft.document;
    AppliedFilter {
        file: document.source.path.to_owned(),
        line: document.span.line,
        label: document.label(),
        rules: filter.rules.clone(),
    }
}

/// What is allowed in a document but probably not meant.
fn lints(context: Context<'_>, draft: &Draft<'_>) -> Vec<Diagnostic> {
    let mut notes = Notes::new(draft.document.source);
    let found = draft.document.references().into_iter().filter_map(|(name, _)| context.index.find(name));
    let bases: Vec<&Draft<'_>> = found.filter_map(|base| context.drafts.get(base)).collect();
    if let Some(settings) = context.settings.get(draft.settings) {
        lint::fields(draft, &bases, settings, &mut notes);
    }
    notes.list
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
    let mut left_out = Vec::new();
    let run = match mode {
        _ if has_errors(&config_found) => None,
        _ if !failed.contains(&true) => Some(run),
        OnError::Refuse => None,
        OnError::KeepGoing => {
            let reasons = keep_going::reasons(context, &found);
            left_out = keep_going::left_out(context, &reasons);
            let included: Vec<bool> = reasons.iter().map(Option::is_none).collect();
            Some(lower(context, configuration, &included))
        }
    };
    for list in &mut found {
        list.sort_by_key(|found| (found.line, found.column));
    }
    let mut diagnostics: Vec<Diagnostic> = config_found;
    let mut seen = BTreeSet::new();
    // Documents that share members by a collection action share what is wrong with these.
    for found in found.into_iter().flatten() {
        if seen.insert((found.file.clone(), found.line, found.column, found.message.clone())) {
            diagnostics.push(found);
        }
    }
    match run {
        Some(run) => {
            Compiled { plan: Some(run.plan), diagnostics, tests: run.tests, filters: run.filters, left_out }
        }
        None => Compiled { plan: None, diagnostics, tests: Vec::new(), filters: Vec::new(), left_out },
    }
}

pub(crate) fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|found| found.severity == Severity::Error)
}
