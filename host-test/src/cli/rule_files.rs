//! Rules from files and directories, and the diagnostics they give.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use tripwasm::build::RuleTexts;
use tripwasm_rules::{Compiled, OnError, Severity, SourceFile, compile};

/// Settings of the rules in the same directory.
const PACK_FILE: &str = "pack.yml";

/// Options of every command that reads rules.
#[derive(Debug, Args)]
pub(super) struct RuleArguments {
    /// YAML with placeholders, field mapping, limits and settings of single rules
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Leave rules with errors out instead of refusing all
    #[arg(long)]
    pub(super) keep_going: bool,
}

/// Rules as they were read and compiled.
pub(super) struct RuleSet {
    /// With paths as messages show them.
    pub(super) texts: RuleTexts,
    pub(super) compiled: Compiled,
    on_error: OnError,
}

/// What becomes of diagnostics that ask for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    Shown,
    Counted,
}

impl RuleSet {
    /// Reads and compiles the files, and all `.yml` and `.yaml` files below directories.
    pub(super) fn read(paths: &[PathBuf], arguments: &RuleArguments) -> anyhow::Result<Self> {
        let mut rules = BTreeMap::new();
        for path in paths {
            collect(path, &mut rules)?;
        }
        let packs: BTreeMap<PathBuf, ()> =
            rules.keys().filter_map(|rule| pack_beside(rule)).map(|pack| (pack, ())).collect();
        rules.retain(|path, ()| !is_pack(path));
        if rules.is_empty() {
            bail!("no .yml file in {}", list(paths));
        }
        let texts = RuleTexts {
            rules: rules.keys().map(|path| read(path)).collect::<Result<_, _>>()?,
            packs: packs.keys().map(|path| read(path)).collect::<Result<_, _>>()?,
            config: arguments.config.as_deref().map(read).transpose()?,
        };
        let on_error = if arguments.keep_going { OnError::KeepGoing } else { OnError::Refuse };
        let compiled = compile(&texts.rules, &texts.packs, texts.config.as_ref(), on_error);
        Ok(RuleSet { texts, compiled, on_error })
    }

    /// The same rules without the filters that are part of them.
    pub(super) fn without_filters(&self) -> RuleSet {
        let mut texts = self.texts.clone();
        for filter in &self.compiled.filters {
            if let Some(file) = texts.rules.iter_mut().find(|file| file.path == filter.file) {
                file.text = without_document(&file.text, filter.line);
            }
        }
        let compiled = compile(&texts.rules, &texts.packs, texts.config.as_ref(), self.on_error);
        RuleSet { texts, compiled, on_error: self.on_error }
    }

    /// Prints errors and warnings, the documents that were left out, and a last line with their numbers.
    pub(super) fn print_diagnostics(&self, notes: Notes) {
        let diagnostics = &self.compiled.diagnostics;
        for diagnostic in diagnostics {
            let shown = matches!(diagnostic.severity, Severity::Error | Severity::Warning);
            if shown || notes == Notes::Shown {
                eprintln!("{diagnostic}");
            }
        }
        let left_out = &self.compiled.left_out;
        for document in left_out {
            eprintln!(
                "left out: {} ({}:{}): {}",
                document.rule, document.file, document.line, document.reason
            );
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let mut counts = vec![counted(errors, "error"), counted(warnings, "warning")];
        let notes_count = diagnostics.len() - errors - warnings;
        if notes_count > 0 {
            let hint = if notes == Notes::Counted { " (`tripwasm check` shows them)" } else { "" };
            counts.push(counted(notes_count, "note") + hint);
        }
        if !left_out.is_empty() {
            counts.push(counted(left_out.len(), "document") + " left out");
        }
        if !diagnostics.is_empty() || !left_out.is_empty() {
            eprintln!("{}", counts.join(", "));
        }
    }

    /// How many diagnostics are errors.
    pub(super) fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    fn count(&self, severity: Severity) -> usize {
        self.compiled.diagnostics.iter().filter(|found| found.severity == severity).count()
    }

    /// How many rule files there are.
    pub(super) fn files(&self) -> usize {
        self.texts.rules.len()
    }

    /// The texts as a module carries them: paths begin at the folder that all files share, so that equal rules give
    /// equal bytes wherever they lie.
    pub(super) fn carried(&self) -> (RuleTexts, Vec<tripwasm_rules::TestCase>) {
        let shared = shared_folder(self.texts.rules.iter().chain(&self.texts.packs));
        let mut texts = self.texts.clone();
        let mut tests = self.compiled.tests.clone();
        let short = |path: &mut String| {
            if let Ok(rest) = Path::new(&*path).strip_prefix(&shared) {
                *path = rest.display().to_string();
            }
        };
        texts.rules.iter_mut().chain(&mut texts.packs).for_each(|file| short(&mut file.path));
        tests.iter_mut().for_each(|test| short(&mut test.file));
        if let Some(config) = &mut texts.config {
            let name = Path::new(&config.path).file_name().map(|name| name.to_string_lossy().into_owned());
            config.path = name.unwrap_or_default();
        }
        (texts, tests)
    }
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn collect(path: &Path, rules: &mut BTreeMap<PathBuf, ()>) -> anyhow::Result<()> {
    if !path.is_dir() {
        rules.insert(path.to_owned(), ());
        return Ok(());
    }
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let entries =
            fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
            let path = entry.path();
            // A link to a directory is not followed: it may lead back.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
                rules.insert(path, ());
            }
        }
    }
    Ok(())
}

fn is_pack(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == PACK_FILE)
}

fn pack_beside(rule: &Path) -> Option<PathBuf> {
    Some(rule.with_file_name(PACK_FILE)).filter(|pack| pack.is_file())
}

/// Reads a text file.
pub(super) fn read(path: &Path) -> anyhow::Result<SourceFile> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(text)
        .map_err(|error| error.utf8_error())
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(SourceFile { path: path.display().to_string(), text })
}

/// Empties the lines of the YAML document that begins at this 1-based line; all others stay where they are.
fn without_document(text: &str, begin: u32) -> String {
    let mut inside = false;
    let keep = |(number, line): (u32, &'_ str)| {
        inside = number == begin || inside && !line.starts_with("---");
        if inside { "\n".to_owned() } else { line.to_owned() }
    };
    (1..).zip(text.split_inclusive('\n')).map(keep).collect()
}

fn shared_folder<'a>(files: impl Iterator<Item = &'a SourceFile>) -> PathBuf {
    let folders = files.map(|file| Path::new(&file.path).parent().unwrap_or(Path::new("")).to_owned());
    folders
        .reduce(|shared, folder| {
            let same = shared.components().zip(folder.components()).take_while(|(left, right)| left == right);
            same.map(|(component, _)| component).collect()
        })
        .unwrap_or_default()
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::without_document;

    #[test]
    fn one_document_goes_and_the_lines_of_the_others_stay() {
        let text = "a: 1\n---\nb: 2\nc: 3\n---\nd: 4";
        assert_eq!(without_document(text, 1), "\n---\nb: 2\nc: 3\n---\nd: 4");
        assert_eq!(without_document(text, 3), "a: 1\n---\n\n\n---\nd: 4");
        assert_eq!(without_document(text, 6), "a: 1\n---\nb: 2\nc: 3\n---\n\n");
    }
}
