//! The corpus of real events with what the pack's detections have to find in them.

use crate::expectation::{label, rfc3339};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tripwasm_engine::finding::Alert;
use tripwasm_engine::reference::Outcome;
use tripwasm_plan::{Logic, Plan};

/// Every event file with expected results.
pub const NAMES: [&str; 10] = [
    "cloud-custodian",
    "derived-handout",
    "invictus",
    "opensearch-small",
    "otrf-ec2-proxy",
    "otrf-ec2-proxy-timed",
    "plaso-trailscraper",
    "splunk-examples",
    "stratus",
    "streamalert",
];

/// The corpus beside the project; without one a line says that its tests are skipped.
pub fn directory() -> Option<PathBuf> {
    let directory = project().parent()?.join("shared/corpus");
    if directory.is_dir() {
        return Some(directory);
    }
    println!("skipped: there is no corpus at ../shared/corpus");
    None
}

/// The root of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The lines of an event file, each with its newline.
pub fn events(corpus: &Path, name: &str) -> Result<Vec<Vec<u8>>> {
    let path = corpus.join("events").join(name).with_extension("ndjson");
    let input = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(input.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect())
}

/// What the pack finds in an event file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Events by the detection that matches them; of some detections only their number is known.
    pub matches: BTreeMap<&'static str, Matched>,
    /// Windows that reach their number, by correlation.
    pub alerts: BTreeMap<&'static str, BTreeSet<FoundAlert>>,
    /// (role, call) pairs that were never seen before.
    pub first_seen: BTreeSet<(String, String)>,
    /// The events that showed them.
    pub first_seen_events: BTreeSet<u64>,
}

/// Events that a detection matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// Their positions.
    Events(BTreeSet<u64>),
    /// How many.
    Count(usize),
}

/// A window that reached its number of events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundAlert {
    /// Group-by values.
    pub group: Vec<String>,
    /// When the window began.
    pub start: String,
    /// How many events it held.
    pub count: u64,
    /// Times of its first and last event, numbers and lists of values, as far as they are known.
    pub details: Vec<String>,
}

const THRESHOLD: &str = "unauthorized_api_call_threshold";
const IAM_DENIED: &str = "iam_access_denied_discovery";
const ASL_DENIED: &str = "asl_access_denied_discovery";
const FIRST_SEEN: &str = "new_api_call_from_user_role";

/// What has to be found.
pub fn expected(corpus: &Path, name: &str) -> Result<Found> {
    let path = corpus.join("expected").join(format!("seeds-{name}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let seeds: Seeds = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let windows = seeds.unauthorized_api_call.groups.iter().flat_map(|(actor, group)| {
        let alerting = group.windows.iter().filter(|window| window.alert_at.is_some());
        alerting.map(|window| FoundAlert {
            group: vec![actor.clone()],
            start: window.start.clone(),
            count: window.count,
            details: vec![],
        })
    });
    let first_seen = &seeds.new_api_calls_per_role.first_seen;
    Ok(Found {
        matches: BTreeMap::from([
            ("unauthorized_api_call", Matched::Events(seeds.unauthorized_api_call.matches)),
            ("user_access_key_auth", Matched::Events(seeds.access_key_auth.matches)),
            ("unused_region", Matched::Events(seeds.unused_region.matches)),
            ("iam_access_denied", Matched::Count(seeds.splunk_accessdenied_hourly.matches)),
            ("asl_access_denied", Matched::Count(seeds.asl_accessdenied_hourly.matches)),
            ("successful_role_call", Matched::Count(seeds.new_api_calls_per_role.candidates)),
        ]),
        alerts: BTreeMap::from([
            (THRESHOLD, windows.collect()),
            (
                IAM_DENIED,
                seeds.splunk_accessdenied_hourly.alerts.iter().map(|hour| hour.found(None)).collect(),
            ),
            (
                ASL_DENIED,
                seeds
                    .asl_accessdenied_hourly
                    .alerts
                    .iter()
                    .map(|hour| hour.found(Some(&hour.src_ips)))
                    .collect(),
            ),
        ]),
        first_seen: first_seen.iter().map(|seen| (seen.user.clone(), seen.event_name.clone())).collect(),
        first_seen_events: first_seen.iter().map(|seen| seen.i).collect(),
    })
}

/// What an outcome says was found. `origin` tells which event of the file stands at each position of the
/// input.
pub fn found(outcome: &Outcome, plan: &Plan, origin: &[u64]) -> Found {
    let event = |position: u64| usize::try_from(position).ok().and_then(|at| origin.get(at)).copied();
    let matched = |name: &str| -> BTreeSet<u64> {
        let of_rule = outcome.matches.iter().filter(|found| label(plan, found.rule) == name);
        of_rule.filter_map(|found| event(found.event)).collect()
    };
    let positions = |name: &'static str| (name, Matched::Events(matched(name)));
    let count = |name: &'static str| (name, Matched::Count(matched(name).len()));
    let alerts =
        |name: &'static str| outcome.closed.iter().filter(move |alert| label(plan, alert.rule) == name);
    let hourly = |name: &'static str| (name, alerts(name).map(|alert| found_alert(alert, plan)).collect());
    let group = |alert: &Alert| {
        let mut values = alert.group.iter().cloned();
        (values.next().unwrap_or_default(), values.next().unwrap_or_default())
    };
    let first_seen = || alerts(FIRST_SEEN);
    Found {
        matches: BTreeMap::from([
            positions("unauthorized_api_call"),
            positions("user_access_key_auth"),
            positions("unused_region"),
            count("iam_access_denied"),
            count("asl_access_denied"),
            count("successful_role_call"),
        ]),
        alerts: BTreeMap::from([
            (
                THRESHOLD,
                alerts(THRESHOLD)
                    .map(|alert| FoundAlert { details: vec![], ..found_alert(alert, plan) })
                    .collect(),
            ),
            hourly(IAM_DENIED),
            hourly(ASL_DENIED),
        ]),
        first_seen: first_seen().map(group).collect(),
        first_seen_events: first_seen()
            .flat_map(|alert| &alert.events)
            .filter_map(|seen| event(seen.event))
            .collect(),
    }
}

fn found_alert(alert: &Alert, plan: &Plan) -> FoundAlert {
    let rule = usize::try_from(alert.rule.0).ok().and_then(|at| plan.rules.get(at));
    let observed = match rule.map(|rule| &rule.logic) {
        Some(Logic::Correlation(correlation)) => correlation.observed.as_slice(),
        _ => &[],
    };
    let mut details = vec![rfc3339(alert.first), rfc3339(alert.last)];
    for (observed, found) in observed.iter().zip(&alert.observations) {
        if let Some(words) = detail_words(&observed.name) {
            if observed.distinct {
                details.push(format!("{} {}", found.distinct, words.0));
            }
            if observed.values && words.1 {
                details.push(format!("{} {:?}", words.0, found.values));
            }
        }
    }
    details.sort();
    FoundAlert { group: alert.group.clone(), start: rfc3339(alert.window_start), count: alert.count, details }
}

/// What the expected results call a field, and whether they list its values.
fn detail_words(field: &str) -> Option<(&'static str, bool)> {
    Some(match field {
        "eventName" | "api.operation" => ("methods", false),
        "eventSource" | "api.service.name" => ("sources", false),
        "awsRegion" | "cloud.region" => ("regions", true),
        "src_endpoint.ip" => ("addresses", true),
        _ => return None,
    })
}

/// The file of expected results, as far as it is read.
#[derive(Deserialize)]
struct Seeds {
    unauthorized_api_call: Anchored,
    access_key_auth: Detection,
    unused_region: Detection,
    splunk_accessdenied_hourly: Hourly,
    asl_accessdenied_hourly: Hourly,
    new_api_calls_per_role: FirstSeen,
}

#[derive(Deserialize)]
struct Detection {
    matches: BTreeSet<u64>,
}

#[derive(Deserialize)]
struct Anchored {
    matches: BTreeSet<u64>,
    groups: BTreeMap<String, Group>,
}

#[derive(Deserialize)]
struct Group {
    windows: Vec<Window>,
}

#[derive(Deserialize)]
struct Window {
    start: String,
    count: u64,
    alert_at: Option<u64>,
}

#[derive(Deserialize)]
struct Hourly {
    matches: usize,
    alerts: Vec<Hour>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hour {
    key: Vec<String>,
    hour: String,
    failures: u64,
    first_time: String,
    last_time: String,
    methods: u64,
    sources: u64,
    regions: Vec<String>,
    #[serde(rename = "src_ips")]
    src_ips: Vec<String>,
}

#[derive(Deserialize)]
struct FirstSeen {
    candidates: usize,
    first_seen: Vec<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    i: u64,
    user: String,
    #[serde(rename = "eventName")]
    event_name: String,
}

impl Hour {
    fn found(&self, addresses: Option<&Vec<String>>) -> FoundAlert {
        let mut details = vec![
            self.first_time.clone(),
            self.last_time.clone(),
            format!("{} methods", self.methods),
            format!("{} sources", self.sources),
            format!("regions {:?}", self.regions),
        ];
        details.extend(addresses.map(|addresses| format!("addresses {addresses:?}")));
        details.sort();
        FoundAlert { group: self.key.clone(), start: self.hour.clone(), count: self.failures, details }
    }
}
