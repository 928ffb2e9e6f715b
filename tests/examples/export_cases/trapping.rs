//! A module that traps whenever it is asked about events.

use anyhow::{Result, ensure};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasmparser::{ExternalKind, FunctionBody, Parser, Payload};

/// A core module of ours, in which `evaluate` and `transform` trap.
pub(crate) fn trapping(core: &[u8]) -> Result<Vec<u8>> {
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(core) {
        if let Payload::ExportSection(exports) = payload? {
            for export in exports {
                let export = export?;
                let traps = ["#evaluate", "#transform"].iter().any(|name| export.name.ends_with(name));
                if export.kind == ExternalKind::Func && traps && !export.name.starts_with("cabi_post") {
                    functions.push(export.index);
                }
            }
        }
    }
    ensure!(functions.len() == 2, "the module does not evaluate and transform");
    let mut module = wasm_encoder::Module::new();
    Trapping { functions, next: 0 }.parse_core_module(&mut module, Parser::new(0), core)?;
    Ok(module.finish())
}

/// Makes some functions trap.
struct Trapping {
    functions: Vec<u32>,
    next: u32,
}

impl Reencode for Trapping {
    type Error = std::convert::Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let index = self.next;
        self.next += 1;
        if self.functions.contains(&index) {
            let mut trap = wasm_encoder::Function::new([]);
            trap.instructions().unreachable().end();
            code.function(&trap);
            return Ok(());
        }
        utils::parse_function_body(self, code, body)
    }
}
