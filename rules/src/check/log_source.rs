//! `logsource`: which events a rule or a filter is about.

use crate::{
    diagnostic::Notes,
    document::Document,
    settings::{LogSource, Settings},
    shape,
    spelling::near_miss,
    yaml::Map,
};

/// Refuses a rule about events that neither CloudTrail nor a configured log source has.
pub(super) fn of_rule(document: &Document<'_>, root: &Map, settings: &Settings, notes: &mut Notes<'_>) {
    let Some(own) = read(root, notes) else { return };
    let further = settings.logsources.as_deref().unwrap_or_default();
    if own == none() || own == cloudtrail() || further.iter().any(|accepted| accepted.accepts(&own)) {
        return;
    }
    refuse(document, &own, "a rule", notes);
}

/// Refuses a filter that can be for no rule that is accepted; its log source may say less than theirs.
pub(super) fn of_filter(document: &Document<'_>, root: &Map, settings: &Settings, notes: &mut Notes<'_>) {
    let Some(own) = read(root, notes) else { return };
    let further = settings.logsources.as_deref().unwrap_or_default();
    let fits = |accepted: &LogSource| accepted.accepts(&own) || own.accepts(accepted);
    if !own.accepts(&cloudtrail()) && !further.iter().any(fits) {
        refuse(document, &own, "a filter", notes);
    }
}

/// What a document says; a rule without a log source is about CloudTrail, a filter without one about any rule.
pub(crate) fn log_source_of(document: &Document<'_>) -> LogSource {
    let mut unheard = Notes::new(document.source);
    let own = document.root.as_ref().and_then(|root| read(root, &mut unheard)).unwrap_or_else(none);
    match own == none() && !document.is_filter() {
        true => cloudtrail(),
        false => own,
    }
}

/// Whether the document is about CloudTrail events and no others.
pub(crate) fn is_cloudtrail(document: &Document<'_>) -> bool {
    let own = log_source_of(document);
    own == cloudtrail() || own == none()
}

fn read(root: &Map, notes: &mut Notes<'_>) -> Option<LogSource> {
    let map = shape::map(root.get("logsource")?, "`logsource`", notes)?;
    let known = ["product", "service", "category", "definition"];
    for entry in map.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        if let Some(near) = near_miss(&entry.key, &known) {
            let message = format!("unknown key `{}` in `logsource`", entry.key);
            notes.error(entry.key_span, message, format!("did you mean `{near}`?"));
            return None;
        }
    }
    Some(LogSource::read(map, notes))
}

fn refuse(document: &Document<'_>, own: &LogSource, what: &str, notes: &mut Notes<'_>) {
    let parts = [("product", &own.product), ("service", &own.service), ("category", &own.category)];
    let parts = parts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}: {value}")));
    let message =
        format!("{what} for other events than CloudTrail's ({})", parts.collect::<Vec<_>>().join(", "));
    let remedy =
        "write `product: aws` and `service: cloudtrail`, or accept it in `logsources` of a `--config` file";
    notes.error(document.key_span("logsource"), message, remedy);
}

fn cloudtrail() -> LogSource {
    let word = |word: &str| Some(word.to_owned());
    LogSource { product: word("aws"), service: word("cloudtrail"), category: None }
}

fn none() -> LogSource {
    LogSource { product: None, service: None, category: None }
}
