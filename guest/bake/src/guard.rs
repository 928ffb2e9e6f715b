//! Sets the stack pointer right at every call from outside.
//!
//! A trap leaves the stack pointer where it was. A host that goes on with the instance, as Fluent Bit does, loses a piece of
//! the stack with every trap, until no call works any more.

use wasm_encoder::{Encode, Instruction};
use wasmparser::{ConstExpr, ExternalKind, Operator, Parser, Payload};

use crate::BakeError;
use crate::live::{called_inside, imported_functions};

/// What the linker calls the global; exported on request, and gone from a finished module.
pub(crate) const STACK_POINTER: &str = "__stack_pointer";

/// What is told of a module by its exports and globals.
#[derive(Default)]
struct Found {
    stack_pointer: Option<u32>,
    /// Indices of exported functions.
    entries: Vec<u32>,
    /// Initial value of each global, where it is a plain number.
    globals: Vec<Option<i32>>,
}

/// The module, each of its exported functions beginning with the stack pointer at its initial value. No function may call
/// one of them from inside.
pub(crate) fn guard_stack(module: &[u8], keeps: impl Fn(&str) -> bool) -> Result<Vec<u8>, BakeError> {
    let found = find(module, keeps)?;
    let missing = || BakeError::Rewrite(format!("the guest exports no {STACK_POINTER}"));
    let global = found.stack_pointer.ok_or_else(missing)?;
    let top = found.globals.get(global as usize).copied().flatten().ok_or_else(missing)?;
    let inside = called_inside(module)?;
    if found.entries.iter().any(|entry| inside.contains(entry)) {
        return Err(BakeError::Rewrite("a function of the contract is called from inside".to_owned()));
    }
    let imported = imported_functions(module)?;
    let mut guarded = wasm_encoder::Module::new();
    let mut code = wasm_encoder::CodeSection::new();
    let (mut next, mut left) = (imported, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CodeSectionStart { count, .. } => left = count,
            Payload::CodeSectionEntry(body) => {
                if found.entries.contains(&next) {
                    code.raw(&with_stack_pointer(&body, global, top)?);
                } else {
                    code.raw(body.as_bytes());
                }
                next += 1;
                left -= 1;
                if left == 0 {
                    guarded.section(&code);
                }
            }
            Payload::Version { .. } | Payload::End(_) => {}
            other => {
                guarded.section(&crate::strip::raw_section(module, &other)?);
            }
        }
    }
    Ok(guarded.finish())
}

/// A function's body, `global` set to `top` behind its locals.
fn with_stack_pointer(
    body: &wasmparser::FunctionBody<'_>,
    global: u32,
    top: i32,
) -> Result<Vec<u8>, BakeError> {
    let bytes = body.as_bytes();
    let first = body.get_operators_reader()?.original_position();
    let damaged = || BakeError::Rewrite("the code section".to_owned());
    let locals = usize::try_from(first - body.range().start).map_err(|_| damaged())?;
    let (locals, operators) = bytes.split_at_checked(locals).ok_or_else(damaged)?;
    let mut guarded = locals.to_vec();
    Instruction::I32Const(top).encode(&mut guarded);
    Instruction::GlobalSet(global).encode(&mut guarded);
    guarded.extend_from_slice(operators);
    Ok(guarded)
}

fn find(module: &[u8], keeps: impl Fn(&str) -> bool) -> Result<Found, wasmparser::BinaryReaderError> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::GlobalSection(globals) => {
                for global in globals {
                    found.globals.push(number(&global?.init_expr)?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.kind {
                        ExternalKind::Global if export.name == STACK_POINTER => {
                            found.stack_pointer = Some(export.index);
                        }
                        ExternalKind::Func if keeps(export.name) => found.entries.push(export.index),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn number(expression: &ConstExpr<'_>) -> Result<Option<i32>, wasmparser::BinaryReaderError> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(Some(value)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAKS: &str = r#"(module
        (global $sp (export "__stack_pointer") (mut i32) (i32.const 4096))
        (func (export "run") (param i32) (result i32) (local i64)
            (global.set $sp (i32.sub (global.get $sp) (i32.const 16))) (global.get $sp))
        (func $inside (result i32) (global.get $sp))
        (func (export "other") (result i32) (call $inside)))"#;

    #[test]
    fn entries_begin_with_the_stack_pointer_at_its_place() {
        let module = wat::parse_str(LEAKS).unwrap();
        let guarded = guard_stack(&module, |_| true).unwrap();
        wasmparser::validate(&guarded).unwrap();
        // 3 bytes of a constant and 2 of `global.set` for each entry, and nothing else.
        assert_eq!(guarded.len(), module.len() + 2 * 5);
        let one = guard_stack(&module, |name| name == "run").unwrap();
        assert_eq!(one.len(), module.len() + 5);
    }

    #[test]
    fn modules_that_cannot_be_guarded_are_refused() {
        let cases = [
            (r#"(module (func (export "run")))"#, "exports no __stack_pointer"),
            (
                r#"(module (global (export "__stack_pointer") (mut i32) (i32.const 9))
                    (func $run (export "run")) (func (call $run)))"#,
                "called from inside",
            ),
        ];
        for (text, expected) in cases {
            let error = guard_stack(&wat::parse_str(text).unwrap(), |_| true).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
