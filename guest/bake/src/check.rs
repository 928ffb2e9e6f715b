//! The rules a finished module keeps: valid, no imports, no init.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::BakeError;

/// Exports that exist only for baking begin with this.
pub(crate) const INIT_PREFIX: &str = "bake";

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
