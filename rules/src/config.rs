//! The configuration of a run: packs, the `--config` file over them, and which rules each is for.

use crate::{
    case::EventPaths,
    check::Kind,
    diagnostic::{Diagnostic, Notes},
    document::Document,
    lower::Context,
    settings::Settings,
    source::{Source, Span},
    spelling::nearest,
};
use tripwasm_plan::{Logic, Plan, Window};

/// Everything that configuration files say.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The `--config` file alone, then each pack under it.
    pub(crate) settings: Vec<Settings>,
    /// The folder of each pack.
    folders: Vec<String>,
    /// Where time and id of every event stand.
    pub(crate) paths: EventPaths,
    /// Defaults of the module.
    pub(crate) plan_settings: tripwasm_plan::Settings,
    /// What is wrong with the files.
    pub(crate) found: Vec<Diagnostic>,
}

impl Configuration {
    /// Reads the files: `packs` of them are packs, and a last one, if any, is the `--config` file.
    pub(crate) fn read(sources: &[Source<'_>], packs: usize) -> Configuration {
        let mut found = Vec::new();
        let files: Vec<Settings> = sources
            .iter()
            .enumerate()
            .map(|(file, source)| {
                let mut notes = Notes::new(source);
                let settings = Settings::read(source, file, &mut notes);
                found.append(&mut notes.list);
                settings
            })
            .collect();
        let config = files.get(packs).cloned().unwrap_or_default();
        let mut shared = Settings::default();
        for (settings, source) in files.iter().take(packs).zip(sources) {
            let mut notes = Notes::new(source);
            agree(&shared, settings, &config, &mut notes);
            found.append(&mut notes.list);
            shared = shared.overlaid(settings);
        }
        let shared = shared.overlaid(&config);
        let defaults = tripwasm_plan::Settings::default();
        Configuration {
            settings: std::iter::once(config.clone())
                .chain(files.iter().take(packs).map(|pack| pack.overlaid(&config)))
                .collect(),
            folders: sources.iter().take(packs).map(|source| folder(source.path).to_owned()).collect(),
            paths: EventPaths {
                time: shared.time.unwrap_or_else(|| ["eventTime", "time"].map(str::to_owned).to_vec()),
                id: shared.id.unwrap_or_else(|| ["eventID", "metadata.uid"].map(str::to_owned).to_vec()),
            },
            plan_settings: tripwasm_plan::Settings {
                learn_from: None,
                lateness_ms: shared.lateness_ms.unwrap_or(defaults.lateness_ms),
                duplicates: shared.duplicates.unwrap_or(defaults.duplicates),
                state_bytes_max: shared.state_bytes_max.unwrap_or(defaults.state_bytes_max),
            },
            found,
        }
    }

    /// Position of the settings for a rule file: those of the nearest pack at or above its folder.
    pub(crate) fn settings_for(&self, path: &str) -> usize {
        let own = folder(path);
        let holds = |pack: &str| {
            let rest = own.strip_prefix(pack);
            pack.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
        };
        let packs = self.folders.iter().enumerate().filter(|(_, pack)| holds(pack));
        packs.max_by_key(|(_, pack)| pack.len()).map_or(0, |(position, _)| position + 1)
    }

    /// Rule settings have to name a rule of the run.
    pub(crate) fn check_rules(&mut self, sources: &[Source<'_>], documents: &[Document<'_>]) {
        let rules = || documents.iter().filter(|document| !document.is_filter());
        let names = || rules().flat_map(|document| [document.text("name"), document.text("id")]).flatten();
        for (name, change) in self.settings.iter().flat_map(|settings| &settings.rules) {
            let Some(source) = sources.get(change.file).filter(|_| !names().any(|known| known == name))
            else {
                continue;
            };
            let mut notes = Notes::new(source);
            let remedy = nearest(name, names())
                .map_or("use the `name` or `id` of a rule".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
            notes.error(change.span, format!("`rules` names `{name}`, which is no rule of this run"), remedy);
            notes.list.retain(|new| !self.found.contains(new));
            self.found.append(&mut notes.list);
        }
    }
}

/// What configurations say of rules to which it means nothing.
pub(crate) fn check_overrides(context: Context<'_>, plan: &Plan) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for draft in context.drafts {
        let settings = context.settings.get(draft.settings);
        let own = ["name", "id"].iter().find_map(|key| settings?.rules.get(draft.document.text(key)?));
        let Some((change, source)) = own.and_then(|own| Some((own, context.config_sources.get(own.file)?)))
        else {
            continue;
        };
        let mut notes = Notes::new(source);
        let label = draft.document.label();
        if draft.action.is_some() && draft.kind == Some(Kind::Correlation) {
            let message = format!("`action` has no effect on `{label}`, a correlation");
            notes.error(change.span, message, "write it for the rule whose events it is about");
        }
        let rule = plan.rules.iter().find(|rule| rule.label() == label);
        let first_seen = rule.is_none_or(|rule| match &rule.logic {
            Logic::Correlation(correlation) => matches!(correlation.window, Window::FirstSeen { .. }),
            Logic::Detection(_) => false,
        });
        for (key, given) in [("forget", draft.forget_ms.is_some()), ("learn", draft.learn_ms.is_some())] {
            if given && !first_seen {
                let message = format!("`{key}` has no effect on `{label}`, which is not first-seen");
                let remedy = "first-seen is `event_count` with `eq: 1` alone in a sliding window";
                notes.error(change.span, message, remedy);
            }
        }
        if draft.suppress_ms.is_some() && draft.kind == Some(Kind::Detection) {
            let message = format!("`suppress` has no effect on `{label}`, which gives no alerts");
            notes.error(change.span, message, "write it for a correlation over this rule");
        }
        found.append(&mut notes.list);
    }
    found
}

/// Packs may differ in what holds for their own rules, not in what holds for the whole module.
fn agree(earlier: &Settings, pack: &Settings, config: &Settings, notes: &mut Notes<'_>) {
    let differ = [
        ("time", config.time.is_none() && differs(&earlier.time, &pack.time)),
        ("id", config.id.is_none() && differs(&earlier.id, &pack.id)),
        ("limits.lateness", config.lateness_ms.is_none() && differs(&earlier.lateness_ms, &pack.lateness_ms)),
        ("limits.duplicates", config.duplicates.is_none() && differs(&earlier.duplicates, &pack.duplicates)),
        (
            "limits.memory",
            config.state_bytes_max.is_none() && differs(&earlier.state_bytes_max, &pack.state_bytes_max),
        ),
    ];
    for (key, _) in differ.iter().filter(|(_, differ)| *differ) {
        let message =
            format!("this pack and an earlier one differ in `{key}`, which holds for the whole module");
        notes.error(Span::START, message, format!("decide with `{key}` in a `--config` file"));
    }
}

fn differs<T: PartialEq>(earlier: &Option<T>, later: &Option<T>) -> bool {
    earlier.is_some() && later.is_some() && earlier != later
}

fn folder(path: &str) -> &str {
    path.rfind(['/', '\\']).and_then(|at| path.get(..at)).unwrap_or("")
}
