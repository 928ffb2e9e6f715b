//! The rule sets, written to the cache: for each a folder in tripwasm's words and one in plain Sigma.

use crate::made_up;
use crate::roster::RuleSet;
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};

/// The rule of SigmaHQ that matches most: two of three generated events.
const NOISIEST: &str = "aws_sts_assumerole_misuse.yml";

/// Folders of one rule set.
#[derive(Debug, Clone)]
pub(crate) struct RuleFolders {
    pub(crate) ours: PathBuf,
    pub(crate) plain: PathBuf,
}

/// Where rules come from.
#[derive(Debug)]
pub(crate) struct Sources<'p> {
    /// The project.
    pub(crate) root: &'p Path,
    /// What lies beside it.
    pub(crate) shared: &'p Path,
}

impl Sources<'_> {
    /// Writes a rule set below `cache`.
    pub(crate) fn write(&self, set: RuleSet, cache: &Path) -> Result<RuleFolders> {
        let at = cache.join("rules").join(folder_name(set));
        let folders = RuleFolders { ours: at.join("tripwasm"), plain: at.join("plain") };
        for folder in [&folders.ours, &folders.plain] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        match set {
            RuleSet::Seeds => self.seeds(&folders)?,
            RuleSet::SigmaHq => self.sigmahq(&folders, None)?,
            RuleSet::SigmaHqQuiet => self.sigmahq(&folders, Some(NOISIEST))?,
            RuleSet::Both => {
                self.seeds(&folders)?;
                self.sigmahq(&folders, None)?;
            }
            RuleSet::Correlations => {
                self.pack(&folders.ours, |text| text.to_owned())?;
                copy_all(&self.root.join("tests/bench/rules/correlations"), &folders.plain, None)?;
            }
            RuleSet::Generated(count) => {
                for (name, text) in made_up::rules(count) {
                    for folder in [&folders.ours, &folders.plain] {
                        std::fs::write(folder.join(&name), &text)?;
                    }
                }
            }
        }
        Ok(folders)
    }

    /// The pack's detections without the correlations over them.
    fn seeds(&self, folders: &RuleFolders) -> Result<()> {
        self.pack(&folders.ours, |text| text.split("\n---\n").next().unwrap_or_default().to_owned() + "\n")?;
        copy_all(&self.root.join("tests/bench/rules/seeds"), &folders.plain, None)
    }

    /// The pack with its settings, Security Lake's rules on raw names.
    fn pack(&self, to: &Path, change: impl Fn(&str) -> String) -> Result<()> {
        for path in files(&self.root.join("rules/cloudtrail"))? {
            let name = path.file_name().context("a file without a name")?;
            std::fs::write(to.join(name), change(&std::fs::read_to_string(&path)?))?;
        }
        std::fs::copy(self.root.join("pipelines/ocsf/raw-cloudtrail.yml"), to.join("config.yml"))?;
        Ok(())
    }

    fn sigmahq(&self, folders: &RuleFolders, without: Option<&str>) -> Result<()> {
        let from = self.shared.join("corpus/rules/sigmahq/rules/cloud/aws/cloudtrail");
        copy_all(&from, &folders.ours, without)?;
        copy_all(&from, &folders.plain, without)
    }
}

fn folder_name(set: RuleSet) -> String {
    match set {
        RuleSet::Seeds => "seeds".to_owned(),
        RuleSet::SigmaHq => "sigmahq".to_owned(),
        RuleSet::SigmaHqQuiet => "sigmahq-quiet".to_owned(),
        RuleSet::Both => "both".to_owned(),
        RuleSet::Correlations => "correlations".to_owned(),
        RuleSet::Generated(count) => format!("generated-{count}"),
    }
}

fn copy_all(from: &Path, to: &Path, without: Option<&str>) -> Result<()> {
    let files = files(from)?;
    ensure!(!files.is_empty(), "there are no rules in {}", from.display());
    for path in files {
        let name = path.file_name().context("a file without a name")?;
        if without.is_none_or(|without| name != without) {
            std::fs::write(to.join(name), std::fs::read(&path)?)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    bench_protocol::rule_files(folder).with_context(|| format!("cannot list {}", folder.display()))
}
