//! The rules a finished module keeps: valid, no imports, no init.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::BakeError;

/// Exports that exist only for baking begin with this.
pub(crate) const INIT_PREFIX: &str = "bake";

/// The function that Fluent Bit calls, `Function_Name` in its configuration.
pub const FILTER_FUNCTION: &str = "tripwasm_filter";

/// What can be told of a module without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleShape {
    /// Names of what it imports from the host; a tripwasm module imports nothing.
    pub imports: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
}

/// Whether the bytes begin as a component does, not as a core module.
pub fn is_component(module: &[u8]) -> bool {
    Parser::is_component(module)
}

/// Imports and exports of a component or core module; modules inside a component do not count.
pub fn module_shape(module: &[u8]) -> Result<ModuleShape, wasmparser::BinaryReaderError> {
    let mut shape = ModuleShape { imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    shape.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    shape.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    shape.imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    shape.exports.push(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

/// A baked core module: valid in every current engine, no imports, no init.
pub(crate) fn closed_core(core: &[u8]) -> Result<(), BakeError> {
    Validator::new_with_features(WasmFeatures::WASM2 | WasmFeatures::SIMD).validate_all(core)?;
    let shape = module_shape(core)?;
    no_imports(&shape)?;
    no_init(shape.exports.iter().map(String::as_str))
}

/// What a module for Fluent Bit exports.
const FILTER_EXPORTS: [&str; 4] = ["memory", "malloc", "free", FILTER_FUNCTION];

/// A module for Fluent Bit: valid in its runtime, which has no vectors; no imports, and the contract's exports alone.
pub(crate) fn closed_filter(core: &[u8]) -> Result<(), BakeError> {
    Validator::new_with_features(WasmFeatures::WASM2.difference(WasmFeatures::SIMD)).validate_all(core)?;
    let shape = module_shape(core)?;
    no_imports(&shape)?;
    no_init(shape.exports.iter().map(String::as_str))?;
    let exports = &shape.exports;
    let is_whole = FILTER_EXPORTS.iter().all(|name| exports.iter().any(|export| export == name));
    if is_whole && exports.len() == FILTER_EXPORTS.len() {
        return Ok(());
    }
    Err(BakeError::Exports(exports.clone()))
}

/// Whether a core module was made for Fluent Bit.
pub fn is_filter(module: &[u8]) -> bool {
    !is_component(module)
        && module_shape(module).is_ok_and(|shape| shape.exports.iter().any(|name| name == FILTER_FUNCTION))
}

/// A finished component: no imports, and no init in the core modules inside it.
pub(crate) fn closed_component(component: &[u8]) -> Result<(), BakeError> {
    no_imports(&module_shape(component)?)?;
    let mut inner = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { encoding: Encoding::Module, .. } | Payload::End(_) => {}
            Payload::ExportSection(exports) => {
                for export in exports {
                    inner.push(export?.name);
                }
            }
            _ => {}
        }
    }
    no_init(inner.into_iter())
}

fn no_imports(shape: &ModuleShape) -> Result<(), BakeError> {
    match shape.imports.first() {
        Some(name) => Err(BakeError::Imports(name.clone())),
        None => Ok(()),
    }
}

fn no_init<'a>(mut exports: impl Iterator<Item = &'a str>) -> Result<(), BakeError> {
    match exports.find(|name| name.starts_with(INIT_PREFIX)) {
        Some(name) => Err(BakeError::InitLeft(name.to_owned())),
        None => Ok(()),
    }
}
