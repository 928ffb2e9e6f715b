//! A finished module, compiled for this machine.

use std::path::Path;

use sha2::{Digest, Sha256};
use tripwasm_bake::{RULES_SECTION, TESTS_SECTION, encode_component, is_component, is_filter, module_shape};
use wasmtime::component::{Component, Linker};

use crate::bindings::LogFilterPre;
use crate::bindings::detector::ModuleInfo;
use crate::build::RuleTexts;
use crate::carried::Section;
use crate::detector::{Instance, Sandbox};
use crate::rule_test::RuleTest;
use crate::{LoadError, Runtime};

/// A finished module, compiled for this machine and described by itself. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) instantiate: LogFilterPre<Sandbox>,
    info: ModuleInfo,
    sha256: String,
    bytes: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    rule_texts: Option<Section>,
    tests: Option<Section>,
}

impl Module {
    /// Loads a component, or a core module with the contract in it, and asks it what it holds.
    pub fn load(runtime: &Runtime, wasm: &[u8]) -> Result<Self, LoadError> {
        let shape = module_shape(wasm).map_err(|error| LoadError::NotAModule(error.into()))?;
        if !shape.imports.is_empty() {
            return Err(LoadError::Imports(shape.imports));
        }
        if is_filter(wasm) {
            return Err(LoadError::ForFluentBit);
        }
        let digest = Sha256::digest(wasm);
        let component = if is_component(wasm) {
            runtime.cache.load_or_compile(&runtime.engine, wasm, &digest.into())
        } else {
            let encoded = encode_component(wasm)?;
            runtime.cache.load_or_compile(&runtime.engine, &encoded, &Sha256::digest(&encoded).into())
        };
        let component: Component = component.map_err(LoadError::NotAModule)?;
        let instantiate = Linker::new(&runtime.engine)
            .instantiate_pre(&component)
            .and_then(LogFilterPre::new)
            .map_err(LoadError::Contract)?;
        let info = Instance::start(&instantiate, Sandbox::DEFAULT_MEMORY_BYTES_MAX)
            .and_then(|mut instance| instance.describe())
            .map_err(LoadError::Start)?;
        Ok(Module {
            instantiate,
            info,
            sha256: format!("{digest:x}"),
            bytes: wasm.len() as u64,
            imports: shape.imports,
            exports: shape.exports,
            rule_texts: Section::find(wasm, RULES_SECTION)?,
            tests: Section::find(wasm, TESTS_SECTION)?,
        })
    }

    /// As [`Module::load`], from a file.
    pub fn load_file(runtime: &Runtime, path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let wasm = std::fs::read(path)
            .map_err(|source| LoadError::Unreadable { path: path.display().to_string(), source })?;
        Module::load(runtime, &wasm)
    }

    /// What the module says of itself: rules, fields, limits, options.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// SHA-256 of the file, as `sha256sum` prints it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it imports; nothing.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// What it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// The text of its rules, unless it was stripped.
    pub fn rule_texts(&self) -> Result<Option<RuleTexts>, LoadError> {
        self.rule_texts.as_ref().map(Section::unpack).transpose()
    }

    /// Its rules' own tests, unless it was stripped.
    pub fn tests(&self) -> Result<Option<Vec<RuleTest>>, LoadError> {
        self.tests.as_ref().map(Section::unpack).transpose()
    }
}

/// What can be told of a module for Fluent Bit, which runs nowhere else.
#[derive(Debug)]
pub struct Filter {
    /// SHA-256 of the file, as `sha256sum` prints it.
    pub sha256: String,
    /// What it imports; nothing.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The text of its rules, unless it was stripped.
    pub rule_texts: Option<RuleTexts>,
}

impl Filter {
    /// Reads a module's shape and sections.
    pub fn read(wasm: &[u8]) -> Result<Self, LoadError> {
        let shape = module_shape(wasm).map_err(|error| LoadError::NotAModule(error.into()))?;
        let rule_texts = Section::find(wasm, RULES_SECTION)?.map(|section| section.unpack()).transpose()?;
        let sha256 = format!("{:x}", Sha256::digest(wasm));
        Ok(Filter { sha256, imports: shape.imports, exports: shape.exports, rule_texts })
    }
}
