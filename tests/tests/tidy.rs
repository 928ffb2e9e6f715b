//! Rules of the house that a machine can check: the map, the directions of dependencies, what guests may not contain.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use tripwasm::build::{Carried, Target, build};
use tripwasm::{CompileCache, Module, Runtime, RuntimeOptions};
use tripwasm_tests::rules::compile_pack;

/// Who may use whom inside the workspace. `tests` and `xtask` may use all, and nobody uses them.
const MAY_USE: &[(&str, &[&str])] = &[
    ("tripwasm-plan", &[]),
    ("tripwasm-engine", &["tripwasm-plan"]),
    ("tripwasm-instance", &["tripwasm-engine", "tripwasm-plan"]),
    ("tripwasm-component", &["tripwasm-engine", "tripwasm-instance", "tripwasm-plan"]),
    ("tripwasm-fluent-bit", &["tripwasm-engine", "tripwasm-instance", "tripwasm-plan"]),
    ("tripwasm-bake", &["tripwasm-plan"]),
    ("tripwasm-rules", &["tripwasm-plan"]),
    ("tripwasm", &["tripwasm-bake", "tripwasm-plan", "tripwasm-rules"]),
];

/// Libraries that one crate alone may name, build and test dependencies included.
const AT_HOME: &[(&str, &str)] =
    &[("wit-bindgen", "tripwasm-component"), ("wasmtime", "tripwasm"), ("rsigma-parser", "tripwasm-rules")];

const BINARIES: &[&str] = &["tripwasm-tests", "xtask"];

#[test]
fn dependencies_point_one_way() {
    let members = members().unwrap();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for member in &members {
        if BINARIES.contains(&member.name.as_str()) {
            continue;
        }
        let allowed = MAY_USE.iter().find(|(name, _)| *name == member.name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{} has no line in MAY_USE", member.name));
        for used in member.uses.iter().filter(|used| names.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{} must not use {used}", member.name);
        }
    }
}

#[test]
fn some_libraries_have_one_home() {
    for member in members().unwrap() {
        for (library, home) in AT_HOME {
            let is_home = member.name == *home;
            assert!(is_home || !member.uses.contains(*library), "{} must not use {library}", member.name);
        }
    }
}

#[test]
fn the_finished_module_imports_nothing() {
    let contract = std::fs::read_to_string(root().join("wit/detect.wit")).unwrap();
    assert!(!contract.lines().any(|line| line.trim_start().starts_with("import ")), "the world exports only");
    let plan = compile_pack(&root().join("rules/cloudtrail"), None).unwrap();
    let runtime = Runtime::new(RuntimeOptions { cache: CompileCache::Off }).unwrap();
    let wasm = build(&runtime, &plan, Target::Component, Carried::Nothing).unwrap();
    let imports = Module::load(&runtime, &wasm).unwrap().imports().to_vec();
    assert!(imports.is_empty(), "the module imports {imports:?}");
}

#[test]
fn the_map_names_every_crate_and_nothing_else() {
    let root = root();
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let rows: BTreeMap<&str, &str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let (folder, rest) = row.split_once("` |")?;
            Some((folder, rest))
        })
        .collect();
    for folder in rows.keys() {
        assert!(root.join(folder).is_dir(), "ARCHITECTURE.md names `{folder}`, which is not there");
    }
    for member in members().unwrap() {
        let row = rows.get(member.folder.as_str());
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md does not name `{}`", member.folder));
        assert!(row.contains(&format!("`{}`", member.name)), "{} is not at `{}`", member.name, member.folder);
    }
    for path in map.split('`').skip(1).step_by(2).filter(|text| is_source_path(text)) {
        assert!(root.join(path).exists(), "ARCHITECTURE.md names `{path}`, which is not there");
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    for path in sources(&root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_test_part = path.ends_with("tests.rs");
        assert!(
            is_test_part || text.starts_with("//! "),
            "{} does not begin with a //! line",
            path.display()
        );
        for banned in ["todo!(", "unimplemented!(", "dbg!(", "TODO", "FIXME", "#[ignore"] {
            let own = path.ends_with("tidy.rs") || path.ends_with("Cargo.toml");
            assert!(own || !text.contains(banned), "{} contains `{banned}`", path.display());
        }
    }
}

#[test]
fn guests_do_not_panic_by_themselves() {
    let root = root();
    let runs_outside = |path: &PathBuf| {
        let is_in = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
        path.ends_with("tests.rs")
            || is_in("examples")
            || path.parent().is_some_and(|at| at.ends_with("tests"))
    };
    for path in sources(&root.join("guest")).into_iter().filter(|path| !runs_outside(path)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            for banned in [".unwrap()", ".expect(", "panic!(", "unreachable!(", "assert!(", "assert_eq!("] {
                assert!(!line.contains(banned), "{}:{}: `{banned}` in a guest", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn unsafe_code_stays_in_its_modules() {
    const HOMES: &[&str] = &[
        "guest/component/src/lib.rs",
        "guest/engine/src/scan/marks.rs",
        "guest/engine/src/scan/vector.rs",
        "guest/fluent-bit/src/abi.rs",
        "guest/instance/src/bake.rs",
        "host-test/src/cache.rs",
    ];
    let root = root();
    for path in sources(&root) {
        let place = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let has_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            ["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl"].iter().any(|word| code.contains(word))
        });
        let is_home = HOMES.contains(&place.as_str()) || place == "tests/tests/tidy.rs";
        assert!(is_home || !has_unsafe, "{place} holds unsafe code; its home is one of {HOMES:?}");
    }
}

#[derive(Debug)]
struct Member {
    name: String,
    /// Relative to the root.
    folder: String,
    uses: BTreeSet<String>,
}

fn members() -> Result<Vec<Member>> {
    let root = root();
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&root)
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata failed")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    packages.iter().map(|package| member(&root, package)).collect()
}

fn member(root: &Path, package: &Value) -> Result<Member> {
    let manifest = PathBuf::from(package["manifest_path"].as_str().context("no manifest")?);
    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).context("outside")?;
    let uses = package["dependencies"].as_array().context("no dependencies")?;
    // Tests may compare with anything; what counts is what a crate is made of.
    let made_of = uses.iter().filter(|used| used["kind"].as_str() != Some("dev"));
    Ok(Member {
        name: package["name"].as_str().context("no name")?.to_owned(),
        folder: folder.to_string_lossy().into_owned(),
        uses: made_of.filter_map(|used| used["name"].as_str().map(str::to_owned)).collect(),
    })
}

fn is_source_path(text: &str) -> bool {
    text.contains('/') && (text.ends_with(".rs") || text.ends_with(".md")) && !text.contains(['*', '<', '{'])
}

/// The Rust files of the project.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
