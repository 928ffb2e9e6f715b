//! The bars of the main race as SVG, legible on light and on dark ground.

use crate::race::Outcome;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 300.0;
const BAR: f64 = 20.0;
const STEP: f64 = 28.0;
const TOP: f64 = 64.0;
/// Room for the figure behind the longest bar.
const FIGURES: f64 = 130.0;

/// Entrants that are shown: what somebody would choose between, and what bounds them.
const SHOWN: &[&str] = &[
    "component",
    "component-tag",
    "native",
    "rsigma-eval",
    "rsigma",
    "sigma-rust",
    "vrl",
    "serde-value",
    "serde-struct",
    "duckdb",
];

/// Draws a race. Bounds that would flatten every other bar stand in the line below the title.
pub(crate) fn picture(outcome: &Outcome) -> String {
    let mut bars: Vec<(&str, f64, &str)> = Vec::new();
    for line in outcome.lines.iter().filter(|line| SHOWN.contains(&line.entrant.name)) {
        if let Ok(measured) = &line.result {
            let kind = match line.entrant.program {
                "tripwasm" => "ours",
                "floors" => "bound",
                _ => "peer",
            };
            bars.push((line.entrant.title, outcome.rate(measured), kind));
        }
    }
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    let most = bars.first().map_or(1.0, |bar| bar.1);
    let height = TOP + STEP * bars.len() as f64 + 12.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Megabytes of CloudTrail a CPU second\">\n{STYLE}\
         <text class=\"title\" x=\"8\" y=\"24\">{}</text>\n<text class=\"small\" x=\"8\" y=\"44\">{}</text>\n",
        escaped(&format!("MB of CloudTrail a CPU second: {}", outcome.race.title)),
        escaped(&bounds(outcome))
    );
    for (at, (title, rate, kind)) in bars.iter().enumerate() {
        let y = TOP + STEP * at as f64;
        let width = (WIDTH - LABELS - FIGURES) * rate / most;
        let middle = y + BAR * 0.72;
        let _ = write!(
            text,
            "<text class=\"label\" x=\"{:.0}\" y=\"{middle:.1}\">{}</text>\n\
             <rect class=\"{kind}\" x=\"{LABELS:.0}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{BAR:.0}\" rx=\"2\"/>\n\
             <text class=\"figure\" x=\"{:.1}\" y=\"{middle:.1}\">{rate:.0}</text>\n",
            LABELS - 10.0,
            escaped(title),
            LABELS + width + 6.0,
        );
    }
    text.push_str("</svg>\n");
    text
}

/// One grey that stands out on both grounds for text, and colours of middle brightness for bars.
const STYLE: &str = "<style>\
text{font-family:system-ui,sans-serif;font-size:14px;fill:#57606a}\
.title{font-size:16px;font-weight:600}.small{font-size:12px}.label{text-anchor:end}.figure{font-weight:600}\
.ours{fill:#d9480f}.peer{fill:#4c7fb8}.bound{fill:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}\
</style>\n";

fn bounds(outcome: &Outcome) -> String {
    let rate = |name: &str| outcome.of(name).map(|measured| outcome.rate(measured));
    let named = [("memcpy", "memcpy"), ("newlines", "newline scan")];
    let parts = named.iter().filter_map(|(name, title)| Some(format!("{title} {:.0}", rate(name)?)));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        return format!("one core, {}", outcome.data.origin);
    }
    format!("one core, {}; the machine's limits: {}", outcome.data.origin, parts.join(", "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
