//! What a module carries beside its code: JSON, compressed, since tests repeat events by the hundred.

use std::io::{Read, Write};

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

/// Reads a section of a module; `None` if it was stripped.
pub(crate) fn find<T: DeserializeOwned>(wasm: &[u8], section: &'static str) -> Result<Option<T>, LoadError> {
    let data = find_section(wasm, section).map_err(|error| LoadError::NotAModule(error.into()))?;
    let Some(data) = data else { return Ok(None) };
    let mut json = Vec::new();
    let damaged = |source| LoadError::Section { section, source };
    GzDecoder::new(data)
        .take(SECTION_BYTES_MAX)
        .read_to_end(&mut json)
        .map_err(|error| damaged(serde_json::Error::io(error)))?;
    serde_json::from_slice(&json).map(Some).map_err(damaged)
}
