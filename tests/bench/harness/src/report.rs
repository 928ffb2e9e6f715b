//! The tables, as Markdown that reads well on a terminal, too.

use crate::counts::{Difference, differences};
use crate::race::{Line, Measured, Outcome};
use crate::targets::{Target, Wanted};
use std::fmt::Write as _;

/// What is written above the tables.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) processor: String,
    pub(crate) compiler: String,
    pub(crate) commit: String,
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) core: usize,
    pub(crate) repeat: usize,
}

/// Everything.
pub(crate) fn report(head: &Head, outcomes: &[Outcome], targets: &[Target]) -> String {
    let mut text = String::from("# Benchmarks\n\n");
    let _ = writeln!(
        text,
        "Written by `{}` on {}, commit {}, {}.\nMachine: {}. Everybody runs on core {} alone, in turn, {} times; \
         rates are per CPU second of the median pass, children and helper\nthreads included. MB = 1,000,000 bytes of \
         input. Absolute figures do not carry to another machine: read the ratios.\n",
        head.command, head.date, head.commit, head.compiler, head.processor, head.core, head.repeat
    );
    text.push_str(READING);
    text.push_str("\n## Targets\n\n");
    text.push_str(&targets_table(targets));
    for outcome in outcomes {
        text.push_str(&race(outcome));
    }
    text
}

const READING: &str = "\
A process (`process`) reads the file and writes its output to nothing; all others get the data in memory and hand over
their results in memory. The component gets its input by copy across the sandbox's border, in batches of 256 KiB, with
deadline and memory limit on, as in `tripwasm run`. RSS is the most memory less the data held for the measurement.
How each peer is used is said in `tests/bench/README.md`.
";

/// What was wanted beside what was measured.
pub(crate) fn targets_table(targets: &[Target]) -> String {
    let rows = targets.iter().map(|target| {
        let figure = |figure: f64| match target.unit {
            "x" => format!("{figure:.2}x"),
            unit => format!("{figure:.0} {unit}"),
        };
        let measured = target.measured.map_or("not measured".to_owned(), figure);
        let wanted = match target.wanted {
            Wanted::AtLeast(least) => format!("at least {}", figure(least)),
            Wanted::AtMost(most) => format!("at most {}", figure(most)),
        };
        let verdict = match target.is_met() {
            Some(true) => "met",
            Some(false) => "not met",
            None => "",
        };
        vec![target.what.clone(), wanted, measured, verdict.to_owned()]
    });
    table(&["work", "wanted", "measured", ""], rows.collect())
}

/// One race.
pub(crate) fn race(outcome: &Outcome) -> String {
    let data = &outcome.data;
    let mut text = format!(
        "\n## {}\n\nRace `{}` on {}: {} bytes, sha256 {}.\n\n",
        outcome.race.title,
        outcome.race.name,
        data.origin,
        grouped(data.bytes),
        data.sha256.get(..16).unwrap_or_default()
    );
    let head = [
        "contestant",
        "events/s",
        "MB/s",
        "CPU s (least-most)",
        "x rsigma-eval",
        "x serde_json",
        "RSS MB",
        "out MB",
        "rules",
        "matches",
        "alerts",
    ];
    text.push_str(&table(&head, outcome.lines.iter().map(|line| row(outcome, line)).collect()));
    for line in &outcome.lines {
        match &line.result {
            Ok(measured) => {
                for note in &measured.ready.notes {
                    let _ = write!(text, "\n{}: {note}.\n", line.entrant.title);
                }
            }
            Err(reason) => {
                let _ = write!(text, "\n{}: not measured: {reason}.\n", line.entrant.title);
            }
        }
    }
    differences(outcome).iter().for_each(|difference| text.push_str(&difference_text(difference)));
    text
}

fn row(outcome: &Outcome, line: &Line) -> Vec<String> {
    let title = line.entrant.title.to_owned();
    let Ok(measured) = &line.result else {
        return vec![title, "not measured".to_owned()];
    };
    let reads = line.entrant.reads_events();
    let ratio = |to: &str| {
        let ratio = outcome.ratio(line.entrant.name, to).filter(|_| reads);
        ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
    };
    let tally = &measured.tally;
    let evaluates = measured.ready.rules > 0 && reads;
    let if_it = |is: bool, text: String| if is { text } else { String::new() };
    vec![
        title,
        if_it(tally.events > 0 && reads, events_rate(measured)),
        if_it(tally.bytes > 0 && reads, format!("{:.0}", outcome.rate(measured))),
        seconds(measured),
        ratio("rsigma-eval"),
        ratio("serde-value"),
        format!("{:.0}", measured.rss_bytes as f64 / 1e6),
        if_it(tally.output_bytes > 0, format!("{:.0}", tally.output_bytes as f64 / 1e6)),
        if_it(evaluates, measured.ready.rules.to_string()),
        if_it(evaluates, grouped(tally.matched())),
        if_it(tally.alerts > 0, grouped(tally.alerts)),
    ]
}

/// Least and most beside the median; of what takes less than a hundredth of a second, microseconds.
fn seconds(measured: &Measured) -> String {
    let (median, least, most) = (measured.median(), measured.least(), measured.most());
    match median < 0.01 {
        true => format!("{median:.6} ({least:.6}-{most:.6})"),
        false => format!("{median:.3} ({least:.3}-{most:.3})"),
    }
}

fn events_rate(measured: &Measured) -> String {
    let rate = measured.tally.events as f64 / measured.median();
    format!("{:.0}k", rate / 1e3)
}

fn difference_text(difference: &Difference) -> String {
    const NAMED_MAX: usize = 12;
    let mut text = format!("\n{} counts otherwise:\n", difference.title);
    for ((rule, here, there), reason) in difference.rules.iter().zip(&difference.reasons).take(NAMED_MAX) {
        let _ = writeln!(text, "- {rule}: {here} instead of {there}; {reason}");
    }
    if difference.rules.len() > NAMED_MAX {
        let _ = writeln!(text, "- and {} rules more", difference.rules.len() - NAMED_MAX);
    }
    text
}

/// A Markdown table with columns of even width; all but the first are aligned to the right.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let widths: Vec<usize> = (0..head.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.len());
            cells.chain([head[at].len()]).max().unwrap_or(0).max(2)
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: Vec<&str>| {
        for (at, width) in widths.iter().enumerate() {
            let cell = cells.get(at).copied().unwrap_or_default();
            let _ = match at {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
    };
    line(head.to_vec());
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(at, width)| "-".repeat(width - 1) + if at == 0 { "-" } else { ":" })
        .collect();
    line(rules.iter().map(String::as_str).collect());
    rows.iter().for_each(|row| line(row.iter().map(String::as_str).collect()));
    text
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, table};

    #[test]
    fn tables_are_even() {
        let text =
            table(&["a", "b"], vec![vec!["long name".to_owned(), "1".to_owned()], vec!["x".to_owned()]]);
        assert_eq!(text, "| a         |  b |\n| --------- | -: |\n| long name |  1 |\n| x         |    |\n");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
