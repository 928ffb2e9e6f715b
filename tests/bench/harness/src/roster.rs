//! Who takes part, and in what.

use bench_protocol::Work;

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrant {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it is called in the table.
    pub(crate) title: &'static str,
    /// The program, without `contestant-`.
    pub(crate) program: &'static str,
    pub(crate) variant: &'static str,
    pub(crate) work: Work,
    pub(crate) rules: Flavour,
    pub(crate) takes: Takes,
}

/// In which words it gets the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// None.
    Without,
    /// As tripwasm's users write them: Sigma with its block.
    Ours,
    /// Plain Sigma that means the same.
    Plain,
}

/// In which races it takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// In all.
    All,
    /// In all that have no correlations.
    Matching,
    /// In the main one, and where it is named: what it measures does not depend on the rules, or adds little elsewhere.
    Main,
    /// Where the rules are the six seeds' predicates.
    Seeds,
    /// Where there are correlations.
    Correlations,
    /// In what is measured of the module itself.
    Figures,
}

impl Entrant {
    /// Whether it goes over the events, so that rates and counts say something.
    pub(crate) fn reads_events(&self) -> bool {
        self.takes != Takes::Figures
    }
}

const fn entrant(
    name: &'static str,
    title: &'static str,
    program: &'static str,
    variant: &'static str,
) -> Entrant {
    let (work, rules, takes) = (Work::Findings, Flavour::Plain, Takes::Matching);
    Entrant { name, title, program, variant, work, rules, takes }
}

/// Everybody, in the order of the table.
pub(crate) const ROSTER: &[Entrant] = &[
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::All,
        ..entrant("component", "tripwasm component, findings", "tripwasm", "component")
    },
    Entrant {
        takes: Takes::Correlations,
        ..entrant("component-plain", "tripwasm component, rsigma's rules", "tripwasm", "component")
    },
    Entrant {
        rules: Flavour::Ours,
        work: Work::Tag,
        takes: Takes::All,
        ..entrant("component-tag", "tripwasm component, tag", "tripwasm", "component")
    },
    Entrant {
        rules: Flavour::Ours,
        work: Work::Filter,
        takes: Takes::Main,
        ..entrant("component-filter", "tripwasm component, filter", "tripwasm", "component")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::Main,
        ..entrant("component-inside", "tripwasm component, inside the guest alone", "tripwasm", "inside")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::All,
        ..entrant("native", "tripwasm engine native, findings", "tripwasm", "native")
    },
    Entrant {
        rules: Flavour::Ours,
        work: Work::Tag,
        takes: Takes::Main,
        ..entrant("native-tag", "tripwasm engine native, tag", "tripwasm", "native")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::Main,
        ..entrant("run", "tripwasm run --mode findings (process)", "commands", "tripwasm")
    },
    Entrant {
        rules: Flavour::Ours,
        work: Work::Tag,
        takes: Takes::Main,
        ..entrant("run-tag", "tripwasm run --mode tag (process)", "commands", "tripwasm")
    },
    Entrant {
        rules: Flavour::Ours,
        work: Work::Tag,
        takes: Takes::Main,
        ..entrant("run-gzip", "tripwasm run --mode tag, gzip (process)", "commands", "tripwasm-gzip")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::Figures,
        ..entrant("build", "tripwasm build, warm (process)", "commands", "tripwasm-build")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::Figures,
        ..entrant("start", "tripwasm run, second start, one event (process)", "commands", "tripwasm-start")
    },
    Entrant {
        rules: Flavour::Ours,
        takes: Takes::Figures,
        ..entrant("instantiate", "a new instance", "tripwasm", "instantiate")
    },
    Entrant { takes: Takes::All, ..entrant("rsigma-eval", "rsigma-eval 0.23", "rsigma", "library") },
    Entrant {
        takes: Takes::Main,
        ..entrant("rsigma", "rsigma 0.23 engine eval (process)", "commands", "rsigma")
    },
    Entrant { takes: Takes::Main, ..entrant("sigma-rust", "sigma-rust 0.7", "sigma-rust", "library") },
    Entrant {
        work: Work::Tag,
        takes: Takes::Main,
        ..entrant("vrl", "VRL 0.38, tag and encode", "vrl", "library")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("vrl-parse", "VRL 0.38, parse alone", "vrl", "library")
    },
    Entrant {
        work: Work::Counts,
        rules: Flavour::Without,
        takes: Takes::Seeds,
        ..entrant("duckdb", "DuckDB, typed columns, counts", "duckdb", "sql")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("serde-value", "serde_json Value", "floors", "value")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("serde-struct", "serde_json borrowed struct", "floors", "struct")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("memcpy", "memcpy", "floors", "memcpy")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("newlines", "newline scan", "floors", "newlines")
    },
    Entrant {
        work: Work::Parse,
        rules: Flavour::Without,
        takes: Takes::Main,
        ..entrant("gunzip", "gunzip (zlib-rs)", "floors", "gunzip")
    },
];

/// One race: everybody that takes part, on the same rules and data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Race {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rules: RuleSet,
    pub(crate) data: DataSet,
    /// Names of those who take part besides.
    pub(crate) guests: &'static [&'static str],
}

/// Which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleSet {
    /// The predicates of the six seeds.
    Seeds,
    /// SigmaHQ's 57 rules for CloudTrail.
    SigmaHq,
    /// Without the one that matches most.
    SigmaHqQuiet,
    /// SigmaHQ's and the seeds.
    Both,
    /// The seeds with their state.
    Correlations,
    /// So many made up.
    Generated(u32),
}

/// Which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataSet {
    Generated,
    Real,
}

const fn race(name: &'static str, title: &'static str, rules: RuleSet) -> Race {
    Race { name, title, rules, data: DataSet::Generated, guests: &[] }
}

/// Where nobody goes over the events.
const FIGURES: &str = "figures";

/// All races, the main one first.
pub(crate) const RACES: &[Race] = &[
    race("both", "SigmaHQ's 57 rules and the six seeds' predicates", RuleSet::Both),
    race("sigmahq", "SigmaHQ's 57 rules", RuleSet::SigmaHq),
    Race {
        guests: &["memcpy"],
        ..race("quiet", "SigmaHQ's rules without aws_sts_assumerole_misuse", RuleSet::SigmaHqQuiet)
    },
    race("seeds", "the six seeds' predicates", RuleSet::Seeds),
    Race {
        guests: &["instantiate"],
        ..race(
            "correlations",
            "the six seeds with all their state; of rsigma three correlations",
            RuleSet::Correlations,
        )
    },
    race(FIGURES, "SigmaHQ's 57 rules: to build, to start, to instantiate", RuleSet::SigmaHq),
    race("generated-100", "100 made-up rules", RuleSet::Generated(100)),
    race("generated-1000", "1,000 made-up rules", RuleSet::Generated(1000)),
    race("generated-5000", "5,000 made-up rules", RuleSet::Generated(5000)),
    Race {
        data: DataSet::Real,
        guests: &["memcpy", "serde-value"],
        ..race("real", "SigmaHQ's 57 rules and the six seeds' predicates, real events", RuleSet::Both)
    },
];

impl Race {
    /// Whether an entrant takes part.
    pub(crate) fn has(&self, entrant: &Entrant) -> bool {
        let named = self.guests.contains(&entrant.name);
        named
            || match entrant.takes {
                Takes::Figures => self.name == FIGURES,
                _ if self.name == FIGURES => false,
                Takes::All => true,
                Takes::Correlations => self.rules == RuleSet::Correlations,
                Takes::Matching => self.rules != RuleSet::Correlations,
                Takes::Main => self.name == "both",
                Takes::Seeds => self.rules == RuleSet::Seeds,
            }
    }
}
