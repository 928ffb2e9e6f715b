//! Takes the init and what only it reached out of a baked module.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{Parser, Payload};

use crate::BakeError;
use crate::check::INIT_PREFIX;
use crate::live::live_functions;

/// Linker symbols: no host needs them, and WAMR would shrink the memory to `__heap_base`.
const LINKER_EXPORTS: [&str; 2] = ["__data_end", "__heap_base"];

/// wit-component reads the contract from sections of this prefix; all other custom sections go.
const CONTRACT_SECTION_PREFIX: &str = "component-type";

/// The module without exports for baking, without the bodies of functions that nothing reaches any more (indices
/// stay as they are), and without custom sections other than the contract.
pub(crate) fn strip(module: &[u8]) -> Result<Vec<u8>, BakeError> {
    let live = live_functions(module, keeps_export)?;
    let mut stripped = wasm_encoder::Module::new();
    let mut code = wasm_encoder::CodeSection::new();
    let mut bodies = live.iter();
    let mut bodies_left = 0u32;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match &payload {
            Payload::ExportSection(exports) => {
                stripped.section(&kept_exports(exports.clone())?);
            }
            Payload::CustomSection(section) => {
                if section.name().starts_with(CONTRACT_SECTION_PREFIX) {
                    stripped.section(&wasm_encoder::CustomSection {
                        name: section.name().into(),
                        data: section.data().into(),
                    });
                }
            }
            Payload::CodeSectionStart { count, .. } => bodies_left = *count,
            Payload::CodeSectionEntry(body) => {
                match bodies.next() {
                    Some(false) => code.function(&unreachable_body()),
                    _ => code.raw(body.as_bytes()),
                };
                bodies_left = bodies_left.saturating_sub(1);
                if bodies_left == 0 {
                    stripped.section(&code);
                }
            }
            Payload::Version { .. } | Payload::End(_) => {}
            other => {
                stripped.section(&raw_section(module, other)?);
            }
        }
    }
    Ok(stripped.finish())
}

fn keeps_export(name: &str) -> bool {
    !name.starts_with(INIT_PREFIX) && !LINKER_EXPORTS.contains(&name)
}

fn kept_exports(
    exports: wasmparser::ExportSectionReader<'_>,
) -> Result<wasm_encoder::ExportSection, BakeError> {
    let mut kept = wasm_encoder::ExportSection::new();
    for export in exports {
        let export = export?;
        if keeps_export(export.name) {
            RoundtripReencoder.parse_export(&mut kept, export)?;
        }
    }
    Ok(kept)
}

fn unreachable_body() -> wasm_encoder::Function {
    let mut body = wasm_encoder::Function::new([]);
    body.instructions().unreachable().end();
    body
}

fn raw_section<'a>(
    module: &'a [u8],
    payload: &Payload<'_>,
) -> Result<wasm_encoder::RawSection<'a>, BakeError> {
    let damaged = || BakeError::Rewrite(format!("{payload:?}"));
    let (id, range) = payload.as_section().ok_or_else(damaged)?;
    let start = usize::try_from(range.start).map_err(|_| damaged())?;
    let end = usize::try_from(range.end).map_err(|_| damaged())?;
    let data = module.get(start..end).ok_or_else(damaged)?;
    Ok(wasm_encoder::RawSection { id, data })
}
