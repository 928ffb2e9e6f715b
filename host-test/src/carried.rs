//! What a module carries beside its code: JSON, compressed, since tests repeat events by the hundred.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Serialize, de::DeserializeOwned};
use tripwasm_bake::find_section;

use crate::LoadError;

/// Most bytes that a section may unfold to: a module is somebody's file.
const SECTION_BYTES_MAX: u64 = 256 << 20;

/// The bytes of a section; equal values give equal bytes.
pub(crate) fn pack<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Neither JSON of our own types nor writing to memory fails.
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    let _ = zip.write_all(&json);
    zip.finish().unwrap_or_default()
}

/// A section as it stands in a module. It is unpacked when somebody asks: to run, a module needs none of it.
#[derive(Clone)]
pub(crate) struct Section {
    name: &'static str,
    packed: Arc<[u8]>,
}

impl Section {
    /// A section of a module; `None` if it was stripped.
    pub(crate) fn find(wasm: &[u8], name: &'static str) -> Result<Option<Section>, LoadError> {
        let data = find_section(wasm, name).map_err(|error| LoadError::NotAModule(error.into()))?;
        Ok(data.map(|data| Section { name, packed: data.into() }))
    }

    /// What it holds.
    pub(crate) fn unpack<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        let mut json = Vec::new();
        let damaged = |source| LoadError::Section { section: self.name, source };
        GzDecoder::new(&*self.packed)
            .take(SECTION_BYTES_MAX)
            .read_to_end(&mut json)
            .map_err(|error| damaged(serde_json::Error::io(error)))?;
        serde_json::from_slice(&json).map_err(damaged)
    }
}
