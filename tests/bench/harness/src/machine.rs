//! The machine, for the head of the table.

use std::process::Command;

/// The processor's name and how many cores there are.
pub(crate) fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let cores = text.lines().filter(|line| line.starts_with("processor")).count();
    let name = value("model name").unwrap_or_else(|| "unknown processor".to_owned());
    let family = value("cpu family")
        .zip(value("model\t"))
        .map(|(family, model)| format!("family {family} model {model}"));
    format!("{name}{}, {cores} cores", family.map_or(String::new(), |family| format!(" ({family})")))
}

/// The first line that a command prints.
pub(crate) fn first_line(program: &str, arguments: &[&str], folder: &std::path::Path) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().filter(|_| output.status.success()).map(str::to_owned)
}

/// The commit, and whether files differ from it.
pub(crate) fn commit(root: &std::path::Path) -> String {
    let commit = first_line("git", &["rev-parse", "--short=12", "HEAD"], root);
    let is_changed = first_line("git", &["status", "--porcelain", "--untracked-files=no"], root).is_some();
    let changed = if is_changed { " with changes" } else { "" };
    commit.map_or("no commit".to_owned(), |commit| format!("{commit}{changed}"))
}
