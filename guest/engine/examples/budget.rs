//! One pass of the native engine over a file of events, for `cargo xtask budget`, which counts its instructions.
//!
//!     cargo run --release -p tripwasm-engine --example budget -- PLAN EVENTS findings|tag|filter
//!
//! `PLAN` is what the example `plan` of `tripwasm-rules` writes. Prints what was found, a word and a number a line.

use std::error::Error;
use std::hint::black_box;
use tripwasm_engine::finding::{Alert, AlertState};
use tripwasm_engine::{Detector, Mode};

/// As `tripwasm run` hands events over.
const BATCH_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plan, events, work] = arguments.as_slice() else { return Err("usage: PLAN EVENTS WORK".into()) };
    let plan = tripwasm_plan::decode(&std::fs::read(plan)?).map_err(|_| "the plan cannot be read")?;
    let events = std::fs::read(events)?;
    let mode = match work.as_str() {
        "findings" => None,
        "tag" => Some(Mode::Tag),
        "filter" => Some(Mode::Filter),
        other => return Err(format!("no work `{other}`").into()),
    };
    let mut detector = Detector::new(plan).map_err(|_| "the plan is not of this engine")?;
    let batches = batches(&events);
    let found = counted_pass(&mut detector, &batches, mode);
    let statistics = detector.statistics();
    println!("events {}", statistics.events);
    println!("matches {}", statistics.rules.iter().map(|rule| rule.matched).sum::<u64>());
    println!("alerts {}", found.alerts);
    println!("output_bytes {}", found.output_bytes);
    Ok(())
}

#[derive(Default)]
struct Found {
    alerts: usize,
    output_bytes: usize,
}

/// What is counted: callgrind begins and ends with this function, so it keeps a frame and a name of its own.
#[inline(never)]
fn counted_pass(detector: &mut Detector, batches: &[(&[u8], u64)], mode: Option<Mode>) -> Found {
    let mut found = Found::default();
    for &(batch, first) in batches {
        match mode {
            None => {
                let report = black_box(detector.evaluate(batch, first, None));
                found.alerts += closed(report.alerts.iter());
            }
            Some(mode) => {
                let output = black_box(detector.transform(batch, first, None, mode));
                found.alerts += closed(output.alerts.iter());
                found.output_bytes += output.events.len();
            }
        }
    }
    found.alerts += closed(detector.close(i64::MAX).iter());
    found
}

fn closed<'a>(alerts: impl Iterator<Item = &'a Alert>) -> usize {
    alerts.filter(|alert| alert.state == AlertState::Closed).count()
}

/// Events cut behind lines, each batch with the position of its first line.
fn batches(events: &[u8]) -> Vec<(&[u8], u64)> {
    let (mut batches, mut rest, mut position) = (Vec::new(), events, 0);
    while !rest.is_empty() {
        let most = rest.len().min(BATCH_BYTES);
        let last = rest[..most].iter().rposition(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (batch, behind) = rest.split_at(last);
        batches.push((batch, position));
        position += batch.iter().filter(|&&byte| byte == b'\n').count() as u64;
        rest = behind;
    }
    batches
}
