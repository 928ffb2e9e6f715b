//! What a module carries beside its code: custom sections, which runtimes ignore.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Section};
use wasmparser::{Parser, Payload};

/// The text of the rules, their packs' settings and the configuration, as gzip of JSON.
pub const RULES_SECTION: &str = "tripwasm:rules";

/// The rules' own tests, as gzip of JSON.
pub const TESTS_SECTION: &str = "tripwasm:tests";

/// Appends a custom section to a component or core module; both write it alike.
pub fn append_section(module: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }.append_to(module);
}

/// The first custom section of that name.
pub fn find_section<'a>(
    module: &'a [u8],
    name: &str,
) -> Result<Option<&'a [u8]>, wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == name
        {
            return Ok(Some(section.data()));
        }
    }
    Ok(None)
}
