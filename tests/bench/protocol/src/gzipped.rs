//! The data as gzip, for those who read it so.

use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file as gzip, beside it; made once, as `gzip` makes it unless told otherwise.
pub fn gzipped(data: &Path) -> Result<PathBuf> {
    let zipped = data.with_extension("ndjson.gz");
    if !zipped.is_file() {
        let part = data.with_extension(format!("gz-{}", std::process::id()));
        let output = File::create(&part).with_context(|| format!("cannot create {}", part.display()))?;
        let status = Command::new("gzip").arg("-c").arg(data).stdout(Stdio::from(output)).status();
        ensure!(status.context("cannot run gzip")?.success(), "gzip failed");
        std::fs::rename(&part, &zipped)?;
    }
    Ok(zipped)
}
