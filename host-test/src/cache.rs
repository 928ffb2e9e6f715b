//! Compiled native code, kept per user, so that a module is compiled once on each machine.
//!
//! The one place with `unsafe`: wasmtime runs whatever a compiled file holds. A file is loaded only when it lies in a
//! directory that is ours and closed to others (mode 0700), is a plain file of ours, and carries the hash of its own
//! content; its name is the SHA-256 of the module, the wasmtime version, its settings and the CPU's features. The hash
//! of the content need not withstand an attacker, who cannot write there: it finds files that were cut off or damaged.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::CompileCache;

const HASH_BYTES: usize = 16;

/// Bytes looked at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Files kept, newest first: every edit of a rule compiles another module.
const FILES_MAX: usize = 32;

const EXTENSION: &str = "cwasm";

/// Where compiled code is kept, if anywhere.
pub(crate) struct Cache {
    directory: Option<PathBuf>,
}

/// Something that compiles to native code and loads from it.
pub(crate) trait Compiled: Sized {
    /// Tells files of different kinds apart.
    const KIND: &'static str;
    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self>;
    fn serialize(&self) -> wasmtime::Result<Vec<u8>>;
    /// Loads what [`Compiled::serialize`] of the same engine gave.
    fn deserialize(engine: &Engine, trusted: &Trusted<'_>) -> wasmtime::Result<Self>;
}

/// A SHA-256.
pub(crate) type Digest256 = [u8; 32];

/// A file of native code that this user's own process compiled; made by [`trusted`] alone.
pub(crate) struct Trusted<'a>(&'a Path);

impl Cache {
    /// A cache that cannot be had is a cache that is off: it only saves time.
    pub(crate) fn new(cache: CompileCache) -> Self {
        let directory = match cache {
            CompileCache::PerUser => user_directory().filter(|path| make_private(path).is_ok()),
            CompileCache::Off => None,
        };
        Cache { directory }
    }

    /// Loads `wasm` compiled, or compiles it and keeps the result. `digest` is its SHA-256.
    pub(crate) fn load_or_compile<C: Compiled>(
        &self,
        engine: &Engine,
        wasm: &[u8],
        digest: &Digest256,
    ) -> wasmtime::Result<C> {
        let Some(directory) = &self.directory else { return C::compile(engine, wasm) };
        let path = directory.join(key::<C>(engine, digest));
        if let Some(trusted) = trusted(&path)
            && let Ok(compiled) = C::deserialize(engine, &trusted)
        {
            return Ok(compiled);
        }
        let compiled = C::compile(engine, wasm)?;
        // A full disk or a lost race costs the next start its time, nothing else.
        let _ = compiled.serialize().map(|code| write(directory, &path, &code));
        Ok(compiled)
    }
}

#[expect(
    unsafe_code,
    reason = "loading compiled code; see the module's documentation for what is trusted and why"
)]
mod load {
    use super::{Compiled, Component, Engine, Module, Trusted};

    impl Compiled for Component {
        const KIND: &'static str = "component";

        fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
            Component::from_binary(engine, wasm)
        }

        fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
            Component::serialize(self)
        }

        fn deserialize(engine: &Engine, trusted: &Trusted<'_>) -> wasmtime::Result<Self> {
            // SAFETY: `Trusted` names only what `serialize` gave in a process of this user. Files are replaced whole, never
            // written to, so what is mapped does not change.
            unsafe { Component::deserialize_file(engine, trusted.0) }
        }
    }

    impl Compiled for Module {
        const KIND: &'static str = "module";

        fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
            Module::from_binary(engine, wasm)
        }

        fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
            Module::serialize(self)
        }

        fn deserialize(engine: &Engine, trusted: &Trusted<'_>) -> wasmtime::Result<Self> {
            // SAFETY: as above.
            unsafe { Module::deserialize_file(engine, trusted.0) }
        }
    }
}

/// SHA-256 behind the standard library's interface for hashing.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn key<C: Compiled>(engine: &Engine, digest: &Digest256) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    C::KIND.hash(&mut hasher);
    // wasmtime's version, the settings, the target and the CPU's features.
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(digest);
    format!("{:x}.{EXTENSION}", hasher.0.finalize())
}

fn user_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("tripwasm"))
}

fn make_private(directory: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let meta = fs::symlink_metadata(directory)?;
    match meta.is_dir() && is_ours(&meta) && meta.mode() & 0o077 == 0 {
        true => Ok(()),
        false => Err(std::io::ErrorKind::PermissionDenied.into()),
    }
}

fn is_ours(meta: &fs::Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether a file is ours and whole. It is mapped afterwards, from a directory that nobody else can write to; its hash
/// behind the code disturbs nobody.
fn trusted(path: &Path) -> Option<Trusted<'_>> {
    let no_links = rustix::fs::OFlags::NOFOLLOW.bits();
    let mut file = fs::OpenOptions::new().read(true).custom_flags(no_links as i32).open(path).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || !is_ours(&meta) || meta.mode() & 0o022 != 0 {
        return None;
    }
    let code = meta.len().checked_sub(HASH_BYTES as u64)?;
    let found = content_hash(&mut (&mut file).take(code)).ok()?;
    let mut expected = [0; HASH_BYTES];
    file.read_exact(&mut expected).ok()?;
    (found == expected).then_some(Trusted(path))
}

fn content_hash(content: &mut impl Read) -> std::io::Result<[u8; HASH_BYTES]> {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match content.read(&mut piece)? {
            0 => return Ok(hasher.digest128().to_le_bytes()),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

fn write(directory: &Path, path: &Path, code: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    let handle: &mut File = file.as_file_mut();
    handle.write_all(code)?;
    handle.write_all(&content_hash(&mut &*code)?)?;
    file.persist(path)?;
    prune(directory)
}

fn prune(directory: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort_by(|left, right| right.cmp(left));
    files.iter().skip(FILES_MAX).try_for_each(|(_, path)| fs::remove_file(path))
}
