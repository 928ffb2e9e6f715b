//! The targets of the project, beside what was measured.

use crate::race::Outcome;

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    /// What is compared.
    pub(crate) what: String,
    /// At least.
    pub(crate) wanted: f64,
    pub(crate) measured: Option<f64>,
}

impl Target {
    /// Whether it is met; nothing if it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| measured >= self.wanted)
    }
}

/// Work, race, ours, theirs, at least.
const RATIOS: &[(&str, &str, &str, &str, f64)] = &[
    ("57 + 6 rules, findings, to rsigma-eval as a library", "both", "component", "rsigma-eval", 8.0),
    ("57 + 6 rules, findings, to rsigma's command line", "both", "component", "rsigma", 20.0),
    ("57 + 6 rules, findings, to VRL", "both", "component", "vrl", 15.0),
    ("57 + 6 rules, tag, to VRL with encode", "both", "component-tag", "vrl", 12.0),
    ("57 + 6 rules, tag, to serde_json Value", "both", "component-tag", "serde-value", 5.0),
    ("57 rules less the noisy one, findings, to rsigma-eval", "quiet", "component", "rsigma-eval", 15.0),
    ("57 rules less the noisy one, findings, to memcpy", "quiet", "component", "memcpy", 0.25),
    ("six seeds, to DuckDB's typed-column scan", "seeds", "component", "duckdb", 1.0),
    (
        "correlations of the six seeds, to rsigma-eval's three",
        "correlations",
        "component",
        "rsigma-eval",
        8.0,
    ),
    ("scan inside the guest, to the engine native", "both", "component-inside", "native", 0.75),
    ("component with copy, deadline and limits, to the engine native", "both", "component", "native", 0.55),
];

/// All that ratios say.
pub(crate) fn targets(outcomes: &[Outcome]) -> Vec<Target> {
    let race = |name: &str| outcomes.iter().find(|outcome| outcome.race.name == name);
    let ratios = RATIOS.iter().map(|&(what, name, ours, theirs, wanted)| Target {
        what: what.to_owned(),
        wanted,
        measured: race(name).and_then(|outcome| outcome.ratio(ours, theirs)),
    });
    let rate = |name: &str| race(name).and_then(|outcome| Some(outcome.rate(outcome.of("component")?)));
    let few = rate("sigmahq");
    let more = ["generated-1000", "generated-5000"].into_iter().map(|name| Target {
        what: format!("{name} rules, of the rate of 57"),
        wanted: 0.5,
        measured: few.zip(rate(name)).map(|(few, many)| many / few),
    });
    ratios.chain(more).collect()
}
