//! The events, made once into the cache.

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How often the real events are repeated: to some hundred megabytes.
const REAL_TIMES: usize = 60;

/// A file of events.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    /// How it was made.
    pub(crate) origin: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// Generated events, the same for the same number and seed.
pub(crate) fn generated(shared: &Path, cache: &Path, events: u32, seed: u32) -> Result<Data> {
    let path = cache.join(format!("generated-{events}-{seed}.ndjson"));
    if !path.is_file() {
        let script = shared.join("bench/gen.py");
        ensure!(
            script.is_file(),
            "{} is missing: the benchmark needs the data beside the project",
            script.display()
        );
        write_once(&path, |file| {
            let arguments = [events.to_string(), seed.to_string()];
            let mut command = Command::new("python3");
            let status = command.arg(&script).args(arguments).stdout(Stdio::from(file.try_clone()?)).status();
            ensure!(status.context("cannot run python3")?.success(), "{} failed", script.display());
            Ok(())
        })?;
    }
    Data::of(path, format!("gen.py {events} {seed}"))
}

/// Real events of the corpus, repeated.
pub(crate) fn real(shared: &Path, cache: &Path) -> Result<Data> {
    let path = cache.join(format!("invictus-{REAL_TIMES}.ndjson"));
    if !path.is_file() {
        let source = shared.join("corpus/events/invictus.ndjson");
        let mut events =
            std::fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
        if !events.ends_with(b"\n") {
            events.push(b'\n');
        }
        write_once(&path, |file| {
            (0..REAL_TIMES).try_for_each(|_| file.write_all(&events))?;
            Ok(())
        })?;
    }
    Data::of(path, format!("invictus, {REAL_TIMES} times"))
}

impl Data {
    fn of(path: PathBuf, origin: String) -> Result<Data> {
        let mut file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(piece.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        Ok(Data { path, origin, sha256: format!("{:x}", hash.finalize()), bytes })
    }
}

/// A file that is there whole or not at all.
fn write_once(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part).with_context(|| format!("cannot create {}", part.display()))?;
    fill(&mut file)?;
    std::fs::rename(&part, path).with_context(|| format!("cannot create {}", path.display()))
}
