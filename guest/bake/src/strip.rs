//! Takes the init and what only it reached out of a baked module.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{Parser, Payload};

use crate::BakeError;
use crate::check::INIT_PREFIX;
use crate::guard::STACK_POINTER;
use crate::live::live_functions;

/// Linker symbols: no host needs them, and WAMR would shrink the memory to `__heap_base`.
const LINKER_EXPORTS: [&str; 3] = ["__data_end", "__heap_base", STACK_POINTER];

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

/// Whether a finished module keeps this export.
pub(crate) fn keeps_export(name: &str) -> bool {
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

/// A section as it stands in its module.
pub(crate) fn raw_section<'a>(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{append_section, encode_component, find_section, module_shape};

    const BAKED: &str = r#"(module
        (memory (export "memory") 1)
        (global (export "__heap_base") i32 (i32.const 16))
        (table 1 funcref)
        (elem (i32.const 0) $by_table)
        (func (export "bake_alloc") (param i32) (result i32) (call $only_init))
        (func (export "bake") (param i32 i32) (result i32) (i32.const 0))
        (func $only_init (result i32) (i32.const 111111))
        (func $by_table (i32.const 222222) drop)
        (func $by_call (result i32) (i32.const 333333))
        (func (export "run") (result i32) (call $by_call))
        (@custom "producers" "x"))"#;

    fn contains(module: &[u8], constant: i32) -> bool {
        let mut body = wasm_encoder::Function::new([]);
        body.instructions().i32_const(constant);
        let code: Vec<u8> = body.into_raw_body();
        let code = code.get(1..).unwrap_or_default();
        module.windows(code.len()).any(|window| window == code)
    }

    #[test]
    fn init_and_what_only_it_reached_is_gone() {
        let baked = wat::parse_str(BAKED).unwrap();
        let stripped = strip(&baked).unwrap();
        wasmparser::validate(&stripped).unwrap();
        assert_eq!(module_shape(&stripped).unwrap().exports, ["memory", "run"]);
        for (constant, kept) in [(111_111, false), (222_222, true), (333_333, true)] {
            assert!(contains(&baked, constant), "{constant}");
            assert_eq!(contains(&stripped, constant), kept, "{constant}");
        }
        assert_eq!(find_section(&stripped, "producers").unwrap(), None);
        assert_eq!(strip(&stripped).unwrap(), stripped, "nothing is left to strip");
    }

    #[test]
    fn modules_that_are_not_closed_are_refused() {
        let cases = [
            (r#"(module (import "host" "clock" (func)))"#, "imports host.clock"),
            (r#"(module (func (export "bake")))"#, "still exports bake"),
        ];
        for (text, expected) in cases {
            let error = encode_component(&wat::parse_str(text).unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn sections_are_read_back() {
        let mut module = wat::parse_str("(module)").unwrap();
        append_section(&mut module, "tripwasm:rules", b"text");
        wasmparser::validate(&module).unwrap();
        assert_eq!(find_section(&module, "tripwasm:rules").unwrap(), Some(&b"text"[..]));
        assert_eq!(find_section(&module, "tripwasm:tests").unwrap(), None);
    }
}
