//! Which functions of a module can still be reached.

use std::collections::BTreeSet;

use wasmparser::{ConstExpr, ElementItems, ExternalKind, Operator, Parser, Payload, TableInit, TypeRef};

type Read<T> = Result<T, wasmparser::BinaryReaderError>;

/// Functions reachable from the exports that `keeps` accepts, from tables, globals and the start function. One entry
/// for each function that the module defines, in order.
pub(crate) fn live_functions(module: &[u8], keeps: impl Fn(&str) -> bool) -> Read<Vec<bool>> {
    let graph = call_graph(module, keeps)?;
    let mut live = vec![false; graph.callees.len()];
    let mut open = graph.roots;
    while let Some(function) = open.pop() {
        let Some(defined) = (function as usize).checked_sub(graph.imported) else { continue };
        if let Some(seen) = live.get_mut(defined)
            && !std::mem::replace(seen, true)
        {
            open.extend(graph.callees.get(defined).into_iter().flatten());
        }
    }
    Ok(live)
}

/// How many functions a module imports; its own are counted from there.
pub(crate) fn imported_functions(module: &[u8]) -> Read<u32> {
    Ok(u32::try_from(call_graph(module, |_| false)?.imported).unwrap_or(u32::MAX))
}

/// Functions that are called inside a module, or can be by a table or reference.
pub(crate) fn called_inside(module: &[u8]) -> Read<BTreeSet<u32>> {
    let graph = call_graph(module, |_| false)?;
    Ok(graph.roots.into_iter().chain(graph.callees.into_iter().flatten()).collect())
}

struct CallGraph {
    imported: usize,
    roots: Vec<u32>,
    callees: Vec<Vec<u32>>,
}

fn call_graph(module: &[u8], keeps: impl Fn(&str) -> bool) -> Read<CallGraph> {
    let mut graph = CallGraph { imported: 0, roots: Vec::new(), callees: Vec::new() };
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    graph.imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func && keeps(export.name) {
                        graph.roots.push(export.index);
                    }
                }
            }
            Payload::StartSection { func, .. } => graph.roots.push(func),
            Payload::TableSection(tables) => {
                for table in tables {
                    if let TableInit::Expr(init) = table?.init {
                        referenced(&init, &mut graph.roots)?;
                    }
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    element_functions(element?.items, &mut graph.roots)?;
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    referenced(&global?.init_expr, &mut graph.roots)?;
                }
            }
            Payload::CodeSectionEntry(body) => graph.callees.push(callees(&body)?),
            _ => {}
        }
    }
    Ok(graph)
}

fn element_functions(items: ElementItems<'_>, roots: &mut Vec<u32>) -> Read<()> {
    match items {
        ElementItems::Functions(functions) => {
            for function in functions {
                roots.push(function?);
            }
        }
        ElementItems::Expressions(_, expressions) => {
            for expression in expressions {
                referenced(&expression?, roots)?;
            }
        }
    }
    Ok(())
}

fn referenced(expression: &ConstExpr<'_>, roots: &mut Vec<u32>) -> Read<()> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            roots.push(function_index);
        }
    }
    Ok(())
}

fn callees(body: &wasmparser::FunctionBody<'_>) -> Read<Vec<u32>> {
    let mut callees = Vec::new();
    for operator in body.get_operators_reader()? {
        if let Operator::Call { function_index }
        | Operator::ReturnCall { function_index }
        | Operator::RefFunc { function_index } = operator?
        {
            callees.push(function_index);
        }
    }
    callees.sort_unstable();
    callees.dedup();
    Ok(callees)
}
