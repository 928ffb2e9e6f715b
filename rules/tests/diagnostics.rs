//! Every message as its reader sees it: `diagnostics/NAME.yml` gives `NAME.txt`. `UPDATE_EXPECT=1` writes them anew.

use std::{
    fs,
    path::{Path, PathBuf},
};
use tripwasm_rules::{OnError, Severity, SourceFile, compile};

fn source(path: &Path) -> SourceFile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    SourceFile { path: name, text: fs::read_to_string(path).unwrap() }
}

#[test]
fn messages_are_as_expected() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yml")) {
        let config = path.with_extension("config.yaml");
        let config = config.exists().then(|| source(&config));
        let compiled = compile(&[source(path)], &[], config.as_ref(), OnError::Refuse);
        let refused = compiled.diagnostics.iter().any(|found| found.severity == Severity::Error);
        assert_eq!(compiled.plan.is_none(), refused, "{}", path.display());
        let shown: Vec<String> = compiled.diagnostics.iter().map(ToString::to_string).collect();
        let shown = shown.join("\n");
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
