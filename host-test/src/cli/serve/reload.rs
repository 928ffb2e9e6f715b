//! Another module in the place of the one that runs: when its file changed, and on SIGHUP.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tripwasm::{Module, Runtime};

use super::counts;
use super::evaluator::Evaluator;
use crate::cli::run::load;

/// How often the file is looked at. Looking, rather than being told, also sees files behind links and on network drives.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells that a file was changed: device, inode, size, time.
type Identity = (u64, u64, u64, i64, i64);

/// Watches over the file of a module, for ever.
pub(super) async fn watch(runtime: Runtime, path: PathBuf, evaluator: Evaluator) -> std::io::Result<()> {
    let runtime = std::sync::Arc::new(runtime);
    let mut hangups = signal(SignalKind::hangup())?;
    let mut seen = identity(&path);
    loop {
        let asked = tokio::select! {
            _ = hangups.recv() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        let now = identity(&path);
        // A file that is being replaced may be gone for a moment.
        if !asked && (now.is_none() || now == seen) {
            continue;
        }
        seen = now;
        let (runtime, file) = (std::sync::Arc::clone(&runtime), path.clone());
        let loaded = tokio::task::spawn_blocking(move || load(&runtime, &file)).await;
        match loaded {
            Ok(Ok(module)) => exchange(module, &evaluator),
            Ok(Err(error)) => {
                counts::reload_refused();
                tracing::error!(error = %format!("{error:#}"), "the new module is refused: the old one runs on");
            }
            Err(error) => tracing::error!(%error, "loading the new module panicked: the old one runs on"),
        }
    }
}

fn exchange(module: Module, evaluator: &Evaluator) {
    if module.sha256() == evaluator.module_sha256() {
        tracing::info!(sha256 = module.sha256(), "the module is the one that runs");
    } else {
        tracing::info!(sha256 = module.sha256(), "another module was loaded");
        evaluator.exchange(module);
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}
