//! The targets of the project, beside what was measured.

use crate::race::{Measured, Outcome};

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    /// What is compared.
    pub(crate) what: String,
    pub(crate) wanted: Wanted,
    pub(crate) unit: &'static str,
    pub(crate) measured: Option<f64>,
}

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// Whether it is met; nothing if it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        match self.wanted {
            Wanted::AtLeast(least) => Some(measured >= least),
            Wanted::AtMost(most) => Some(measured <= most),
        }
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
    ("three correlations, both have the same rules", "correlations", "component-plain", "rsigma-eval", 8.0),
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

/// Of one entrant: what, race, entrant, figure, unit, wanted.
type Figure = fn(&Outcome, &Measured) -> Option<f64>;
const FIGURES: &[(&str, &str, &str, Figure, &str, Wanted)] = &[
    ("57 + 6 rules, `run --mode tag`, a core", "both", "run-tag", rate, "MB/s", Wanted::AtLeast(1500.0)),
    ("57 rules, the component", "figures", "instantiate", kilobytes, "KB", Wanted::AtMost(250.0)),
    ("57 rules, a new instance", "figures", "instantiate", microseconds, "us", Wanted::AtMost(30.0)),
    (
        "six seeds with their state, a new instance",
        "correlations",
        "instantiate",
        microseconds,
        "us",
        Wanted::AtMost(30.0),
    ),
    ("57 rules, `build`, warm", "figures", "build", milliseconds, "ms", Wanted::AtMost(100.0)),
    (
        "57 rules, second start to the first event",
        "figures",
        "start",
        milliseconds,
        "ms",
        Wanted::AtMost(10.0),
    ),
];

/// All targets.
pub(crate) fn targets(outcomes: &[Outcome]) -> Vec<Target> {
    let race = |name: &str| outcomes.iter().find(|outcome| outcome.race.name == name);
    let times = |what: &str, least: f64, measured: Option<f64>| Target {
        what: what.to_owned(),
        wanted: Wanted::AtLeast(least),
        unit: "x",
        measured,
    };
    let ratios = RATIOS.iter().map(|&(what, name, ours, theirs, wanted)| {
        times(what, wanted, race(name).and_then(|outcome| outcome.ratio(ours, theirs)))
    });
    let figures = FIGURES.iter().map(|&(what, name, entrant, figure, unit, wanted)| Target {
        what: what.to_owned(),
        wanted,
        unit,
        measured: race(name).and_then(|outcome| figure(outcome, outcome.of(entrant)?)),
    });
    let of_component = |name: &str| race(name).and_then(|outcome| rate(outcome, outcome.of("component")?));
    let few = of_component("sigmahq");
    let more = ["generated-1000", "generated-5000"].into_iter().map(|name| {
        let ratio = few.zip(of_component(name)).map(|(few, many)| many / few);
        times(&format!("{name} rules, of the rate of 57"), 0.5, ratio)
    });
    let unzipping =
        times("gzip input, to unzipping and `run` on plain input", 0.9, race("both").and_then(gzip));
    ratios.chain(more).chain(figures).chain([unzipping]).collect()
}

/// How near a run over gzip comes to the decompressor and a run over what it gives: 1 where nothing is lost between.
fn gzip(outcome: &Outcome) -> Option<f64> {
    let seconds = |name: &str| outcome.of(name).map(Measured::median);
    Some((seconds("gunzip")? + seconds("run-tag")?) / seconds("run-gzip")?)
}

fn rate(outcome: &Outcome, measured: &Measured) -> Option<f64> {
    Some(outcome.rate(measured))
}

fn kilobytes(_: &Outcome, measured: &Measured) -> Option<f64> {
    Some(measured.ready.module_bytes? as f64 / 1e3)
}

fn milliseconds(_: &Outcome, measured: &Measured) -> Option<f64> {
    Some(measured.median() * 1e3)
}

fn microseconds(_: &Outcome, measured: &Measured) -> Option<f64> {
    Some(measured.median() * 1e6)
}
