//! `--keep-going`: which documents are left out, and why. The unit is the document.

use crate::{
    compile::LeftOut,
    diagnostic::{Diagnostic, Severity},
    lower::Context,
};

/// Why each document cannot be built; `None` for one that can. `found` and the answer are parallel to the drafts.
pub(crate) fn reasons(context: Context<'_>, found: &[Vec<Diagnostic>]) -> Vec<Option<String>> {
    let first_error = |found: &Vec<Diagnostic>| {
        found.iter().find(|found| found.severity == Severity::Error).map(|error| error.message.clone())
    };
    let mut reasons: Vec<Option<String>> = found.iter().map(first_error).collect();
    for _ in 0..context.drafts.len() {
        let before = reasons.iter().flatten().count();
        for position in 0..context.drafts.len() {
            let missing = missing(context, position, &reasons);
            if let (Some(missing), Some(reason @ None)) = (missing, reasons.get_mut(position)) {
                *reason = Some(missing);
            }
        }
        if reasons.iter().flatten().count() == before {
            break;
        }
    }
    reasons
}

/// The documents with a reason.
pub(crate) fn left_out(context: Context<'_>, reasons: &[Option<String>]) -> Vec<LeftOut> {
    let left_out = context.drafts.iter().zip(reasons).filter_map(|(draft, reason)| {
        reason.as_ref().map(|reason| LeftOut {
            file: draft.document.source.path.to_owned(),
            line: draft.document.span.line,
            rule: draft.document.label(),
            reason: reason.clone(),
        })
    });
    left_out.collect()
}

/// What a document needs that is left out: a correlation each of its rules, a filter one of those that it names.
fn missing(context: Context<'_>, position: usize, reasons: &[Option<String>]) -> Option<String> {
    let document = context.drafts.get(position)?.document;
    let is_left_out =
        |name: &str| context.index.find(name).and_then(|base| reasons.get(base)).is_some_and(Option::is_some);
    let rules = document.references();
    if let Some((reference, _)) = rules.iter().find(|(name, _)| is_left_out(name)) {
        return Some(format!("it refers to `{reference}`, which is left out"));
    }
    let filtered = document.filter_references();
    let is_idle = !filtered.is_empty() && filtered.iter().all(|(name, _)| is_left_out(name));
    is_idle.then(|| "every rule that it is for is left out".to_owned())
}
