//! What is measured.

use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::Path;

/// The input: so many events of `gen.py`, with this seed.
pub(super) const EVENTS: u32 = 2000;
pub(super) const SEED: u32 = 42;

/// One pass over the input.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) rules: Rules,
    /// What is asked of the engine, in the words of its example `budget`.
    pub(super) work: &'static str,
}

/// Which rules.
#[derive(Clone, Copy)]
pub(super) enum Rules {
    /// The pack's detections alone.
    Seeds,
    /// The pack.
    Correlations,
    /// SigmaHQ's.
    SigmaHq,
}

/// Everything that has a budget.
pub(super) const WORKLOADS: &[Workload] = &[
    Workload { name: "seeds-findings", rules: Rules::Seeds, work: "findings" },
    Workload { name: "seeds-filter", rules: Rules::Seeds, work: "filter" },
    Workload { name: "sigmahq-findings", rules: Rules::SigmaHq, work: "findings" },
    Workload { name: "sigmahq-tag", rules: Rules::SigmaHq, work: "tag" },
    Workload { name: "correlations-findings", rules: Rules::Correlations, work: "findings" },
];

impl Rules {
    /// How the example `plan` is told.
    pub(super) fn arguments(self, root: &Path) -> Result<Vec<OsString>> {
        let pack = || {
            let mut arguments = files(&root.join("rules/cloudtrail"))?;
            arguments.push("--config".into());
            arguments.push(root.join("pipelines/ocsf/raw-cloudtrail.yml").into());
            Ok::<_, anyhow::Error>(arguments)
        };
        match self {
            Rules::Correlations => pack(),
            Rules::Seeds => Ok([vec!["--detections".into()], pack()?].concat()),
            Rules::SigmaHq => files(&root.join("../shared/corpus/rules/sigmahq/rules/cloud/aws/cloudtrail")),
        }
    }
}

/// The rules of a folder, in order of their names.
fn files(folder: &Path) -> Result<Vec<OsString>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path.into_os_string());
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "there are no rules in {}", folder.display());
    Ok(found)
}
